package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// down ends the cluster, removes every trace and says what it checked.
func down(p paths) error {
	if os.Getenv("IPA_CLUSTER") == "existing" {
		return errors.New("IPA_CLUSTER=existing: that cluster is yours, nothing is done to it")
	}
	unlock, err := lock(p)
	if err != nil {
		return err
	}
	defer unlock()
	say := newProgress()
	if !exists(p.run()) {
		say.say("no cluster to end")
	}
	if err := cleanUp(p, say); err != nil {
		return err
	}
	if left := leftovers(p); len(left) > 0 {
		return fmt.Errorf("left behind: %s", strings.Join(left, ", "))
	}
	say.say("nothing left: no process, mount, cgroup or port of the cluster (last logs: %s)", p.lastLog())
	return nil
}

// cleanUp removes a running, half-dead or dead cluster. Safe to call when there is none.
func cleanUp(p paths, say *progress) error {
	s, err := p.load()
	if err == nil {
		for _, pid := range []int{s.Keeper, s.Init} {
			if ours(pid) {
				say.say("ending process %d of the cluster", pid)
				killProcess(pid)
			}
		}
	}
	if err := removeCgroups(); err != nil {
		return fmt.Errorf("remove cgroups: %w", err)
	}
	for _, dir := range s.MadeDirs {
		_ = os.Remove(dir) // only if empty: somebody else may use it by now
	}
	if exists(p.run("log")) {
		if err := os.RemoveAll(p.lastLog()); err != nil {
			return err
		}
		if err := os.Rename(p.run("log"), p.lastLog()); err != nil {
			return err
		}
	}
	return os.RemoveAll(p.run())
}

// ours guards against a process id that was given to somebody else since.
func ours(pid int) bool {
	if pid <= 1 {
		return false
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	args := strings.Split(string(b), "\x00")
	return len(args) > 1 && filepath.Base(args[0]) == "cluster" && (args[1] == "keeper" || args[1] == "pid1")
}

// killProcess returns when the process is gone: the kernel ends all of a PID namespace first.
func killProcess(pid int) {
	_ = syscall.Kill(pid, syscall.SIGKILL)
	for range 200 {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
}

func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(b), ") Z ")
}

// leftovers looks for what a cluster could leave: processes that run from the cache, mounts,
// cgroups.
func leftovers(p paths) []string {
	var left []string
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, c := range commands {
		b, _ := os.ReadFile(c)
		args := strings.ReplaceAll(string(b), "\x00", " ")
		if strings.Contains(args, p.builds()) || strings.Contains(args, p.run()) {
			left = append(left, "process "+filepath.Base(filepath.Dir(c))+" "+args)
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for _, line := range strings.Split(string(mounts), "\n") {
		if strings.Contains(line, p.run()) {
			left = append(left, "mount "+line)
		}
	}
	groups, _ := filepath.Glob(cgroupFS + "/*/" + cgroupRoot)
	if exists(cgroupFS + "/" + cgroupRoot) {
		groups = append(groups, cgroupFS+"/"+cgroupRoot)
	}
	for _, g := range groups {
		left = append(left, "cgroup "+g)
	}
	return left
}
