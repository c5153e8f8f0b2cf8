package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

const cgroupFS = "/sys/fs/cgroup"

// unified says whether the machine has cgroup v2 only. That way is untested: the machines this
// was written on have v1 controllers.
func unified() bool { return exists(cgroupFS + "/cgroup.controllers") }

// hierarchies are the mount points under which the cluster has a cgroup of its own.
func hierarchies() ([]string, error) {
	if unified() {
		return []string{cgroupFS}, nil
	}
	entries, err := os.ReadDir(cgroupFS)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		dir := filepath.Join(cgroupFS, e.Name())
		if st, err := os.Lstat(dir); err == nil && st.IsDir() { // cpu,cpuacct are symbolic links on some hosts
			found = append(found, dir)
		}
	}
	return found, nil
}

func makeCgroups() error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	if unified() {
		if err := delegate(cgroupFS); err != nil {
			return err
		}
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(filepath.Join(dir, cgroupRoot), 0o755); err != nil {
			return err
		}
	}
	if unified() {
		return delegate(filepath.Join(cgroupFS, cgroupRoot))
	}
	return copyCpuset()
}

// delegate turns every controller on for the children of a v2 cgroup.
func delegate(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	var on []string
	for _, c := range strings.Fields(string(b)) {
		on = append(on, "+"+c)
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(strings.Join(on, " ")), 0o644)
}

// copyCpuset: a new v1 cpuset has no processors and no memory nodes until they are written.
func copyCpuset() error {
	for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
		b, err := os.ReadFile(filepath.Join(cgroupFS, "cpuset", f))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(cgroupFS, "cpuset", cgroupRoot, f), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroups retries for some seconds: a cgroup is busy until its last process is reaped.
func removeCgroups() error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	var last error
	for range 100 {
		last = nil
		for _, dir := range dirs {
			if err := removeTree(filepath.Join(dir, cgroupRoot)); err != nil {
				last = err
			}
		}
		if last == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return last
}

// removeTree removes directories only, deepest first: the files of a cgroup are not real.
func removeTree(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	sort.Sort(sort.Reverse(sort.StringSlice(dirs)))
	for _, d := range dirs {
		if err := os.Remove(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
