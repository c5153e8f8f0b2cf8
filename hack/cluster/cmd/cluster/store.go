package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A store is containerd's root directory with every image imported and unpacked. It is made once
// per set of images; a start then takes hard links of it in a moment, where the import costs ten
// seconds on two cores. Links are safe: blobs and unpacked layers are never written again (a
// container writes to a layer of its own), and the databases are copied.

// prepareStore gives the directory of the store for these builds, making it when missing. An
// empty answer means: import at the start instead.
func prepareStore(p paths, s state, say *progress) string {
	dir, err := storeDir(p, s)
	if err == nil && !exists(filepath.Join(dir, "DONE")) {
		t := time.Now()
		if err = makeStore(p, s, dir); err == nil {
			say.say("images unpacked for later starts in %.0f s", time.Since(t).Seconds())
		}
	}
	if err != nil {
		say.say("images are imported at every start: %v", err)
		return ""
	}
	return filepath.Join(dir, "root")
}

func storeDir(p paths, s state) (string, error) {
	version, err := exec.Command("containerd", "--version").Output() // its databases may differ
	if err != nil {
		return "", err
	}
	b := s.Built
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %v %v %s", filepath.Base(b.Node), filepath.Base(b.Sim),
		filepath.Base(b.Kourier), b.Envoy, s.Gateway, version))
	return filepath.Join(p.builds(), "store-"+hex.EncodeToString(sum[:])[:12]), nil
}

func makeStore(p paths, s state, dir string) error {
	if err := os.RemoveAll(dir); err != nil { // half of one
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// In namespaces of its own, so that containerd leaves nothing on the host either.
	cmd := exec.Command(self, "import", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL}
	cmd.Stdin = strings.NewReader(strings.Join(allArchives(s), "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return fmt.Errorf("%w: %s", err, lastLine(string(out)))
	}
	if err := writeFile(filepath.Join(dir, "DONE"), time.Now().Format(time.RFC3339)+"\n"); err != nil {
		return err
	}
	return prune(p.builds(), "store", 2)
}

// importStore is the process that fills a store: a containerd without its Kubernetes part.
func importStore(dir string) error {
	list, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	config, socket := filepath.Join(dir, "config.toml"), filepath.Join(dir, "containerd.sock")
	if err := writeFile(config, fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = %q\n[plugins.\"io.containerd.internal.v1.opt\"]\n  path = %q\n",
		filepath.Join(dir, "root"), filepath.Join(dir, "state"), socket, filepath.Join(dir, "opt"))); err != nil {
		return err
	}
	containerd := exec.Command("containerd", "--config", config, "--log-level", "error")
	containerd.Stderr = os.Stderr
	if err := containerd.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := poll(ctx, "containerd", func() error { return ctr(socket, "version").Run() }); err != nil {
		return err
	}
	if err := importImages(socket, strings.Split(string(list), "\n")); err != nil {
		return err
	}
	if err := containerd.Process.Signal(syscall.SIGTERM); err != nil { // closes its databases
		return err
	}
	if err := containerd.Wait(); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(filepath.Join(dir, "state")), os.RemoveAll(filepath.Join(dir, "opt")), os.Remove(config))
}

// linkTree makes to the same tree as from, with hard links for the files and copies of databases.
func linkTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		out := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return copyDir(path, out)
		case strings.HasSuffix(path, ".db"):
			return copyFile(path, out)
		}
		return os.Link(path, out)
	})
}

// copyDir keeps all mode bits: /tmp of an image is sticky.
func copyDir(from, to string) error {
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	return os.Chmod(to, st.Mode())
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}
