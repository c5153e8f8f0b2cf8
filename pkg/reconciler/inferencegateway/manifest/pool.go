package manifest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	infv1 "sigs.k8s.io/gateway-api-inference-extension/api/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// The API of pools.
const (
	poolGroup   = infv1.GroupName
	poolVersion = poolGroup + "/v1"
	poolKind    = "InferencePool"
)

// pickerPort is where a picker of ours is asked.
const pickerPort = 9002

// poolName is the pool of mode service.
func (b *builder) poolName() string { return cmp.Or(b.in.Pool, fit(b.in.Service, maxPool)) }

// foreign is true when the pool that is named belongs to somebody else.
func (b *builder) foreign() bool { return b.in.Pool != "" && b.w.Pool != nil && !b.w.Pool.Managed }

// foreignSelector are labels that make our pods members of a foreign pool.
func (b *builder) foreignSelector() map[string]string {
	if !b.foreign() {
		return nil
	}
	set, refused := binding.PoolLabels(b.w.Pool.Selector, b.in.Service, b.in.Pool)
	for _, key := range refused {
		b.find(inference.ConditionPodsLabelled, "False", inference.ReasonPoolMismatch,
			fmt.Sprintf("The pool %s selects %s=%s, a label that Kubernetes, Knative or this adapter selects pods by, so it is not set; give the pool another selector.", b.in.Pool, key, b.w.Pool.Selector[key]))
	}
	return set
}

// renderPools writes pools with their pickers; false when there is none to send requests to.
func (b *builder) renderPools() bool {
	if b.foreign() {
		return true
	}
	if b.plan.Pools[""] != "" {
		b.plan.TargetPort = targetPort(b.leader().PoolPort, b.revision)
		b.checkPorts()
		return b.renderPool(b.plan.Pools[""], b.selector(), b.revision)
	}
	b.plan.TargetPort = targetPort(b.in.PoolPort, b.revision)
	ok := true
	for _, revision := range slices.Sorted(maps.Keys(b.plan.Pools)) {
		ok = b.renderPool(b.plan.Pools[revision], map[string]string{knativeRevisionLabel: revision},
			b.w.Revisions[revision]) && ok
	}
	return ok
}

// selector is that of the one pool. Routed keeps pods of a revision without traffic out.
func (b *builder) selector() map[string]string {
	s := map[string]string{inference.RoutedKey: "true"}
	switch {
	case b.in.Pool != "":
		s[inference.PoolKey] = b.in.Pool
	case b.in.Selector != nil:
		maps.Copy(s, b.in.Selector)
	default:
		s[knativeServiceLabel] = b.in.Service
	}
	return s
}

// checkPorts finds revisions whose pods cannot be in one pool.
func (b *builder) checkPorts() {
	mine := traitsOf(member{intent: b.in, revision: b.revision})
	for _, name := range slices.Sorted(maps.Keys(b.plan.Routed)) {
		r, known := b.w.Revisions[name]
		if other := traitsOf(member{intent: b.in, revision: r}); known && other != mine {
			b.find(inference.ConditionEndpointPickerReady, "False", inference.ReasonPortsDiffer,
				fmt.Sprintf("Revision %s has target port %d, metrics at %d%s and engine %s, the pool %d, %d%s and %s; move all traffic to one of them, or set %s to %q.",
					name, other.target, other.metrics, other.path, other.engine, mine.target, mine.metrics, mine.path,
					mine.engine, inference.PoolModeKey, binding.PoolPerRevision))
		}
	}
}

