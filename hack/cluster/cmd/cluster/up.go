package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// up builds what is missing, starts the cluster and waits until Knative is ready.
func up(p paths) error {
	if os.Getenv("IPA_CLUSTER") == "existing" {
		fmt.Println("IPA_CLUSTER=existing: nothing to start")
		return status(p)
	}
	unlock, err := lock(p)
	if err != nil {
		return err
	}
	defer unlock()
	say := newProgress()
	if healthy(p) == nil {
		say.say("the cluster is already running")
		noteOlderBuild(p, say)
		return status(p)
	}
	if err := preflight(p, say); err != nil {
		return err
	}
	if err := cleanUp(p, say); err != nil {
		return err
	}
	built, err := build(p, say)
	if err != nil {
		return err
	}
	s := state{Built: built, Ingress: "kourier"}
	if gateway, ok := builtGateway(p); ok && built.Envoy { // then its images need no import later
		s.Gateway = gateway
	}
	s.Store = prepareStore(p, s, say)
	if s.Store == "" {
		s.Gateway = gatewayBuilds{}
	}
	if !built.Envoy {
		s.Ingress = "kingress"
	}
	if err := startKeeper(p, s, say); err != nil {
		return err
	}
	say.say("cluster ready")
	return status(p)
}

// noteOlderBuild says when the running cluster is older than the sources.
func noteOlderBuild(p paths, say *progress) {
	s, err := p.load()
	if err != nil || p.src == "" {
		return
	}
	if hash, err := nodeModule().hash(p.src); err == nil && !strings.HasSuffix(s.Built.Node, "-"+hash) {
		say.say("note: it was built from other sources; make cluster-down cluster takes the present ones")
	}
}

func startKeeper(p paths, s state, say *progress) error {
	if err := os.MkdirAll(p.run("log"), 0o755); err != nil {
		return err
	}
	if err := makeCgroups(); err != nil {
		return err
	}
	if err := p.save(s); err != nil {
		return err
	}
	// Our own manifests are copied, so that an edit during the start does no harm.
	if err := os.CopyFS(p.run("src", "manifests"), os.DirFS(filepath.Join(p.src, "manifests"))); err != nil {
		return err
	}
	log, err := os.Create(p.log("init"))
	if err != nil {
		return err
	}
	defer log.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "keeper")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = "/"
	// GOGC: what runs on the node collects garbage half as often; kube-apiserver spends a seventh of its time on it.
	cmd.Env = append(os.Environ(), "IPA_CACHE="+p.cache, "GOGC=200")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	say.say("starting the cluster")
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := follow(p, say, ended); err != nil {
		killProcess(cmd.Process.Pid)
		if err := cleanUp(p, say); err != nil {
			say.say("clean up: %v", err)
		}
		return fmt.Errorf("%w\nlogs: %s", err, p.lastLog())
	}
	return nil
}

// follow prints the node's stages until it is ready, ends, or somebody presses Ctrl-C.
func follow(p paths, say *progress, ended <-chan error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	f, err := os.Open(p.log("init"))
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	var reason error
	show := func() {
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				_, err = f.Seek(-int64(len(line)), io.SeekCurrent) // half a line: read it again
				lines.Reset(f)
				return
			}
			text, ok := strings.CutPrefix(strings.TrimSpace(line), "STAGE ")
			if why, failed := strings.CutPrefix(text, "FAILED "); ok && failed {
				reason = errors.New(why)
			} else if ok {
				say.say("%s", text)
			}
		}
	}
	for {
		show()
		if exists(p.run("ready")) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("interrupted")
		case err := <-ended:
			show()
			if reason != nil {
				return reason
			}
			return fmt.Errorf("the cluster's process ended: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// lock keeps two calls from starting or ending the cluster at once.
func lock(p paths) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(p.cache, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		fmt.Fprintln(os.Stderr, "another cluster.sh is at work, waiting for it")
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			return nil, err
		}
	}
	return func() { f.Close() }, nil
}
