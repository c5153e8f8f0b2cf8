//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/ptr"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// holder returns who holds the autoscaler's lease, and the pod it runs in.
func holder(t *testing.T) (identity, pod string) {
	t.Helper()
	return holderOf(t, leaseName)
}

func holderOf(t *testing.T, name string) (identity, pod string) {
	t.Helper()
	lease, err := cluster.kube.CoordinationV1().Leases(ownNamespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if lease.Spec.HolderIdentity == nil {
		return "", ""
	}
	identity = *lease.Spec.HolderIdentity
	pod, _, _ = strings.Cut(identity, "_") // Knative writes POD_UUID
	return identity, pod
}

// The leader dies by SIGKILL while the load grows: the standby, which collected
// and decided all along, scales within 20 s, and the count never dips.
func TestStandbyTakesOverWithoutADip(t *testing.T) {
	s := simulator(t, namespaceFor(t), "takeover", annotations{"target": "2", "max-scale": "10", "target-utilization-percentage": "100"},
		"--inter-token-latency=50ms", "--max-num-seqs=32").start()
	r := s.current()
	h, began := r.watchReplicas(), time.Now()
	clients := s.clients(load.Shape{Prompt: 4, Tokens: 20}, 2)
	done := make(chan struct{})
	go func() { // the load grows by one client every 1.5 s, to 20
		defer close(done)
		for n := 3; n <= 20 && t.Context().Err() == nil; n++ {
			time.Sleep(1500 * time.Millisecond)
			clients.Set(n)
		}
	}()
	r.waitReplicas(settle, "scaled up by the first leader", atLeast(3))
	identity, pod := holder(t)
	killed := time.Now()
	how := kill(t, pod)
	before := r.replicas()
	t.Logf("%s of %s at %d replicas", how, pod, before)

	ctx := t.Context()
	took, err := h.wait(ctx, killed.Add(time.Second), before+1)
	if err != nil {
		t.Fatal(err)
	}
	took += time.Second
	t.Logf("the next scale-up came %v after the kill", took.Round(time.Second/10))
	if took > 20*time.Second {
		t.Errorf("the standby scaled %v after the kill, want within 20 s: %v", took, h)
	}
	if now, _ := holder(t); now == identity {
		t.Errorf("the lease is still held by %s", now)
	}
	<-done
	r.waitReplicas(settle, "reaches what the load asks for", atLeast(10))
	if from, to, fell := h.fell(began); fell {
		t.Errorf("the count dipped from %d to %d under rising load: %v", from.replicas, to.replicas, h)
	}
	clients.Stop()
	waitBothReplicas(t)
}

// kill ends the adapter's process in a pod with SIGKILL. On a cluster that runs
// elsewhere the pod is deleted without grace, which is the nearest thing.
func kill(t *testing.T, pod string) string {
	t.Helper()
	if os.Getenv("IPA_CLUSTER") != "existing" {
		pid, err := adapterProcess(pod)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("SIGKILL of process %d", pid)
	}
	err := cluster.kube.CoreV1().Pods(ownNamespace).Delete(t.Context(), pod, metav1.DeleteOptions{GracePeriodSeconds: ptr.Int64(0)})
	if err != nil {
		t.Fatal(err)
	}
	return "deletion without grace"
}

// adapterProcess finds the process by its program and its POD_NAME: processes of
// our cluster are children of this machine.
func adapterProcess(pod string) (int, error) {
	found, err := processesWhere(func(program, dir string) bool {
		environment, err := os.ReadFile(dir + "/environ")
		return err == nil && program == ownName && strings.Contains("\x00"+string(environment), "\x00POD_NAME="+pod+"\x00")
	})
	if err != nil {
		return 0, fmt.Errorf("pod %s: %w", pod, err)
	}
	return found[0], nil
}

// processesWhere returns this machine's processes that match. match gets the name of the
// program and the folder of the process under /proc. To find none is an error.
func processesWhere(match func(program, dir string) bool) (found processes, err error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		program, err := os.Readlink(dir + "/exe")
		if err != nil || !match(filepath.Base(program), dir) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return nil, err
		}
		found = append(found, pid)
	}
	if len(found) == 0 {
		return nil, errors.New("no such process on this machine (is this test root?)")
	}
	return found, nil
}

func waitBothReplicas(t *testing.T) {
	t.Helper()
	eventually(t, 2*time.Minute, "both replicas of the adapter are Ready again", func() (bool, string) {
		for _, name := range ownDeployments {
			d, err := cluster.kube.AppsV1().Deployments(ownNamespace).Get(t.Context(), name, metav1.GetOptions{})
			if err != nil {
				return false, err.Error()
			}
			if d.Status.ReadyReplicas != 2 {
				return false, fmt.Sprintf("%s: %d Ready", name, d.Status.ReadyReplicas)
			}
		}
		return true, ""
	})
}
