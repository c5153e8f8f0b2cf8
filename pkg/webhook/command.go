package webhook

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// userContainer is the container that serves: the one with a port, or the only one.
func userContainer(s *servingv1.Service) *corev1.Container {
	containers := s.Spec.Template.Spec.Containers
	for i := range containers {
		if len(containers[i].Ports) > 0 {
			return &containers[i]
		}
	}
	if len(containers) == 1 {
		return &containers[0]
	}
	return nil
}

// command is the words of a container's command line, those of a shell's -c string too.
func command(c *corev1.Container) []string {
	var words []string
	for _, list := range [][]string{c.Command, c.Args} {
		for _, part := range list {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// flag finds --name value or --name=value, with - and _ equivalent, as vLLM does.
func flag(words []string, name string) (value string, ok bool) {
	for i, w := range words {
		key, v, given := strings.Cut(strings.Trim(w, `"'`), "=")
		if strings.ReplaceAll(key, "_", "-") != name {
			continue
		}
		if !given && i+1 < len(words) {
			v = words[i+1]
		}
		return strings.Trim(v, `"'`), true
	}
	return "", false
}

// number reads a flag's positive whole number; 0 when it is absent or something else.
func number(words []string, name string) int64 {
	text, _ := flag(words, name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// runsVLLM recognises vLLM by the engine that is named, else by its command or image.
func runsVLLM(e annotations.Engine, c *corev1.Container) bool {
	if e.Name != "" {
		return e.Name == engines.VLLM
	}
	return engines.Detect(append(command(c), c.Image)...) == engines.VLLM
}

// port is what the queue-proxy sends requests to.
type port struct {
	number int32
	h2c    bool
}

func portOf(s *servingv1.Service) port {
	c := userContainer(s)
	if c == nil || len(c.Ports) == 0 || c.Ports[0].ContainerPort == 0 {
		return port{number: servingv1.DefaultUserPort, h2c: c != nil && len(c.Ports) > 0 && c.Ports[0].Name == "h2c"}
	}
	return port{c.Ports[0].ContainerPort, c.Ports[0].Name == "h2c"}
}

func engineOf(s *servingv1.Service, in *binding.Intent) string {
	if e := s.Spec.Template.Annotations[autoscaling.EngineKey]; e != "" {
		return e
	}
	return in.Engine
}
