package webhook

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
)

// ksvc is a Service in YAML: annotations of its metadata and of its template, and the template's spec.
func ksvc(annotations, template, spec string) string {
	return `{metadata: {name: qwen, namespace: default, annotations: {` + annotations + `}}, spec: {template: {metadata: {annotations: {` + template + `}}, spec: {` + spec + `}}}}`
}

// ofInferenceService is a Service as KServe makes it for its InferenceService chat.
func ofInferenceService(ksvc string) string {
	return strings.Replace(ksvc, "metadata: {", "metadata: {ownerReferences: [{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, name: chat, uid: u, controller: true}], ", 1)
}

const (
	gateway  = `knative-inference.dev/ai-gateway: inference`
	ourClass = `autoscaling.knative.dev/class: ipa.autoscaling.knative-inference.dev`
	calm     = `containers: [{image: vllm, args: [--shutdown-timeout, "300"], ports: [{containerPort: 8000}]}]`
)

func TestValidate_refused(t *testing.T) {
	other := service(t, strings.Replace(ksvc(gateway+`, knative-inference.dev/pool: shared`, ``, calm), "qwen", "first", 1))
	shared := gateway + `, knative-inference.dev/pool: shared`
	tests := []struct {
		name, object string
		// want are parts of the message: the field, the value and the fix.
		want []string
	}{
		{"a word that is no value", ksvc(`knative-inference.dev/ai-gateway: chat`, ``, calm),
			[]string{"metadata.annotations[knative-inference.dev/ai-gateway]", `"inference", "disabled"`}},
		{"ACK's key with another value", ksvc(`knative.aliyun.com/ai-gateway: chat`, ``, calm), []string{"metadata.annotations[knative.aliyun.com/ai-gateway]", `"inference"`}},
		{"two wrong values, both named", ksvc(gateway+`, knative-inference.dev/pool-mode: many, knative-inference.dev/priority: high`, ``, calm),
			[]string{"metadata.annotations[knative-inference.dev/pool-mode]", `"service", "revision"`, "metadata.annotations[knative-inference.dev/priority]", `"Critical"`}},
		{"a misspelled key", ksvc(gateway+`, knative-inference.dev/prioritty: "1"`, ``, calm), []string{"did you mean knative-inference.dev/priority?"}},
		{"a revision's key on the Service", ksvc(gateway+`, knative-inference.dev/engine: vllm`, ``, calm), []string{"metadata.annotations[knative-inference.dev/engine]", "spec.template.metadata.annotations"}},
		{"the Service's key on a revision", ksvc(``, `knative-inference.dev/ai-gateway: inference`, calm), []string{"spec.template.metadata.annotations[knative-inference.dev/ai-gateway]", "metadata.annotations of the Service"}},
		{"an unknown engine", ksvc(gateway, `knative-inference.dev/engine: gpt`, calm), []string{"spec.template.metadata.annotations[knative-inference.dev/engine]", `"vllm"`}},
		{"past the queue-proxy and counted there", ksvc(gateway+`, knative-inference.dev/target: user-container`, ``, calm), []string{"metadata.annotations[knative-inference.dev/target]", "queue-proxy"}},
		{"past the queue-proxy, one of several metrics", ksvc(gateway+`, knative-inference.dev/target: user-container`, `autoscaling.knative.dev/metric: "kv_cache_usage_percent=70,concurrency=2"`, calm), []string{"metadata.annotations[knative-inference.dev/target]"}},
		{"a scheme that does not exist, with HPA's class", ksvc(``, `autoscaling.knative.dev/class: hpa.autoscaling.knative.dev, knative-inference.dev/metrics-scheme: ftp`, calm),
			[]string{"spec.template.metadata.annotations[knative-inference.dev/metrics-scheme]", "https"}},
		{"the queue-proxy's port for metrics", ksvc(``, ourClass+`, knative-inference.dev/metrics-port: "8012"`, calm), []string{"spec.template.metadata.annotations[knative-inference.dev/metrics-port]", "queue-proxy"}},
		{"a Secret of another namespace", ksvc(``, ourClass+`, knative-inference.dev/metrics-token-secret: kube-system/admin/token`, calm), []string{"spec.template.metadata.annotations[knative-inference.dev/metrics-token-secret]", "kube-system/admin/token"}},
		{"what the program writes", ksvc(``, ourClass+`, knative-inference.dev/accepted-annotations: "{}"`, calm), []string{"spec.template.metadata.annotations[knative-inference.dev/accepted-annotations]", "remove it"}},
		{"no duration", ksvc(``, ourClass+`, autoscaling.knative.dev/window: "60"`, calm), []string{"spec.template.metadata.annotations[autoscaling.knative.dev/window]", `"60" is not a duration with its unit, such as "60s"`}},
		{"our class, no gateway", ksvc(``, ourClass+`, autoscaling.knative.dev/metric: speed`, calm), []string{"spec.template.metadata.annotations[autoscaling.knative.dev/metric]", "concurrency"}},
		{"Knative's own check", ksvc(``, ourClass+`, autoscaling.knative.dev/min-scale: "-1"`, calm), []string{"spec.template.metadata.annotations", "autoscaling.knative.dev/min-scale"}},
		{"KServe's scaleMetric in place of slo", ofInferenceService(ksvc(``, ourClass+`, autoscaling.knative.dev/metric: rps, knative-inference.dev/slo-ttft: 2s`, calm)), []string{"slo-ttft", "InferenceService chat", "spec.predictor.scaleMetric", "scaleTarget"}},
		{"KServe's Service, a wrong value of the gateway", ofInferenceService(ksvc(``, gateway+`, knative-inference.dev/priority: high`, calm)), []string{"metadata.annotations[knative-inference.dev/priority]", `"Critical"`}},
		{"a shared pool on another port", ksvc(shared, ``, strings.Replace(calm, "8000", "9000", 1)), []string{"metadata.annotations[knative-inference.dev/pool]", "first", "8000", "9000"}},
		{"a shared pool of another engine", ksvc(shared, `knative-inference.dev/engine: sglang`, calm), []string{"metadata.annotations[knative-inference.dev/pool]", "vllm", "sglang"}},
		{"a shared pool over h2c", ksvc(shared, ``, strings.Replace(calm, "containerPort", "name: h2c, containerPort", 1)), []string{"metadata.annotations[knative-inference.dev/pool]", "h2c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := judging(t, caches(t, other)).validate(review(t, tt.object, ""))
			if a.Allowed || a.Result.Code != http.StatusUnprocessableEntity || len(a.Result.Details.Causes) == 0 {
				t.Fatalf("answer %+v, want it refused with the fields", a)
			}
			for _, part := range tt.want {
				if !strings.Contains(a.Result.Message, part) {
					t.Errorf("message %q lacks %q", a.Result.Message, part)
				}
			}
		})
	}
}

