package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/knative-inference/autoscaler-adapter/test/load"
)

// table prints a line every so often.
type table struct {
	c        *cluster
	every    time.Duration
	revision string
	start    time.Time
	proof    view // in which the engine's signals asked for most, and for more than concurrency did
	peak     int
}

// follow prints lines until done says so; an error when that takes longer than limit.
func (t *table) follow(ctx context.Context, limit time.Duration, done func(view) bool) error {
	ticker := time.NewTicker(t.every)
	defer ticker.Stop()
	for end := time.Now().Add(limit); time.Now().Before(end); {
		v := t.c.look(ctx, t.revision)
		fmt.Println(v.row(int(time.Since(t.start).Seconds())))
		t.note(v)
		if done(v) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return errors.New("it took too long; kubectl -n " + namespace + " describe podautoscaler says why the replicas are what they are")
}

func (t *table) note(v view) {
	t.peak = max(t.peak, v.desired)
	if v.byEngine() > max(v.wants["concurrency"], t.proof.byEngine()) && v.byEngine() > 1 && v.desired > 1 {
		t.proof = v
	}
}

// byEngine is what the KV cache or the queue asks for, the larger.
func (v view) byEngine() int {
	return max(v.wants["kv_cache_usage_percent"], v.wants["num_requests_waiting"])
}

// show is the demo's story.
func show(ctx context.Context, c *cluster, m model) error {
	revision, err := c.revision(ctx)
	if err != nil {
		return err
	}
	heading("Load: " + m.about)
	fmt.Println(tableHead)
	t := &table{c: c, every: m.every, revision: revision, start: time.Now()}
	idle := 0
	if err := t.follow(ctx, time.Minute, func(view) bool { idle++; return idle == 2 }); err != nil {
		return err
	}
	clients := load.NewClients(ctx,
		load.NewSender(load.Target{Ingress: c.ingress, Host: m.host(), Model: m.served}, time.Minute), m.shape)
	defer clients.Abort()
	clients.Set(m.clients)
	fmt.Println("      --- the load begins")
	if err := t.follow(ctx, time.Duration(m.startup+60)*time.Second, steady()); err != nil {
		return err
	}
	heading("The same numbers, from the API that any HPA reads")
	if err := c.printRaw(ctx); err != nil {
		return err
	}
	go clients.Set(0)
	fmt.Println("\n" + tableHead + "\n      --- the load ends")
	if err := t.follow(ctx, 3*time.Minute, func(v view) bool { return v.desired == 1 }); err != nil {
		return err
	}
	heading("What was scaled, and why")
	if err := c.printEvents(ctx, revision); err != nil {
		return err
	}
	return t.conclude(clients.Stop())
}

// steady is done when more than one replica serves and the count stayed for six lines.
func steady() func(view) bool {
	last, lines := 0, 0
	return func(v view) bool {
		lines++
		if v.desired != last || v.ready != v.desired {
			last, lines = v.desired, 0
		}
		return v.desired > 1 && lines >= 6
	}
}

func (t *table) conclude(r load.Report) error {
	fmt.Printf("\nRequests: %v (whole: status 200, finish_reason stop or length, every token).\n", r)
	p := t.proof
	if p.byEngine() == 0 {
		return errors.New("no scale-up was seen that concurrency alone would not have made")
	}
	fmt.Printf("Concurrency alone asked for %s, the KV cache for %s, the queue for %s; at the peak there were %d.\n",
		plural(max(p.wants["concurrency"], 1)), p.want("kv_cache_usage_percent"), p.want("num_requests_waiting"), t.peak)
	if r.Failed > 0 {
		return fmt.Errorf("%d requests failed", r.Failed)
	}
	return nil
}

func plural(n int) string {
	if n == 1 {
		return "1 replica"
	}
	return fmt.Sprintf("%d replicas", n)
}

func (c *cluster) printRaw(ctx context.Context) error {
	for _, metric := range []string{"kv_cache_usage_percent", "num_requests_running"} {
		text, err := c.raw(ctx, metricPath(metric))
		if err != nil {
			return err
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, text, "", "  "); err != nil {
			return err
		}
		path := strings.Replace(metricPath(metric), "/services", "\\\n    /services", 1) // within 100 columns
		fmt.Printf("$ kubectl get --raw %s\n%s\n", path, pretty.String())
	}
	return nil
}
