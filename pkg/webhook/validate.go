package webhook

import (
	"errors"
	"maps"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

// ValidatePath is where Services are judged.
const ValidatePath = "/services/validate"

// judgement is what a Service is compared with.
type judgement struct {
	Caches
	cluster *Cluster
	own     func() *config.Config
}

// validate refuses what could not work and warns of what will hurt.
func (j judgement) validate(r *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	service, old, err := services(r)
	if errors.Is(err, errTooLarge) {
		return respond(warn("", "not checked by the autoscaler's webhook, because %v; conditions of the PodAutoscaler and the InferenceBinding report what is wrong", err))
	}
	if err != nil {
		return broken(err)
	}
	if service.DeletionTimestamp != nil {
		return allow()
	}
	if service.Namespace == "" {
		service.Namespace = r.Namespace
	}
	return respond(forgive(j.problems(service, old), service, old))
}

func (j judgement) problems(s, old *servingv1.Service) []binding.Problem {
	given := binding.Annotations(s)
	in, problems := binding.Parse(s.Namespace, s.Name, given, j.Defaults())
	if binding.Asked(given) && !j.Installed() {
		in, problems = nil, notInstalled() // nobody reads what else it asks of the gateway
	}
	template := s.Spec.Template.Annotations
	e, wrong := binding.ParseTemplate(template)
	wrong = append(binding.Misplaced(s), wrong...)
	problems = append(problems, wrong...)
	problems = append(problems, binding.CheckPoolPort(in, template)...)
	isOurs := j.cluster.isOurs(s)
	if isOurs && len(wrong) == 0 {
		problems = append(problems, j.autoscaling(s)...)
		problems = append(problems, slices.Concat(j.unbounded(s), j.replacedByKServe(s))...)
	}
	w := warner{service: s, intent: in, engine: e, cluster: j.cluster}
	if isOurs {
		problems = append(problems, slices.Concat(w.token(), w.units(), w.spellings(), w.unread())...)
	} else {
		problems = append(problems, slices.Concat(w.misspelt(), w.otherClass())...)
	}
	if isOurs || in != nil {
		problems = append(problems, w.ofEngine()...)
	}
	if in == nil {
		return problems
	}
	problems = append(problems, binding.CheckHosts(in)...)
	problems = append(problems, j.poolConflicts(s, old, in)...)
	return append(problems, w.ofGateway()...)
}

// notInstalled warns of a wish that no process of the cluster acts upon.
func notInstalled() []binding.Problem {
	return warn("metadata.annotations["+inference.AIGatewayKey+"]", "nothing is made for it: the gateway's part of the adapter is not installed in this cluster. Ask an administrator to apply inference-gateway.yaml of the adapter's release")
}

// forgive turns refusals of what stood there before into warnings: an update of
// something else must pass, whatever the cluster's limits have become since.
func forgive(problems []binding.Problem, s, old *servingv1.Service) []binding.Problem {
	if old == nil || !maps.Equal(judged(s.Annotations), judged(old.Annotations)) ||
		!maps.Equal(judged(s.Spec.Template.Annotations), judged(old.Spec.Template.Annotations)) {
		return problems
	}
	problems = slices.Clone(problems)
	for i := range problems {
		problems[i].Warning = true
	}
	return problems
}

// judged are the annotations that a judgement is about. Others change with every
// update: Knative writes who made it into serving.knative.dev/lastModifier.
func judged(annotations map[string]string) map[string]string {
	out := maps.Clone(annotations)
	maps.DeleteFunc(out, func(key, _ string) bool {
		domain, _, _ := strings.Cut(key, "/")
		return domain != "knative.aliyun.com" && domain != knautoscaling.GroupName &&
			domain != inference.Domain && !strings.HasSuffix(domain, "."+inference.Domain)
	})
	return out
}
