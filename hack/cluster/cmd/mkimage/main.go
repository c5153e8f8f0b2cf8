// Command mkimage writes a container image with a static binary in it, as one archive that is
// both an OCI layout and a docker archive:
//
//	mkimage [-gzip] [-arch A] [-label K=V]... OUT.tar NAME:TAG BINARY [/PATH=FILE]...
//
// The binary stands at / under its own base name, is the entry point, and runs as user 65532.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/hack/cluster/image"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mkimage:", err)
		os.Exit(1)
	}
}

func run() error {
	spec := image.Spec{Labels: map[string]string{}}
	flag.BoolVar(&spec.Gzip, "gzip", false, "compress the layer")
	flag.StringVar(&spec.Arch, "arch", "", "processor of the binary (amd64, arm64); this machine's when empty")
	flag.Func("label", "KEY=VALUE for the image's configuration, may be repeated", func(s string) error {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("%q is not KEY=VALUE", s)
		}
		spec.Labels[k] = v
		return nil
	})
	flag.Parse()
	if flag.NArg() < 3 {
		return fmt.Errorf("usage: mkimage [flags] OUT.tar NAME:TAG BINARY [/PATH=FILE]")
	}
	spec.Name = flag.Arg(1)
	spec.Files = []image.File{{Path: "/" + filepath.Base(flag.Arg(2)), Source: flag.Arg(2)}}
	for _, a := range flag.Args()[3:] {
		path, file, ok := strings.Cut(a, "=")
		if !ok || !strings.HasPrefix(path, "/") {
			return fmt.Errorf("%q is not /PATH=FILE", a)
		}
		spec.Files = append(spec.Files, image.File{Path: path, Source: file})
	}
	return image.Write(flag.Arg(0), spec)
}
