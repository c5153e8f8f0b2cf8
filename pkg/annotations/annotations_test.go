package annotations

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// Each row is whole: its key is there once, its default can be read, and it has a line
// in the documents, or is explained there elsewhere.
func TestTable(t *testing.T) {
	var keys []string
	for _, a := range All() {
		keys = append(keys, a.Keys()...)
		if a.Kind == nil && a.Place != Ours && a.Domain() != knautoscaling.GroupName {
			t.Errorf("%s: no kind", a.Key)
		}
		if a.Default != "" && a.DefaultDoc != "" {
			t.Errorf("%s: two defaults", a.Key)
		}
		if a.Doc == "" && a.Place != Ours && a.Domain() != "knative.aliyun.com" {
			t.Errorf("%s: no line for the documents", a.Key)
		}
		parse := reflect.ValueOf(a.Kind)
		if a.Default == "" || !parse.IsValid() {
			continue
		}
		if m := parse.MethodByName("Parse"); m.IsValid() {
			if err := m.Call([]reflect.Value{reflect.ValueOf(a.Default)})[1]; !err.IsNil() {
				t.Errorf("%s: its default: %v", a.Key, err)
			}
		}
	}
	slices.Sort(keys)
	if len(slices.Compact(slices.Clone(keys))) != len(keys) {
		t.Errorf("a key is there twice: %v", keys)
	}
}

// Every key of pkg/apis that users write on a Service has a row.
func TestTable_everyKey(t *testing.T) {
	notRead := []string{ // labels, and annotations of other objects
		inference.ManagedByKey, inference.RoutedKey, inference.ComponentKey, inference.PickerPodKey, inference.BodyRouterPodKey,
		inference.OwnerNamespaceKey, inference.OwnerServiceKey, inference.GatewayNameKey, inference.ConfigHashKey, inference.ServesKey,
		inference.EngineTypeKey, inference.ActivePortsKey, inference.LLMDEngineTypeKey, inference.LLMDActivePortsKey,
	}
	seen := 0
	for _, dir := range []string{"../apis/autoscaling", "../apis/inference"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			file, err := goparser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				key, ok := keyConstant(n)
				if !ok {
					return true
				}
				seen++
				if _, known := ByKey(key); !known && !slices.Contains(notRead, key) {
					t.Errorf("%s has no row in the table of annotations", key)
				}
				return true
			})
		}
	}
	if seen < 50 {
		t.Errorf("only %d keys in pkg/apis: were they moved?", seen)
	}
}

