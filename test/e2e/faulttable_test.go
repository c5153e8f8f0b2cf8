//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/ptr"
)

// fault is one kind of fault. inject causes it and returns what ends it.
type fault struct {
	name   string
	lasts  time.Duration
	inject func(*faultRun) (heal func())
	// killsPod is for faults that end a pod of the model with the answers on it.
	killsPod bool
	// upTo is the count up to which the fault may raise the replicas; 0: it may not.
	upTo int32
}

// jump is the most that one page which nothing else confirms may ask for: twice the
// Ready pods and four more, here max-scale.
const jump = 8

func faultTable() []fault {
	var all []fault
	for _, mode := range []string{"garbage", "hang", "slow", "huge", "absurd", "believable", "nan", "negative"} {
		f := fault{name: "metrics endpoint " + mode, lasts: 15 * time.Second, inject: func(r *faultRun) func() { return r.breakPage(mode) }}
		if mode == "believable" { // 99,999 requests wait in the engine: no other source can deny them
			f.upTo = jump
		}
		all = append(all, f)
	}
	all = append(all,
		fault{name: "pod of the model killed", lasts: 5 * time.Second, inject: (*faultRun).killModelPod, killsPod: true},
		fault{name: "leader killed", lasts: 5 * time.Second, inject: (*faultRun).killLeader},
		fault{name: "both replicas deleted", lasts: 5 * time.Second, inject: (*faultRun).deleteAdapters},
		fault{name: "config-ipa deleted", lasts: 10 * time.Second, inject: func(r *faultRun) func() { return r.deleteConfig("config-ipa") }},
		fault{name: "config-inference-gateway deleted", lasts: 10 * time.Second, inject: func(r *faultRun) func() { return r.deleteConfig("config-inference-gateway") }},
		fault{name: "config-ipa broken", lasts: 10 * time.Second, inject: (*faultRun).breakConfig},
		fault{name: "another writer of replicas", lasts: 5 * time.Second, inject: (*faultRun).writeReplicas, upTo: steadyReplicas + 1},
		fault{name: "webhook away while a pod is killed", lasts: 5 * time.Second, inject: (*faultRun).stopWebhook, killsPod: true},
		fault{name: "webhook's Secret deleted", lasts: 5 * time.Second, inject: (*faultRun).deleteWebhookSecret},
		fault{name: "webhook's CA bundle emptied", lasts: 5 * time.Second, inject: (*faultRun).emptyCABundle},
		fault{name: "activator killed", lasts: 5 * time.Second, inject: (*faultRun).killActivator},
	)
	if os.Getenv("IPA_CLUSTER") == "existing" {
		return all // the control plane is not on this machine
	}
	all = append(all, fault{name: "leader cut off from the pods", lasts: 30 * time.Second, inject: (*faultRun).cutOffLeader})
	for _, process := range []string{"kube-apiserver", "etcd"} {
		all = append(all,
			fault{name: process + " stopped for 8 s", lasts: 8 * time.Second, inject: func(r *faultRun) func() {
				r.signal(process, syscall.SIGSTOP)
				return func() { r.signal(process, syscall.SIGCONT) }
			}},
			fault{name: process + " killed", lasts: 5 * time.Second, inject: func(r *faultRun) func() {
				r.signal(process, syscall.SIGKILL) // the cluster starts it again
				return func() {}
			}},
		)
	}
	return all
}

// do repeats a call to the API server until it succeeds: after a fault the API server may still be away.
func (r *faultRun) do(what string, call func(context.Context) error) {
	r.t.Helper()
	eventually(r.t, time.Minute, what, func() (bool, string) {
		ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
		defer cancel()
		err := call(ctx)
		return err == nil, fmt.Sprint(err)
	})
}

func (r *faultRun) readDeployment() (*appsv1.Deployment, error) {
	return cluster.kube.AppsV1().Deployments(r.namespace).Get(r.t.Context(), r.revision.revision+"-deployment", metav1.GetOptions{})
}

