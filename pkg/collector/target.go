package collector

import (
	"hash/fnv"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/httpget"
	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// source is what a target speaks.
type source int

const (
	queueProxy source = iota
	enginePage
	// pickerPage is that of an endpoint picker, which only reports its queue.
	pickerPage
	sources
)

func (s source) String() string { return [...]string{"queue_proxy", "engine", "picker"}[s] }

// userAgent is not one that the queue-proxy would take for a probe.
const userAgent = "knative-inference-autoscaler"

// target is one URL of one pod, scraped while the pod is Ready.
//
//	idle --start--> due <--> under way --drop--> gone
//
// A target that is gone is never used again: its pod gets a new one.
type target struct {
	source source
	rev    *revision
	pod    *pod
	// podName and engine are those of the target's making; engine "" detects.
	podName string
	engine  string
	// connection asks for uri of address, or for what a redirect on the same address led to.
	connection   *httpget.Connection
	uri, address string
	port         int
	scheme       string
	// secret has the token that the page asks for; token is what the last scrape sent, and is
	// for the goroutine that scrapes.
	secret SecretKey
	token  string
	// silent counts responses without a byte since the last response, and speaksTLS is what
	// the last probe of such a server found. They are for the goroutine that scrapes.
	silent    int
	speaksTLS bool
	// hash spreads targets over the interval.
	hash uint64
	// started is true once the scheduler has the target; guarded by Collector.mu.
	started bool

	// next is the time of the next turn, and lane where the target waits for it. The
	// two, due, index and gone are guarded by the scheduler's mutex, but that nextTurn sets lane
	// while nobody else has the target. quit is closed when the target is gone.
	next time.Time
	lane int
	gone bool
	// due is true while the target waits for its turn, at index of the heap.
	due   bool
	index int
	quit  chan struct{}
	// pageCost is the estimate of cost, in nanoseconds.
	pageCost atomic.Int64

	// The rest is guarded by rev.mu. asked is the URI that is asked for now, and found the
	// name of the engine whose page was read last.
	asked, found string
	// misses counts failed scrapes in a row;
	// good is the time of the last good one.
	misses int
	good   time.Time
	// took is the time of the last scrape, and extra what the size of its page adds
	// to the interval.
	took, extra time.Duration
	// planned is the interval with which the next turn was planned.
	planned time.Duration
	limit   timeLimit
	// cost is that of the engine's page, and out the allowance for readings out of turn.
	cost cost
	out  allowance
	// quiet is the time of the first of the good samples without an open request that
	// end with the last one; zero when the last one had any.
	quiet time.Time
	// trouble is why and since when scrapes fail; nil after a good one.
	trouble *trouble
	// known is the target's state as last reported.
	known bool
}

// newTarget returns a target that is not polled yet.
func newTarget(s source, r *revision, p *pod) *target {
	t := &target{source: s, rev: r, pod: p, podName: p.Name, hash: hash(p.UID, s), quit: make(chan struct{})}
	port, path, accept := r.c.o.QueueProxyPort, "/metrics", "application/protobuf"
	if s != queueProxy {
		if t.engine = r.spec.Engine; s == pickerPage {
			t.engine = PickerPage
		}
		e, _ := engines.ByName(t.engine)
		port, path = e.Endpoint(r.spec.namedPort(), r.spec.Path, r.spec.Port)
		accept = "text/plain;version=0.0.4"
	}
	u := &url.URL{Path: path}
	if parsed, err := url.ParseRequestURI(path); err == nil { // with its query, and decoded once
		u = &url.URL{Path: parsed.Path, RawPath: parsed.RawPath, RawQuery: parsed.RawQuery}
	}
	// Pages are asked for uncompressed: unpacking one took up to 40 % of the adapter's
	// CPU, and a Python engine compresses on the loop that streams its tokens.
	header := "User-Agent: " + userAgent + "\r\nAccept: " + accept + "\r\nAccept-Encoding: identity\r\n"
	uri := u.RequestURI()
	if !strings.HasPrefix(uri, "/") {
		uri = "/" + uri
	}
	t.uri, t.asked, t.port, t.address = uri, uri, port, net.JoinHostPort(p.IP, strconv.Itoa(port))
	dial := r.c.o.Dial
	if s == enginePage {
		t.secret = r.spec.Token
	}
	if t.scheme = "http"; s == enginePage && r.spec.TLS {
		t.scheme, dial = "https", overTLS(dial)
	}
	t.connection = httpget.New(dial, t.address, uri, header)
	return t
}

// offset is where in the interval a target is scraped: the same on every
// replica and after every restart, and spread evenly over pods.
func offset(uid string, s source, interval time.Duration) time.Duration {
	return time.Duration(hash(uid, s) % uint64(interval))
}

func hash(uid string, s source) uint64 {
	h := fnv.New64a()
	h.Write([]byte(uid))
	h.Write([]byte{byte(s)})
	return mix(h.Sum64())
}

// mix spreads FNV's low bits, which differ little between similar UIDs.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}

// fresh reports whether the target's last sample may still be used.
func (t *target) fresh(now time.Time) bool {
	if t == nil || t.good.IsZero() || t.misses >= t.rev.c.o.StaleAfter {
		return false
	}
	return now.Sub(t.good) <= t.patience()
}

// patience is how long a target may take to give a good sample. A replica that begins to
// lead keeps what it read as a standby until the next reading, and the samples of a picker
// that is read fast stay known for as long as those of others.
func (t *target) patience() time.Duration {
	o := &t.rev.c.o
	interval := max(t.planned, t.interval(), t.rev.c.interval(t.source))
	return time.Duration(o.StaleAfter)*(interval+t.extra) + t.limit.grace(o)
}

// confirmAfter is when a sudden burst is read a second time.
const confirmAfter = 50 * time.Millisecond
