package collector

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A revision, an InferencePool and its picker may have one name: each is read for itself.
func TestKey_kindsAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ready(1)...)
		pool := Key{Kind: Pool, Namespace: rev.Namespace, Name: rev.Name}
		picker := Key{Kind: Picker, Namespace: rev.Namespace, Name: rev.Name}
		for i, key := range []Key{pool, picker} {
			ip := []string{"10.2.0.1", "10.3.0.1"}[i]
			w.Watch(Spec{Key: key, Port: 8000, StableWindow: time.Minute, PanicWindow: 6 * time.Second, EngineOnly: true})
			w.SetPods(key, []Pod{{Name: key.Kind.String(), UID: ip, IP: ip, Ready: true}})
		}
		w.load("10.0.0.1", 1, 1)
		w.engine("10.0.0.1", 1, 0, 0)
		w.engine("10.2.0.1", 20, 0, 0)
		w.enginePage("10.3.0.1", holding(300))
		after(5 * time.Second)
		of := func(key Key) string {
			o, _ := w.Observe(key)
			return o.Pods[0].Name
		}
		if of(rev) != "p1" || of(pool) != "pool" || of(picker) != "picker" {
			t.Errorf("pods of %s, %s and %s", of(rev), of(pool), of(picker))
		}
		w.Forget(pool)
		if _, ok := w.Observe(pool); ok || of(rev) != "p1" || of(picker) != "picker" {
			t.Error("forgetting the pool forgets more than the pool")
		}
		w.SetHeld(picker, []Share{{Picker: picker, Part: 1}}) // pickers hold requests of revisions only
		after(3 * time.Second)
		if o, _ := w.Observe(picker); o.Queued.Known() {
			t.Errorf("the picker has %v queued in front of itself", o.Queued)
		}
	})
}

func TestKey_log(t *testing.T) {
	var log bytes.Buffer
	l := slog.New(slog.NewJSONHandler(&log, nil))
	l.Info("a", "of", Key{Namespace: "n", Name: "r"})
	l.Info("b", "of", Key{Kind: Picker, Namespace: "n", Name: "p"})
	for _, want := range []string{`"of":{"Namespace":"n","Name":"r"}`, `"of":{"Kind":"picker","Namespace":"n","Name":"p"}`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in\n%s", want, log.String())
		}
	}
}