// keyConstant reads `XKey = Domain + "/x"` or `XKey = "domain/x"`.
func keyConstant(n ast.Node) (key string, ok bool) {
	spec, ok := n.(*ast.ValueSpec)
	if !ok || !strings.HasSuffix(spec.Names[0].Name, "Key") || len(spec.Values) != 1 {
		return "", false
	}
	value := spec.Values[0]
	if sum, ok := value.(*ast.BinaryExpr); ok {
		key, value = autoscaling.Domain, sum.Y
	}
	lit, ok := value.(*ast.BasicLit)
	if !ok {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return key + text, err == nil
}

func TestRead(t *testing.T) {
	given := map[string]string{autoscaling.DrainTimeoutKey: "10m", autoscaling.SLOGoalKey: "2", autoscaling.EngineKey: ""}
	timeout, goal, engine := time.Second, 0.9, "vllm"
	if err := Read(given, autoscaling.DrainTimeoutKey, &timeout); err != nil || timeout != 10*time.Minute {
		t.Errorf("a value: %v, %v", timeout, err)
	}
	if err := Read(given, autoscaling.SLOGoalKey, &goal); err == nil || goal != 0.9 {
		t.Errorf("a refused value: %v, %v", goal, err)
	}
	if err := Read(given, autoscaling.EngineKey, &engine); err != nil || engine != "" {
		t.Errorf("an empty engine is detected: %q, %v", engine, err)
	}
	if err := Read(given, autoscaling.SLOITLKey, &timeout); err != nil || timeout != 10*time.Minute {
		t.Errorf("a value that is not given: %v, %v", timeout, err)
	}
	if err := Read(given, autoscaling.DrainTimeoutKey, &goal); err == nil {
		t.Error("a duration was read as a number")
	}
}

func TestKinds_refuse(t *testing.T) {
	f := func(key, value, want string) {
		t.Helper()
		a, _ := ByKey(key)
		out := reflect.ValueOf(a.Kind).MethodByName("Parse").Call([]reflect.Value{reflect.ValueOf(value)})
		if err, _ := out[1].Interface().(error); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), strconv.Quote(value)) {
			t.Errorf("%s: %q: %v, want %q", key, value, err, want)
		}
	}
	f(autoscaling.SLOTTFTKey, "2", `from 1ms to 1h, such as "2s"`)
	f(autoscaling.SLOGoalKey, "NaN", "a share of the requests in [0.5, 0.9999]")
	f(autoscaling.EngineKey, "vlm", `did you mean "vllm"?, or remove`)
	f(autoscaling.EngineKey, "TEI", `did you mean "text-embeddings-inference"?`)
	f(autoscaling.EngineKey, "tensorrt-llm", `did you mean "trtllm-serve"?`)
	f(autoscaling.MetricsPortKey, "8012", "queue-proxy")
	f(autoscaling.MetricsPortKey, "0", "1 to 65535")
	f(autoscaling.MetricsTokenSecretKey, "", "the name of a Secret")
	f(autoscaling.MetricsTokenSecretKey, "other-namespace/token/key", "a key of a Secret")
	f(autoscaling.MetricsTokenSecretKey, "../token", "the name of a Secret")
	f(autoscaling.MetricsTokenSecretKey, "a$(reboot)", "the name of a Secret")
	f(autoscaling.MetricsTokenSecretKey, "a;reboot/k", "the name of a Secret")
	f(autoscaling.MetricsTokenSecretKey, "Token", "lower-case letters")
	f(autoscaling.MetricsTokenSecretKey, "token/", "a key of a Secret")
	f(autoscaling.MetricsTokenSecretKey, "token/a b", "a key of a Secret")
	f(autoscaling.MetricsTokenSecretKey, "token/..", "a key of a Secret")
	f(autoscaling.MetricsTokenSecretKey, strings.Repeat("a", 254), "the name of a Secret")
	f(inference.QueueTTLKey, "1500us", "from 1s to 24h")
	f(inference.RequestTimeoutKey, "1500us", "finer than a millisecond")
	f(inference.PickerReplicasKey, "11", "from 1 to 10")
	f(inference.AdoptKey, "yes", `one of "true", "false"`)
}

func TestSecret(t *testing.T) {
	for v, want := range map[string]SecretKey{
		"engine-token":         {"engine-token", "token"},
		"engine.token/api-key": {"engine.token", "api-key"},
		"e/API_KEY.txt":        {"e", "API_KEY.txt"},
	} {
		if got, err := Parse[SecretKey](autoscaling.MetricsTokenSecretKey, v); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", v, got, err, want)
		}
	}
}

// What a Kind of text reads is for the package that uses it, and never read here.
func TestParse_text(t *testing.T) {
	if _, err := Parse[string](inference.GatewayKey, "a/b"); err == nil {
		t.Error("the form of a Gateway's name is pkg/binding's")
	}
	if _, err := Parse[string]("example.com/x", "a"); err == nil {
		t.Error("an unknown key was read")
	}
}

func FuzzKinds(f *testing.F) {
	for _, v := range []string{"", "1s", "0.99", "8012", "/metrics?a=b", "vllm", "true", "-1", "1e309", "NaN"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for _, a := range All() {
			if a.Kind == nil {
				continue
			}
			m := reflect.ValueOf(a.Kind).MethodByName("Parse")
			if !m.IsValid() {
				continue
			}
			out := m.Call([]reflect.Value{reflect.ValueOf(v)})
			if err, _ := out[1].Interface().(error); err != nil && err.Error() == "" {
				t.Errorf("%s: %q is refused without a word", a.Key, v)
			}
			if n, ok := out[0].Interface().(float64); ok && n != n {
				t.Errorf("%s: %q is NaN", a.Key, v)
			}
		}
	})
}
