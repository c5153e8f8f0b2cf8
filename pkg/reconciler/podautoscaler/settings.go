package podautoscaler

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// resolveSettings reads the annotations. When they are refused it falls back to the last
// accepted ones; settings are nil when there never were any.
func (r *Reconciler) resolveSettings(ctx context.Context,
	pa *v1alpha1.PodAutoscaler) (settings *config.Settings, refused error) {
	resolver := config.Resolver{Own: r.own(), Knative: knative(ctx).Autoscaler}
	s, refused := resolver.Resolve(pa)
	if refused == nil {
		return &s, nil
	}
	old, ok := lastAccepted(pa)
	if !ok {
		return nil, refused
	}
	if s, err := resolver.ResolveAccepted(old); err == nil {
		return &s, refused
	}
	return nil, refused
}

// lastAccepted returns the PodAutoscaler as it was when it was last accepted.
func lastAccepted(pa *v1alpha1.PodAutoscaler) (*v1alpha1.PodAutoscaler, bool) {
	text, ok := pa.Annotations[autoscaling.AcceptedKey]
	if !ok {
		return nil, false
	}
	old := pa.DeepCopy()
	old.Annotations = map[string]string{}
	if err := json.Unmarshal([]byte(text), &old.Annotations); err != nil {
		return nil, false
	}
	return old, true
}

// remember writes the accepted annotations to the PodAutoscaler itself.
func (r *Reconciler) remember(ctx context.Context, pa *v1alpha1.PodAutoscaler, refused error) error {
	if refused != nil {
		return nil //nolint:nilerr it is reported, and the annotations accepted before stay
	}
	text, err := json.Marshal(scalingAnnotations(pa.Annotations))
	if err != nil {
		return fmt.Errorf("writing %s: %w", autoscaling.AcceptedKey, err)
	}
	if pa.Annotations[autoscaling.AcceptedKey] == string(text) {
		return nil
	}
	patch, err := json.Marshal(
		map[string]any{"metadata": map[string]any{"annotations": map[string]string{autoscaling.AcceptedKey: string(text)}}})
	if err != nil {
		return fmt.Errorf("writing %s: %w", autoscaling.AcceptedKey, err)
	}
	_, err = r.Client.AutoscalingV1alpha1().PodAutoscalers(pa.Namespace).Patch(ctx, pa.Name, types.MergePatchType,
		patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("remembering the accepted annotations: %w", err)
	}
	return nil
}

// scalingAnnotations returns the annotations that settings are read from.
func scalingAnnotations(all map[string]string) map[string]string {
	some := maps.Clone(all)
	maps.DeleteFunc(some, func(key, _ string) bool {
		own := strings.HasPrefix(key, autoscaling.Domain+"/") && key != autoscaling.AcceptedKey
		return !own && !strings.HasPrefix(key, knautoscaling.GroupName+"/")
	})
	return some
}

// collectionSpec says where the revision's numbers are read, and how they are averaged.
func collectionSpec(rev collector.Key, s config.Settings, target *appsv1.Deployment) collector.Spec {
	t := MetricsEndpoint(s.Engine, target.Spec.Template.Spec.Containers)
	t.Key, t.Token = rev, collector.SecretKey(s.MetricsToken)
	t.StableWindow, t.PanicWindow, t.Weighted = s.Spec.StableWindow, s.PanicWindow, s.Weighted
	return t
}

// mayBeEngine reports whether an engine was read already, or the annotations, or the image or
// command of a container, name one. A metric of engines that is only the default names none.
func mayBeEngine(pa *v1alpha1.PodAutoscaler, s config.Settings, containers []corev1.Container) bool {
	read := pa.Status.GetCondition(autoscaling.ConditionEngineReadable)
	if read != nil && read.IsTrue() || namesEndpoint(s) || config.NamesMetric(pa) && scalesOnEngine(s) {
		return true
	}
	return slices.ContainsFunc(containers, func(c corev1.Container) bool {
		return c.Name != queueProxy && engines.Detect(slices.Concat(c.Command, c.Args, []string{c.Image})...) != ""
	})
}

// MetricsEndpoint says where the engine among the containers of a pod has its metrics
// endpoint: where the annotations name it, else on the port that serves requests. It is read
// from the engine's own container, never through the queue-proxy.
func MetricsEndpoint(e annotations.Engine, containers []corev1.Container) collector.Spec {
	return collector.Spec{
		Engine: e.Name, Path: e.MetricsPath, TLS: e.MetricsTLS,
		Port: cmp.Or(int(e.MetricsPort), userPort(containers), servingv1.DefaultUserPort), PortNamed: e.MetricsPort != 0,
	}
}

// userPort returns the port of the user's serving container, 0 when it names none.
func userPort(containers []corev1.Container) int {
	for _, c := range containers {
		if c.Name == queueProxy {
			continue
		}
		if port := servingPort(c); port != 0 {
			return port
		}
	}
	return 0
}

const queueProxy = "queue-proxy"

func servingPort(c corev1.Container) int {
	for _, p := range c.Ports {
		if p.Protocol == "" || p.Protocol == corev1.ProtocolTCP {
			return int(p.ContainerPort)
		}
	}
	return 0
}
