package webhook

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

const (
	specPath    = "spec.template.spec"
	everySecond = 30 // tokens that a slow request gets each second: vLLM under full load, well below a reader's patience
)

// warner finds what works and will hurt. kubectl shows at most 256 characters of each.
type warner struct {
	service *servingv1.Service
	intent  *binding.Intent
	engine  annotations.Engine
	cluster *Cluster
}

// ofEngine warns of what the engine and Knative would do to requests.
func (w warner) ofEngine() []binding.Problem {
	c := userContainer(w.service)
	if c == nil {
		return nil
	}
	return slices.Concat(w.shutdown(c), w.timeout(c), w.batch(c))
}

// ofGateway warns of what only a Service behind an inference gateway has to fear.
func (w warner) ofGateway() []binding.Problem { return slices.Concat(w.zero(), w.features()) }

// otherClass warns of annotations that only our class reads: with another one they do nothing.
func (w warner) otherClass() (problems []binding.Problem) {
	for _, key := range slices.Sorted(maps.Keys(w.service.Spec.Template.Annotations)) {
		if a, _ := annotations.ByKey(key); a.OwnClass {
			problems = append(problems, warn(binding.TemplatePath(key),
				"does nothing: the class of this Service is not %s; set %s under spec.template.metadata.annotations, or remove it", autoscaling.Class, knautoscaling.ClassAnnotationKey)...)
		}
	}
	return problems
}

// spellings warns of an annotation that is given in two spellings with two values: only one is read.
func (w warner) spellings() (problems []binding.Problem) {
	given := w.service.Spec.Template.Annotations
	for _, a := range annotations.All() {
		key, value, _ := a.Get(given)
		for _, other := range a.Keys() {
			if v, ok := given[other]; ok && v != value {
				problems = append(problems, warn(binding.TemplatePath(other), "%.20q is not read, because %s is %.20q; remove one of the two", v, key, value)...)
			}
		}
	}
	return problems
}

// unread warns of a key that has the name of an annotation and a domain that nobody reads, or
// none: a max-scale without its domain bounds nothing.
func (w warner) unread() (problems []binding.Problem) {
	given := w.service.Spec.Template.Annotations
	for _, key := range slices.Sorted(maps.Keys(given)) {
		domain, _, hasDomain := strings.Cut(key, "/")
		_, known := annotations.ByKey(key)
		if known || domain == knautoscaling.GroupName || domain == autoscaling.Domain { // unknown ones of these are refused
			continue
		}
		likeOurs := strings.Contains(strings.ToLower(domain), "knative")
		if !hasDomain {
			likeOurs = strings.Contains(key, "-") // a plain "engine" may be of anybody
		}
		if meant := annotations.Elsewhere(key); likeOurs && meant != "" {
			problems = append(problems, warn(binding.TemplatePath(key), "is not read; did you mean %s?", meant)...)
		}
	}
	return problems
}

// token: over http everybody on the way reads the bearer token.
func (w warner) token() []binding.Problem {
	given := w.service.Spec.Template.Annotations
	if _, ok := given[autoscaling.MetricsTokenSecretKey]; !ok || given[autoscaling.MetricsSchemeKey] == annotations.HTTPS {
		return nil
	}
	return warn(binding.TemplatePath(autoscaling.MetricsTokenSecretKey),
		"the token is sent to the pods unencrypted, by http; set %s: https if the engine can serve its metrics so", autoscaling.MetricsSchemeKey)
}

func warn(path, format string, args ...any) []binding.Problem {
	return []binding.Problem{{Path: path, Message: fmt.Sprintf(format, args...), Warning: true}}
}

// shutdown: at SIGTERM vLLM aborts what it generates unless --shutdown-timeout is set.
func (w warner) shutdown(c *corev1.Container) []binding.Problem {
	if !runsVLLM(w.engine, c) {
		return nil
	}
	if _, ok := flag(command(c), "--shutdown-timeout"); ok {
		return nil
	}
	return warn(w.container(c)+".command", "vLLM without --shutdown-timeout aborts the requests in flight when a pod is removed; add --shutdown-timeout %d (vLLM 0.18 or newer)", w.seconds())
}

// timeout: a request that generates as much as the model allows takes its
// length divided by everySecond; Knative ends it at timeoutSeconds.
func (w warner) timeout(c *corev1.Container) []binding.Problem {
	length := number(command(c), "--max-model-len")
	needs := length / everySecond
	if needs <= w.seconds() {
		return nil
	}
	return warn(specPath+".timeoutSeconds", "%d s ends an answer of --max-model-len %d tokens, which may take %d s (at %d a second); raise it, with max-revision-timeout-seconds in config-defaults", w.seconds(), length, needs, everySecond)
}

// seconds is the revision's timeout, or the cluster's.
func (w warner) seconds() int64 {
	if t := w.service.Spec.Template.Spec.TimeoutSeconds; t != nil && *t > 0 {
		return *t
	}
	return w.cluster.defaults.Load().RevisionTimeoutSeconds
}

// zero: without the picker's waiting room nothing holds a request while there is
// no pod. Our class keeps one, so there only an explicit 0 is worth a word.
func (w warner) zero() []binding.Problem {
	if w.intent.Flow.Enabled && w.intent.Picker.Mode == binding.PickerManaged {
		return nil
	}
	_, value, given := knautoscaling.MinScaleAnnotation.Get(w.service.Spec.Template.Annotations)
	if !given && (w.cluster.isOurs(w.service) || w.cluster.autoscaler.Load().MinScale > 0) {
		return nil
	}
	if n, err := strconv.Atoi(value); given && (err != nil || n > 0) {
		return nil
	}
	return warn(binding.TemplatePath(knautoscaling.MinScaleAnnotationKey), "is 0 and no flow control holds requests while no pod is there: the gateway answers them with 503. Set min-scale to 1 or more, or turn flow-control on")
}

// batch: what containerConcurrency lets through is less than the engine could batch.
func (w warner) batch(c *corev1.Container) []binding.Problem {
	limit := w.cluster.defaults.Load().ContainerConcurrency
	if cc := w.service.Spec.Template.Spec.ContainerConcurrency; cc != nil {
		limit = *cc
	}
	seqs := max(number(command(c), "--max-num-seqs"), number(command(c), "--max-running-requests"))
	if limit == 0 || limit >= seqs {
		return nil
	}
	return warn(specPath+".containerConcurrency", "%d keeps the engine from batching %d requests, as it is told to; use 0 or at least %d", limit, seqs, seqs)
}

func (w warner) container(c *corev1.Container) string {
	i := slices.IndexFunc(w.service.Spec.Template.Spec.Containers,
		func(o corev1.Container) bool { return o.Name == c.Name })
	return fmt.Sprintf("%s.containers[%d]", specPath, max(i, 0))
}
