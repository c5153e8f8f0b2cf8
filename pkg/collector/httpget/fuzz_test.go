package httpget

import (
	"testing"
)

// FuzzGet holds that what this package reads of any bytes is what net/http reads of
// them: it may refuse more, and never reads something else.
func FuzzGet(f *testing.F) {
	for _, raw := range []string{
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhello",
		"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 204\nContent-Encoding: gzip\n\n", "SSH-2.0\r\n", "\x16\x03\x01",
	} {
		f.Add([]byte(raw), 1)
		f.Add([]byte(raw), 4096)
	}
	f.Fuzz(func(t *testing.T, raw []byte, step int) {
		got, reusable, err := ours(raw, step)
		again, reusableAgain, errAgain := ours(raw, 1<<20)
		if (err == nil) != (errAgain == nil) || err == nil && (got != again || reusableAgain && !reusable) {
			t.Fatalf("in pieces of %d bytes %+v, %v, %v; at once %+v, %v, %v", step, got, reusable, err, again, reusableAgain, errAgain)
		}
		if err != nil {
			return
		}
		want, err := theirs(t, raw, 1<<20)
		if err != nil || got != want {
			t.Fatalf("%+v; net/http says %+v, %v", got, want, err)
		}
	})
}
