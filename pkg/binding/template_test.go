package binding

import (
	"strconv"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

func TestParseTemplate(t *testing.T) {
	e, problems := ParseTemplate(map[string]string{autoscaling.EngineKey: "triton", autoscaling.MetricsPortKey: "8002", autoscaling.MetricsPathKey: "/metrics", "autoscaling.knative.dev/metric": "rps"})
	if want := (annotations.Engine{Name: "triton", MetricsPort: 8002, MetricsPath: "/metrics"}); e != want || len(problems) > 0 {
		t.Errorf("got %+v, %v", e, problems)
	}
	if e, problems := ParseTemplate(map[string]string{autoscaling.MetricsPathKey: "/metrics?model=qwen"}); e.MetricsPath != "/metrics?model=qwen" || len(problems) > 0 {
		t.Errorf("a path with a query: %+v, %v", e, problems)
	}
	for key, value := range map[string]string{
		autoscaling.EngineKey: "vlm", autoscaling.MetricsPortKey: "70000", autoscaling.MetricsPathKey: "metrics",
		autoscaling.MetricsSchemeKey: "ftp",
	} {
		_, problems := ParseTemplate(map[string]string{key: value})
		if len(problems) != 1 || problems[0].Path != "spec.template.metadata.annotations["+key+"]" || problems[0].Warning {
			t.Errorf("%s=%s: %v", key, value, problems)
		}
	}
}

func TestCheckPoolPort(t *testing.T) {
	for metric, refused := range map[string]bool{
		"": true, "concurrency": true, "rps": true, "kv_cache_usage_percent, rps=5": true, "num_requests_waiting": false,
	} {
		problems := CheckPoolPort(&Intent{PoolPort: PortUserContainer}, map[string]string{"autoscaling.knative.dev/metric": metric})
		if refused != (len(problems) == 1) {
			t.Errorf("%q: %v", metric, problems)
		}
		if refused && !strings.Contains(problems[0].Message, "use \"queue-proxy\", or scale on metrics of the engine (annotation autoscaling.knative.dev/metric") {
			t.Errorf("%q names no fix", problems[0].Message)
		}
		if refused && metric != "" && !strings.Contains(problems[0].Message, strconv.Quote(metric)) || metric == "" && strings.Contains(problems[0].Message, "concurrency") {
			t.Errorf("%q: %q names another metric than the template", metric, problems[0].Message)
		}
	}
	if CheckPoolPort(nil, nil) != nil || CheckPoolPort(&Intent{PoolPort: PortQueueProxy}, nil) != nil {
		t.Error("nothing to refuse")
	}
}