func (r *faultRun) anyPod() corev1.Pod {
	r.t.Helper()
	pods := r.readyPods()
	if len(pods) == 0 {
		r.t.Fatal("the model has no Ready pod")
	}
	return pods[r.random.IntN(len(pods))]
}

func (r *faultRun) breakPage(mode string) func() {
	pod := r.anyPod()
	set := func(mode string) {
		// Running and Waiting stay measured: the page is set without numbers.
		r.do("metrics endpoint of "+pod.Name+" "+mode, func(context.Context) error {
			_, err := r.post(pod, "set", map[string]string{"mode": mode})
			return err
		})
	}
	set(mode)
	return func() { set("ok") }
}

func (r *faultRun) killModelPod() func() {
	pod := r.anyPod()
	r.do("killing "+pod.Name, func(ctx context.Context) error {
		return cluster.kube.CoreV1().Pods(r.namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: ptr.Int64(0)})
	})
	return func() {}
}

func (r *faultRun) killLeader() func() {
	_, pod := holder(r.t)
	r.t.Log(kill(r.t, pod))
	return func() {}
}

func (r *faultRun) deleteAdapters() func() {
	r.do("deleting both replicas", func(ctx context.Context) error {
		return cluster.kube.CoreV1().Pods(ownNamespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: ptr.Int64(0)}, metav1.ListOptions{LabelSelector: ownSelector})
	})
	return func() {}
}

func (r *faultRun) deleteConfig(name string) func() {
	client := cluster.kube.CoreV1().ConfigMaps(ownNamespace)
	var kept *corev1.ConfigMap
	r.do("deleting "+name, func(ctx context.Context) error {
		cm, err := client.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		kept = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: cm.Labels, Annotations: cm.Annotations}, Data: cm.Data}
		return client.Delete(ctx, name, metav1.DeleteOptions{})
	})
	return func() {
		r.do("restoring "+name, func(ctx context.Context) error {
			_, err := client.Create(ctx, kept, metav1.CreateOptions{})
			if apierrs.IsAlreadyExists(err) {
				return nil
			}
			return err
		})
	}
}

func (r *faultRun) breakConfig() func() {
	patch := func(value string) {
		text := []byte(`{"data":{"tolerance":` + value + `}}`)
		r.do("config-ipa tolerance "+value, func(ctx context.Context) error {
			_, err := cluster.kube.CoreV1().ConfigMaps(ownNamespace).Patch(ctx, "config-ipa", types.MergePatchType, text, metav1.PatchOptions{})
			return err
		})
	}
	patch(`"no number"`)
	return func() { patch("null") }
}

func (r *faultRun) writeReplicas() func() {
	text := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, steadyReplicas+1)
	r.do("writing another count", func(ctx context.Context) error {
		_, err := cluster.kube.AppsV1().Deployments(r.namespace).Patch(ctx, r.revision.revision+"-deployment", types.MergePatchType, text, metav1.PatchOptions{}, "scale")
		return err
	})
	return func() {}
}

// signal sends a signal to a process of the cluster's control plane, which runs on this machine.
func (r *faultRun) signal(program string, s syscall.Signal) {
	r.t.Helper()
	pid, err := controlPlaneProcess(program)
	if err == nil {
		err = syscall.Kill(pid, s)
	}
	if err != nil {
		r.t.Fatalf("%v of %s: %v", s, program, err)
	}
}

// controlPlaneProcess finds a program by its name and by a flag that only hack/cluster gives
// it: other tests of this machine may run an API server of their own.
func controlPlaneProcess(program string) (int, error) {
	flag := map[string]string{"kube-apiserver": "--advertise-address=10.200.0.10", "etcd": "--name=e"}[program]
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if err != nil {
			continue // the process has ended
		}
		args := strings.Split(string(line), "\x00")
		if filepath.Base(args[0]) == program && slices.Contains(args, flag) {
			return strconv.Atoi(filepath.Base(filepath.Dir(path)))
		}
	}
	return 0, fmt.Errorf("no process %s with %s on this machine (is this test root?)", program, flag)
}
