package main

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

const (
	koImage      = "ko://github.com/knative-inference/autoscaler-adapter/cmd/autoscaler-adapter"
	nameLabel    = "app.kubernetes.io/name: autoscaler-adapter"
	versionLabel = "app.kubernetes.io/version"
)

// render joins the files. Labels are written in one of two ways in config/,
// flow ("labels: {...}") and block; both get the version, selectors never do,
// for a Deployment's selector cannot change.
func render(config fs.FS, version, image string) (string, error) {
	if !regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`).MatchString(version) {
		return "", fmt.Errorf("version %q is not a label value: letters, digits, '.', '_', '-', at most 63", version)
	}
	if image == "" || strings.ContainsAny(image, " \n\"'") {
		return "", fmt.Errorf("image %q is not an image reference", image)
	}
	files, err := fs.Glob(config, "*.yaml")
	if err != nil {
		return "", err
	}
	if len(files) == 0 {
		return "", errors.New("no YAML files to join")
	}
	slices.Sort(files)
	docs := []string{fmt.Sprintf("# autoscaler-adapter %s\n", version)}
	for _, name := range files {
		text, err := fs.ReadFile(config, name)
		if err != nil {
			return "", err
		}
		docs = append(docs, stamp(string(text), version))
	}
	out := strings.ReplaceAll(strings.Join(docs, "---\n"), koImage, image)
	if strings.Contains(out, "ko://") {
		return "", fmt.Errorf("an image reference with ko:// is left; only %s is known", koImage)
	}
	return out, nil
}

// stamp writes the version beside the name in every map of labels.
func stamp(text, version string) string {
	var out strings.Builder
	inLabels := false
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "labels: {"+nameLabel+"}"), strings.HasPrefix(trimmed, "labels: {"+nameLabel+","):
			line = strings.Replace(line, nameLabel, fmt.Sprintf("%s, %s: %q", nameLabel, versionLabel, version), 1)
		case trimmed == "labels:":
			inLabels = true
		case inLabels && trimmed == nameLabel:
			indent := line[:strings.Index(line, "app.")]
			line += fmt.Sprintf("%s%s: %q\n", indent, versionLabel, version)
			inLabels = false
		}
		out.WriteString(line)
	}
	if s := out.String(); strings.HasSuffix(s, "\n") {
		return s
	}
	return out.String() + "\n"
}
