package httpget

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// The responses of the table are read as net/http reads them, in pieces of any size.
func TestGet_asNetHTTP(t *testing.T) {
	tests := []struct{ name, raw string }{
		{"length", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: 5\r\n\r\nhello"},
		{"names in any letters, values trimmed", "HTTP/1.1 200 OK\r\ncontent-TYPE:\t text/plain \r\nCONTENT-length:5\r\n\r\nhello"},
		{"no reason", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello"},
		{"lines that end with a line feed only", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"},
		{"no body", "HTTP/1.1 204 No Content\r\n\r\n"},
		{"a length of 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
		{"the same length twice", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
		{"until the server closes", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello"},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{"HTTP/1.0 kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"},
		{"closing", "HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 5\r\n\r\nhello"},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"},
		{"chunks with an extension and trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nhel\r\n00002 \r\nlo\r\n0\r\nX: y\r\nZ: 1\r\n\r\n"},
		{"a large chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2710\r\n" + strings.Repeat("0123456789", 1000) + "\r\n0\r\n\r\n"},
		{"many chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("40\r\n"+strings.Repeat("x", 64)+"\r\n", 500) + "0\r\n\r\n"},
		{"a large body", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("0123456789", 10000)},
		{"interim responses", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Type: a/b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{"redirect", "HTTP/1.1 302 Found\r\nLocation: https://elsewhere/metrics\r\nContent-Length: 0\r\n\r\n"},
		{"compressed", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"},
		{"the first of two types", "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 5\r\n\r\nhello"},
		{"not found", "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!"},
		{"bytes after the end", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, step := range []int{1, 7, 4096, 1 << 20} {
				got, _, err := ours([]byte(tt.raw), step)
				want, werr := theirs(t, []byte(tt.raw), step)
				if err != nil || werr != nil || got != want {
					t.Errorf("in pieces of %d bytes: %+v, %v; net/http says %+v, %v", step, got, err, want, werr)
				}
			}
		})
	}
}

func TestGet_keepsConnection(t *testing.T) {
	tests := []struct {
		name, raw string
		want      bool
	}{
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true},
		{"no body", "HTTP/1.1 204 No Content\r\n\r\n", true},
		{"until the server closes", "HTTP/1.1 200 OK\r\n\r\nhello", false},
		{"closing", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", false},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false},
		{"HTTP/1.0 kept", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello", true},
		{"bytes after the end", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!", false},
		{"another protocol", "HTTP/1.1 101 Switching Protocols\r\n\r\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, got, err := ours([]byte(tt.raw), 1<<20); err != nil || got != tt.want {
				t.Errorf("reusable = %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestGet_refused(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name, raw string
		want      error
	}{
		{"nothing", "", io.ErrUnexpectedEOF},
		{"a cut head", "HTTP/1.1 200 OK\r\nContent-Type: text", io.ErrUnexpectedEOF},
		{"a cut body", ok + "Content-Length: 10\r\n\r\nhello", io.ErrUnexpectedEOF},
		{"a cut chunk", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", io.ErrUnexpectedEOF},
		{"no last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", io.ErrUnexpectedEOF},
		{"another protocol", "SSH-2.0-OpenSSH\r\n\r\n", ErrMalformed},
		{"TLS", "\x15\x03\x01\x00\x02\x02\x16\n", ErrMalformed},
		{"HTTP/2", "HTTP/2 200 OK\r\n\r\n", ErrMalformed},
		{"a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", ErrMalformed},
		{"a negative status", "HTTP/1.1 -20 OK\r\n\r\n", ErrMalformed},
		{"a line without a colon", ok + "Content\r\n\r\n", ErrMalformed},
		{"a folded line", ok + "A: b\r\n c\r\n\r\n", ErrMalformed},
		{"a blank in a name", ok + "Content-Length : 5\r\n\r\nhello", ErrMalformed},
		{"a control character", ok + "A: b\x00\r\n\r\n", ErrMalformed},
		{"a negative length", ok + "Content-Length: -1\r\n\r\n", ErrMalformed},
		{"a length with a sign", ok + "Content-Length: +5\r\n\r\nhello", ErrMalformed},
		{"a length beyond 63 bits", ok + "Content-Length: 99999999999999999999\r\n\r\n", ErrMalformed},
		{"two lengths", ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", ErrMalformed},
		{"a length and chunks", ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ErrMalformed},
		{"another transfer encoding", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n", ErrMalformed},
		{"a chunk without a size", ok + "Transfer-Encoding: chunked\r\n\r\n\r\n", ErrMalformed},
		{"a chunk with a negative size", ok + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", ErrMalformed},
		{"a chunk with a size beyond 60 bits", ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", ErrMalformed},
		{"a chunk that is longer than it says", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n0\r\n\r\n", ErrMalformed},
		{"a chunk's line without a carriage return", ok + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", ErrMalformed},
		{"more sizes than data", ok + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;"+strings.Repeat("x", 100)+"\r\ny\r\n", 1000) + "0\r\n\r\n", ErrMalformed},
		{"endless trailers", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("A: b\r\n", 10000), ErrMalformed},
		{"a long line", ok + "A: " + strings.Repeat("x", bufferSize) + "\r\n\r\n", ErrMalformed},
		{"an endless head", ok + strings.Repeat("A: "+strings.Repeat("x", 1000)+"\r\n", 100), ErrMalformed},
		{"endless interim responses", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100), ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, step := range []int{1, 1 << 20} {
				if a, _, err := ours([]byte(tt.raw), step); !errors.Is(err, tt.want) {
					t.Errorf("in pieces of %d bytes: %.200v, %v; want %v", step, a, err, tt.want)
				}
			}
		})
	}
}

// The head of a response says nothing of the one before.
func TestResponse_forgets(t *testing.T) {
	var r Response
	for _, tt := range []struct{ raw, kind, encoding string }{
		{"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", "a/b", "gzip"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", ""},
		{"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nbroken\r\n", "a/b", ""},
	} {
		s := newScript([]byte(tt.raw), 1000)
		_, _ = s.Write(nil)
		r.begin(s)
		_ = r.readHead() // the last one is malformed
		if r.ContentType != tt.kind || r.ContentEncoding != tt.encoding {
			t.Errorf("%q: type %q, encoding %q", tt.raw, r.ContentType, r.ContentEncoding)
		}
	}
}

// The answer of a TLS server to plain HTTP is distinguished from garbage.
func TestGet_aServerOfTLS(t *testing.T) {
	for raw, want := range map[string]error{
		"\x15\x03\x01\x00\x02\x02\x46": ErrTLS, // OpenSSL's alert "http_request"
		"\x15\x03\x03\x00\x02\x02\x0a": ErrTLS,
		"\x16\x03\x03\n":               ErrTLS,
		"":                             ErrNoResponse,
		"\x15":                         io.ErrUnexpectedEOF,
		"\x15\x04\n":                   ErrMalformed,
		"SSH-2.0-OpenSSH_9.9\r\n":      ErrMalformed,
		"HTTP/1.0 400 Bad Request\r\n\r\nuse HTTPS": nil,
	} {
		for _, step := range []int{1, 4096} {
			if _, _, err := ours([]byte(raw), step); !errors.Is(err, want) {
				t.Errorf("%q in pieces of %d bytes: %v, want %v", raw, step, err, want)
			}
		}
	}
}
