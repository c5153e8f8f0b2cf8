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

// patchFindings say what Envoy Gateway did not take of the patches: they hold the shares of
// revisions and the header of an objective. Envoy Gateway takes none unless its own
// configuration has enableEnvoyPatchPolicy, and a patch that does not fit only shows in the
// status of its policy.
func (r *Reconciler) patchFindings(b bound, plan manifest.Plan) (out []manifest.Finding) {
	for _, o := range slices.Concat(plan.Gateway, plan.Objects) {
		if o.GetKind() != "EnvoyPatchPolicy" {
			continue
		}
		status, why := r.patched(b, r.watches.get(patchPolicies, o.GetNamespace(), o.GetName()))
		if status == metav1.ConditionTrue {
			continue
		}
		message := fmt.Sprintf("EnvoyPatchPolicy %s/%s: %s.", o.GetNamespace(), o.GetName(), why)
		if len(b.intent.Objectives) > 0 || b.intent.Priority != nil {
			out = append(out, manifest.Finding{Type: inference.ConditionObjectiveApplied, Status: string(status),
				Reason: inference.ReasonPatchNotApplied, Message: message + " Clients choose their priority themselves."})
		}
		if len(plan.Pools) > 1 {
			out = append(out, manifest.Finding{Type: inference.ConditionTrafficSplit, Status: string(status),
				Reason: inference.ReasonPatchNotApplied, Message: message + " The revision with the largest share gets all requests."})
		}
	}
	return out
}

// patched is what Envoy Gateway says of a policy, with its words.
func (r *Reconciler) patched(b bound, policy *unstructured.Unstructured) (metav1.ConditionStatus, string) {
	for _, p := range policyAncestors(policy) {
		if p.name != b.intent.Gateway.Name || cmp.Or(p.namespace, b.intent.Gateway.Namespace) != b.intent.Gateway.Namespace {
			continue
		}
		for _, kind := range []string{"Accepted", "Programmed"} {
			c := value(find(p.conditions, kind))
			switch {
			case c.Status == metav1.ConditionTrue && c.ObservedGeneration >= policy.GetGeneration():
			case c.Status == metav1.ConditionFalse && r.now().Sub(c.LastTransitionTime.Time) >= settling:
				return metav1.ConditionFalse, fmt.Sprintf("%s is False: %s", kind, cmp.Or(c.Message, c.Reason))
			default:
				return metav1.ConditionUnknown, fmt.Sprintf("%s is not True yet", kind)
			}
		}
		return metav1.ConditionTrue, ""
	}
	return metav1.ConditionUnknown, "Envoy Gateway has said nothing about it; it reads such policies only with extensionApis.enableEnvoyPatchPolicy: true in its own configuration"
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
		out = append(out, parentStatus{string(value(a.AncestorRef.Namespace)), string(a.AncestorRef.Name), a.Conditions})
	}
	return out
}
