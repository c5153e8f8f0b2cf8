package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// kubernetesVersion must agree with go.mod; clients refuse a server that says v0.0.0.
const kubernetesVersion = "v1.35.8"

const knativeVersion = "v0.50.0"

// Versions of the inference gateway's parts; they must agree with istio/go.mod and inference/go.mod.
const (
	istioVersion     = "1.31.0" // a development version, named by the release it becomes
	inferenceVersion = "v1.5.0"
)

// Versions of the parts; each must agree with its go.mod.
const (
	kedaVersion         = "v2.21.0"
	kserveVersion       = "v0.17.0"
	prometheusVersion   = "v0.316.0" // the Go module's name for Prometheus 3.16.0
	aiGatewayVersion    = "v1.0.0"   // Envoy AI Gateway
	envoyGatewayVersion = "v1.9.1"
)

// module is one upstream (or several that agree on their dependencies) with its own go.mod.
type module struct {
	name   string
	dir    string   // below hack/cluster
	inputs []string // files and directories whose content decides the build, below dir
	groups []group
	tags   string // build tags of the groups, most modules have none
	tests  group  // of packages whose tests become programs, by the tag e2e; most modules have none
	usual  string // how long a cold build takes, for the progress lines
}

// group is one call of go build: packages share a link step's flags.
type group struct {
	what     string
	packages []string
	ldflags  string
}

// goCall is a group of packages with the go command that builds them.
type goCall struct {
	verb []string
	group
}

func (m module) calls() []goCall {
	var all []goCall
	verb := []string{"build", "-v"}
	if m.tags != "" {
		verb = append(verb, "-tags="+m.tags)
	}
	for _, g := range m.groups {
		all = append(all, goCall{verb, g})
	}
	if len(m.tests.packages) > 0 {
		all = append(all, goCall{[]string{"test", "-c", "-tags=e2e"}, m.tests})
	}
	return all
}

// imageLayout is part of every build's hash: raise it when the images must be written anew.
const imageLayout = "2"

var compileFlags = []string{"-gcflags=all=-dwarf=false"}

func nodeModule() module {
	v := "k8s.io/component-base/version"
	stamp := fmt.Sprintf("-X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=1 -X %[1]s.gitMinor=35 -X %[1]s.gitTreeState=clean"+
		" -X %[1]s.gitCommit=%[3]s -X %[1]s.buildDate=2026-01-01T00:00:00Z", v, kubernetesVersion, strings.Repeat("0", 40))
	serving := "knative.dev/serving/cmd/"
	return module{
		name: "node", dir: ".", usual: "5 min on two quiet cores, 12 on busy ones",
		inputs: []string{"go.mod", "go.sum", "tools.go", "cmd/k8s", "cmd/coredns", "cmd/kingress", "ingress", "cmd/pause", "cmd/hello"},
		groups: []group{
			{"Kubernetes " + kubernetesVersion + " and etcd", []string{"./cmd/k8s"}, stamp},
			{"CoreDNS and small images", []string{"./cmd/coredns", "./cmd/kingress", "./cmd/pause", "./cmd/hello"}, stamp},
			{"Knative Serving " + knativeVersion, []string{serving + "queue", serving + "controller", serving + "autoscaler",
				serving + "autoscaler-hpa", serving + "activator", serving + "webhook"}, stamp},
		},
	}
}

func simModule() module {
	return module{
		name: "sim", dir: "sim", inputs: []string{"go.mod", "go.sum", "tools.go"}, usual: "1.5 min on two quiet cores, 3 on busy ones",
		groups: []group{{"engine simulator llm-d-inference-sim v0.10.2", []string{"github.com/llm-d/llm-d-inference-sim/cmd/llm-d-inference-sim"}, ""}},
	}
}

func kourierModule() module {
	return module{
		name: "kourier", dir: "kourier", inputs: []string{"go.mod", "go.sum", "tools.go", "envoy.txt"}, usual: "1.5 min on two quiet cores",
		groups: []group{{"Kourier v0.48.0", []string{"knative.dev/net-kourier/cmd/kourier"}, ""}},
	}
}

func istioModule() module {
	v := "istio.io/istio/pkg/version"
	return module{
		name: "istio", dir: "istio", usual: "3 min on two quiet cores",
		// Envoy's version: it is in the gateway's image.
		inputs: []string{"go.mod", "go.sum", "tools.go", "values.yaml", "../kourier/envoy.txt"},
		groups: []group{{"Istio's control plane " + istioVersion, []string{"istio.io/istio/pilot/cmd/pilot-discovery",
			"istio.io/istio/pilot/cmd/pilot-agent", "helm.sh/helm/v4/cmd/helm"},
			fmt.Sprintf("-X %[1]s.buildVersion=%[2]s -X %[1]s.buildStatus=Clean", v, istioVersion)}},
	}
}

