package annotations

import (
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
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

// Port is a port of TCP on which an engine serves its metrics endpoint.
type Port struct{}

// Parse reads a port from 1 to 65535 that is none of the queue-proxy's.
func (Port) Parse(v string) (int32, error) {
	port, err := AnyPort(v)
	if err != nil {
		return 0, err
	}
	if what, ok := queueProxyPorts[port]; ok {
		return 0, fmt.Errorf("\"%d\" is %s of Knative's queue-proxy; set the port on which the engine itself serves its metrics", port, what)
	}
	return port, nil
}

// AnyPort reads a port of the metrics endpoint of a pod that may be without a queue-proxy.
func AnyPort(v string) (int32, error) {
	port, err := Whole{1, math.MaxUint16}.Parse(v)
	if err != nil {
		return 0, fmt.Errorf("%w: set the port on which the engine serves its metrics, such as \"8000\"", err)
	}
	return port, nil
}

// Doc names the ports that are refused.
func (Port) Doc() string {
	var ports []string
	for _, port := range slices.Sorted(maps.Keys(queueProxyPorts)) {
		ports = append(ports, fmt.Sprint(port))
	}
	return fmt.Sprintf("1 to %d, except the queue-proxy's ports (%s)", math.MaxUint16, strings.Join(ports, ", "))
}

// Path is the path of an engine's metrics endpoint, which may have a query.
type Path struct{}

// Doc is the form.
func (Path) Doc() string {
	return "begins with `/`, with a query where the engine needs one (`/metrics?model=qwen`)"
}

// Parse checks a path with an optional query, such as "/metrics?model=qwen".
func (Path) Parse(v string) (string, error) {
	u, err := url.ParseRequestURI(v)
	switch {
	case !strings.HasPrefix(v, "/") || strings.HasPrefix(v, "//"):
		return "", fmt.Errorf("%q must begin with a single \"/\", such as \"/metrics\"", v)
	case strings.ContainsAny(v, "# \t\r\n"):
		return "", fmt.Errorf("%q must not contain blanks or \"#\"; percent-encode them", v)
	case err != nil:
		return "", fmt.Errorf("%q is not a path with an optional query, such as \"/metrics?model=qwen\"", v)
	case u.Path == "" || u.Host != "":
		return "", fmt.Errorf("%q has no path, such as \"/metrics\"", v)
	}
	return v, nil
}
