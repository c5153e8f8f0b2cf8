package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

const pauseImage = "registry.k8s.io/pause:3.10.1"

// tools maps what the cluster runs to the Debian package it comes in.
var tools = map[string]string{
	"containerd": "containerd", "ctr": "containerd", "runc": "runc", "/usr/lib/cni/bridge": "containernetworking-plugins",
	"iptables": "iptables", "nft": "nftables", "conntrack": "conntrack", "ip": "iproute2", "nsenter": "util-linux",
	"unshare": "util-linux", "mount": "mount",
}

// preflight makes sure the machine can run the cluster, installing Debian packages when root.
func preflight(p paths, say *progress) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the cluster needs Linux, this is %s", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("the cluster needs root (namespaces, mounts, cgroups): run it as root, or point the demo at your own cluster with IPA_CLUSTER=existing KUBECONFIG=... IPA_INGRESS=host:port")
	}
	if err := capabilities(); err != nil {
		return err
	}
	if err := packages(p, say); err != nil {
		return err
	}
	return tryNamespaces()
}

// needed are the capabilities without which a node cannot run, by bit (capability.h).
var needed = map[int]string{1: "CAP_DAC_OVERRIDE", 6: "CAP_SETGID", 7: "CAP_SETUID", 12: "CAP_NET_ADMIN", 18: "CAP_SYS_CHROOT", 21: "CAP_SYS_ADMIN", 27: "CAP_MKNOD"}

func capabilities() error {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(b), "CapEff:")
	hex, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
	mask, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return fmt.Errorf("CapEff in /proc/self/status: %w", err)
	}
	if missing := missingCapabilities(mask); len(missing) > 0 {
		return fmt.Errorf("missing %s: in a container, start it with --privileged", strings.Join(missing, ", "))
	}
	return nil
}

func missingCapabilities(mask uint64) []string {
	var missing []string
	for bit, name := range needed {
		if mask&(1<<bit) == 0 {
			missing = append(missing, name)
		}
	}
	sort.Strings(missing)
	return missing
}

// tryNamespaces catches what capabilities do not show: seccomp filters and read-only cgroups.
func tryNamespaces() error {
	cmd := exec.Command("true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot make namespaces (mount, network, pid, ipc, uts), though CAP_SYS_ADMIN is there (a seccomp filter?): %w", err)
	}
	err := makeCgroups()
	if errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("/sys/fs/cgroup is not writable (in a container, start it with --privileged): %w", err)
	}
	return err
}

func missingTools(p paths) (files, debs []string) {
	seen := map[string]bool{}
	for tool, deb := range tools {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		files = append(files, tool)
		if !seen[deb] {
			debs = append(debs, deb)
		}
		seen[deb] = true
	}
	envoy, _ := filepath.Glob(filepath.Join(p.builds(), "kourier-*", "images", "envoy.tar"))
	if len(envoy) == 0 && exec.Command("python3", "-m", "pip", "--version").Run() != nil {
		debs = append(debs, "python3-pip") // for the Envoy wheel only
	}
	sort.Strings(files)
	sort.Strings(debs)
	return files, debs
}

func packages(p paths, say *progress) error {
	files, debs := missingTools(p)
	if len(debs) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		if len(files) == 0 {
			return nil
		}
		return fmt.Errorf("missing %s (Debian packages %s): install them", strings.Join(files, ", "), strings.Join(debs, " "))
	}
	say.say("installing Debian packages: %s", strings.Join(debs, " "))
	// apt-get update may fail for one of many sources; the install says what is really missing.
	_ = apt("update", "-q")
	if err := apt(append([]string{"install", "-yq", "--no-install-recommends"}, debs...)...); err != nil {
		if files, _ := missingTools(p); len(files) > 0 {
			return fmt.Errorf("cannot install them: apt-get install %s: %w", strings.Join(debs, " "), err)
		}
	}
	say.say("Debian packages installed")
	return nil
}

func apt(args ...string) error {
	cmd := exec.Command("apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, lastLine(string(out)))
	}
	return nil
}
