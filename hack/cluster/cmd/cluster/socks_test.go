package main

import (
	"bytes"
	"io"
	"testing"
)

// pipe is a connection whose other side is already written.
type pipe struct {
	io.Reader
	io.Writer
}

func TestSocksHandshake(t *testing.T) {
	greeting := []byte{5, 1, 0}
	for name, c := range map[string]struct {
		request []byte
		want    string
	}{
		"name":    {append([]byte{5, 1, 0, 3, 7}, "a.b.svc\x22\xb8"...), "a.b.svc:8888"},
		"IPv4":    {[]byte{5, 1, 0, 1, 10, 96, 0, 80, 0, 80}, "10.96.0.80:80"},
		"IPv6":    {[]byte{5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80}, "[::1]:80"},
		"bind":    {[]byte{5, 2, 0, 1, 10, 96, 0, 80, 0, 80}, ""},
		"type":    {[]byte{5, 1, 0, 9, 10, 96, 0, 80, 0, 80}, ""},
		"cut off": {[]byte{5, 1, 0, 3, 200, 'a'}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			got, err := socksHandshake(pipe{io.MultiReader(bytes.NewReader(greeting), bytes.NewReader(c.request)), &out})
			if got != c.want || (err != nil) != (c.want == "") {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
			if !bytes.Equal(out.Bytes(), []byte{5, 0}) {
				t.Errorf("greeting answered by %v", out.Bytes())
			}
		})
	}
	if _, err := socksHandshake(pipe{bytes.NewReader([]byte{4, 1, 0}), io.Discard}); err == nil {
		t.Error("SOCKS4 is accepted")
	}
}

func FuzzSocksHandshake(f *testing.F) {
	f.Add([]byte{5, 1, 0, 5, 1, 0, 1, 1, 2, 3, 4, 0, 80})
	f.Fuzz(func(t *testing.T, b []byte) {
		addr, err := socksHandshake(pipe{bytes.NewReader(b), io.Discard})
		if (err == nil) != (addr != "") {
			t.Errorf("got %q, %v", addr, err)
		}
	})
}
