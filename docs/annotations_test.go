package docs_test

import (
	"fmt"
	"strings"
	"testing"

	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

// The tables of annotations are those of pkg/annotations.
func TestAnnotations(t *testing.T) {
	knative, revision, gateway := head("annotation", "what it does here"), head("annotation", "values", "default", "effect"), head("annotation", "values", "default", "in the ConfigMap", "effect")
	for _, a := range annotations.All() {
		switch {
		case a.Doc == "":
			continue // explained elsewhere
		case a.Domain() == knautoscaling.GroupName:
			knative += row("`"+strings.Join(names(a), "`, `")+"`", a.Effect())
		case a.Place == annotations.Template:
			revision += row("`"+a.Key+"`", a.Values(), a.DefaultText(), a.Effect())
		case a.Place == annotations.Service:
			gateway += row("`"+a.Name()+"`", a.Values(), a.DefaultText(), map[bool]string{true: "yes"}[a.InConfigMap], a.Effect())
		}
	}
	generated(t, "annotations.md", "knative", knative+"\n")
	generated(t, "annotations.md", "revision", revision+"\n")
	generated(t, gatewayPage, "annotations", gateway+"\n")
	mentions(t, "annotations.md", "annotation", []string{autoscaling.AcceptedKey})
}

// names are the spellings of an annotation without their domain.
func names(a annotations.Annotation) (out []string) {
	for _, key := range a.Keys() {
		out = append(out, strings.TrimPrefix(key, a.Domain()+"/"))
	}
	return out
}

func head(columns ...string) string {
	return "\n" + row(columns...) + strings.Repeat("|---", len(columns)) + "|\n"
}

func row(cells ...string) string { return fmt.Sprintf("| %s |\n", strings.Join(cells, " | ")) }
