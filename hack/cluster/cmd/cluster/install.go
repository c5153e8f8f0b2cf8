package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sort"
	"strings"
)

// install applies DNS, Knative and the ingress as soon as the API server answers (the pods wait
// for the node), then waits until all of it works.
func (n *starting) install() error {
	m, err := renderManifests(n.state, n.paths.run("src"))
	if err != nil {
		return err
	}
	if err := n.after(n.controlUp); err != nil {
		return err
	}
	if err := n.apply("early", m.early); err != nil {
		return err
	}
	if err := poll(n.ctx, "custom resources", n.established); err != nil {
		return err
	}
	if err := n.apply("late", m.late); err != nil {
		return err
	}
	stage("Knative's objects applied")
	if err := n.deployments(); err != nil {
		return err
	}
	if err := poll(n.ctx, "Knative's webhook", n.acceptsServices); err != nil {
		return err
	}
	if err := poll(n.ctx, "ingress", ingressAnswers); err != nil {
		return err
	}
	stage("Knative accepts Services, %s answers", n.state.Ingress)
	return nil
}

func (n *starting) apply(name, yaml string) error {
	file := n.paths.run("manifests", name+".yaml")
	if err := writeFile(file, yaml); err != nil {
		return err
	}
	cmd := exec.CommandContext(n.ctx, n.bin("kubectl"), "--kubeconfig", n.kubeconfig,
		"apply", "--server-side", "--force-conflicts", "--validate=false", "-f", file)
	cmd.Env = append(os.Environ(), "KUBECACHEDIR="+n.paths.run("kubectl-cache"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("kubectl apply -f %s: %w: %s", file, err, out)
	}
	return nil
}

func (n *starting) established() error {
	var crds list
	if err := n.api.get(n.ctx, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &crds); err != nil {
		return err
	}
	for _, c := range crds.Items {
		if !c.is("Established") {
			return fmt.Errorf("%s is not established", c.Metadata.Name)
		}
	}
	return nil
}

// deployments waits for every Deployment and prints each that becomes available.
func (n *starting) deployments() error {
	told := map[string]bool{}
	err := poll(n.ctx, "deployments", func() error {
		var all list
		if err := n.api.get(n.ctx, "/apis/apps/v1/deployments", &all); err != nil {
			return err
		}
		var waiting []string
		for _, d := range all.Items {
			name := d.Metadata.Namespace + "/" + d.Metadata.Name
			switch {
			case !d.is("Available"):
				waiting = append(waiting, name)
			case !told[name]:
				told[name] = true
				stage("%s available", name)
			}
		}
		if len(waiting) > 0 {
			sort.Strings(waiting)
			return fmt.Errorf("not available: %s", strings.Join(waiting, " "))
		}
		return nil
	})
	return err
}

// acceptsServices asks Knative's webhook to judge a Service, without making it.
func (n *starting) acceptsServices() error {
	_, err := n.api.do(n.ctx, http.MethodPost, "/apis/serving.knative.dev/v1/namespaces/default/services?dryRun=All",
		`{"apiVersion":"serving.knative.dev/v1","kind":"Service","metadata":{"name":"probe"},
		  "spec":{"template":{"spec":{"containers":[{"image":"dev.local/hello:v1"}]}}}}`)
	return err
}

// ingressAnswers takes any HTTP answer: with no route yet it is a 404.
func ingressAnswers() error {
	res, err := http.Get("http://" + ingressIP + "/")
	if err != nil {
		return err
	}
	return res.Body.Close()
}
