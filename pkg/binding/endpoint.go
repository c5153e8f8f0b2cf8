package binding

import (
	"fmt"
	"math"
	"net/url"
	"strings"
)

// queueProxyPorts are the ports of Knative's queue-proxy in every pod
// (knative.dev/serving/pkg/networking and knative.dev/pkg/profiling), with what
// each serves. None of them serves an inference engine's metrics.
var queueProxyPorts = map[int32]string{
	8008: "the profiling port",
	8012: "the HTTP port, where a scrape would count as traffic,",
	8013: "the HTTP/2 port, where a scrape would count as traffic,",
	8022: "the admin port",
	8112: "the HTTPS port, where a scrape would count as traffic,",
	9090: "the autoscaling metrics port",
	9091: "the request metrics port",
}

// MetricsPort reads the port of the engine's metrics endpoint, 1 to 65535. The
// error names the value and the fix.
func MetricsPort(v string) (int32, error) {
	var port int32
	if err := number(&port, v, 1, math.MaxUint16); err != nil {
		return 0, fmt.Errorf("%w: set the port on which the engine serves its metrics, such as \"8000\"", err)
	}
	if what, ok := queueProxyPorts[port]; ok {
		return 0, fmt.Errorf("\"%d\" is %s of Knative's queue-proxy; set the port on which the engine itself serves its metrics", port, what)
	}
	return port, nil
}

// MetricsPath checks the path of the engine's metrics endpoint, which may have
// a query, such as "/metrics?model=qwen". The error names the value and the fix.
func MetricsPath(v string) error {
	u, err := url.ParseRequestURI(v)
	switch {
	case !strings.HasPrefix(v, "/") || strings.HasPrefix(v, "//"):
		return fmt.Errorf("%q must begin with a single \"/\", such as \"/metrics\"", v)
	case strings.ContainsAny(v, "# \t\r\n"):
		return fmt.Errorf("%q must not contain blanks or \"#\"; percent-encode them", v)
	case err != nil:
		return fmt.Errorf("%q is not a path with an optional query, such as \"/metrics?model=qwen\"", v)
	case u.Path == "" || u.Host != "":
		return fmt.Errorf("%q has no path, such as \"/metrics\"", v)
	}
	return nil
}