func TestValidate_warnings(t *testing.T) {
	const off = gateway + `, knative-inference.dev/flow-control: "false"`
	container := func(args string, rest ...string) string {
		return strings.Join(append(rest, `containers: [{image: registry/vllm:1, command: [sh, -c, "vllm serve --shutdown-timeout=10 `+args+`"]}]`), ", ")
	}
	volume := func(source string) string { return calm + `, volumes: [{name: v, ` + source + `}]` }
	tests := []struct {
		name, object string
		want         []string // the beginning of each warning
	}{
		{"nothing wrong", ksvc(gateway, ourClass, calm), nil},
		{"KServe's Service behind the gateway", ofInferenceService(ksvc(``, ourClass+`, `+gateway+`, knative-inference.dev/slo-ttft: 2s`, calm)), nil},
		{"no binding, nothing said", ksvc(``, ``, `containers: [{image: vllm}], nodeSelector: {a: b}`), nil},
		{"our class without a gateway, vLLM aborts its requests", ksvc(``, ourClass, `timeoutSeconds: 120, containers: [{image: vllm}]`),
			[]string{"spec.template.spec.containers[0].command: vLLM without --shutdown-timeout"}},
		{"our class without a gateway, a batch larger than concurrency", ksvc(``, ourClass, container("--max_num_seqs 64", "containerConcurrency: 8")),
			[]string{"spec.template.spec.containerConcurrency: 8 keeps the engine from batching 64 requests"}},
		{"an objective in another unit", ksvc(``, ourClass+`, knative-inference.dev/slo-ttft: 2000s, knative-inference.dev/slo-itl: 100s`, calm), []string{
			"spec.template.metadata.annotations[knative-inference.dev/slo-ttft]: 2000s is so long",
			"spec.template.metadata.annotations[knative-inference.dev/slo-itl]: 100s is so long that hardly a request misses it, and the replicas will not grow for it; a usual value is 100ms"}},
		{"an objective of a batch", ksvc(``, ourClass+`, knative-inference.dev/slo-ttft: 10m, knative-inference.dev/slo-itl: 5s`, calm), nil},
		{"two spellings, two values", ksvc(``, ourClass+`, autoscaling.knative.dev/max-scale: "100", autoscaling.knative.dev/maxScale: "5"`, calm), []string{
			`spec.template.metadata.annotations[autoscaling.knative.dev/maxScale]: "5" is not read, because autoscaling.knative.dev/max-scale is "100"; remove one`}},
		{"two spellings, one value", ksvc(``, ourClass+`, autoscaling.knative.dev/max-scale: "5", autoscaling.knative.dev/maxScale: "5"`, calm), nil},
		{"names without their domain, or with another", ksvc(``, ourClass+`, max-scale: "3", Knative-Inference.dev/slo-ttft: 1s, example.com/max-scale: "3", engine: v8`, calm), []string{
			"spec.template.metadata.annotations[Knative-Inference.dev/slo-ttft]: is not read; did you mean knative-inference.dev/slo-ttft?",
			"spec.template.metadata.annotations[max-scale]: is not read; did you mean autoscaling.knative.dev/max-scale?"}},
		{"a percentile in seconds", ksvc(``, ourClass+`, autoscaling.knative.dev/metric: "concurrency=2, ttft_p95_ms=2"`, calm), []string{
			"spec.template.metadata.annotations[autoscaling.knative.dev/metric]: the target of ttft_p95_ms is 2 milliseconds, which hardly any engine reaches: the count grows to max-scale. If these are seconds, write 2000"}},
		{"percentiles in microseconds", ksvc(``, ourClass+`, autoscaling.knative.dev/metric: "ttft_p95_ms=2000000,itl_p95_ms=100000"`, calm), []string{
			"spec.template.metadata.annotations[autoscaling.knative.dev/metric]: the target of ttft_p95_ms is 2000000 milliseconds, so long that",
			"spec.template.metadata.annotations[autoscaling.knative.dev/metric]: the target of itl_p95_ms is 100000 milliseconds, so long that"}},
		{"a percentile in seconds, as target", ksvc(``, ourClass+`, autoscaling.knative.dev/metric: ttft_p95_ms, autoscaling.knative.dev/target: "5"`, calm), []string{
			"spec.template.metadata.annotations[autoscaling.knative.dev/metric]: the target of ttft_p95_ms is 5"}},
		{"our class by its short name", ksvc(``, `autoscaling.knative.dev/class: ipa`, calm),
			[]string{`spec.template.metadata.annotations[autoscaling.knative.dev/class]: "ipa" is not ipa.autoscaling.knative-inference.dev: correct it, unless`}},
		{"our class with a typing error", ksvc(``, `autoscaling.knative.dev/class: IPA.autoscaling.knative-inference.dev.`, calm),
			[]string{"spec.template.metadata.annotations[autoscaling.knative.dev/class]: "}},
		{"an objective without our class", ksvc(``, `knative-inference.dev/slo-ttft: 2s`, calm),
			[]string{"spec.template.metadata.annotations[knative-inference.dev/slo-ttft]: does nothing: the class of this Service is not ipa.autoscaling.knative-inference.dev"}},
		{"an objective with HPA's class", ksvc(``, `autoscaling.knative.dev/class: hpa.autoscaling.knative.dev, knative-inference.dev/slo-goal: "0.9"`, calm),
			[]string{"spec.template.metadata.annotations[knative-inference.dev/slo-goal]: does nothing"}},
		{"an engine named for HPA's class is read", ksvc(``, `autoscaling.knative.dev/class: hpa.autoscaling.knative.dev, knative-inference.dev/engine: vllm`, calm), nil},
		{"a token by http", ksvc(``, ourClass+`, knative-inference.dev/metrics-token-secret: engine-token`, calm),
			[]string{"spec.template.metadata.annotations[knative-inference.dev/metrics-token-secret]: the token is sent to the pods unencrypted, by http; set knative-inference.dev/metrics-scheme: https"}},
		{"a token by https", ksvc(``, ourClass+`, knative-inference.dev/metrics-token-secret: engine-token/key, knative-inference.dev/metrics-scheme: https`, calm), nil},
		{"a token without our class", ksvc(``, `knative-inference.dev/metrics-token-secret: engine-token`, calm),
			[]string{"spec.template.metadata.annotations[knative-inference.dev/metrics-token-secret]: does nothing"}},
		{"vLLM aborts its requests", ksvc(gateway, ``, `timeoutSeconds: 120, containers: [{image: vllm}]`),
			[]string{"spec.template.spec.containers[0].command: vLLM without --shutdown-timeout aborts the requests in flight when a pod is removed; add --shutdown-timeout 120"}},
		{"the named engine counts, not the image", ksvc(gateway, `knative-inference.dev/engine: sglang`, `containers: [{image: not-vllm}]`), nil},
		{"a sidecar before the engine", ksvc(gateway, ``, `containers: [{name: side, image: vllm-proxy}, {name: main, image: vllm, ports: [{containerPort: 8000}]}]`),
			[]string{"spec.template.spec.containers[1].command: vLLM without"}},
		{"answers longer than the timeout", ksvc(gateway, ``, container("--max-model-len 32768")),
			[]string{"spec.template.spec.timeoutSeconds: 300 s ends an answer of --max-model-len 32768 tokens, which may take 1092 s"}},
		{"a timeout that is enough", ksvc(gateway, ``, container("--max-model-len=32768", "timeoutSeconds: 1092")), nil},
		{"not a number", ksvc(gateway, ``, container("--max-model-len auto")), nil},
		{"a batch larger than concurrency", ksvc(gateway, ``, container("--max_num_seqs 64", "containerConcurrency: 8")),
			[]string{"spec.template.spec.containerConcurrency: 8 keeps the engine from batching 64 requests"}},
		{"a batch that fits", ksvc(gateway, ``, container("--max-num-seqs 64", "containerConcurrency: 64")), nil},
		{"concurrency without a limit", ksvc(gateway, ``, container("--max-num-seqs 64", "containerConcurrency: 0")), nil},
		{"zero pods and no waiting room", ksvc(off, `autoscaling.knative.dev/min-scale: "0"`, calm),
			[]string{"spec.template.metadata.annotations[autoscaling.knative.dev/min-scale]: is 0 and no flow control holds requests"}},
		{"Knative's class goes to zero by itself", ksvc(off, ``, calm), []string{"spec.template.metadata.annotations[autoscaling.knative.dev/min-scale]: is 0"}},
		{"our class keeps one", ksvc(off, ourClass, calm), nil},
		{"a minimum of one", ksvc(off, `autoscaling.knative.dev/minScale: "1"`, calm), nil},
		{"another's picker", ksvc(gateway+`, knative-inference.dev/epp: "my-epp:9002"`, `autoscaling.knative.dev/min-scale: "0"`, calm),
			[]string{"spec.template.metadata.annotations[autoscaling.knative.dev/min-scale]: is 0"}},
		{"a claim that is written to", ksvc(gateway, ``, volume(`persistentVolumeClaim: {claimName: m}`)), []string{
			"spec.template.spec.volumes[0].persistentVolumeClaim: needs kubernetes.podspec-persistent-volume-claim: enabled",
			"spec.template.spec.volumes[0].persistentVolumeClaim.readOnly: needs kubernetes.podspec-persistent-volume-write: enabled"}},
		{"a claim that is read", ksvc(gateway, ``, volume(`persistentVolumeClaim: {claimName: m, readOnly: true}`)),
			[]string{"spec.template.spec.volumes[0].persistentVolumeClaim: needs kubernetes.podspec-persistent-volume-claim: enabled"}},
		{"shared memory is on by default", ksvc(gateway, ``, volume(`emptyDir: {medium: Memory}`)), nil},
		{"GPU nodes", ksvc(gateway, ``, calm+`, nodeSelector: {gpu: a100}, tolerations: [{key: gpu}], runtimeClassName: nvidia`), []string{
			"spec.template.spec.nodeSelector: needs kubernetes.podspec-nodeselector: enabled in config-features",
			"spec.template.spec.runtimeClassName: needs kubernetes.podspec-runtimeclassname",
			"spec.template.spec.tolerations: needs kubernetes.podspec-tolerations"}},
		{"below zero is shed", ksvc(gateway+`, knative-inference.dev/priority: "-1"`, ``, calm), []string{"metadata.annotations[knative-inference.dev/priority]: -1 is below 0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := judging(t, caches(t)).validate(review(t, tt.object, ""))
			if !a.Allowed {
				t.Fatalf("refused: %s", a.Result.Message)
			}
			if !cmp.Equal(tt.want, a.Warnings, cmpopts.EquateEmpty(), cmp.Comparer(func(want, got string) bool {
				return strings.HasPrefix(got, want) || strings.HasPrefix(want, got)
			})) {
				t.Errorf("warnings:\n%s\nwant:\n%s", strings.Join(a.Warnings, "\n"), strings.Join(tt.want, "\n"))
			}
			for _, w := range a.Warnings {
				if len(w) > 256 {
					t.Errorf("%d characters, the API server cuts at 256: %s", len(w), w)
				}
			}
		})
	}
}

