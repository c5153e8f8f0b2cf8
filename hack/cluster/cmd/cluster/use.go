package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/knative-inference/autoscaler-adapter/hack/cluster/image"
)

// target is the cluster the user means: ours, or their own.
type target struct {
	kubeconfig, ingress, kubectl string
	proxy                        string // URL of the SOCKS5 proxy into its network, "" for the user's own
	own                          bool   // the user's
}

func findTarget(p paths) (target, error) {
	if os.Getenv("IPA_CLUSTER") == "existing" {
		t := target{kubeconfig: os.Getenv("KUBECONFIG"), ingress: os.Getenv("IPA_INGRESS"), own: true}
		if t.kubeconfig == "" {
			return t, fmt.Errorf("IPA_CLUSTER=existing needs KUBECONFIG, the path of your cluster's kubeconfig")
		}
		t.kubectl, _ = exec.LookPath("kubectl")
		if t.kubectl == "" {
			return t, fmt.Errorf("IPA_CLUSTER=existing needs kubectl in PATH")
		}
		return t, nil
	}
	s, err := p.load()
	if err != nil {
		return target{}, fmt.Errorf("no cluster is running: make cluster")
	}
	if !ours(s.Keeper) {
		return target{}, fmt.Errorf("the cluster has died: make cluster starts it anew")
	}
	return target{kubeconfig: p.kubeconfig(), ingress: fmt.Sprintf("127.0.0.1:%d", s.IngressPort), kubectl: s.Built.bin("kubectl"),
		proxy: fmt.Sprintf("socks5h://127.0.0.1:%d", s.NetPort)}, nil
}

// healthy says why the cluster cannot be used, nil if it can.
func healthy(p paths) error {
	s, err := p.load()
	if err != nil {
		return fmt.Errorf("no cluster is running: make cluster")
	}
	if !ours(s.Keeper) || !ours(s.Init) {
		return fmt.Errorf("the cluster has died: make cluster starts it anew")
	}
	if !exists(p.run("ready")) {
		return fmt.Errorf("the cluster is not ready")
	}
	c, err := newClient(p, s.APIPort)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return c.get(ctx, "/readyz", nil)
}

func status(p paths) error {
	t, err := findTarget(p)
	if err != nil {
		return err
	}
	if t.own {
		fmt.Printf("your own cluster: KUBECONFIG=%s IPA_INGRESS=%s\n", t.kubeconfig, t.ingress)
		return nil
	}
	if err := healthy(p); err != nil {
		return err
	}
	s, err := p.load()
	if err != nil {
		return err
	}
	fmt.Printf(`
Kubernetes %s with Knative Serving %s and %s is running.
  kubectl     make kubectl ARGS="get pods -A"    or   export KUBECONFIG=%s
  ingress     curl -H 'Host: NAME.NAMESPACE.example.com' http://%s/
  in scripts  eval "$(hack/cluster/cluster.sh env)"
  network     curl -x %s http://SERVICE.NAMESPACE:PORT/
  gateway     %s
  logs        %s
  end it      make cluster-down
`, kubernetesVersion, knativeVersion, s.Ingress, t.kubeconfig, t.ingress, t.proxy, gatewayStatus(p, s), p.run("log"))
	if s.Ingress != "kourier" {
		fmt.Println("  NOTE: kingress is a TEST-ONLY ingress of this project, not Kourier: the Envoy wheel was not to be had.")
	}
	return nil
}

func gatewayStatus(p paths, s state) string {
	if gatewayInstalled(p, s) {
		return "Istio " + istioVersion + " with a stock Envoy, GatewayClass istio, inference extension " + inferenceVersion
	}
	return "not installed: make cluster-gateway"
}

