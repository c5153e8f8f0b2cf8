// Command release writes the one YAML file that installs the product:
//
//	release -version V -image REF [-config DIR] > autoscaler-adapter.yaml
//
// It is the files of config/ in the order of their names, with the ko reference
// replaced by the image and the version as label app.kubernetes.io/version.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	version := flag.String("version", "", "version, a valid label value")
	image := flag.String("image", "", "image reference for the Deployment")
	dir := flag.String("config", "config", "directory of the YAML files")
	flag.Parse()
	text, err := render(os.DirFS(*dir), *version, *image)
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
	fmt.Print(text)
}
