package collector

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/httpget"
)

const (
	// probeEvery is how many responses without a byte there are for each probe for TLS.
	probeEvery = 16
	// maxRefusal is how many bytes of the body of a status 400 are read.
	maxRefusal = 512
)

var errNeedsTLS = failure{cause: "network", kind: "tls", err: errors.New("the port speaks https and not plain http")}

// overTLS dials and makes a handshake. The certificate is not verified: pods have no
// names, and what they send is believed no more for it.
func overTLS(dial httpget.Dial) httpget.Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		//nolint:gosec see above
		secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
		err = secure.HandshakeContext(ctx)
		if err == nil {
			return secure, nil
		}
		_ = conn.Close()
		var plain tls.RecordHeaderError
		if errors.As(err, &plain) {
			return nil, errSpeaksPlain
		}
		return nil, fmt.Errorf("handshake of TLS: %w", err)
	}
}

var errSpeaksPlain = failure{cause: "network", kind: "plain", err: errors.New("the port speaks plain http and not https")}

// recogniseTLS returns the failure of a port that speaks only https where err is one of
// those that plain HTTP gets there, otherwise err. A server that says nothing at all is
// probed by a handshake, in which no certificate is checked and no secret is sent.
func (c *Collector) recogniseTLS(within turn, t *target, err error) error {
	switch {
	case errors.Is(err, httpget.ErrTLS):
		return errNeedsTLS
	case t.source == queueProxy || !errors.Is(err, httpget.ErrNoResponse):
		return err
	}
	if t.silent%probeEvery == 0 {
		t.speaksTLS = c.speaksTLS(within, t.address)
	}
	t.silent++
	if t.speaksTLS {
		return errNeedsTLS
	}
	return err
}

// speaksTLS reports whether a handshake succeeds at the address.
func (c *Collector) speaksTLS(within turn, address string) bool {
	ctx, cancel := context.WithDeadline(context.Background(), within.deadline)
	defer cancel()
	conn, err := overTLS(c.o.Dial)(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// wantsTLS reports whether a response is that of a server that was asked for a page in
// plain HTTP on a port of https, as those of Go and nginx answer.
func wantsTLS(r *httpget.Response) bool {
	if r.Status != http.StatusBadRequest {
		return false
	}
	text, _ := io.ReadAll(io.LimitReader(r, maxRefusal)) // what came of it is enough
	text = bytes.ToLower(text)
	return bytes.Contains(text, []byte("https")) || bytes.Contains(text, []byte("tls")) || bytes.Contains(text, []byte("ssl"))
}