func printEnv(p paths) error {
	t, err := findTarget(p)
	if err != nil {
		return err
	}
	fmt.Printf("export KUBECONFIG=%s\nexport IPA_INGRESS=%s\n", quote(t.kubeconfig), quote(t.ingress))
	if t.proxy != "" {
		fmt.Printf("export IPA_NET_PROXY=%s\n", quote(t.proxy))
	}
	return nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func printKubeconfig(p paths) error {
	t, err := findTarget(p)
	if err != nil {
		return err
	}
	fmt.Println(t.kubeconfig)
	return nil
}

// printBinary finds a program of the running cluster's builds.
func printBinary(p paths, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: cluster.sh binary NAME")
	}
	s, err := p.load()
	if err != nil {
		return fmt.Errorf("no cluster is running: make cluster")
	}
	for _, build := range []string{s.Built.Node, s.Built.Sim, s.Built.Kourier, s.Gateway.Istio, s.Gateway.Inference} {
		if path := filepath.Join(build, "bin", args[0]); build != "" && exists(path) {
			fmt.Println(path)
			return nil
		}
	}
	return fmt.Errorf("no program %q in the builds", args[0])
}

func kubectl(p paths, args []string) error {
	t, err := findTarget(p)
	if err != nil {
		return err
	}
	cmd := exec.Command(t.kubectl, append([]string{"--kubeconfig", t.kubeconfig}, args...)...)
	if !t.own { // what kubectl remembers of our cluster goes with it
		cmd.Env = append(os.Environ(), "KUBECACHEDIR="+p.run("kubectl-cache"))
	}
	return attached(cmd)
}

func attached(cmd *exec.Cmd) error {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// execNet runs a command of the host in the cluster's network namespace, with the cluster's DNS.
func execNet(p paths, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: cluster.sh exec-net COMMAND ARGS...")
	}
	s, err := p.load()
	if err != nil || !ours(s.Init) {
		return fmt.Errorf("no cluster is running: make cluster")
	}
	resolv := p.run("resolv-pods.conf")
	if err := writeFile(resolv, "nameserver "+dnsIP+"\nsearch svc.cluster.local cluster.local\noptions ndots:5\n"); err != nil {
		return err
	}
	enter := []string{"--target", fmt.Sprint(s.Init), "--net", "--", "unshare", "--mount", "sh", "-c",
		`mount --bind "$0" /etc/resolv.conf && exec "$@"`, resolv}
	return attached(exec.Command("nsenter", append(enter, args...)...))
}

// loadImages imports archives, or static binaries wrapped into images, under the given names.
func loadImages(p paths, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: cluster.sh load-image NAME:TAG=FILE ...")
	}
	if err := healthy(p); err != nil {
		return err
	}
	for _, a := range args {
		name, file, ok := strings.Cut(a, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME:TAG=FILE", a)
		}
		if err := loadImage(p, name, file); err != nil {
			return err
		}
		fmt.Printf("loaded %s from %s\n", name, file)
	}
	return nil
}

func loadImage(p paths, name, file string) error {
	elf, err := isBinary(file)
	if err != nil {
		return err
	}
	if elf {
		archive := p.run("load.tar")
		defer os.Remove(archive)
		spec := image.Spec{Name: name, Files: []image.File{{Path: "/ko-app/" + filepath.Base(file), Source: file}}}
		if err := image.Write(archive, spec); err != nil {
			return err
		}
		file = archive
	}
	out, err := ctr(p.containerd(), "images", "import", file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("import %s: %w: %s", file, err, lastLine(string(out)))
	}
	return tag(p, name, string(out))
}

// tag gives the imported image the asked name when the archive carries another.
func tag(p paths, name, importOutput string) error {
	var got string
	for _, line := range strings.Split(importOutput, "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "unpacking" {
			got = f[1]
		}
	}
	if got == name || got == "" {
		return nil
	}
	out, err := ctr(p.containerd(), "images", "tag", "--force", got, name).CombinedOutput()
	if err != nil {
		return fmt.Errorf("tag %s as %s: %w: %s", got, name, err, lastLine(string(out)))
	}
	return nil
}

func isBinary(file string) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, 4)
	if _, err := f.Read(head); err != nil {
		return false, fmt.Errorf("%s: %w", file, err)
	}
	return bytes.Equal(head, []byte("\x7fELF")), nil
}
