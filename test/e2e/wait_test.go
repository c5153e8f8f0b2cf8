//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"knative.dev/pkg/apis"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

// slowness is how many times the time that a wait takes on a quiet machine may pass before the
// wait fails. A virtual machine whose host was busy has taken three times as long here (real
// vLLM made 458 tokens a second in place of 1,263). So a time in the words of a test is that of a
// quiet machine; where a time is the point, the test measures it.
const slowness = 4

// pollEvery is how often a wait asks. Each question is two or three requests, and kube-apiserver takes
// 10 to 20 ms of CPU time for one: at 100 ms, four tests side by side had a core for themselves.
const pollEvery = 500 * time.Millisecond

// eventually waits for a condition; check returns what it saw, for the failure message.
func eventually(t *testing.T, usual time.Duration, what string, check func() (bool, string)) {
	t.Helper()
	eventuallyEvery(t, pollEvery, usual, what, check)
}

// eventuallyEvery is eventually for a test that compares what two looks saw.
func eventuallyEvery(t *testing.T, every, usual time.Duration, what string, check func() (bool, string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slowness*usual)
	defer cancel()
	start := time.Now()
	if err := testbed.Poll(ctx, every, check); err != nil {
		t.Fatalf("%s: not within %v: %v", what, slowness*usual, err)
	}
	t.Logf("%s: after %v", what, time.Since(start).Round(100*time.Millisecond))
}

// againIfSlow tries again what kube-apiserver, or a webhook that it calls, was too slow to answer.
// The first try may have been carried out: the caller allows for an object that is there already.
func againIfSlow(t *testing.T, try func() error) error {
	t.Helper()
	return retry.OnError(wait.Backoff{Duration: time.Second, Factor: 2, Steps: slowness}, func(err error) bool {
		slow := apierrs.IsTimeout(err) || apierrs.IsServerTimeout(err) ||
			apierrs.IsInternalError(err) && strings.Contains(err.Error(), "context deadline exceeded")
		if slow {
			t.Logf("tried again: %v", err)
		}
		return slow
	}, try)
}

// always fails when the condition breaks within the duration.
func always(t *testing.T, during time.Duration, what string, check func() (bool, string)) {
	t.Helper()
	end := time.Now().Add(during)
	for time.Now().Before(end) {
		if ok, state := check(); !ok {
			t.Fatalf("%s: %s", what, state)
		}
		time.Sleep(pollEvery)
	}
}

func (s *service) waitReady(timeout time.Duration) {
	s.t.Helper()
	eventually(s.t, timeout, s.name+" Ready", func() (bool, string) {
		svc, err := cluster.knative.ServingV1().Services(s.namespace).Get(s.t.Context(), s.name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		state := fmt.Sprintf("%s; PodAutoscaler: %s", conditions(svc.Status.Conditions), s.state())
		return svc.IsReady() && svc.Status.ObservedGeneration == svc.Generation, state
	})
}

// latest returns the newest revision's name, "" before there is one.
func (s *service) latest() string {
	svc, err := cluster.knative.ServingV1().Services(s.namespace).Get(s.t.Context(), s.name, metav1.GetOptions{})
	if err == nil {
		return svc.Status.LatestCreatedRevisionName
	}
	// Made past the webhook, without a Service.
	cfg, err := cluster.knative.ServingV1().Configurations(s.namespace).Get(s.t.Context(), s.name, metav1.GetOptions{})
	if err != nil {
		return ""
	}
	return cfg.Status.LatestCreatedRevisionName
}

// revision is one revision of a service.
type revision struct {
	*service
	revision string
}

// current returns the newest revision.
func (s *service) current() revision {
	s.t.Helper()
	r := s.latest()
	if r == "" {
		s.t.Fatalf("%s has no revision", s.name)
	}
	return revision{s, r}
}

func (r revision) pa() *v1alpha1.PodAutoscaler {
	r.t.Helper()
	pa, err := cluster.knative.AutoscalingV1alpha1().PodAutoscalers(r.namespace).Get(r.t.Context(), r.revision, metav1.GetOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	return pa
}

func (r revision) deployment() *appsv1.Deployment {
	r.t.Helper()
	d, err := cluster.kube.AppsV1().Deployments(r.namespace).Get(r.t.Context(), r.revision+"-deployment", metav1.GetOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// replicas returns spec.replicas of the revision.
func (r revision) replicas() int32 {
	r.t.Helper()
	return *r.deployment().Spec.Replicas
}

// pods returns the pods that are not being deleted.
func (r revision) pods() []corev1.Pod {
	r.t.Helper()
	list, err := cluster.kube.CoreV1().Pods(r.namespace).List(r.t.Context(), metav1.ListOptions{LabelSelector: "serving.knative.dev/revision=" + r.revision})
	if err != nil {
		r.t.Fatal(err)
	}
	var live []corev1.Pod
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			live = append(live, p)
		}
	}
	return live
}

func (r revision) readyPods() []corev1.Pod {
	r.t.Helper()
	var ready []corev1.Pod
	for _, p := range r.pods() {
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				ready = append(ready, p)
			}
		}
	}
	return ready
}

