//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/ptr"
)

// webhookName is that of the webhook's Deployment and of both its configurations.
const webhookName = ownName + "-webhook"

// stopWebhook takes both replicas of the webhook away and kills a pod of the model: its
// successor has to come without an answer of the webhook.
func (r *faultRun) stopWebhook() func() {
	r.scaleWebhook(0)
	r.do("no replica of the webhook is left", func(ctx context.Context) error {
		d, err := cluster.kube.AppsV1().Deployments(ownNamespace).Get(ctx, webhookName, metav1.GetOptions{})
		if err == nil && d.Status.Replicas != 0 {
			err = fmt.Errorf("%d left", d.Status.Replicas)
		}
		return err
	})
	r.killModelPod()
	r.waitSteady()
	return func() {
		r.scaleWebhook(2)
		r.webhookAnswers()
	}
}

func (r *faultRun) scaleWebhook(replicas int32) {
	text := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	r.do(fmt.Sprintf("scaling the webhook to %d", replicas), func(ctx context.Context) error {
		_, err := cluster.kube.AppsV1().Deployments(ownNamespace).Patch(ctx, webhookName, types.MergePatchType, text, metav1.PatchOptions{}, "scale")
		return err
	})
}

// webhookAnswers waits until a Service with a bad annotation is refused by our webhook again.
func (r *faultRun) webhookAnswers() {
	r.t.Helper()
	s := standIn(r.t, r.namespace, "refused", annotations{"metric": "kv_cache_usage_percent=700"})
	r.do("the webhook refuses a bad annotation", func(ctx context.Context) error {
		_, err := cluster.knative.ServingV1().Services(r.namespace).Create(ctx, s.object(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil && containsAll(err.Error(), []string{"denied the request", "700"}) {
			return nil
		}
		return fmt.Errorf("the API server said: %v", err) //nolint:errorlint nil, when it took the annotation
	})
}

func (r *faultRun) deleteWebhookSecret() func() {
	r.do("deleting the webhook's Secret", func(ctx context.Context) error {
		return cluster.kube.CoreV1().Secrets(ownNamespace).Delete(ctx, webhookName+"-tls", metav1.DeleteOptions{})
	})
	return r.webhookAnswers
}

func (r *faultRun) emptyCABundle() func() {
	text := []byte(`[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]`)
	r.do("emptying the webhook's CA bundle", func(ctx context.Context) error {
		_, err := cluster.kube.AdmissionregistrationV1().ValidatingWebhookConfigurations().Patch(ctx, webhookName, types.JSONPatchType, text, metav1.PatchOptions{})
		return err
	})
	return r.webhookAnswers
}

func (r *faultRun) killActivator() func() {
	r.do("killing the activator", func(ctx context.Context) error {
		return cluster.kube.CoreV1().Pods("knative-serving").DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: ptr.Int64(0)},
			metav1.ListOptions{LabelSelector: "app=activator"})
	})
	return func() {}
}

// cutOffLeader drops what the leader sends to the pods of the model, and nothing else: it
// still reaches the API server. The network of a pod outlives the program in it.
func (r *faultRun) cutOffLeader() func() {
	_, pod := holder(r.t)
	pid, err := adapterProcess(pod)
	if err != nil {
		r.t.Fatal(err)
	}
	network, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		r.t.Fatal(err)
	}
	cut := r.readyPods()
	route := func(verb string, p corev1.Pod) {
		out, err := exec.Command("nsenter", fmt.Sprintf("--net=/proc/%d/fd/%d", os.Getpid(), network.Fd()),
			"ip", "route", verb, "blackhole", p.Status.PodIP).CombinedOutput()
		if err != nil {
			r.t.Errorf("ip route %s: %v: %s", verb, err, out)
		}
	}
	for _, p := range cut {
		route("add", p)
	}
	return func() {
		defer network.Close()
		// Stale after 3 s, published every 10 s, patience of 30 s, a lease of 10 s.
		eventually(r.t, 90*time.Second, "another replica leads than "+pod, func() (bool, string) {
			identity, now := holder(r.t)
			return now != pod && now != "", identity
		})
		for _, p := range cut {
			route("del", p)
		}
	}
}
