package inferencegateway

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	infv1 "sigs.k8s.io/gateway-api-inference-extension/api/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// result is what one reconciliation found, for the status.
type result struct {
	plan     manifest.Plan
	findings []manifest.Finding
	// labelled is the error of labelling pods.
	labelled error
}

// readyConditions are those that Ready is made of, in the order in which their
// reasons are reported.
func readyConditions() []string {
	return []string{
		inference.ConditionAnnotationsAccepted, inference.ConditionEndpointPickerReady, inference.ConditionPoolAccepted,
		inference.ConditionRouteAccepted, inference.ConditionObjectiveApplied, inference.ConditionPodsLabelled,
	}
}

// conditions are what the objects themselves say, overruled by findings.
func (r *Reconciler) conditions(b bound, res result) []metav1.Condition {
	observed := []metav1.Condition{
		accepted(b.problems),
		r.pickerCondition(b, res.plan),
		r.poolCondition(b, res.plan),
		r.routeCondition(b, res.plan),
		objectiveCondition(b, res.plan),
		podsCondition(res),
	}
	observed = overrule(observed, unfinished(b, slices.Concat(res.findings, r.patchFindings(b, res.plan))))
	return append(observed, summary(observed))
}

// unfinished turns the lack of traffic of a Service that is still coming up into
// what it is: nothing to warn of yet.
func unfinished(b bound, findings []manifest.Finding) []manifest.Finding {
	out := slices.Clone(findings)
	for i := range out {
		if out[i].Reason == inference.ReasonNoTraffic && !b.svc.IsFailed() && !b.svc.IsReady() {
			out[i].Status = string(metav1.ConditionUnknown)
		}
	}
	return out
}

// overrule replaces conditions by findings: False before Unknown before True,
// and the first of equals.
func overrule(conditions []metav1.Condition, findings []manifest.Finding) []metav1.Condition {
	worst := map[string]manifest.Finding{}
	for _, f := range findings {
		if old, ok := worst[f.Type]; !ok || rank(f.Status) < rank(old.Status) {
			worst[f.Type] = f
		}
	}
	out := slices.Clone(conditions)
	for _, kind := range sortedKeys(worst) {
		f := worst[kind]
		c := condition(kind, metav1.ConditionStatus(f.Status), f.Reason, f.Message)
		i := slices.IndexFunc(out, func(c metav1.Condition) bool { return c.Type == kind })
		switch {
		case i < 0:
			out = append(out, c)
		case f.Reason == inference.ReasonProviderUnknown && out[i].Status == metav1.ConditionTrue:
			out[i].Reason, out[i].Message = f.Reason, f.Message // it works all the same
		case rank(f.Status) <= rank(string(out[i].Status)):
			out[i] = c
		}
	}
	return out
}

func rank(status string) int {
	return slices.Index([]string{string(metav1.ConditionFalse), string(metav1.ConditionUnknown),
		string(metav1.ConditionTrue)}, status)
}

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

// summary is Ready, with the reason of the first that is not.
func summary(conditions []metav1.Condition) metav1.Condition {
	for _, status := range []metav1.ConditionStatus{metav1.ConditionFalse, metav1.ConditionUnknown} {
		for _, kind := range readyConditions() {
			i := slices.IndexFunc(conditions, func(c metav1.Condition) bool { return c.Type == kind && c.Status == status })
			if i >= 0 {
				return condition(inference.ConditionReady, status, conditions[i].Reason, conditions[i].Message)
			}
		}
	}
	return condition(inference.ConditionReady, metav1.ConditionTrue, "Ready", "Requests to the hosts in status.urls are served through the inference gateway.")
}

// accepted reports warnings too, which refuse nothing.
func accepted(problems []binding.Problem) metav1.Condition {
	if err := refused(problems); err != nil {
		return condition(inference.ConditionAnnotationsAccepted, metav1.ConditionFalse, inference.ReasonRefused,
			fmt.Sprintf("What was set up before stays as it is: %v", err))
	}
	var warnings []string
	for _, p := range problems {
		warnings = append(warnings, p.Path+": "+p.Message)
	}
	if len(warnings) > 0 {
		return condition(inference.ConditionAnnotationsAccepted, metav1.ConditionTrue, "Warning", strings.Join(warnings, "; "))
	}
	return condition(inference.ConditionAnnotationsAccepted, metav1.ConditionTrue, "Accepted", "")
}

