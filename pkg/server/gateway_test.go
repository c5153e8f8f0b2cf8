package server

import (
	"log/slog"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/configmap"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// followed returns settings that nothing has been read for, with the edits of the two config
// maps and the number of changes so far.
func followed(t *testing.T) (d *gatewayDefaults, edit func(name, uid string, data map[string]string), changes *int) {
	t.Helper()
	d, err := newGatewayDefaults(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	changes = new(int)
	maps := watched{}
	d.follow(maps, maps, func() { *changes++ })
	return d, func(name, uid string, data map[string]string) {
		maps[name](&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(uid)}, Data: data})
	}, changes
}

// watched are the observers of config maps by their names.
type watched map[string]configmap.Observer

func (w watched) Watch(name string, o ...configmap.Observer)                    { w[name] = o[0] }
func (w watched) WatchWithDefault(cm corev1.ConfigMap, o ...configmap.Observer) { w[cm.Name] = o[0] }
func (w watched) Start(<-chan struct{}) error                                   { return nil }

// The inference gateway's config map is followed from its first state on. A broken
// edit and a deletion keep the last good one: only an empty object is the defaults.
func TestFollowDefaults(t *testing.T) {
	d, edit, changes := followed(t)
	const deleted = "" // the watcher's own object
	mine, none := binding.Name{Namespace: "edge", Name: "mine"}, binding.Name{}
	for _, tt := range []struct {
		name    string
		uid     string
		data    map[string]string
		gateway binding.Name
		hosts   []string
		changes int
	}{
		{"not there yet", deleted, nil, none, nil, 0},
		{"a good edit", "1", map[string]string{"gateway": "edge/mine", "allowed-hostnames": ""}, mine, nil, 1},
		{"a broken one", "1", map[string]string{"gateway": "a/b/c"}, mine, nil, 1},
		{"an unknown key", "1", map[string]string{"gatewey": "infra/other"}, mine, nil, 1},
		{"deleted", deleted, nil, mine, nil, 1},
		{"made anew and empty", "2", nil, binding.Name{Namespace: "knative-serving", Name: "knative-gateway"}, []string{"*.{namespace}.{domain}"}, 2},
		{"deleted again", deleted, nil, binding.Name{Namespace: "knative-serving", Name: "knative-gateway"}, []string{"*.{namespace}.{domain}"}, 2},
	} {
		edit(binding.ConfigName, tt.uid, tt.data)
		if got := d.get(); got.Gateway != tt.gateway || !slices.Equal(got.AllowedHosts, tt.hosts) || *changes != tt.changes {
			t.Errorf("%s: gateway %v and hosts %q after %d changes, want %v and %q after %d", tt.name, got.Gateway, got.AllowedHosts, *changes, tt.gateway, tt.hosts, tt.changes)
		}
	}
}

// A config map that is broken when the adapter starts must not move Services to
// the built-in Gateway: they are refused, which leaves them as they are.
func TestFollowDefaults_brokenFromTheStart(t *testing.T) {
	d, edit, _ := followed(t)
	edit(binding.ConfigName, "", nil) // the watcher begins with the default
	edit(binding.ConfigName, "1", map[string]string{"gateway": "infra/llm", "gatewey": "infra/other", "allowed-hostnames": "*"})
	if got := d.get(); got.Gateway != (binding.Name{}) || got.AllowedHosts != nil {
		t.Errorf("gateway %v and hosts %q of a broken config map, want none", got.Gateway, got.AllowedHosts)
	}
	edit(binding.ConfigName, "1", map[string]string{"gateway": "infra/llm"})
	if got, want := d.get().Gateway, (binding.Name{Namespace: "infra", Name: "llm"}); got != want {
		t.Errorf("gateway %v after the correction, want %v", got, want)
	}
}

// The domains of Knative's config-domain are followed; that of the cluster is
// always among them, and a broken edit and a deletion keep the last ones.
func TestFollowDefaults_domains(t *testing.T) {
	d, edit, changes := followed(t)
	for _, tt := range []struct {
		name string
		uid  string
		data map[string]string
		want []string
	}{
		{"not read", "", nil, nil},
		{"one", "1", map[string]string{"example.com": ""}, []string{"example.com", "svc.cluster.local"}},
		{"two, one by a selector", "1", map[string]string{"example.com": "", "prod.example.org": "selector: {env: prod}"}, []string{"example.com", "prod.example.org", "svc.cluster.local"}},
		{"broken", "1", map[string]string{"example.com": "selector: ["}, []string{"example.com", "prod.example.org", "svc.cluster.local"}},
		{"deleted", "", nil, []string{"example.com", "prod.example.org", "svc.cluster.local"}},
	} {
		edit("config-domain", tt.uid, tt.data)
		if got := d.get().Domains; !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if *changes != 2 {
		t.Errorf("%d changes, want one for each good edit", *changes)
	}
}
