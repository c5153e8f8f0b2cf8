package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// cgroupRoot is the cluster's own cgroup, in every hierarchy.
const cgroupRoot = "ipa-cluster"

// paths says where everything stands on disk.
type paths struct {
	cache string // outlives the cluster: builds
	src   string // hack/cluster in the work tree
}

func newPaths() (paths, error) {
	cache := os.Getenv("IPA_CACHE")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return paths{}, fmt.Errorf("no home directory, set IPA_CACHE: %w", err)
		}
		cache = filepath.Join(home, ".cache", "ipa-cluster")
	}
	cache, err := filepath.Abs(cache)
	if err != nil {
		return paths{}, err
	}
	return paths{cache: cache, src: os.Getenv("IPA_CLUSTER_SRC")}, os.MkdirAll(cache, 0o755)
}

func (p paths) builds() string  { return filepath.Join(p.cache, "build") }
func (p paths) lastLog() string { return filepath.Join(p.cache, "last-log") }
func (p paths) run(elem ...string) string {
	return filepath.Join(append([]string{p.cache, "run"}, elem...)...)
}
func (p paths) log(component string) string { return p.run("log", component+".log") }
func (p paths) pki(file string) string      { return p.run("pki", file) }
func (p paths) kubeconfig() string          { return p.run("kubeconfig") }
func (p paths) containerd() string          { return p.run("containerd", "containerd.sock") }

// state is what the processes of one cluster agree on, written to run/state.json.
type state struct {
	Built       builds `json:"built"`
	Store       string `json:"store,omitempty"` // containerd's root to link from
	Ingress     string `json:"ingress"`         // kourier or kingress
	APIPort     int    `json:"apiPort"`
	IngressPort int    `json:"ingressPort"`
	NetPort     int    `json:"netPort"` // SOCKS5 proxy into the cluster's network
	// Gateway are the builds whose images the node knows.
	Gateway gatewayBuilds `json:"gateway,omitzero"`
	// Parts are the builds of the parts whose images the node knows, by name.
	Parts  map[string]string `json:"parts,omitempty"`
	Keeper int               `json:"keeper"` // pid of the one process to kill
	Init   int               `json:"init"`   // pid 1 of the cluster, as the host sees it
	// MadeDirs are directories of the host the cluster needed as mount points and made itself.
	MadeDirs []string `json:"madeDirs,omitempty"`
}

func (p paths) load() (state, error) {
	var s state
	b, err := os.ReadFile(p.run("state.json"))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(b, &s)
}

func (p paths) save(s state) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(p.run("state.json"), string(b))
}

// writeFile replaces a file at once, so that a reader never sees half of it.
func writeFile(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
