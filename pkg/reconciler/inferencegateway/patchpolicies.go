package inferencegateway

import (
	"cmp"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// patchFindings say which policies Envoy Gateway has not applied; the policies hold the shares of
// revisions and the header of an objective. Envoy Gateway reads policies only if its own
// configuration has enableEnvoyPatchPolicy, and reports a patch that does not fit only in the
// status of the policy.
func (r *Reconciler) patchFindings(b bound, plan manifest.Plan) (out []manifest.Finding) {
	for _, o := range slices.Concat(plan.Gateway, plan.Objects) {
		if o.GetKind() != "EnvoyPatchPolicy" {
			continue
		}
		status, reason, why := r.patched(b, r.watches.get(patchPolicies, o.GetNamespace(), o.GetName()))
		if status == metav1.ConditionTrue {
			continue
		}
		if status == metav1.ConditionFalse {
			reason = inference.ReasonPatchNotApplied
		}
		message := fmt.Sprintf("EnvoyPatchPolicy %s/%s: %s.", o.GetNamespace(), o.GetName(), why)
		if len(b.intent.Objectives) > 0 || b.intent.Priority != nil {
			out = append(out, manifest.Finding{Type: inference.ConditionObjectiveApplied, Status: string(status),
				Reason: reason, Message: message + " Clients choose their priority themselves."})
		}
		if len(plan.Pools) > 1 {
			out = append(out, manifest.Finding{Type: inference.ConditionTrafficSplit, Status: string(status),
				Reason: reason, Message: message + " The revision with the largest share gets all requests."})
		}
	}
	return out
}

// patched is what Envoy Gateway says of a policy, which is nil before it is there.
func (r *Reconciler) patched(b bound, policy *unstructured.Unstructured) (metav1.ConditionStatus, string, string) {
	ancestors := ofGateway(policyAncestors(policy), b)
	if len(ancestors) == 0 {
		return metav1.ConditionUnknown, "Pending", "Envoy Gateway has said nothing about it; it reads such policies only with " +
			"extensionApis.enableEnvoyPatchPolicy: true in its own configuration"
	}
	return r.verdict(policy.GetGeneration(), ancestors, "Accepted", "Programmed")
}

// policyAncestors is nil for a policy that does not fit its type.
func policyAncestors(policy *unstructured.Unstructured) (out []parentStatus) {
	if policy == nil {
		return nil
	}
	content, _, err := unstructured.NestedMap(policy.Object, "status")
	if err != nil {
		return nil
	}
	s, err := decode[gatewayv1.PolicyStatus](&unstructured.Unstructured{Object: content})
	if err != nil {
		return nil
	}
	for _, a := range s.Ancestors {
		namespace := cmp.Or(string(value(a.AncestorRef.Namespace)), policy.GetNamespace())
		out = append(out, parentStatus{namespace, string(a.AncestorRef.Name), a.Conditions})
	}
	return out
}