// pickerCondition follows the pickers' Deployments.
func (r *Reconciler) pickerCondition(b bound, plan manifest.Plan) metav1.Condition {
	kind := inference.ConditionEndpointPickerReady
	switch b.intent.Picker.Mode {
	case binding.PickerExternal:
		return condition(kind, metav1.ConditionTrue, "External", fmt.Sprintf("Service %s:%d picks endpoints.", b.intent.Picker.Service, b.intent.Picker.Port))
	case binding.PickerNone:
		return condition(kind, metav1.ConditionTrue, "BuiltIn", "The gateway's own endpoint picker is used.")
	case binding.PickerManaged: // its Deployment says
	}
	var names []string
	for _, o := range slices.Concat(plan.Gateway, plan.Objects) {
		if o.GetKind() != "Deployment" {
			continue
		}
		if !r.available(o.GetNamespace(), o.GetName()) {
			return condition(kind, metav1.ConditionUnknown, "Deploying",
				fmt.Sprintf("Deployment %s is not available: %s. %s", o.GetName(),
					strings.TrimSuffix(r.whyNot(o.GetNamespace(), o.GetName()), "."), r.meanwhile(plan, o)))
		}
		names = append(names, o.GetName())
	}
	if len(names) == 0 && len(plan.Pools) > 0 {
		return condition(kind, metav1.ConditionTrue, "ForeignPool", "The pool that is named has an endpoint picker of its own.")
	}
	if len(names) == 0 {
		return condition(kind, metav1.ConditionUnknown, "NoEndpointPicker", "No endpoint picker is deployed; see the other conditions.")
	}
	return condition(kind, metav1.ConditionTrue, "Available", "Available: "+strings.Join(names, ", ")+".")
}

// meanwhile says what clients see while a Deployment of the plan is not available.
func (r *Reconciler) meanwhile(plan manifest.Plan, away manifest.Object) string {
	isLiveRoute := func(o manifest.Object) bool { return o.Stage == manifest.StageRoute && r.cached(o) != nil }
	switch {
	case !slices.ContainsFunc(plan.Objects, isLiveRoute):
		return "The route waits for it."
	case away.Ownership == manifest.GatewayWide: // the body-based router
		return "Without it the gateway answers requests that are routed by model with an error, 5xx."
	default:
		return withoutPicker(plan)
	}
}

// withoutPicker says what clients see of a route that serves while no picker answers.
func withoutPicker(plan manifest.Plan) string {
	for _, o := range plan.Objects {
		mode, _, _ := unstructured.NestedString(o.Object, "spec", "endpointPickerRef", "failureMode")
		if o.GetKind() == "InferencePool" && mode == annotations.FailOpen {
			return "Without it requests go on to any Ready pod, past the picker's queue and priorities (FailOpen)."
		}
	}
	return "Without it the gateway answers inference requests with an error, 5xx (FailClose)."
}

// available reports whether a Deployment of ours is; the picker's is what routes wait
// for. One that is rolling keeps its old pods until the new ones answer.
func (r *Reconciler) available(namespace, name string) bool {
	d := typed[appsv1.Deployment](r.watches, deployments, namespace, name)
	return d != nil && deploymentCondition(d, appsv1.DeploymentAvailable).Status == corev1.ConditionTrue
}

func (r *Reconciler) whyNot(namespace, name string) string {
	d := typed[appsv1.Deployment](r.watches, deployments, namespace, name)
	if d == nil {
		return "it was just made."
	}
	for _, kind := range []appsv1.DeploymentConditionType{appsv1.DeploymentReplicaFailure,
		appsv1.DeploymentAvailable, appsv1.DeploymentProgressing} {
		if c := deploymentCondition(d, kind); c.Message != "" {
			return c.Message
		}
	}
	return "its pods are starting."
}

// deploymentCondition is the zero value when the Deployment does not have the condition.
func deploymentCondition(d *appsv1.Deployment, kind appsv1.DeploymentConditionType) appsv1.DeploymentCondition {
	for _, c := range d.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return appsv1.DeploymentCondition{}
}

// parentStatus is the status of a pool or route at one of its parents.
type parentStatus struct {
	namespace, name string
	conditions      []metav1.Condition
}

// poolParents is nil for a pool that does not fit its type: nothing is known about it then.
func poolParents(pool *unstructured.Unstructured) (out []parentStatus) {
	p, err := decode[infv1.InferencePool](pool)
	if err != nil {
		return nil
	}
	for _, s := range p.Status.Parents {
		out = append(out, parentStatus{string(s.ParentRef.Namespace), string(s.ParentRef.Name), s.Conditions})
	}
	return out
}

// routeParents is nil for a route that does not fit its type: nothing is known about it then.
func routeParents(route *unstructured.Unstructured) (out []parentStatus) {
	p, err := decode[gatewayv1.HTTPRoute](route)
	if err != nil {
		return nil
	}
	for _, s := range p.Status.Parents {
		out = append(out, parentStatus{string(value(s.ParentRef.Namespace)), string(s.ParentRef.Name), s.Conditions})
	}
	return out
}

// ofGateway keeps what our Gateway says in the status of a pool or route.
func ofGateway(parents []parentStatus, b bound) []parentStatus {
	return slices.DeleteFunc(parents, func(p parentStatus) bool {
		return p.name != b.intent.Gateway.Name || cmp.Or(p.namespace, b.owner.namespace) != b.intent.Gateway.Namespace
	})
}

// settling is how long a Gateway may say no to something new before that is
// reported: it sees pools, Services and routes one after the other.
const (
	settling       = 5 * time.Second
	reasonSettling = "Settling"
)

// attached are the conditions of a pool or route that a Gateway serves.
var attached = []string{"Accepted", "ResolvedRefs"}