// waitReplicas waits until spec.replicas is as asked.
func (r revision) waitReplicas(timeout time.Duration, what string, ok func(int32) bool) {
	r.t.Helper()
	eventually(r.t, timeout, r.revision+" "+what, func() (bool, string) {
		n := r.replicas()
		return ok(n), fmt.Sprintf("%d replicas; %s", n, r.state())
	})
}

func (r revision) waitPods(timeout time.Duration, n int) {
	r.t.Helper()
	eventually(r.t, timeout, fmt.Sprintf("%s has %d Ready pods", r.revision, n), func() (bool, string) {
		got := len(r.readyPods())
		return got == n, fmt.Sprintf("%d Ready; %s", got, r.state())
	})
}

func atLeast(n int32) func(int32) bool { return func(got int32) bool { return got >= n } }
func exactly(n int32) func(int32) bool { return func(got int32) bool { return got == n } }

// state says what the PodAutoscaler of the newest revision says, with the decision.
func (s *service) state() string {
	name := s.latest()
	if name == "" {
		return "no revision"
	}
	pa, err := cluster.knative.AutoscalingV1alpha1().PodAutoscalers(s.namespace).Get(s.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("desired %d, actual %d, %s", pa.Status.GetDesiredScale(), pa.Status.GetActualScale(), conditions(pa.Status.Conditions))
}

func conditions(all []apis.Condition) string {
	var parts []string
	for _, c := range all {
		if c.Type == "Scaling" {
			parts = append(parts, fmt.Sprintf("why at %s (%s) %q", c.LastTransitionTime.Inner.Format(time.TimeOnly), c.Reason, c.Message))
			continue
		}
		text := fmt.Sprintf("%s=%s", c.Type, c.Status)
		if c.Status != corev1.ConditionTrue {
			text += fmt.Sprintf(" (%s: %s)", c.Reason, c.Message)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// why returns the condition Scaling of the revision.
func (r revision) why() (reason, message string) {
	r.t.Helper()
	if c := r.pa().Status.GetCondition("Scaling"); c != nil {
		return c.Reason, c.Message
	}
	return "", ""
}

// waitWhy waits until condition Scaling holds all the parts. The condition is written after the
// count, so a test that saw the count may come before the words.
func (r revision) waitWhy(parts ...string) {
	r.t.Helper()
	eventually(r.t, 10*time.Second, fmt.Sprintf("condition Scaling says %q", parts), func() (bool, string) {
		_, why := r.why()
		return containsAll(why, parts), why
	})
}

// events returns "Type Reason: message" of every event on an object.
func events(t *testing.T, namespace, kind, name string) []string {
	t.Helper()
	list, err := cluster.kube.CoreV1().Events(namespace).List(t.Context(), metav1.ListOptions{
		FieldSelector: "involvedObject.kind=" + kind + ",involvedObject.name=" + name,
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range list.Items {
		all = append(all, e.Type+" "+e.Reason+": "+e.Message)
	}
	return all
}

// waitEvent waits for an event on an object that holds all the parts.
func waitEvent(t *testing.T, namespace, kind, name string, parts ...string) {
	t.Helper()
	what := fmt.Sprintf("event on %s %s with %q", kind, name, parts)
	eventually(t, 30*time.Second, what, func() (bool, string) {
		all := events(t, namespace, kind, name)
		for _, e := range all {
			if containsAll(e, parts) {
				return true, ""
			}
		}
		return false, fmt.Sprintf("events: %q", all)
	})
}

func containsAll(s string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

// diagnose logs what a namespace looked like when its test failed.
func diagnose(ctx context.Context, t *testing.T, namespace string) {
	for _, args := range [][]string{
		{"get", "ksvc,revisions,podautoscalers,sks,deployments,pods", "-o", "wide"},
		{"get", "events", "--sort-by=.lastTimestamp", "-o", "custom-columns=T:.lastTimestamp,KIND:.involvedObject.kind,NAME:.involvedObject.name,REASON:.reason,MESSAGE:.message"},
		{"get", "podautoscalers", "-o", "yaml"},
	} {
		out, err := testbed.Kubectl(ctx, "", append([]string{"-n", namespace}, args...)...)
		if err != nil {
			out += err.Error()
		}
		keep(t, namespace, args[1], out)
	}
}
