package main

import (
	"context"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// scaled notes when a Deployment's count was first seen to be another.
type scaled struct {
	mu sync.Mutex
	at map[string]time.Time
}

// follow watches the Deployments of the probe revisions.
func (s *scaled) follow(ctx context.Context, kube kubernetes.Interface, probes []revision) error {
	s.at = map[string]time.Time{}
	before := map[string]int32{}
	for _, r := range probes {
		before[r.namespace+"/"+r.deployment()] = int32(r.to - r.from)
	}
	list, err := kube.AppsV1().Deployments("").List(ctx, metav1.ListOptions{ResourceVersion: "0", Limit: 1})
	if err != nil {
		return err
	}
	w, err := kube.AppsV1().Deployments("").Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		return err
	}
	go func() {
		defer w.Stop()
		for event := range w.ResultChan() {
			if d, ok := event.Object.(*appsv1.Deployment); ok && event.Type != watch.Error {
				key := d.Namespace + "/" + d.Name
				if n, probe := before[key]; probe && *d.Spec.Replicas != n {
					s.note(key)
				}
			}
		}
	}()
	return nil
}

func (s *scaled) note(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at[key].IsZero() {
		s.at[key] = time.Now()
	}
}

func (s *scaled) when(key string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at[key]
}

// probeLimit is how long an answer is waited for.
const probeLimit = 20 * time.Second

// probe times one change for each revision: all its pods have a burst from one moment on.
// An answer that does not come counts as failed.
func probe(ctx context.Context, kube kubernetes.Interface, f *fleet, probes []revision) (l latencies, err error) {
	var s scaled
	watching, stop := context.WithCancel(ctx)
	defer stop()
	if err := s.follow(watching, kube, probes); err != nil {
		return l, err
	}
	var took []time.Duration
	for i, r := range probes {
		sleep(ctx, time.Duration(37*(i+1)%1000)*time.Millisecond) // anywhere in the intervals of the readings
		start := time.Now()
		for p := r.from; p < r.to; p++ {
			f.pods[p].burst.Store(true)
		}
		key := r.namespace + "/" + r.deployment()
		for s.when(key).IsZero() && time.Since(start) < probeLimit && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		if at := s.when(key); at.IsZero() {
			l.Failed++
		} else {
			took = append(took, at.Sub(start))
		}
	}
	l.Count = len(probes)
	l.summarize(took)
	return l, nil
}