// verdict folds the conditions of these kinds that our Gateway gave an object of a generation.
// What it said of an earlier generation says nothing of this one.
func (r *Reconciler) verdict(generation int64, parents []parentStatus,
	kinds ...string) (metav1.ConditionStatus, string, string) {
	if len(parents) == 0 {
		return metav1.ConditionUnknown, "Pending", "the Gateway has not said anything about it yet"
	}
	for _, p := range parents {
		for _, kind := range kinds {
			c := value(find(p.conditions, kind))
			switch {
			case c.ObservedGeneration > 0 && c.ObservedGeneration < generation:
				return metav1.ConditionUnknown, "Pending", fmt.Sprintf("the Gateway has not processed its last change yet (%s is of generation %d of %d)", kind, c.ObservedGeneration, generation)
			case c.Status == metav1.ConditionTrue:
			case c.Status == metav1.ConditionFalse:
				if r.now().Sub(c.LastTransitionTime.Time) < settling {
					return metav1.ConditionUnknown, reasonSettling, fmt.Sprintf("%s is not True yet: %s", kind, c.Message)
				}
				return metav1.ConditionFalse, c.Reason, fmt.Sprintf("%s is False: %s", kind, c.Message)
			default:
				return metav1.ConditionUnknown, "Pending", fmt.Sprintf("the Gateway has not set %s yet", kind)
			}
		}
	}
	return metav1.ConditionTrue, "Accepted", ""
}

// unsettled is when to look again whether the Gateway still says no.
func (r *Reconciler) unsettled(b bound) time.Duration {
	e, _ := r.ledger.get(b.key())
	if slices.ContainsFunc(e.conditions, func(c metav1.Condition) bool { return c.Reason == reasonSettling }) {
		return settling
	}
	return 0
}

func (r *Reconciler) poolCondition(b bound, plan manifest.Plan) metav1.Condition {
	names := poolsOf(plan)
	if len(names) == 0 {
		return condition(inference.ConditionPoolAccepted, metav1.ConditionUnknown, "NoPool", "There is no pool; see the other conditions.")
	}
	for _, name := range names {
		live := r.watches.get(pools, b.owner.namespace, name)
		if live == nil {
			return condition(inference.ConditionPoolAccepted, metav1.ConditionUnknown, "Pending", fmt.Sprintf("InferencePool %s is not there yet.", name))
		}
		if status, reason, why := r.verdict(live.GetGeneration(),
			ofGateway(poolParents(live), b), attached...); status != metav1.ConditionTrue {
			return condition(inference.ConditionPoolAccepted, status, reason, fmt.Sprintf("InferencePool %s: %s.", name, why))
		}
	}
	return condition(inference.ConditionPoolAccepted, metav1.ConditionTrue, "Accepted", "")
}

// poolsOf lists the pools that routes lead to.
func poolsOf(plan manifest.Plan) (names []string) {
	for _, revision := range sortedKeys(plan.Pools) {
		names = append(names, plan.Pools[revision])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (r *Reconciler) routeCondition(b bound, plan manifest.Plan) metav1.Condition {
	kind, found := inference.ConditionRouteAccepted, false
	for _, o := range plan.Objects {
		if o.GetKind() != "HTTPRoute" || o.Stage != manifest.StageRoute { // introducing reports a coming route
			continue
		}
		found = true
		live := r.watches.get(httpRoutes, o.GetNamespace(), o.GetName())
		if live == nil {
			return condition(kind, metav1.ConditionUnknown, "Pending", fmt.Sprintf("HTTPRoute %s is not there yet.", o.GetName()))
		}
		if status, reason, why := r.verdict(live.GetGeneration(),
			ofGateway(routeParents(live), b), attached...); status != metav1.ConditionTrue {
			return condition(kind, status, reason, fmt.Sprintf("HTTPRoute %s: %s.", o.GetName(), why))
		}
	}
	if !found {
		return condition(kind, metav1.ConditionUnknown, "NoRoute", "There is no route; see the other conditions.")
	}
	return condition(kind, metav1.ConditionTrue, "Accepted", "")
}

func objectiveCondition(b bound, plan manifest.Plan) metav1.Condition {
	kind := inference.ConditionObjectiveApplied
	if b.intent.Priority == nil && len(b.intent.Objectives) == 0 {
		return condition(kind, metav1.ConditionTrue, inference.ReasonNoObjective, "No priority is asked for; requests have priority 0.")
	}
	return condition(kind, metav1.ConditionTrue, "Applied", "The objectives are read by the endpoint picker from "+plan.ObjectiveGroup+".")
}

func podsCondition(res result) metav1.Condition {
	kind := inference.ConditionPodsLabelled
	if res.labelled != nil {
		return condition(kind, metav1.ConditionFalse, "LabellingFailed", res.labelled.Error())
	}
	for _, routed := range res.plan.Routed {
		if routed {
			return condition(kind, metav1.ConditionTrue, "Labelled", "")
		}
	}
	return condition(kind, metav1.ConditionUnknown, inference.ReasonNoTraffic, "No revision takes traffic yet.")
}
