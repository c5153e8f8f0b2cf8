package webhook

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubefake "k8s.io/client-go/kubernetes/fake"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

const ourGate = `{conditionType: knative-inference.dev/serving}`

func ofRevision(name, spec string) string {
	return `{metadata: {name: p, labels: {serving.knative.dev/service: qwen, serving.knative.dev/revision: ` + name + `, serving.knative.dev/revisionUID: u}}, spec: ` + spec + `}`
}

func revision(name, class string) *servingv1.Revision {
	r := &servingv1.Revision{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Annotations: map[string]string{}}}
	if class != "" {
		r.Annotations[classKey] = class
	}
	return r
}

func TestPods_gate(t *testing.T) {
	const bare, withOurs = `{containers: []}`, `{containers: [], readinessGates: [` + ourGate + `]}`
	for _, tt := range []struct {
		name, pod, want string
		byDefault       string
		nobody          bool
	}{
		{name: "our class", pod: ofRevision("ours", bare), want: ofRevision("ours", withOurs)},
		{name: "beside another gate", pod: ofRevision("ours", `{readinessGates: [{conditionType: a}]}`), want: ofRevision("ours", `{readinessGates: [{conditionType: a}, `+ourGate+`]}`)},
		{name: "has it already", pod: ofRevision("ours", withOurs), want: ofRevision("ours", withOurs)},
		{name: "an empty list", pod: ofRevision("ours", `{readinessGates: []}`), want: ofRevision("ours", `{readinessGates: [`+ourGate+`]}`)},
		{name: "another class", pod: ofRevision("theirs", bare), want: ofRevision("theirs", bare)},
		{name: "a revision that is not known", pod: ofRevision("novel", bare), want: ofRevision("novel", bare)},
		{name: "no class", pod: ofRevision("nameless", bare), want: ofRevision("nameless", bare)},
		{name: "our class by default", pod: ofRevision("nameless", bare), want: ofRevision("nameless", withOurs), byDefault: autoscaling.Class},
		{name: "another class where ours is the default", pod: ofRevision("theirs", bare), want: ofRevision("theirs", bare), byDefault: autoscaling.Class},
		{name: "nobody would open it", pod: ofRevision("ours", bare), want: ofRevision("ours", bare), nobody: true},
		{name: "nobody would see it", pod: strings.Replace(ofRevision("ours", bare), "revisionUID", "other", 1), want: strings.Replace(ofRevision("ours", bare), "revisionUID", "other", 1)},
		{name: "no spec", pod: ofRevision("ours", "null"), want: ofRevision("ours", "null")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := caches(t, revision("ours", autoscaling.Class), revision("theirs", "kpa.autoscaling.knative.dev"), revision("nameless", ""))
			if tt.byDefault != "" {
				c.DefaultClass = func() string { return tt.byDefault }
			}
			c.Opened = func() bool { return !tt.nobody }
			r := review(t, tt.pod, "")
			if diff := cmp.Diff(object(t, tt.want), patched(t, r, c.pods(r))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Only a lease that moves is a heartbeat, and only for a while.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "views", ResourceVersion: "1"}}
		kube := kubefake.NewClientset(lease)
		h, err := NewHeartbeat(kube, "ns", "views")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		h.factory.Start(ctx.Done())
		h.factory.WaitForCacheSync(ctx.Done())
		time.Sleep(time.Second)
		if h.alive(time.Now()) {
			t.Error("an old lease counts as a heartbeat")
		}
		lease = lease.DeepCopy()
		lease.ResourceVersion = "2"
		if _, err := kube.CoordinationV1().Leases("ns").Update(t.Context(), lease, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(beatAge - 2*time.Second)
		if !h.alive(time.Now()) {
			t.Error("not alive soon after a heartbeat")
		}
		time.Sleep(3 * time.Second)
		if h.alive(time.Now()) {
			t.Errorf("alive %v after the last heartbeat", beatAge)
		}
		cancel()
		h.factory.Shutdown()
	})
}
