package collector

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"knative.dev/serving/pkg/networking"
)

// The times between two scrapes of one pod that are used unless somebody asks for others.
const (
	DefaultQueueProxyInterval = 500 * time.Millisecond
	DefaultEngineInterval     = 250 * time.Millisecond
)

// Options configure a Collector. Fields that are zero or negative take the default in
// brackets; a time below 10 ms is 10 ms.
type Options struct {
	// QueueProxyPort serves Knative's Stat, ActivatorPort the metrics of Knative's
	// activator [both 9090].
	QueueProxyPort, ActivatorPort int
	// QueueProxyInterval and EngineInterval are the times between two scrapes of one pod
	// [DefaultQueueProxyInterval, DefaultEngineInterval].
	QueueProxyInterval, EngineInterval time.Duration
	// Timeout bounds one scrape from connecting to the last byte [1s]. That of an engine
	// that needs longer grows, up to MaxTimeout [5s].
	Timeout, MaxTimeout time.Duration
	// MaxQueueProxyInterval and MaxEngineInterval are the times between two scrapes of
	// one pod up to which the two intervals grow with the number of pods [1s, 2s], where
	// this replica leads; a standby's are five times as long.
	MaxQueueProxyInterval, MaxEngineInterval time.Duration
	// ReadingsPerSecond is the number of scrapes a second from which the intervals
	// grow [4000]: at 60 µs each about a quarter of a core.
	ReadingsPerSecond float64
	// Parallelism bounds the scrapes under way at once [512]. Half of it is for
	// targets that fail or take longer than 250 ms, so that they do not delay the
	// others. In each half no namespace takes more than twice what is left free.
	Parallelism int
	// StaleAfter is the number of missed scrapes in a row after which a target is unknown [3].
	StaleAfter int
	// MaxBody and MaxLine bound a page and its lines in bytes, after decompression
	// [2 MiB, 64 KiB]. A page of real vLLM 0.32 has at most 75 KiB for each
	// data-parallel rank.
	MaxBody int64
	MaxLine int
	// BodyBudget bounds in bytes the pages beyond 128 KiB that are in memory at once;
	// further ones wait, at most for Timeout [32 MiB].
	BodyBudget int64
	// Registerer takes the collector's own metrics [a private one].
	Registerer prometheus.Registerer
	// Log reports targets that become stale or readable again [discarded].
	Log *slog.Logger
	// Tokens has the bearer tokens of metrics endpoints [none].
	Tokens Tokens
	// Clock is the wall clock [time.Now]. It is read for the time of the start and for
	// the ages of pods only: everything else runs on monotonic time.
	Clock func() time.Time
	// Dial opens the connections to the pods [net.Dialer's, directly]. Each target
	// keeps one.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (o Options) withDefaults() Options {
	o.QueueProxyPort = cmp.Or(o.QueueProxyPort, networking.AutoscalingQueueMetricsPort)
	o.ActivatorPort = cmp.Or(o.ActivatorPort, activatorPort)
	setDuration(&o.QueueProxyInterval, DefaultQueueProxyInterval)
	setDuration(&o.EngineInterval, DefaultEngineInterval)
	setDuration(&o.MaxQueueProxyInterval, time.Second)
	setDuration(&o.MaxEngineInterval, 2*time.Second)
	setDuration(&o.Timeout, time.Second)
	setDuration(&o.MaxTimeout, 5*time.Second)
	o.MaxTimeout = max(o.MaxTimeout, o.Timeout)
	if !(o.ReadingsPerSecond > 0) {
		o.ReadingsPerSecond = 4000
	}
	o.Parallelism = max(positive(o.Parallelism, 512), 2)
	o.StaleAfter = positive(o.StaleAfter, 3)
	o.MaxBody = positive(o.MaxBody, 2<<20)
	o.BodyBudget = positive(o.BodyBudget, 32<<20)
	o.MaxLine = positive(o.MaxLine, 64<<10)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Tokens == nil {
		o.Tokens = noTokens{}
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: o.Timeout, KeepAlive: 15 * time.Second}).DialContext
	}
	return o
}

// minDuration is the shortest time that an option may have. A shorter interval
// would keep the program busy with one pod.
const minDuration = 10 * time.Millisecond

// setDuration makes d the default unless d is positive, and at least minDuration.
func setDuration(d *time.Duration, byDefault time.Duration) {
	*d = max(positive(*d, byDefault), minDuration)
}

// positive returns n, or the default when n is zero or negative.
func positive[N int | int64 | time.Duration](n, byDefault N) N {
	if n > 0 {
		return n
	}
	return byDefault
}
