package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/hack/cluster/image"
)

const (
	pilotImage = "dev.local/pilot:v1"
	proxyImage = "dev.local/proxyv2:v1" // named in istio/values.yaml
)

// gatewayBuilds are the builds of the inference gateway, an add-on to a cluster.
type gatewayBuilds struct {
	Istio     string `json:"istio,omitempty"`
	Inference string `json:"inference,omitempty"`
	Ingress   string `json:"ingress,omitempty"`
}

// gatewayStep is one of the builds.
type gatewayStep struct {
	m    module
	dir  *string
	post func(p paths, dir string, say *progress) error
}

func (g *gatewayBuilds) steps() []gatewayStep {
	return []gatewayStep{
		{istioModule(), &g.Istio, finishIstio},
		{inferenceModule(), &g.Inference, finishInference},
		{gatewayIngressModule(), &g.Ingress, finishGatewayIngress},
	}
}

func (g gatewayBuilds) archives() []string {
	tar := func(dir, name string) string { return filepath.Join(dir, "images", name+".tar") }
	return []string{tar(g.Istio, "pilot-discovery"), tar(g.Istio, "proxyv2"), tar(g.Inference, "epp"), tar(g.Inference, "bbr"),
		tar(g.Ingress, "gatewayingress")}
}

// buildGateway makes what is missing; kourier is the build that holds Envoy's image.
func buildGateway(p paths, kourier string, say *progress) (gatewayBuilds, error) {
	var g gatewayBuilds
	for _, step := range g.steps() {
		dir, err := buildModule(p, step.m, say, step.post)
		if err != nil {
			return g, err
		}
		*step.dir = dir
	}
	return g, writeProxyImage(p, kourier, g.Istio)
}

// builtGateway finds what buildGateway made of the present sources, without building anything.
func builtGateway(p paths) (g gatewayBuilds, ok bool) {
	for _, step := range g.steps() {
		hash, err := step.m.hash(p.src)
		if err != nil {
			return g, false
		}
		*step.dir = filepath.Join(p.builds(), step.m.name+"-"+hash)
		if !exists(filepath.Join(*step.dir, "DONE")) {
			return g, false
		}
	}
	return g, exists(g.archives()[1])
}

func finishIstio(p paths, dir string, _ *progress) error {
	if err := writeImage(dir, "pilot-discovery", pilotImage); err != nil {
		return err
	}
	root, err := moduleDir(p, istioModule(), "istio.io/istio")
	if err != nil {
		return err
	}
	bootstrap, err := os.ReadFile(filepath.Join(root, "tools", "packaging", "common", "envoy_bootstrap.json"))
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "upstream", "envoy_bootstrap_tmpl.json"), string(bootstrap)); err != nil {
		return err
	}
	for name, args := range map[string][]string{
		"istio-base.yaml": {"base", filepath.Join(root, "manifests", "charts", "base")},
		"istiod.yaml": {"istiod", filepath.Join(root, "manifests", "charts", "istio-control", "istio-discovery"),
			"--values", filepath.Join(p.src, "istio", "values.yaml")},
	} {
		text, err := helmTemplate(filepath.Join(dir, "bin", "helm"), args)
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(dir, "upstream", name), text); err != nil {
			return err
		}
	}
	return nil
}

// helmTemplate renders a chart; helm's own files go to a directory that is removed.
func helmTemplate(helm string, args []string) (string, error) {
	tmp, err := os.MkdirTemp("", "helm-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	cmd := exec.Command(helm, append([]string{"template", "--namespace", istioNamespace}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+tmp, "HELM_CACHE_HOME="+tmp, "HELM_CONFIG_HOME="+tmp, "HELM_DATA_HOME="+tmp)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("helm template %s: %w: %s", args[0], err, lastLine(stderr.String()))
	}
	return string(out), nil
}

func finishInference(p paths, dir string, _ *progress) error {
	for _, binary := range []string{"epp", "bbr"} {
		if err := writeImage(dir, binary, "dev.local/"+binary+":"+inferenceVersion); err != nil {
			return err
		}
	}
	var roots [2]string
	for i, path := range []string{"sigs.k8s.io/gateway-api", "sigs.k8s.io/gateway-api-inference-extension"} {
		root, err := moduleDir(p, inferenceModule(), path)
		if err != nil {
			return err
		}
		roots[i] = filepath.Join(root, "config", "crd")
	}
	return errors.Join(
		keepYAML(dir, "gateway-api.yaml", source{roots[0], []string{"standard/*.yaml"}}),
		keepYAML(dir, "inference-extension.yaml", source{roots[1], []string{"bases/*.yaml"}}))
}

func finishGatewayIngress(_ paths, dir string, _ *progress) error {
	return writeImage(dir, "gatewayingress", "dev.local/gatewayingress:v1")
}

// writeProxyImage joins Istio's agent and the stock Envoy, which is taken from Envoy's image.
func writeProxyImage(p paths, kourier, istio string) error {
	out := filepath.Join(istio, "images", "proxyv2.tar")
	if exists(out) {
		return nil
	}
	tmp, err := os.MkdirTemp(p.cache, "envoy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	envoy, err := imageFiles(filepath.Join(kourier, "images", "envoy.tar"), tmp)
	if err != nil {
		return err
	}
	agent := filepath.Join(istio, "bin", "pilot-agent")
	files := []image.File{
		{Path: "/usr/local/bin/pilot-agent", Source: agent},
		{Path: "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json", Source: filepath.Join(istio, "upstream", "envoy_bootstrap_tmpl.json")},
	}
	return image.Write(out, image.Spec{Name: proxyImage, Files: append(files, envoy...)})
}

// imageFiles unpacks the files of an image that package image wrote, but for /var, into dir.
func imageFiles(archive, dir string) ([]image.File, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var files []image.File
	for outer := tar.NewReader(f); ; {
		h, err := outer.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", archive, err)
		}
		if !strings.HasPrefix(h.Name, "blobs/") {
			continue
		}
		more, err := layerFiles(outer, dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", archive, err)
		}
		files = append(files, more...)
	}
}

// layerFiles gives nothing for a blob that is no layer (the image's JSON).
func layerFiles(blob io.Reader, dir string) ([]image.File, error) {
	var files []image.File
	for layer := tar.NewReader(blob); ; {
		h, err := layer.Next()
		if err == io.EOF || (len(files) == 0 && err != nil) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg || strings.HasPrefix(h.Name, "var/") {
			continue
		}
		out := filepath.Join(dir, filepath.FromSlash(filepath.Clean("/"+h.Name)))
		if err := copyOut(layer, out); err != nil {
			return nil, err
		}
		files = append(files, image.File{Path: "/" + h.Name, Source: out})
	}
}

func copyOut(r io.Reader, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
