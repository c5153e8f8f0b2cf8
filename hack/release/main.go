// Command release writes a YAML file that installs the product, or its part for
// inference gateways, and the bill of materials of a binary:
//
//	release -version V -image REF > autoscaler-adapter.yaml
//	release -version V -image REF -config config/inference-gateway > inference-gateway.yaml
//	release -version V -sbom BINARY > autoscaler-adapter.cdx.json
//
// A YAML file is the files of its directory in the order of their names, with the ko
// reference replaced by the image and the version as label app.kubernetes.io/version.
package main

import (
	"debug/buildinfo"
	"flag"
	"fmt"
	"os"
)

func main() {
	version := flag.String("version", "", "version, a valid label value")
	image := flag.String("image", "", "image reference for the Deployments")
	binary := flag.String("sbom", "", "write the CycloneDX bill of materials of this binary instead")
	dir := flag.String("config", "config", "directory of the YAML files")
	flag.Parse()
	text, err := output(*dir, *version, *image, *binary)
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
	fmt.Print(text)
}

func output(dir, version, image, binary string) (string, error) {
	if binary == "" {
		return render(os.DirFS(dir), version, image)
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "", fmt.Errorf("reading what %s was built from: %w", binary, err)
	}
	return bill(info, version)
}
