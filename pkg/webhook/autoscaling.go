package webhook

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

// autoscaling reads the template as the reconciler will read its PodAutoscaler.
func (j judgement) autoscaling(s *servingv1.Service) []binding.Problem {
	pa := &v1alpha1.PodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name,
			Annotations: maps.Clone(s.Spec.Template.Annotations)},
		Spec: v1alpha1.PodAutoscalerSpec{Reachability: v1alpha1.ReachabilityReachable},
	}
	if pa.Annotations == nil {
		pa.Annotations = map[string]string{}
	}
	pa.Annotations[classKey] = autoscaling.Class // Knative writes it into each PodAutoscaler, and reads metric by it
	if cc := s.Spec.Template.Spec.ContainerConcurrency; cc != nil {
		pa.Spec.ContainerConcurrency = *cc
	}
	r := config.Resolver{Own: j.own(), Knative: j.cluster.autoscaler.Load()}
	_, err := r.Resolve(pa)
	if err == nil {
		return nil
	}
	return []binding.Problem{ofKServe(placed(err.Error(), pa.Annotations), s)}
}

// ofKServe adds what of the InferenceService replaced its annotations, where a refusal is
// about an annotation of slo: KServe writes metric and target from these fields.
func ofKServe(p binding.Problem, s *servingv1.Service) binding.Problem {
	owner := binding.KServeOwner(s)
	isSLO := slices.ContainsFunc(annotations.Keys(annotations.Where(func(a annotations.Annotation) bool {
		return a.Only == annotations.SLOOnly
	})), func(key string) bool { return strings.HasSuffix(p.Path, "["+key+"]") })
	if owner != "" && isSLO {
		p.Message += ". " + replacedBy(owner)
	}
	return p
}

// replacedByKServe warns of a metric that KServe may have written over the InferenceService's
// annotation: it says so nowhere.
func (j judgement) replacedByKServe(s *servingv1.Service) []binding.Problem {
	owner := binding.KServeOwner(s)
	_, metric, named := knautoscaling.MetricAnnotation.Get(s.Spec.Template.Annotations)
	_, _, target := knautoscaling.TargetAnnotation.Get(s.Spec.Template.Annotations)
	if owner == "" || named && metric != knautoscaling.Concurrency && metric != knautoscaling.RPS || !named && !target {
		return nil
	}
	return warn(binding.TemplatePath(knautoscaling.MetricAnnotationKey),
		"is %q, which KServe may have written. %s to scale on the annotation, or on default-metric of config-ipa",
		cmp.Or(metric, knautoscaling.Concurrency), replacedBy(owner))
}

// replacedBy says which fields of an InferenceService KServe writes over its annotations.
func replacedBy(inferenceService string) string {
	return fmt.Sprintf("In the InferenceService %s, spec.predictor.scaleMetric replaces the annotation metric, and scaleTarget without it means concurrency: remove both fields", inferenceService)
}

// unbounded warns of a Service whose replicas nothing bounds: one wrong reading of its
// engine may then ask for as many as the rates allow.
func (j judgement) unbounded(s *servingv1.Service) []binding.Problem {
	_, _, given := knautoscaling.MaxScaleAnnotation.Get(s.Spec.Template.Annotations)
	if kn := j.cluster.autoscaler.Load(); given || kn.MaxScale > 0 || kn.MaxScaleLimit > 0 || j.own().MaxScale > 0 {
		return nil
	}
	return warn(binding.TemplatePath(knautoscaling.MaxScaleAnnotationKey), "is not set, and the cluster has no default: nothing bounds the replicas. Set it to the pods that there are GPUs for, or max-scale-default in config-ipa")
}

// placed moves the annotation that an error begins with into the problem's path.
func placed(message string, given map[string]string) binding.Problem {
	const path = "spec.template.metadata.annotations"
	for key := range given {
		if rest, ok := strings.CutPrefix(message, key+": "); ok {
			return binding.Problem{Path: path + "[" + key + "]", Message: rest}
		}
	}
	return binding.Problem{Path: path, Message: message}
}

// poolConflicts finds Services of the same pool that name another port or engine:
// one pool has one of each. Members that change are warned only, or a pool could
// never move to another port.
func (j judgement) poolConflicts(s, old *servingv1.Service, in *binding.Intent) []binding.Problem {
	if in.Pool == "" {
		return nil
	}
	all, err := j.Services.Services(s.Namespace).List(everything)
	if err != nil {
		return nil
	}
	slices.SortFunc(all, func(a, b *servingv1.Service) int { return strings.Compare(a.Name, b.Name) })
	for _, other := range all {
		o, _ := binding.Parse(other.Namespace, other.Name, binding.Annotations(other), j.Defaults())
		if other.Name == s.Name || o == nil || o.Pool != in.Pool {
			continue
		}
		if what := difference(s, other, in, o); what != "" {
			member := old != nil && binding.Annotations(old)[inference.PoolKey] == in.Pool
			return []binding.Problem{{Path: poolPath, Warning: member, Message: fmt.Sprintf("the Service %s in pool %s has %s; one pool has one of each: change it, or name another pool", other.Name, in.Pool, what)}}
		}
	}
	return nil
}

const poolPath = "metadata.annotations[" + inference.PoolKey + "]"

// difference says what two Services of one pool disagree about.
func difference(a, b *servingv1.Service, in, other *binding.Intent) string {
	pa, pb := portOf(a), portOf(b)
	ea, eb := engineOf(a, in), engineOf(b, other)
	switch {
	case in.PoolPort != other.PoolPort:
		return fmt.Sprintf("the target %s, this one %s", other.PoolPort, in.PoolPort)
	case pa.h2c != pb.h2c:
		return fmt.Sprintf("h2c=%t in the name of its port, this one h2c=%t", pb.h2c, pa.h2c)
	case pa.number != pb.number:
		return fmt.Sprintf("the container port %d, this one %d", pb.number, pa.number)
	case ea != eb:
		return fmt.Sprintf("the engine %s, this one %s", eb, ea)
	}
	return ""
}
