package manifest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// holds says whether a predicate is true of a request.
func holds(t *testing.T, predicate fields, request map[string]string) bool {
	t.Helper()
	for kind, v := range predicate {
		switch kind {
		case "not_matcher":
			return !holds(t, v.(fields), request)
		case "and_matcher", "or_matcher":
			for _, p := range v.(fields)["predicate"].(list) {
				if holds(t, p.(fields), request) == (kind == "or_matcher") {
					return kind == "or_matcher"
				}
			}
			return kind == "and_matcher"
		case "single_predicate":
			header := v.(fields)["input"].(fields)["typed_config"].(fields)["header_name"].(string)
			match := v.(fields)["value_match"].(fields)
			if prefix, ok := match["prefix"]; ok {
				return strings.HasPrefix(request[header], fmt.Sprint(prefix))
			}
			return request[header] == match["exact"]
		}
	}
	t.Fatalf("no predicate: %v", predicate)
	return false
}

// The router refuses bodies that are no JSON, so that nobody may send it the
// requests for a host or a path that is another's.
func TestBodyRouter_onlyItsOwnRequests(t *testing.T) {
	const shared, unbound = "llm.example.com", "web.shop.example.com"
	w := usual()
	mine := asking(t, "qwen", "model", "qwen", "hostnames", shared)
	thief := asking(t, "thief", "model", "x", "hostnames", "qwen.default.example.com,"+shared+","+unbound, "paths", "/upload,/v1/completions")
	thief.Namespace = "theirs"
	plain := asking(t, "plain")
	w.Neighbours = []Neighbour{
		{Intent: thief, UID: "uid-thief", Created: epoch.Add(time.Minute), Hosts: []string{"thief.theirs.example.com"}},
		{Intent: plain, UID: "uid-plain", Created: epoch.Add(time.Minute), Hosts: []string{"plain.default.example.com"}},
	}
	w.HostOwners = map[string]binding.Name{unbound: {Namespace: "shop", Name: "web"}}
	var predicate fields
	for _, o := range Build(mine, w).Gateway {
		if o.GetKind() == "EnvoyFilter" && strings.HasSuffix(o.GetName(), "-bbr") {
			patch := o.Object["spec"].(fields)["configPatches"].(list)[0].(fields)["patch"].(fields)
			config := patch["value"].(fields)["typed_config"].(fields)
			predicate = config["xds_matcher"].(fields)["matcher_list"].(fields)["matchers"].(list)[0].(fields)["predicate"].(fields)
		}
	}
	if predicate == nil {
		t.Fatal("there is no filter")
	}
	for _, tt := range []struct {
		host, path string
		asked      bool
	}{
		{"qwen.default.example.com", "/v1/completions", true},
		{"qwen.default.example.com:8888", "/v1/chat/completions?x=1", true},
		{shared, "/v1/completions", true},
		{"thief.theirs.example.com", "/upload", true},
		{"thief.theirs.example.com", "/v1/completions", true},
		{"thief.theirs.example.com", "/v1/chat/completions", false},
		{"qwen.default.example.com", "/upload", false},
		{shared, "/upload", false},
		{unbound, "/upload", false},
		{unbound, "/v1/completions", false},
		{"plain.default.example.com", "/v1/completions", false},
	} {
		skipped := holds(t, predicate, map[string]string{":method": "POST", ":authority": tt.host, ":path": tt.path})
		if skipped == tt.asked {
			t.Errorf("%s%s: asked %v, want %v", tt.host, tt.path, !skipped, tt.asked)
		}
	}
}
