package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

const namespaces = syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID |
	syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS

// Preferred ports of the host; taken ones are replaced by any free port.
const (
	preferredAPIPort     = 16443
	preferredIngressPort = 18080
	preferredNetPort     = 18085
)

// inside runs one of the three processes of a running cluster.
func inside(command string, p paths) error {
	switch command {
	case "keeper":
		return keeper(p)
	case "pid1":
		return pid1(p)
	}
	return node(p)
}

// keeper stays in the host's namespaces. It owns the three loopback ports, and pid 1 of the
// cluster dies with it, whatever ends it.
func keeper(p paths) error {
	runtime.LockOSThread() // Pdeathsig is tied to the thread that forks
	s, err := p.load()
	if err != nil {
		return err
	}
	api, err := listen(preferredAPIPort, &s.APIPort)
	if err != nil {
		return err
	}
	ingress, err := listen(preferredIngressPort, &s.IngressPort)
	if err != nil {
		return err
	}
	network, err := listen(preferredNetPort, &s.NetPort)
	if err != nil {
		return err
	}
	if s.MadeDirs, err = makeMountPoints(s.MadeDirs); err != nil {
		return err
	}
	s.Keeper = os.Getpid()
	if err := p.save(s); err != nil { // the ports, for the kubeconfig
		return err
	}
	go forward(api, dialUnix(p.run("api.sock")))
	go forward(ingress, dialUnix(p.run("ingress.sock")))
	go forward(network, dialUnix(p.run("net.sock")))
	return runPid1(p, s)
}

func runPid1(p paths, s state) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "pid1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.Init = cmd.Process.Pid
	if err := p.save(s); err != nil {
		return err
	}
	return cmd.Wait()
}

// pid1 is the cluster's init: it reaps whatever containerd's shims leave, and ends the whole
// PID namespace when the node process ends.
func pid1(p paths) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	pid, err := syscall.ForkExec(self, []string{self, "node"}, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		return err
	}
	for {
		var status syscall.WaitStatus
		dead, err := syscall.Wait4(-1, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if dead == pid {
			return fmt.Errorf("the node process ended: status %d signal %v", status.ExitStatus(), status.Signal())
		}
	}
}

// mountPoints of the host get a private tmpfs, because Kubernetes has their paths built in.
var mountPoints = []string{"/run/netns", "/run/containerd", "/var/log/containers", "/var/lib/kubelet", "/var/lib/cni"}

// makeMountPoints makes the missing ones and adds to made what it had to make.
func makeMountPoints(made []string) ([]string, error) {
	for _, dir := range mountPoints {
		var missing []string
		for d := dir; !exists(d); d = filepath.Dir(d) {
			missing = append(missing, d)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return made, err
		}
		made = append(made, missing...)
	}
	return made, nil
}

func listen(preferred int, port *int) (net.Listener, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", preferred))
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, err
	}
	*port = l.Addr().(*net.TCPAddr).Port
	return l, nil
}

func dialUnix(path string) func() (net.Conn, error) {
	return func() (net.Conn, error) { return net.Dial("unix", path) }
}

func dialTCP(addr string) func() (net.Conn, error) {
	return func() (net.Conn, error) { return net.Dial("tcp", addr) }
}

// forward joins every connection of l with one that dial makes, until l is closed.
func forward(l net.Listener, dial func() (net.Conn, error)) {
	for {
		in, err := l.Accept()
		if err != nil {
			if strings.Contains(err.Error(), "closed") {
				return
			}
			continue
		}
		go func() {
			defer in.Close()
			out, err := dial()
			if err != nil {
				return
			}
			defer out.Close()
			join(in, out)
		}()
	}
}

// join copies both ways and passes each end of stream on, so half-closed connections work.
func join(a, b net.Conn) {
	done := make(chan struct{})
	copyTo := func(dst, src net.Conn) {
		io.Copy(dst, src)
		if c, ok := dst.(interface{ CloseWrite() error }); ok {
			c.CloseWrite()
		}
		done <- struct{}{}
	}
	go copyTo(a, b)
	go copyTo(b, a)
	<-done
	<-done
}
