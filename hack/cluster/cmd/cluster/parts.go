package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// part is software of others that is built when it is asked for, and runs on the cluster or
// against it.
type part struct {
	module module
	post   func(p paths, dir string, say *progress) error
	images []string // files of the build, without ".tar"
}

func parts() map[string]part {
	return map[string]part{
		"knative-e2e":      {knativeE2EModule(), finishKnativeE2E, knativeTestImages},
		"keda":             {kedaModule(), finishKEDA, []string{"operator", "adapter"}},
		"kserve":           {kserveModule(), finishKServe, []string{"manager"}},
		"prometheus":       {prometheusModule(), finishPrometheus, []string{"prometheus"}},
		"envoy-ai-gateway": {envoyAIGatewayModule(), finishEnvoyAIGateway, []string{"envoy-gateway", "controller"}},
	}
}

func findPart(name string) (part, error) {
	all := parts()
	found, ok := all[name]
	if !ok {
		return found, fmt.Errorf("no part %q; there are: %s", name, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	return found, nil
}

// buildPart makes a part if it is missing and returns the directory of its build.
func buildPart(p paths, name string, say *progress) (string, error) {
	found, err := findPart(name)
	if err != nil {
		return "", err
	}
	return buildModule(p, found.module, say, found.post)
}

// addPart is the command: it builds a part, imports the images into the running cluster
// unless they came with an earlier call, and prints where the build is.
func addPart(p paths, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: cluster.sh part NAME")
	}
	s, unlock, err := lockRunning(p)
	if err != nil {
		return err
	}
	defer unlock()
	say := newProgress()
	dir, err := buildPart(p, args[0], say)
	if err != nil {
		return err
	}
	if s.Parts[args[0]] != dir {
		var archives []string
		for _, image := range parts()[args[0]].images {
			archives = append(archives, filepath.Join(dir, "images", image+".tar"))
		}
		say.say("importing the %d images of %s", len(archives), args[0])
		if err := importImages(p.containerd(), archives); err != nil {
			return err
		}
		if s.Parts == nil {
			s.Parts = map[string]string{}
		}
		s.Parts[args[0]] = dir
		if err := p.save(s); err != nil {
			return err
		}
	}
	fmt.Println(dir)
	return nil
}

func finishKnativeE2E(_ paths, dir string, _ *progress) error {
	for _, image := range knativeTestImages {
		if err := writeImage(dir, image, "dev.local/kn-test/"+image+":"+knativeVersion); err != nil {
			return err
		}
	}
	return nil
}

const (
	kedaPath         = "github.com/kedacore/keda/v2"
	kservePath       = "github.com/kserve/kserve"
	prometheusPath   = "github.com/prometheus/prometheus"
	aiGatewayPath    = "github.com/envoyproxy/ai-gateway"
	envoyGatewayPath = "github.com/envoyproxy/gateway"
)

// finishKServe writes the controller's image and keeps KServe's kustomize folder, which
// kserve/install.sh renders.
func finishKServe(p paths, dir string, _ *progress) error {
	if err := writeImage(dir, "manager", "dev.local/kserve-controller:"+kserveVersion); err != nil {
		return err
	}
	return keepFolders(p, dir, upstream{kserveModule(), kservePath}, "config")
}

// finishKEDA writes both images, with the programs where KEDA's manifests call them: the API
// server names a writer of replicas by the program. It keeps KEDA's kustomize folder, which
// keda/install.sh renders.
func finishKEDA(p paths, dir string, _ *progress) error {
	return errors.Join(
		writeImageAt(dir, "operator", "dev.local/keda:"+kedaVersion, "/keda"),
		writeImageAt(dir, "adapter", "dev.local/keda-metrics-apiserver:"+kedaVersion, "/keda-adapter"),
		keepFolders(p, dir, upstream{kedaModule(), kedaPath}, "config"))
}

// upstream is a dependency of a module, by its module path.
type upstream struct {
	of   module
	path string
}

// keepFolders copies folders of an upstream into the build.
func keepFolders(p paths, dir string, from upstream, folders ...string) error {
	root, err := moduleDir(p, from.of, from.path)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		kept := filepath.Join(dir, "upstream", folder)
		if err := os.RemoveAll(kept); err != nil { // of a build that was interrupted
			return err
		}
		if err := os.CopyFS(kept, os.DirFS(filepath.Join(root, folder))); err != nil {
			return err
		}
	}
	return nil
}

func finishPrometheus(_ paths, dir string, _ *progress) error {
	return writeImage(dir, "prometheus", "dev.local/prometheus:"+prometheusVersion)
}

// finishEnvoyAIGateway writes the images and keeps the charts of both, which
// envoy-ai-gateway/install.sh renders. Envoy Gateway's jobs call "envoy-gateway" by PATH, so the
// program is at the root of its image.
func finishEnvoyAIGateway(p paths, dir string, _ *progress) error {
	m := envoyAIGatewayModule()
	return errors.Join(
		writeImage(dir, "controller", "dev.local/ai-gateway-controller:"+aiGatewayVersion),
		writeImageAt(dir, "envoy-gateway", "dev.local/envoy-gateway:"+envoyGatewayVersion, "/envoy-gateway"),
		keepFolders(p, dir, upstream{m, envoyGatewayPath}, "charts/gateway-helm"),
		keepFolders(p, dir, upstream{m, aiGatewayPath}, "manifests", "examples/inference-pool"))
}
