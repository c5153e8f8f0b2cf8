package manifest

import (
	"slices"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// TestHostRights holds who may have a host that two ask for.
func TestHostRights(t *testing.T) {
	const shared = "llm.example.com"
	for _, tc := range []struct {
		name   string
		mine   []string
		theirs []string
		// change moves the neighbour.
		change func(*Neighbour)
		host   string
		want   bool
	}{
		{"nobody else asks", nil, nil, nil, "qwen.default.example.com", true},
		{"the older one keeps it", []string{"hostnames", shared}, []string{"hostnames", shared}, nil, shared, true},
		{"the younger one goes without", []string{"hostnames", shared}, []string{"hostnames", shared}, func(n *Neighbour) { n.Created = epoch.Add(-time.Minute) }, shared, false},
		{"models tell them apart", []string{"hostnames", shared, "model", "qwen"}, []string{"hostnames", shared, "model", "llama"}, func(n *Neighbour) { n.Created = epoch.Add(-time.Minute) }, shared, true},
		{"a common model does not", []string{"hostnames", shared, "model", "qwen"}, []string{"hostnames", shared, "model", "llama,qwen"}, func(n *Neighbour) { n.Created = epoch.Add(-time.Minute) }, shared, false},
		{"not across namespaces, whatever the models", []string{"hostnames", shared, "model", "qwen"}, []string{"hostnames", shared, "model", "llama"}, func(n *Neighbour) { n.Created, n.Intent.Namespace = epoch.Add(-time.Minute), "theirs" }, shared, false},
		{"nor by a header", []string{"hostnames", shared, "match-headers", "content-type=application/json"}, []string{"hostnames", shared}, func(n *Neighbour) { n.Created, n.Intent.Namespace = epoch.Add(-time.Minute), "theirs" }, shared, false},
		{"a neighbour's Knative host is its own", []string{"hostnames", "other.default.example.com"}, nil, nil, "other.default.example.com", false},
		{"and shared by model in its namespace", []string{"hostnames", "other.default.example.com", "model", "qwen"}, nil, nil, "other.default.example.com", true},
		{"not from another namespace", []string{"hostnames", "other.default.example.com", "model", "qwen"}, nil, func(n *Neighbour) { n.Intent.Namespace = "theirs" }, "other.default.example.com", false},
		{"an objective's host gives way to a Knative host", []string{"objectives", "vip=1"}, nil, func(n *Neighbour) { n.Hosts = []string{"vip-qwen.default.example.com"} }, "vip-qwen.default.example.com", false},
		{"an objective's host goes before one that is asked for", []string{"objectives", "vip=1"}, []string{"hostnames", "vip-qwen.default.example.com"}, func(n *Neighbour) { n.Created = epoch.Add(-time.Minute) }, "vip-qwen.default.example.com", true},
		{"and keeps it from who asks", []string{"hostnames", "vip-other.default.example.com"}, []string{"objectives", "vip=1"}, nil, "vip-other.default.example.com", false},
		{"another Gateway is another world", []string{"hostnames", "other.default.example.com"}, []string{"gateway", "infra/llm"}, nil, "other.default.example.com", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := usual()
			n := Neighbour{Intent: asking(t, "other", tc.theirs...), UID: "uid-other", Created: epoch.Add(time.Minute), Hosts: []string{"other.default.example.com"}, Revision: Revision{Port: 8080}}
			if tc.change != nil {
				tc.change(&n)
			}
			w.Neighbours = []Neighbour{n}
			p := Build(asking(t, "qwen", tc.mine...), w)
			if slices.Contains(p.Hosts, tc.host) != tc.want || found(p, inference.ReasonHostConflict) == tc.want {
				t.Errorf("hosts %v, findings %v", p.Hosts, p.Findings)
			}
		})
	}
}
