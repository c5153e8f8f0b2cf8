package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// crowd are Services of one namespace with 16 hosts each, the oldest first.
func crowd(t *testing.T, namespace string, n int) (out []Neighbour) {
	t.Helper()
	for i := range n {
		var hosts []string
		for j := range 16 {
			hosts = append(hosts, fmt.Sprintf("model-%03d-%02d.%s.example.com", i, j, namespace))
		}
		in := asking(t, fmt.Sprintf("svc-%03d", i), "model", "x", "hostnames", strings.Join(hosts, ","))
		in.Namespace = namespace
		out = append(out, Neighbour{Intent: in, UID: types.UID(fmt.Sprintf("%s-%d", namespace, i)), Created: epoch.Add(time.Duration(i-n) * time.Minute)})
	}
	return out
}

func bodyFilter(t *testing.T, p Plan) string {
	t.Helper()
	for _, o := range p.Gateway {
		if o.GetKind() == "EnvoyFilter" && strings.HasSuffix(o.GetName(), "-bbr") {
			text, err := json.Marshal(o.Object)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
	return ""
}

func leftOut(p Plan) bool {
	return slices.ContainsFunc(p.Findings, func(f Finding) bool {
		return f.Type == inference.ConditionRouteAccepted && f.Status == "False" && f.Reason == inference.ReasonTooManyMatches && strings.Contains(f.Message, "no room")
	})
}

// 200 Services with 16 hosts made a filter of 1.5 MiB, which etcd refuses. The
// filter stays below, the youngest Services of the crowd are left out and say so, and
// a younger Service of another namespace has its place.
func TestBodyRouter_oneTenantDoesNotFillTheFilter(t *testing.T) {
	w := usual()
	w.Neighbours = crowd(t, "greedy", 300)
	mine := asking(t, "qwen", "model", "qwen")
	p := Build(mine, w)
	text := bodyFilter(t, p)
	if limit := 3 << 19; len(text) >= limit || len(text) < limit/2 {
		t.Errorf("the filter has %d bytes, want below the %d of etcd and no less than half of that", len(text), limit)
	}
	if !strings.Contains(text, `"qwen.default.example.com"`) || leftOut(p) {
		t.Error("a Service of another namespace has no place")
	}
	if !strings.Contains(text, `"model-000-00.greedy.example.com"`) || strings.Contains(text, `"model-299-00.greedy.example.com"`) {
		t.Error("want the oldest of the crowd and not the youngest")
	}
	youngest, own := w.Neighbours[299], seenBy(mine, w).self()
	w.Neighbours = append(slices.Clone(w.Neighbours[:299]), own)
	w.ServiceUID, w.Created, w.Main.Hosts = youngest.UID, youngest.Created, nil
	p = Build(youngest.Intent, w)
	if !leftOut(p) {
		t.Errorf("the youngest does not say that it is left out: %v", p.Findings)
	}
	if got := bodyFilter(t, p); got != text {
		t.Error("two Services of the Gateway come to different filters")
	}
}

func seenBy(in binding.Intent, w World) *builder { return &builder{in: in, w: w} }

func TestEvenShare(t *testing.T) {
	for _, tt := range []struct {
		needs      []int
		room, want int
	}{
		{[]int{100}, 60, 60},
		{[]int{10, 100}, 60, 50},
		{[]int{100, 10, 100}, 60, 25},
		{[]int{100, 100, 100}, 60, 20},
	} {
		if got := evenShare(tt.needs, tt.room); got != tt.want {
			t.Errorf("%v in %d: %d, want %d", tt.needs, tt.room, got, tt.want)
		}
	}
	if kept := fitting(nil, 0); kept != nil {
		t.Errorf("%v of nobody", kept)
	}
}

// What several Services ask for takes room once.
func TestTake(t *testing.T) {
	path, host := size(pathIs("/v1/x")), size(headerIs(":authority", ":", "a.io"))
	one, same := asker{paths: "/v1/x", hosts: []string{"a.io"}}, asker{paths: "/v1/x", hosts: []string{"a.io"}}
	other, elsewhere := asker{paths: "/v1/x", hosts: []string{"b.io"}}, asker{paths: "/v1/y", hosts: []string{"a.io"}}
	for _, tt := range []struct {
		name       string
		askers     []asker
		room       int
		kept, used int
	}{
		{"one", []asker{one}, path + host, 1, path + host},
		{"no room for one", []asker{one}, path + host - 1, 0, 0},
		{"the same twice", []asker{one, same}, path + host, 2, path + host},
		{"another host of the same paths", []asker{one, other}, path + 2*host, 2, path + 2*host},
		{"no room for the second", []asker{one, other}, path + 2*host - 1, 1, path + host},
		{"other paths", []asker{one, elsewhere}, 2 * (path + host), 2, 2 * (path + host)},
		{"the first does not fit and the same one later neither", []asker{one, same}, path, 0, 0},
	} {
		if kept, used := take(tt.askers, tt.room); len(kept) != tt.kept || used != tt.used {
			t.Errorf("%s: %d kept in %d bytes, want %d in %d", tt.name, len(kept), used, tt.kept, tt.used)
		}
	}
}
