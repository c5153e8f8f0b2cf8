package testbed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// koImage is the product's image in config/.
const koImage = "ko://github.com/knative-inference/autoscaler-adapter/cmd/autoscaler-adapter"

// Manifests returns the YAML files of the folders, in order of their names, with the image
// that IPA_IMAGE names. A folder without YAML is an error.
func Manifests(folders ...string) (string, error) {
	var files []string
	for _, dir := range folders {
		some, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
		if err != nil || len(some) == 0 {
			return "", errors.Join(fmt.Errorf("no YAML in %s", dir), err)
		}
		slices.Sort(some)
		files = append(files, some...)
	}
	text, err := Join(files)
	return strings.ReplaceAll(text, koImage, Setting("IPA_IMAGE", "dev.local/autoscaler-adapter:dev")), err
}

// Join returns the files as one YAML text.
func Join(files []string) (string, error) {
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		all.WriteString("---\n" + string(text) + "\n")
	}
	return all.String(), nil
}