// Without the gateway's part nothing is made for a Service, and whatever else it asks
// of the gateway is read by nobody: one warning, which names the fix.
func TestValidate_notInstalled(t *testing.T) {
	c := caches(t)
	c.Installed = func() bool { return false }
	for name, object := range map[string]string{
		"asks":            ksvc(gateway, ourClass, calm),
		"asks in no form": ksvc(gateway+`, knative-inference.dev/pool-mode: nonsense`, ourClass, calm),
	} {
		a := judging(t, c).validate(review(t, object, ""))
		if !a.Allowed || len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "apply inference-gateway.yaml") || len(a.Warnings[0]) > 256 {
			t.Errorf("%s: allowed %t, warnings (of at most 256 characters) %q", name, a.Allowed, a.Warnings)
		}
	}
	if a := judging(t, c).validate(review(t, ksvc(``, ourClass, calm), "")); !a.Allowed || len(a.Warnings) > 0 {
		t.Errorf("a Service that does not ask: %+v", a)
	}
}

func TestValidate_featuresOfTheCluster(t *testing.T) {
	c := caches(t)
	object := ksvc(gateway, ``, calm+`, nodeSelector: {gpu: a100}`)
	on := configMap("config-features", "kubernetes.podspec-nodeselector", "allowed")
	if a := judging(t, c, on).validate(review(t, object, "")); len(a.Warnings) > 0 {
		t.Errorf("warned of a flag that is on: %v", a.Warnings)
	}
	long := configMap("config-defaults", "max-revision-timeout-seconds", "7200")
	long.Data["revision-timeout-seconds"] = "3600"
	longer := ksvc(gateway, ``, `containers: [{image: vllm, args: ["--max-model-len=65536 --shutdown-timeout=9"]}]`)
	if a := judging(t, c, long).validate(review(t, longer, "")); len(a.Warnings) > 0 {
		t.Errorf("warned though the cluster's timeout is an hour: %v", a.Warnings)
	}
}

