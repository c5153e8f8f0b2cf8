package webhook

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	netv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	netlisters "knative.dev/networking/pkg/client/listers/networking/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"
	servinglisters "knative.dev/serving/pkg/client/listers/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// Caches are the informers that an answer is made from.
type Caches struct {
	Services  servinglisters.ServiceLister
	Ingresses netlisters.IngressLister
	Revisions servinglisters.RevisionLister
	// Defaults returns the current config-inference-gateway.
	Defaults func() binding.Defaults
	// Foreign returns the selector of a pool that is not ours, nil where there is none.
	Foreign func(namespace, pool string) map[string]string
	// KeptOut reports a Service that does not agree with the pool it names.
	KeptOut func(namespace, service string) bool
	// Installed reports whether the gateway's part is installed in the cluster.
	Installed func() bool
	// DefaultClass is the autoscaler class of revisions that name none.
	DefaultClass func() string
	// Opened reports whether an autoscaler is there that opens the gates of new pods.
	Opened func() bool
}

// marks are what a new pod gets.
type marks struct{ labels, annotations map[string]string }

// marksOf says what a new pod of a revision gets; nothing when its Service has
// no binding or is not known here.
func (c Caches) marksOf(namespace string, pod *corev1.Pod) marks {
	service, revision := pod.Labels[serving.ServiceLabelKey], pod.Labels[serving.RevisionLabelKey]
	ksvc, err := c.Services.Services(namespace).Get(service)
	if err != nil || revision == "" {
		return marks{}
	}
	in, _ := binding.Parse(namespace, service, binding.Annotations(ksvc), c.Defaults())
	if in == nil {
		return marks{}
	}
	m := marks{labels: map[string]string{}, annotations: map[string]string{}}
	if e, _ := annotations.ReadEngine(pod.Annotations); e.Name != "" {
		m.labels[inference.EngineTypeKey], m.labels[inference.LLMDEngineTypeKey] = e.Name, e.Name
	}
	if c.routed(namespace, service, revision) && !(in.Pool != "" && c.KeptOut(namespace, service)) {
		m.labels[inference.RoutedKey] = "true"
		if in.Pool != "" {
			m.labels[inference.PoolKey] = in.Pool
			joins, _ := binding.PoolLabels(c.Foreign(namespace, in.Pool), service, in.Pool)
			maps.Copy(m.labels, joins)
		}
	}
	// the reconciler shows the pod when its time has come
	if in.EndpointHold > 0 && in.Picker.Mode == binding.PickerManaged {
		m.annotations[inference.ActivePortsKey], m.annotations[inference.LLMDActivePortsKey] = "", ""
	}
	return m
}

// routed reports whether the Service's own hosts send requests to the revision,
// by the KIngress, which also knows the steps of a gradual rollout.
func (c Caches) routed(namespace, service, revision string) bool {
	ingress, err := c.Ingresses.Ingresses(namespace).Get(service)
	if err != nil {
		return false
	}
	for _, rule := range ingress.Spec.Rules {
		if isMain(rule, namespace, service) && sendsTo(rule, revision) {
			return true
		}
	}
	return false
}

// isMain reports whether a rule is that of the Service's own hosts, not of a tag: Knative
// always makes a cluster-local rule, whose hosts include <service>.<namespace>.
func isMain(rule netv1alpha1.IngressRule, namespace, service string) bool {
	for _, host := range rule.Hosts {
		if host == service+"."+namespace || host == service+"."+namespace+".svc" {
			return true
		}
	}
	return false
}

func sendsTo(rule netv1alpha1.IngressRule, revision string) bool {
	if rule.HTTP == nil {
		return false
	}
	for _, path := range rule.HTTP.Paths {
		if len(path.Headers) > 0 {
			continue // routing by tag header
		}
		for _, split := range path.Splits {
			if split.Percent > 0 && split.AppendHeaders[revisionHeader] == revision {
				return true
			}
		}
	}
	return false
}

// revisionHeader is what Knative's ingress sends to the activator.
const revisionHeader = "Knative-Serving-Revision"
