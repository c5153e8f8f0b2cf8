package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

const istioNamespace = "istio-system"

// cannot is a step that this machine cannot do for want of something from outside: status 75.
type cannot string

func (c cannot) Error() string { return string(c) }

// installGateway adds the inference gateway to the running cluster: Gateway API, its inference
// extension, Istio with a stock Envoy, and our test-only Knative ingress for Gateway API.
func installGateway(p paths) error {
	if os.Getenv("IPA_CLUSTER") == "existing" {
		return fmt.Errorf("IPA_CLUSTER=existing: install a gateway on your own cluster yourself")
	}
	s, unlock, err := lockRunning(p)
	if err != nil {
		return err
	}
	defer unlock()
	if !s.Built.Envoy {
		return cannot("NO GATEWAY: the Envoy wheel was not to be had when this cluster started, and Istio's gateway needs it")
	}
	say := newProgress()
	built, err := buildGateway(p, s.Built.Kourier, say)
	if err != nil {
		return err
	}
	if s.Gateway != built { // else they came with the prepared store, or by an earlier call
		say.say("importing the gateway's images")
		if err := importImages(p.containerd(), built.archives()); err != nil {
			return err
		}
		s.Gateway = built
		if err := p.save(s); err != nil {
			return err
		}
	}
	return applyGateway(p, s, say)
}

// lockRunning is the state of the running cluster, which nobody else changes until unlock.
func lockRunning(p paths) (s state, unlock func(), err error) {
	unlock, err = lock(p)
	if err != nil {
		return s, nil, err
	}
	if err = healthy(p); err == nil {
		s, err = p.load()
	}
	if err != nil {
		unlock()
	}
	return s, unlock, err
}

func applyGateway(p paths, s state, say *progress) error {
	api, err := newClient(p, s.APIPort)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout())
	defer cancel()
	n := &starting{ctx: ctx, paths: p, state: s, api: api, kubeconfig: p.kubeconfig()}
	crds, parts, err := gatewayYAML(s.Gateway, p.src)
	if err != nil {
		return err
	}
	if err := n.apply("gateway-crds", crds); err != nil {
		return err
	}
	if err := poll(ctx, "custom resources", n.established); err != nil {
		return err
	}
	say.say("custom resources of Gateway API, its inference extension %s and Istio established", inferenceVersion)
	if err := n.apply("gateway", parts); err != nil {
		return err
	}
	if err := poll(ctx, "gateway", n.gatewayReady); err != nil {
		return err
	}
	say.say("istiod and the test-only Knative ingress for Gateway API are available; GatewayClass istio accepted")
	return nil
}

// gatewayYAML gives the custom resources and, to be applied after them, the rest.
func gatewayYAML(g gatewayBuilds, src string) (crds, parts string, err error) {
	base := filepath.Join(g.Istio, "upstream")
	var text [5]string
	for i, f := range []string{filepath.Join(g.Inference, "upstream", "gateway-api.yaml"), filepath.Join(g.Inference, "upstream", "inference-extension.yaml"),
		filepath.Join(base, "istio-base.yaml"), filepath.Join(base, "istiod.yaml"), filepath.Join(src, "manifests", "gatewayingress.yaml")} {
		b, err := os.ReadFile(f)
		if err != nil {
			return "", "", err
		}
		text[i] = string(b)
	}
	istioCRDs, istioRest := splitCRDs(text[2])
	namespace := "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + istioNamespace + "}\n"
	crds = strings.Join([]string{namespace, text[0], text[1], istioCRDs}, "\n---\n")
	parts = strings.Join([]string{istioRest, tuned(text[3]), text[4]}, "\n---\n")
	return crds, parts, nil
}

func splitCRDs(yaml string) (crds, rest string) {
	var a, b []string
	for _, doc := range strings.Split(yaml, "\n---\n") {
		if strings.Contains(doc, "\nkind: CustomResourceDefinition\n") {
			a = append(a, doc)
		} else {
			b = append(b, doc)
		}
	}
	return strings.Join(a, "\n---\n"), strings.Join(b, "\n---\n")
}

// gatewayReady says what is missing until a Gateway of class istio can be made.
func (n *starting) gatewayReady() error {
	var all list
	if err := n.api.get(n.ctx, "/apis/apps/v1/namespaces/"+istioNamespace+"/deployments", &all); err != nil {
		return err
	}
	var waiting []string
	for _, d := range all.Items {
		if !d.is("Available") {
			waiting = append(waiting, d.Metadata.Name)
		}
	}
	if len(waiting) > 0 || len(all.Items) == 0 {
		sort.Strings(waiting)
		return fmt.Errorf("not available: %s", strings.Join(waiting, " "))
	}
	var class object
	if err := n.api.get(n.ctx, "/apis/gateway.networking.k8s.io/v1/gatewayclasses/istio", &class); err != nil {
		return err
	}
	if !class.is("Accepted") {
		return fmt.Errorf("GatewayClass istio is not accepted")
	}
	return nil
}

// gatewayInstalled asks the cluster itself: somebody may have removed it.
func gatewayInstalled(p paths, s state) bool {
	api, err := newClient(p, s.APIPort)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	n := &starting{ctx: ctx, api: api}
	return n.gatewayReady() == nil
}
