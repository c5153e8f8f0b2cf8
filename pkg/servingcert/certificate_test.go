package servingcert

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"
)

const testHost = "autoscaler-adapter.knative-inference.svc"

func day(n int) time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

func mustIssue(t *testing.T, oldBundle []byte, now time.Time) certificate {
	t.Helper()
	c, err := issue(testHost, oldBundle, now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestIssue_is_read_back(t *testing.T) {
	c := mustIssue(t, nil, day(0))
	got, err := read(testHost, c.data(), day(0))
	if err != nil {
		t.Fatal(err)
	}
	if !got.notAfter.Equal(c.notAfter) || !got.notBefore.Equal(c.notBefore) {
		t.Errorf("life = %v to %v, want %v to %v", got.notBefore, got.notAfter, c.notBefore, c.notAfter)
	}
}

// A clock up to an hour behind ours must trust the certificate at once.
func TestIssue_allows_for_clock_skew(t *testing.T) {
	c := mustIssue(t, nil, day(0))
	if _, err := read(testHost, c.data(), day(0).Add(-59*time.Minute)); err != nil {
		t.Errorf("59 min before: %v", err)
	}
}

func TestDue(t *testing.T) {
	c := mustIssue(t, nil, day(0))
	for _, tt := range []struct {
		day  int
		want bool
	}{{0, false}, {200, false}, {243, false}, {244, true}, {365, true}, {1000, true}} {
		if got := c.due(day(tt.day)); got != tt.want {
			t.Errorf("day %d: due = %v, want %v", tt.day, got, tt.want)
		}
	}
}

// The bundle grows by one CA at each renewal and sheds those that have ended.
func TestIssue_keeps_the_CAs_still_valid(t *testing.T) {
	var bundle []byte
	for i, want := range []int{1, 2, 2, 2} {
		c := mustIssue(t, bundle, day(244*i))
		if got := len(certificates(t, c.bundle)); got != want {
			t.Errorf("renewal %d: %d CAs, want %d", i, got, want)
		}
		if bundle != nil && !bytes.Contains(c.bundle, firstBlock(bundle)) {
			t.Errorf("renewal %d: the CA before is not in the bundle", i)
		}
		bundle = c.bundle
	}
}

func TestIssue_cannot_be_a_CA(t *testing.T) {
	leaf := certificates(t, mustIssue(t, nil, day(0)).cert)[0]
	if leaf.IsCA || leaf.KeyUsage&x509.KeyUsageCertSign != 0 {
		t.Error("the serving certificate can sign")
	}
}

func TestRead_refuses(t *testing.T) {
	c, other := mustIssue(t, nil, day(0)), mustIssue(t, nil, day(0))
	for _, tt := range []struct {
		name string
		host string
		data map[string][]byte
		day  int
		want string
	}{
		{name: "nothing", host: testHost, want: "empty"},
		{name: "garbage", host: testHost, data: certificate{cert: []byte("x"), key: []byte("y"), bundle: []byte("z")}.data(), want: "does not load"},
		{name: "no key", host: testHost, data: certificate{cert: c.cert, bundle: c.bundle}.data(), want: "does not load"},
		{name: "another key", host: testHost, data: certificate{cert: c.cert, key: other.key, bundle: c.bundle}.data(), want: "does not load"},
		{name: "no CA", host: testHost, data: certificate{cert: c.cert, key: c.key}.data(), want: "holds no certificate"},
		{name: "another CA", host: testHost, data: certificate{cert: c.cert, key: c.key, bundle: other.bundle}.data(), want: "unknown authority"},
		{name: "another host", host: "elsewhere.svc", data: c.data(), want: "elsewhere.svc"},
		{name: "ended", host: testHost, data: c.data(), day: 366, want: "expired"},
		{name: "not begun", host: testHost, data: c.data(), day: -1, want: "not yet valid"},
	} {
		if _, err := read(tt.host, tt.data, day(tt.day)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func certificates(t *testing.T, bundle []byte) (all []*x509.Certificate) {
	t.Helper()
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func firstBlock(bundle []byte) []byte {
	block, _ := pem.Decode(bundle)
	return pem.EncodeToMemory(block)
}