// failureMode is FailClose also where the gateway would go by the client's own
// header once the picker is gone.
func (b *builder) failureMode() infv1.EndpointPickerFailureMode {
	switch {
	case !b.leader().FailOpen:
		return infv1.EndpointPickerFailClose
	case b.w.Gateway.Controller == "" && b.in.Provider == "": // nothing serves, and what it will be is not known
	case b.can.alwaysFailsClosed:
		b.find(inference.ConditionEndpointPickerReady, "True", inference.ReasonFailsClosed,
			fmt.Sprintf("The gateway (%s) does not go on without a picker, whatever %s says: requests fail while no picker answers (FailClose).", b.plan.Provider, inference.FailureModeKey))
		return infv1.EndpointPickerFailClose
	case !b.headersRemoved():
		b.find(inference.ConditionEndpointPickerReady, "True", inference.ReasonFailsClosed,
			fmt.Sprintf("The gateway (%s) cannot take the header %s from a client's request before it reads it, so without a picker requests fail and do not go on (FailClose): a client could name any address.", b.plan.Provider, destinationHeader))
		return infv1.EndpointPickerFailClose
	}
	return infv1.EndpointPickerFailOpen
}

func (b *builder) renderPool(name string, selector map[string]string, r Revision) bool {
	lead := b.leader()
	service, port := pickerName(name), int32(pickerPort)
	switch lead.Picker.Mode {
	case binding.PickerManaged:
		b.renderPicker(name, r)
	case binding.PickerExternal:
		service, port = lead.Picker.Service, lead.Picker.Port
		if !b.w.PickerService {
			b.find(inference.ConditionEndpointPickerReady, "False", inference.ReasonPickerNotFound,
				fmt.Sprintf("The Service %s of the picker that %s names does not exist in namespace %s; make it, then the pool follows.", service, inference.PickerKey, b.in.Namespace))
			return false
		}
	case binding.PickerNone: // the gateway picks endpoints itself
	}
	spec := infv1.InferencePoolSpec{
		Selector:    infv1.LabelSelector{MatchLabels: matchLabels(selector)},
		TargetPorts: []infv1.Port{{Number: infv1.PortNumber(targetPort(lead.PoolPort, r))}},
		EndpointPickerRef: infv1.EndpointPickerRef{Group: new(infv1.Group("")), Kind: "Service", Name: infv1.ObjectName(service),
			Port: &infv1.Port{Number: infv1.PortNumber(port)}, FailureMode: b.failureMode()},
	}
	if r.H2C && b.w.Served.PoolAppProtocol {
		spec.AppProtocol = infv1.AppProtocolH2C
	}
	if r.H2C && !b.w.Served.PoolAppProtocol {
		b.find(inference.ConditionPoolAccepted, "False", inference.ReasonPoolCRDMissing,
			"The container's port is named h2c, but the InferencePool CRD has no appProtocol, so the gateway speaks HTTP/1.1; install the CRDs of v1.4.0 or newer, or name the port http1.")
	}
	b.add(StagePool, identity{poolVersion, poolKind, b.in.Namespace, name, "pool"}, withSpec(&spec))
	b.nameServed(name)
	return true
}

// nameServed writes on the pool that was added last whom its requests are for, and whether
// those of a negative priority wake nobody. A pool that
// several Services share does not say so: each Service knows its own revisions only.
func (b *builder) nameServed(pool string) {
	if b.in.Pool != "" {
		return
	}
	served := map[string]int32{}
	for revision, p := range b.plan.Pools {
		if p == pool && revision != "" {
			served[revision] = 100
		}
	}
	for _, s := range b.w.Main.Splits {
		if b.plan.Pools[""] == pool && s.Percent > 0 {
			served[s.Revision] += s.Percent
		}
	}
	text, err := json.Marshal(served)
	if err != nil {
		panic(err) // only strings and numbers
	}
	says := map[string]string{inference.ServesKey: string(text)}
	if b.in.NegativePriority == binding.NegativeWait {
		says[inference.NegativePriorityKey] = binding.NegativeWait
	}
	b.plan.Objects[len(b.plan.Objects)-1].SetAnnotations(says)
}

func matchLabels(selector map[string]string) map[infv1.LabelKey]infv1.LabelValue {
	out := map[infv1.LabelKey]infv1.LabelValue{}
	for k, v := range selector {
		out[infv1.LabelKey(k)] = infv1.LabelValue(v)
	}
	return out
}
