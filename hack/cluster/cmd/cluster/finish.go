package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/knative-inference/autoscaler-adapter/hack/cluster/image"
)

// servingImages are the programs of Knative Serving the cluster runs.
var servingImages = []string{"activator", "autoscaler", "autoscaler-hpa", "controller", "webhook", "queue"}

// finishNode gives the multi-call binary its names, writes the images and keeps the YAML, so
// that a start needs neither the module cache nor Go.
func finishNode(p paths, dir string, say *progress) error {
	for _, c := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"} {
		link := filepath.Join(dir, "bin", c)
		if exists(link) {
			continue
		}
		if err := os.Symlink("k8s", link); err != nil {
			return err
		}
	}
	images := map[string]string{"pause": pauseImage, "coredns": "dev.local/coredns:v1", "kingress": "dev.local/kingress:v1", "hello": "dev.local/hello:v1"}
	for _, c := range servingImages {
		images[c] = "dev.local/" + c + ":" + knativeVersion
	}
	for binary, name := range images {
		if err := writeImage(dir, binary, name); err != nil {
			return err
		}
	}
	say.say("wrote %d images", len(images))
	return keepKnativeYAML(p, dir)
}

func finishSim(_ paths, dir string, _ *progress) error {
	return writeImage(dir, "llm-d-inference-sim", "dev.local/llm-d-inference-sim:v0.10.2")
}

func finishKourier(p paths, dir string, _ *progress) error {
	if err := writeImage(dir, "kourier", "dev.local/kourier:v0.48.0"); err != nil {
		return err
	}
	src, err := moduleDir(p, kourierModule(), "knative.dev/net-kourier")
	if err != nil {
		return err
	}
	return keepYAML(dir, "kourier.yaml", source{src, []string{"config/*.yaml"}})
}

// writeImage makes the image of one program of a build.
func writeImage(dir, binary, name string) error {
	path := "/ko-app/" + binary
	if binary == "pause" {
		path = "/pause"
	}
	return writeImageAt(dir, binary, name, path)
}

// writeImageAt is writeImage with the program at a path of its own.
func writeImageAt(dir, binary, name, path string) error {
	out := filepath.Join(dir, "images", binary+".tar")
	if exists(out) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return image.Write(out, image.Spec{Name: name,
		Files: []image.File{{Path: path, Source: filepath.Join(dir, "bin", binary)}}})
}

// source is files below one module's directory.
type source struct {
	root     string
	patterns []string
}

func keepYAML(dir, name string, sources ...source) error {
	out := filepath.Join(dir, "upstream", name)
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, s := range sources {
		if err := concat(f, s.root, s.patterns...); err != nil {
			return err
		}
	}
	return f.Close()
}

// keepKnativeYAML copies Knative's own YAML. A module zip has no symbolic links, so six files
// that config/core links to are taken from the modules they live in.
func keepKnativeYAML(p paths, dir string) error {
	var roots [3]string
	for i, path := range []string{"knative.dev/serving", "knative.dev/networking", "knative.dev/caching"} {
		root, err := moduleDir(p, nodeModule(), path)
		if err != nil {
			return err
		}
		roots[i] = filepath.Join(root, "config")
	}
	serving, networking, caching := roots[0], roots[1], roots[2]
	for _, f := range []struct {
		name    string
		sources []source
	}{
		{"knative-base.yaml", []source{{serving, []string{"core/100-namespace.yaml", "core/200-serviceaccount.yaml", "core/200-roles/*.yaml"}}}},
		{"knative-crds.yaml", []source{{serving, []string{"core/300-resources/*.yaml"}},
			{networking, []string{"certificate.yaml", "domain-claim.yaml", "ingress.yaml", "serverlessservice.yaml"}}, {caching, []string{"image.yaml"}}}},
		{"knative-config.yaml", []source{{serving, []string{"core/configmaps/*.yaml"}}, {networking, []string{"config-network.yaml"}}}},
		{"knative-deploy.yaml", []source{{serving, []string{"core/deployments/activator.yaml", "core/deployments/autoscaler.yaml",
			"core/deployments/controller.yaml", "core/deployments/webhook.yaml", "hpa-autoscaling/controller.yaml"}}}},
		{"knative-late.yaml", []source{{serving, []string{"core/300-knativecertificate.yaml", "core/webhooks/*.yaml"}}}},
	} {
		if err := keepYAML(dir, f.name, f.sources...); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}
