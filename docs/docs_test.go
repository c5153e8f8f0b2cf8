// Package docs_test holds the documents against the program: every key, metric
// and reason is there, nothing is documented that is not, links resolve.
package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// mentions checks that the document has each word as `word`.
func mentions(t *testing.T, document, what string, words []string) {
	t.Helper()
	text := read(t, document)
	for _, w := range words {
		if !strings.Contains(text, "`"+w+"`") {
			t.Errorf("docs/%s: %s `%s` is not documented; add it", document, what, w)
		}
	}
}

// constants returns the string constants of a package whose name matches.
func constants(t *testing.T, dir, pattern string) []string {
	t.Helper()
	var values []string
	name := regexp.MustCompile(pattern)
	for _, f := range sources(t, dir) {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 || !name.MatchString(spec.Names[0].Name) {
				return true
			}
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				values = append(values, unquote(t, lit))
			}
			return true
		})
	}
	if len(values) == 0 {
		t.Fatalf("no constants %s in %s: was it renamed?", pattern, dir)
	}
	return values
}

func sources(t *testing.T, dir string) (files []*ast.File) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		files = append(files, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func unquote(t *testing.T, lit *ast.BasicLit) string {
	t.Helper()
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Knative's own list of annotations is what the program was written against: a
// new version of Knative with a new one must be reviewed.
func TestAnnotations_knativeHasNoNewOne(t *testing.T) {
	dir := moduleDir(t, "knative.dev/serving")
	text := read(t, filepath.Join(dir, "pkg/apis/autoscaling/register.go"))
	documented := read(t, "annotations.md")
	for _, m := range regexp.MustCompile(`GroupName \+ "/([A-Za-z-]+)"`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(documented, "`"+m[1]+"`") {
			t.Errorf("docs/annotations.md: Knative's annotation %s is not documented", m[1])
		}
	}
}

func TestAnnotations_conditionsAndReasons(t *testing.T) {
	mentions(t, "annotations.md", "condition", constants(t, "../pkg/apis/autoscaling", "^Condition"))
	mentions(t, "annotations.md", "reason", constants(t, "../pkg/metricsapi", "^Reason"))
	var reasons []string
	for _, f := range sources(t, "../pkg/decider") {
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && spec.Type != nil && len(spec.Values) == 1 {
				if id, ok := spec.Type.(*ast.Ident); ok && id.Name == "Reason" {
					reasons = append(reasons, unquote(t, spec.Values[0].(*ast.BasicLit)))
				}
			}
			return true
		})
	}
	if len(reasons) == 0 {
		t.Fatal("no reasons in pkg/decider: were they renamed?")
	}
	mentions(t, "annotations.md", "reason", reasons)
	mentions(t, "annotations.md", "reason", []string{
		autoscaling.ReasonRefused, autoscaling.ReasonKeptAtOne, autoscaling.ReasonScaled, autoscaling.ReasonProgressDeadline,
	})
}

// moduleDir is where the module cache holds a dependency.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("go list -m %s: %v", module, err)
	}
	return strings.TrimSpace(string(out))
}

// Each key of Knative's config maps is documented, and of ours.
func TestAnnotations_configurationKeys(t *testing.T) {
	serving := moduleDir(t, "knative.dev/serving")
	for _, file := range []string{
		filepath.Join(serving, "config/core/configmaps/autoscaler.yaml"),
		filepath.Join(serving, "config/core/configmaps/deployment.yaml"),
		"../config/300-config-ipa.yaml",
	} {
		var cm struct{ Data map[string]string }
		if err := yaml.Unmarshal([]byte(read(t, file)), &cm); err != nil {
			t.Fatal(err)
		}
		var example map[string]string
		if err := yaml.Unmarshal([]byte(cm.Data["_example"]), &example); err != nil {
			t.Fatal(err)
		}
		delete(cm.Data, "_example")
		mentions(t, "annotations.md", filepath.Base(file)+" key", slices.Concat(slices.Sorted(maps.Keys(example)), slices.Sorted(maps.Keys(cm.Data))))
	}
}

// The defaults in the table of config-ipa are the program's.
func TestAnnotations_ownDefaults(t *testing.T) {
	text := read(t, "annotations.md")
	data := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `([^`]+)` \\|").FindAllStringSubmatch(text, -1) {
		data[m[1]] = strings.Trim(m[2], `"`) // "" is an empty value
	}
	if len(data) != reflect.TypeFor[config.Config]().NumField()-1+len(config.Default().Targets) { // a key for each metric in Targets
		t.Errorf("docs/annotations.md shows %d keys of config-ipa with a default, want every one: %v", len(data), data)
	}
	got, err := config.FromMap(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, config.Default()) {
		t.Errorf("docs/annotations.md: the defaults of config-ipa are %+v, the program's %+v", got, config.Default())
	}
}

func TestMetrics_everyAPIName(t *testing.T) {
	mentions(t, "metrics.md", "metric of custom.metrics.k8s.io", metricsapi.Metrics())
	for _, r := range []string{metricsapi.Pods().String(), metricsapi.Revisions().String(), metricsapi.Services().String()} {
		mentions(t, "metrics.md", "resource", []string{r})
	}
}

// The tests that ARCHITECTURE.md and SECURITY.md name as holding what they say exist.
func TestArchitecture_citedTestsExist(t *testing.T) {
	code := ""
	for _, root := range []string{"../pkg", "../config", "../hack/archcheck", "../test/e2e", "."} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, "_test.go") {
				code += read(t, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, page := range []string{"ARCHITECTURE.md", "../SECURITY.md"} {
		for _, m := range regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(read(t, page), -1) {
			if !strings.Contains(code, "func "+m[1]+"(") {
				t.Errorf("docs/%s cites %s, which is not there", page, m[1])
			}
		}
	}
}
