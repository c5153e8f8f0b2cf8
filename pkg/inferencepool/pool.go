// Package inferencepool has the collector read the pods of InferencePools that
// no autoscaler of ours reads: those of a plain Deployment behind a pool, and
// those of Knative revisions of other classes; and the pickers of our own pools,
// which hold requests back while the pods are full. It wakes revisions of other
// autoscalers that these requests wait for, by a request. It writes nothing.
package inferencepool

import (
	"encoding/json"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	infv1 "sigs.k8s.io/gateway-api-inference-extension/api/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// Pool is what is read of an InferencePool.
type Pool struct {
	Namespace, Name string
	UID             types.UID
	Created         time.Time
	Labels          map[string]string
	Selector        map[string]string
	// Engine, Port and Path say where the engine's page is. Port is the pool's first
	// target port unless PortNamed; Engine and Path may be empty, as a revision's.
	Engine, Path string
	Port         int
	PortNamed    bool
	// Serves are the revisions that the pool's requests are for, each with its share of the
	// requests, 0 to 1; nil where the revisions are not known.
	Serves map[string]float64
	// NegativeWaits is true if requests of a negative priority wake no revision.
	NegativeWaits bool
}

// Read takes a Pool out of an object of inference.networking.k8s.io/v1. Engine,
// port and path may be named by the same annotations as those of a revision. It
// is false for a pool without a selector, which selects nothing, and for an
// object that does not fit the type, which the API server does not store.
func Read(u *unstructured.Unstructured) (Pool, bool) {
	var pool infv1.InferencePool
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &pool); err != nil ||
		len(pool.Spec.Selector.MatchLabels) == 0 {
		return Pool{}, false
	}
	selector := map[string]string{}
	for key, value := range pool.Spec.Selector.MatchLabels {
		selector[string(key)] = string(value)
	}
	a := pool.Annotations
	p := Pool{
		Namespace: pool.Namespace, Name: pool.Name, UID: pool.UID, Created: pool.CreationTimestamp.Time,
		Labels: pool.Labels, Selector: selector,
		Engine: a[autoscaling.EngineKey], Path: a[autoscaling.MetricsPathKey], Port: targetPort(pool.Spec.TargetPorts),
	}
	if p.Ours() {
		p.Serves = serves(a[inference.ServesKey])
		p.NegativeWaits = a[inference.NegativePriorityKey] == annotations.NegativeWait
	}
	if p.Engine == collector.PickerPage { // no engine
		p.Engine = ""
	}
	if n, err := annotations.AnyPort(a[autoscaling.MetricsPortKey]); err == nil {
		p.Port, p.PortNamed = int(n), true
	}
	return p, true
}

// serves reads the annotation ServesKey; nil where it is missing or says nothing that can be.
func serves(text string) map[string]float64 {
	var percents map[string]float64
	if json.Unmarshal([]byte(text), &percents) != nil {
		return nil
	}
	sum := 0.0
	for _, p := range percents {
		if !(p > 0 && p <= 100) {
			return nil
		}
		sum += p
	}
	for name := range percents {
		percents[name] /= sum
	}
	return percents
}

// maxPort is the highest port of TCP.
const maxPort = 65535

// targetPort is the first, 0 without one; a pool with several has one for each data-parallel rank.
func targetPort(ports []infv1.Port) int {
	for _, port := range ports {
		if port.Number > 0 && port.Number <= maxPort {
			return int(port.Number)
		}
	}
	return 0
}

// Key names the pods of the pool that are not Knative's.
func (p Pool) Key() collector.Key {
	return collector.Key{Kind: collector.Pool, Namespace: p.Namespace, Name: p.Name}
}

// knativeOnly pools select by Knative's own labels: no other pod has them.
func (p Pool) knativeOnly() bool {
	for key := range p.Selector {
		if strings.HasPrefix(key, "serving.knative.dev/") {
			return true
		}
	}
	return false
}
