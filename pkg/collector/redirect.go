package collector

import (
	"cmp"
	"net"
	"net/url"
	"strings"
)

// maxURI is the longest URI in bytes that a redirect is followed to.
const maxURI = 1 << 10

// follow asks for the page again where a redirect stays on the pod's own address, as a
// Python server answers for /metrics that is mounted as /metrics/. It follows once. The
// new URI is asked at once from then on, until the answer is no page.
func (c *Collector) follow(within turn, t *target, s *scratch) error {
	uri, ok := samePod(s.response.Location, t.scheme+"://"+t.address+t.asked)
	if t.source == queueProxy || s.response.Status < 300 || s.response.Status >= 400 || !ok {
		return nil
	}
	t.connection.Done(&s.response)
	t.ask(uri)
	return t.connection.Get(within.deadline, &s.response)
}

// ask makes uri what is asked from now on. It is for the goroutine that scrapes the target.
func (t *target) ask(uri string) {
	t.connection.Ask(uri)
	t.rev.mu.Lock()
	t.asked = uri
	t.rev.mu.Unlock()
}

// samePod returns the URI of a redirect to the same scheme, host and port as the asked URL.
func samePod(location, asked string) (uri string, ok bool) {
	base, baseErr := url.Parse(asked)
	u, err := url.Parse(location)
	if baseErr != nil || err != nil || location == "" || len(location) > maxURI || u.Opaque != "" || u.User != nil {
		return "", false
	}
	u = base.ResolveReference(u)
	if u.Scheme != base.Scheme || hostPort(u) != hostPort(base) || !strings.HasPrefix(u.Path, "/") {
		return "", false
	}
	uri = u.RequestURI()
	return uri, !strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// hostPort is the host and port of a URL; without a port in the URL, the default port of its scheme.
func hostPort(u *url.URL) string {
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	return net.JoinHostPort(u.Hostname(), port)
}

// kindOfRedirect is a redirect that is not followed: one of the pod to https has a cure of its own.
func (t *target) kindOfRedirect(location string) string {
	host, _, _ := net.SplitHostPort(t.address)
	u, err := url.Parse(location)
	if err == nil && u.Hostname() == host && u.Scheme == "https" && t.scheme == "http" {
		return "redirect_tls"
	}
	return "redirect"
}
