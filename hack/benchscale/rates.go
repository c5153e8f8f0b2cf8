package main

import (
	"context"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// rates are readings of both kinds in single seconds.
type rates struct{ Peak, Mean, Least float64 }

// rateWatch counts readings each second until stop.
type rateWatch struct {
	cancel context.CancelFunc
	result chan rates
}

func (b *bench) watchRates(ctx context.Context) rateWatch {
	ctx, cancel := context.WithCancel(ctx)
	w := rateWatch{cancel, make(chan rates, 1)}
	total := func() int64 { return b.fleet.engine.total() + b.fleet.queue.total() }
	go func() {
		r, n := rates{Least: math.Inf(1)}, 0.0
		for last, at := total(), time.Now(); sleep(ctx, time.Second); n++ {
			now := total()
			perSecond := float64(now-last) / time.Since(at).Seconds()
			last, at = now, time.Now()
			r.Peak, r.Least, r.Mean = max(r.Peak, perSecond), min(r.Least, perSecond), r.Mean+perSecond
		}
		r.Mean /= max(n, 1)
		if n == 0 {
			r.Least = 0
		}
		w.result <- r
	}()
	return w
}

func (w rateWatch) stop() rates { w.cancel(); return <-w.result }

// profiles takes a CPU profile for ten seconds and a heap profile; the returned
// function waits for both. Without -profile it does nothing.
func (b *bench) profiles(ctx context.Context, phase string) func() {
	if !b.profile {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for kind, query := range map[string]string{"cpu": "profile?seconds=10", "heap": "heap", "allocs": "allocs?seconds=5"} {
			b.saveProfile(ctx, query, filepath.Join(b.out, b.report.name()+"-"+phase+"."+kind+".pprof"))
		}
	}()
	return func() { <-done }
}

func (b *bench) saveProfile(ctx context.Context, query, file string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+adapterIP+":6060/debug/pprof/"+query, nil)
	if err != nil {
		return
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.progress("no profile: %v", err)
		return
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err == nil {
		err = os.WriteFile(file, content, 0o644)
	}
	if err != nil {
		b.progress("no profile: %v", err)
	}
}
