package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// client talks to the API server with the admin certificate.
type client struct {
	base string
	http *http.Client
}

func readPair(p paths, name string) (crt, key string, err error) {
	c, err := os.ReadFile(p.pki(name + ".crt"))
	if err != nil {
		return "", "", err
	}
	k, err := os.ReadFile(p.pki(name + ".key"))
	return string(c), string(k), err
}

func newClient(p paths, port int) (*client, error) {
	crt, key, err := readPair(p, "admin")
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair([]byte(crt), []byte(key))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(p.pki("ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool}}
	return &client{fmt.Sprintf("https://127.0.0.1:%d", port), &http.Client{Transport: transport, Timeout: 10 * time.Second}}, nil
}

// do sends one request; a status of 300 or more is an error with the answer's text.
func (c *client) do(ctx context.Context, method, path, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %.300s", method, path, res.Status, b)
	}
	return b, err
}

func (c *client) get(ctx context.Context, path string, into any) error {
	b, err := c.do(ctx, http.MethodGet, path, "")
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// poll calls f every 100 ms until it returns nil. After the deadline it returns f's last error;
// when the start was given up for a reason, that reason.
func poll(ctx context.Context, what string, f func() error) error {
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			if cause := context.Cause(ctx); cause != context.DeadlineExceeded {
				return cause
			}
			return fmt.Errorf("gave up on %s: %w", what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// object is the part of any API object the waits look at.
type object struct {
	Metadata struct{ Name, Namespace string }
	Status   struct {
		Conditions []struct{ Type, Status string }
	}
}

func (o object) is(condition string) bool {
	for _, c := range o.Status.Conditions {
		if c.Type == condition {
			return c.Status == "True"
		}
	}
	return false
}

type list struct{ Items []object }