// What stood there before never stands in the way of another change, nor of a deletion.
func TestValidate_forgives(t *testing.T) {
	wrong := ksvc(gateway+`, knative-inference.dev/pool-mode: many`, ourClass+`, autoscaling.knative.dev/metric: speed`, calm)
	edited := strings.Replace(wrong, "8000", "8001", 1)
	j := judging(t, caches(t))
	if a := j.validate(review(t, edited, wrong)); !a.Allowed || len(a.Warnings) != 2 {
		t.Errorf("answer %+v, want two warnings", a)
	}
	if a := j.validate(review(t, strings.Replace(wrong, "many", "more", 1), wrong)); a.Allowed {
		t.Error("a wrong annotation was edited into another wrong one; want it refused")
	}
	const modifier = `serving.knative.dev/lastModifier: `
	bob := strings.Replace(edited, gateway, gateway+`, `+modifier+`bob`, 1)
	if a := j.validate(review(t, bob, strings.Replace(wrong, gateway, gateway+`, `+modifier+`ann`, 1))); !a.Allowed || len(a.Warnings) != 2 {
		t.Errorf("answer %+v, want two warnings whoever makes the change", a)
	}
	for from, to := range map[string]string{"many": "more", "metric: speed": "metric: velocity"} {
		if a := j.validate(review(t, strings.Replace(bob, from, to, 1), wrong)); a.Allowed {
			t.Errorf("%s became %s; want it refused", from, to)
		}
	}
	deleted := strings.Replace(wrong, "name:", `deletionTimestamp: "2026-01-01T00:00:00Z", name:`, 1)
	if a := j.validate(review(t, deleted, wrong)); !a.Allowed || len(a.Warnings) > 0 {
		t.Errorf("answer %+v, want a deletion to pass", a)
	}
	if a := j.validate(review(t, `[]`, "")); a.Allowed {
		t.Error("what cannot be read was allowed")
	}
}

