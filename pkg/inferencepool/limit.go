package inferencepool

import (
	"cmp"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// maxPlainPools is how many pools of one namespace have their plain pods read, the
// oldest first: each looks once a second through the namespace's pods. A namespace
// has one such pool per model; 50 is above what we have seen, and not measured.
// Pools of Knative's pods alone do not count.
const maxPlainPools = 50

// bounded are the pools whose plain pods are read. A namespace with more pools than
// the limit is reported in the log whenever their number changes.
func (w *Watcher) bounded(pools []Pool) []Pool {
	by := map[string][]Pool{}
	for _, p := range pools {
		if !p.knativeOnly() && p.Port != 0 {
			by[p.Namespace] = append(by[p.Namespace], p)
		}
	}
	var kept []Pool
	for namespace, list := range by {
		slices.SortFunc(list, func(a, b Pool) int {
			return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name))
		})
		read := list[:min(len(list), maxPlainPools)]
		w.reportLeftOut(namespace, len(read), len(list))
		kept = append(kept, read...)
	}
	maps.DeleteFunc(w.leftOut, func(namespace string, _ int) bool { return by[namespace] == nil })
	return kept
}

func (w *Watcher) reportLeftOut(namespace string, read, all int) {
	if w.leftOut[namespace] == all-read {
		return
	}
	w.leftOut[namespace] = all - read
	if all == read {
		w.o.Log.Info("all InferencePools of the namespace are read again", "namespace", namespace)
		return
	}
	w.o.Log.Warn(fmt.Sprintf("a namespace has more than %d InferencePools of pods that are not Knative's: the oldest are read, the others have no metrics; "+
		"delete pools or spread them over namespaces", maxPlainPools), "namespace", namespace, "pools", all, "without metrics", all-read)
}

// complainEvery bounds the log: data that causes a panic causes one every second.
const complainEvery = time.Minute

// guard contains a panic to one pool or revision: what is known of it grows old, and
// the others go on. It is false after a panic.
func (w *Watcher) guard(on collector.Key, read func()) (whole bool) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		whole = false
		w.o.OnPanic()
		if now := time.Now(); now.Sub(w.complained) >= complainEvery {
			w.complained = now
			w.o.Log.Error("panic contained while reading InferencePools; report it with this stack",
				"namespace", on.Namespace, "name", on.Name, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	read()
	return true
}
