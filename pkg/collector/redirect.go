package collector

import (
	"net/url"
	"strings"
)

// maxURI is the longest URI in bytes that a redirect is followed to.
const maxURI = 1 << 10

// follow asks for the page again where a redirect stays on the pod's own address, as a
// Python server answers for /metrics that is mounted as /metrics/. It follows once. The
// new URI is asked at once from then on, until the answer is no page.
func (c *Collector) follow(within turn, t *target, s *scratch) error {
	uri, ok := samePod(s.response.Location, t.scheme, t.address)
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

// samePod returns the URI of a redirect to the same scheme, host and port.
func samePod(location, scheme, address string) (uri string, ok bool) {
	u, err := url.Parse(location)
	if err != nil || u.Opaque != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") || len(location) > maxURI {
		return "", false
	}
	if relative := u.Scheme == "" && u.Host == ""; !relative && (u.Scheme != scheme || u.Host != address) {
		return "", false
	}
	uri = u.RequestURI()
	return uri, !strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
