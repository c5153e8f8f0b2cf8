package metricsapi

import (
	"sync"
	"time"

	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"
)

// discoveryTTL is how long the list of metrics is reused. Every authenticated
// user may ask for discovery, and one answer reads every value of every pod:
// 200 ms and 60 MB at 10,000 pods before this was kept. A new metric appears
// after at most this long; a value that is asked for by name never waits.
const discoveryTTL = 5 * time.Second

// discoveryCache keeps the newest list of metrics. While one caller makes a new one,
// others wait for it, so that many callers cost what one does.
type discoveryCache struct {
	mu    sync.Mutex
	made  time.Time
	infos []provider.CustomMetricInfo
}

// get returns the list of before, or a new one when that is too old or no metric was known.
func (d *discoveryCache) get(now time.Time, list func() []provider.CustomMetricInfo) []provider.CustomMetricInfo {
	d.mu.Lock()
	defer d.mu.Unlock()
	if age := now.Sub(d.made); d.made.IsZero() || age < 0 || age >= discoveryTTL ||
		len(d.infos) == 0 && age >= time.Second {
		d.infos, d.made = list(), time.Now()
	}
	return d.infos
}