// A pool can move to another port, one Service after the other.
func TestValidate_poolMoves(t *testing.T) {
	shared := ksvc(gateway+`, knative-inference.dev/pool: shared`, ``, calm)
	other := service(t, strings.Replace(shared, "qwen", "first", 1))
	r := review(t, strings.Replace(shared, "8000", "9000", 1), shared)
	if a := judging(t, caches(t, other, service(t, shared))).validate(r); !a.Allowed || len(a.Warnings) != 1 {
		t.Errorf("answer %+v, want a warning", a)
	}
}

// ACK's walk-through: its file as it is, through both webhooks, with Knative's features for claims off and on.
func TestACKService(t *testing.T) {
	text, err := os.ReadFile("../../../shared/reference/seeds/ack-qwen-service.yaml")
	if err != nil {
		t.Skip("ACK's file is not here; it comes from ../shared/reference/seeds:", err)
	}
	r := review(t, string(text), "")
	made := patched(t, r, setClass(r))
	want := object(t, string(text))
	annotations := want["spec"].(map[string]any)["template"].(map[string]any)["metadata"].(map[string]any)["annotations"].(map[string]any)
	annotations["autoscaling.knative.dev/class"] = "ipa.autoscaling.knative-inference.dev"
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("only the class may change (-want +got):\n%s", diff)
	}
	claims := configMap("config-features", "kubernetes.podspec-persistent-volume-claim", "enabled")
	claims.Data["kubernetes.podspec-persistent-volume-write"] = "enabled"
	for name, tt := range map[string]struct {
		maps []*corev1.ConfigMap
		want int
	}{"features off": {nil, 3}, "features on": {[]*corev1.ConfigMap{claims}, 1}} {
		t.Run(name, func(t *testing.T) {
			var a *admissionv1.AdmissionResponse = judging(t, caches(t), tt.maps...).validate(r)
			if !a.Allowed || len(a.Warnings) != tt.want || !strings.Contains(a.Warnings[0], "--shutdown-timeout") {
				t.Errorf("answer %+v, want %d warnings, the first about --shutdown-timeout", a, tt.want)
			}
		})
	}
}
