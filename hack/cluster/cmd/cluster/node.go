package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Addresses of the cluster, all inside its own network namespace.
const (
	nodeName     = "node0"
	nodeIP       = "10.200.0.10"
	podNetwork   = "10.244.0.0/16"
	podRange     = "10.244.0.0/22"
	serviceRange = "10.96.0.0/16"
	apiServiceIP = "10.96.0.1"
	dnsIP        = "10.96.0.10"
	ingressIP    = "10.96.0.80"
)

// node brings Kubernetes and Knative up inside the namespaces and then keeps them running.
// Its standard output is the stage log that "up" follows.
func node(p paths) error {
	s, err := p.load()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout())
	defer cancel()
	if err := start(ctx, p, s); err != nil {
		stage("FAILED %v", err)
		return err
	}
	if err := writeFile(p.run("ready"), time.Now().Format(time.RFC3339)+"\n"); err != nil {
		return err
	}
	select {} // the components run in goroutines
}

func startTimeout() time.Duration {
	if n, err := strconv.Atoi(os.Getenv("IPA_UP_TIMEOUT")); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	return 5 * time.Minute
}

func stage(format string, args ...any) { fmt.Printf("STAGE "+format+"\n", args...) }

func start(ctx context.Context, p paths, s state) error {
	if err := setUpHost(p); err != nil {
		return err
	}
	if err := makePKI(p, s); err != nil {
		return err
	}
	api, err := newClient(p, 6443)
	if err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	n := &starting{ctx: ctx, fail: fail, paths: p, state: s, api: api, kubeconfig: p.pki("admin.conf"),
		controlUp: make(chan struct{}), imagesIn: make(chan struct{})}
	if err := listenUnix(p.run("api.sock"), "127.0.0.1:6443"); err != nil {
		return err
	}
	if err := listenUnix(p.run("ingress.sock"), ingressIP+":80"); err != nil {
		return err
	}
	if err := serveSocks(p.run("net.sock")); err != nil {
		return err
	}
	return parallel(n.controlPlane, n.images, n.kubelet, n.install)
}

// starting is one start; its steps run at once and wait for each other by closed channels.
type starting struct {
	ctx   context.Context
	fail  context.CancelCauseFunc // gives the start up at once
	paths paths
	state state
	api   *client
	// kubeconfig that works from where this process stands: inside the cluster's network or outside.
	kubeconfig string
	controlUp  chan struct{} // the API server answers
	imagesIn   chan struct{} // the images of the system pods are imported
}

// after waits for a step of another goroutine.
func (n *starting) after(step <-chan struct{}) error {
	select {
	case <-step:
		return nil
	case <-n.ctx.Done():
		return context.Cause(n.ctx)
	}
}

func setUpHost(p paths) error {
	for _, dir := range mountPoints {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount a tmpfs on %s: %w", dir, err)
		}
	}
	// Shared, as kubelet asks for mount propagation; the namespace keeps it from the host.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return err
	}
	if err := syscall.Sethostname([]byte(nodeName)); err != nil {
		return err
	}
	if err := setUpNetwork(); err != nil {
		return err
	}
	return writeFile(p.run("resolv.conf"), "")
}

// setUpNetwork gives the node an address on a bridge (a kernel may have no dummy device) and a
// default route, without which the API server finds no address to advertise.
func setUpNetwork() error {
	for _, args := range []string{
		"link set lo up", "link add node0 type bridge", "addr add " + nodeIP + "/24 dev node0", "link set node0 up", "route add default dev node0",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", args, err, lastLine(string(out)))
		}
	}
	for file, value := range map[string]string{
		"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/route_localnet": "1", "net/ipv4/ip_local_port_range": "32768 60999",
	} {
		if err := os.WriteFile("/proc/sys/"+file, []byte(value), 0o644); err != nil {
			return err
		}
	}
	// Absent where br_netfilter is a module that is not loaded; nothing here needs it then.
	_ = os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-iptables", []byte("1"), 0o644)
	return nil
}

func listenUnix(path, target string) error {
	os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	go forward(l, dialTCP(target))
	return nil
}

// maxEnds is how often a component may end before a start is given up. A component that was up
// is always started again.
const maxEnds = 3

// supervise keeps one component running for the life of the cluster; its log is run/log/NAME.log.
func (n *starting) supervise(name string, args ...string) error {
	log, err := os.OpenFile(n.paths.log(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	path := args[0]
	if !strings.Contains(path, "/") {
		if path, err = exec.LookPath(path); err != nil {
			return err
		}
	}
	go func() {
		for ends := 1; ; ends++ {
			cmd := exec.Command(path, args[1:]...)
			cmd.Stdout, cmd.Stderr = log, log
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			err := cmd.Run()
			fmt.Printf("component %s ended (%v), starting it again\n", name, err)
			if ends == maxEnds {
				n.fail(fmt.Errorf("%s ended %d times (%w): see %s.log", name, ends, err, name))
			}
			time.Sleep(time.Second)
		}
	}()
	return nil
}
