package server

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	filteredfactory "knative.dev/pkg/client/injection/kube/informers/factory/filtered"
	"knative.dev/pkg/system"

	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
)

func TestParseParts(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []Part
		err  string
	}{
		{text: "autoscaler", want: []Part{Autoscaler}},
		{text: "webhook, gateway", want: []Part{Webhook, Gateway}},
		{text: "gateway,gateway", want: []Part{Gateway}},
		{text: "", err: `no part ""`},
		{text: "autoscaler,", err: `no part ""`},
		{text: "scaler", err: `no part "scaler"`},
	} {
		got, err := ParseParts(tt.text)
		if !slices.Equal(got, tt.want) || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("ParseParts(%q) = %v, %v; want %v, %q", tt.text, got, err, tt.want, tt.err)
		}
	}
}

// A process starts the informers of its own parts and no other: it has no right to
// list the rest, and an informer that may not list never syncs.
func TestInject_onlyWhatThePartsRead(t *testing.T) {
	t.Setenv(system.NamespaceEnvKey, "knative-inference")
	ctx := filteredfactory.WithSelectors(t.Context(), podautoscaler.Selector)
	all := map[any]bool{}
	for _, p := range AllParts() {
		for _, key := range informersOf(p) {
			all[key] = true
		}
	}
	for _, parts := range [][]Part{{Autoscaler}, {Webhook}, {Gateway}, AllParts()} {
		reads := map[any]bool{}
		for _, p := range parts {
			for _, key := range informersOf(p) {
				reads[key] = true
			}
		}
		injected, informers := inject(ctx, &rest.Config{Host: "https://127.0.0.1:1"}, parts)
		if len(informers) != len(reads) {
			t.Errorf("%v: %d informers start, want %d", parts, len(informers), len(reads))
		}
		for key := range all {
			if has := injected.Value(key) != nil; has != reads[key] {
				t.Errorf("%v: the context has %T: %t, want %t", parts, key, has, reads[key])
			}
		}
	}
}

// The collector and the decisions of one process register their metrics beside each
// other: a name with two descriptions ends the process at its start.
func TestMetrics_ofOneProcess(t *testing.T) {
	reg := newRegistry("test")
	newCollector(&base{Options: NewOptions(), reg: reg, log: slog.New(slog.DiscardHandler)}, nil)
	multiscaler.NewMetrics(reg)
	if _, err := reg.Gather(); err != nil {
		t.Error(err)
	}
}