func inferenceModule() module {
	cmd := "sigs.k8s.io/gateway-api-inference-extension/cmd/"
	return module{
		name: "inference", dir: "inference", inputs: []string{"go.mod", "go.sum", "tools.go"}, usual: "1.5 min on two quiet cores",
		groups: []group{{"endpoint picker and body-based router " + inferenceVersion, []string{cmd + "epp", cmd + "bbr"}, ""}},
	}
}

// gatewayIngressModule is our test-only stand-in for net-gateway-api. It compiles with what the
// node's module has compiled already, but is a build of its own: a change of it must not make
// the whole node anew.
func gatewayIngressModule() module {
	return module{
		name: "gatewayingress", dir: ".", inputs: []string{"go.mod", "go.sum", "cmd/gatewayingress", "ingress"}, usual: "half a minute",
		groups: []group{{"test-only Knative ingress for Gateway API", []string{"./cmd/gatewayingress"}, ""}},
	}
}

// knativeE2EModule is Knative's own end-to-end tests, unmodified, with their test images and
// the proxy that gives their Services a class. Kubernetes and Knative are those of the node's
// module, so most of it is compiled already.
func knativeE2EModule() module {
	tests := "knative.dev/serving/test/"
	m := module{
		name: "knative-e2e", dir: "knative-e2e", inputs: []string{"go.mod", "go.sum", "tools.go", "classproxy"}, usual: "5 min on two busy cores",
		groups: []group{{"the class proxy and Knative's test images", []string{"./classproxy"}, ""}},
		tests: group{"Knative's own tests " + knativeVersion, []string{tests + "e2e", tests + "e2e/initscale", tests + "ha", tests + "scale",
			tests + "conformance/runtime", tests + "conformance/api/v1"}, ""},
	}
	for _, image := range knativeTestImages {
		m.groups[0].packages = append(m.groups[0].packages, tests+"test_images/"+image)
	}
	return m
}

// knativeTestImages are the images that the tests we run ask for.
var knativeTestImages = []string{"autoscale", "configmimic", "failing", "grpc-ping", "hellohttp2", "helloworld", "httpproxy",
	"pizzaplanetv1", "pizzaplanetv2", "readiness", "runtime", "singlethreaded", "slowstart", "timeout", "wsserver"}

// kserveModule is KServe's controller. Its manifests come from the same module, so nothing is
// downloaded but Go modules.
func kserveModule() module {
	return module{
		name: "kserve", dir: "kserve", inputs: []string{"go.mod", "go.sum", "tools.go"}, usual: "16 to 38 min on two busy cores",
		groups: []group{{"KServe's controller " + kserveVersion, []string{kservePath + "/cmd/manager"}, ""}},
	}
}

// kedaModule is KEDA's operator and its metrics server. Its manifests come from the same module.
func kedaModule() module {
	return module{
		name: "keda", dir: "keda", inputs: []string{"go.mod", "go.sum", "tools.go"}, usual: "40 min on two busy cores",
		groups: []group{{"KEDA " + kedaVersion, []string{kedaPath + "/cmd/operator", kedaPath + "/cmd/adapter"}, ""}},
	}
}

// prometheusModule is Prometheus with service discovery of Kubernetes and of files only: those
// of the cloud providers are most of what it compiles otherwise.
func prometheusModule() module {
	return module{
		name: "prometheus", dir: "prometheus", inputs: []string{"go.mod", "go.sum", "tools.go"}, usual: "34 min at the lowest priority on two busy cores",
		tags:   "remove_all_sd,enable_kubernetes_sd",
		groups: []group{{"Prometheus " + prometheusVersion, []string{prometheusPath + "/cmd/prometheus"}, ""}},
	}
}

// envoyAIGatewayModule is the controllers of Envoy AI Gateway and of Envoy Gateway, which
// it extends; the data plane is Kourier's Envoy. The filter that rewrites bodies
// (cmd/extproc) is for its own AIGatewayRoutes, which nothing here has.
func envoyAIGatewayModule() module {
	return module{
		name: "envoy-ai-gateway", dir: "envoy-ai-gateway", inputs: []string{"go.mod", "go.sum", "tools.go"}, usual: "6 min on two busy cores",
		groups: []group{{"Envoy Gateway " + envoyGatewayVersion + " and Envoy AI Gateway " + aiGatewayVersion,
			[]string{envoyGatewayPath + "/cmd/envoy-gateway", aiGatewayPath + "/cmd/controller"}, ""}},
	}
}

// hash is the content of the inputs and of the flags, so a build is never taken for another.
func (m module) hash(src string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, imageLayout, compileFlags, m.groups)
	if len(m.tests.packages) > 0 { // else the hashes of older builds would change
		fmt.Fprintln(h, m.tests)
	}
	if m.tags != "" {
		fmt.Fprintln(h, m.tags)
	}
	for _, in := range m.inputs {
		root := filepath.Join(src, m.dir, in)
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			rel, err := filepath.Rel(src, path)
			if err != nil {
				return err
			}
			return hashFile(h, rel, path)
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

func hashFile(w io.Writer, name, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s %d\n", name, len(b))
	_, err = w.Write(b)
	return err
}
