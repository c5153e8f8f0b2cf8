package httpget

import (
	"bytes"
	"io"
	"net"
	"strconv"
)

const (
	// bufferSize is the room for what was received and not read; the longest line, too.
	bufferSize = 4 << 10
	// maxHead bounds the lines of all heads of one response, in bytes.
	maxHead = 64 << 10
	// maxInterim bounds the responses 1xx before the one that counts.
	maxInterim = 8
)

// Response is what a server answered: the parts of the head that scrapes need, and as
// a Reader the body. It has a buffer of 4 KiB and is meant to be used again and again;
// the zero value is ready for Get. It is not safe for concurrent use.
type Response struct {
	// Status is the code of three digits.
	Status int
	// ContentType, ContentEncoding and Location are headers as they were sent, the
	// first of several; empty without one.
	ContentType, ContentEncoding, Location string
	// Length is that of the body in bytes as it is sent, -1 when the server did not say.
	Length int64

	conn net.Conn
	buf  [bufferSize]byte
	// buf[at:end] was received and not read yet.
	at, end int
	// received is true once a byte came.
	received bool
	// head is the number of bytes in the lines of the head so far.
	head  int
	close bool
	body  body
}

// begin makes the response ready for a new one from conn.
func (r *Response) begin(conn net.Conn) {
	r.conn, r.at, r.end, r.received, r.head = conn, 0, 0, false, 0
	r.reset()
}

// reset forgets the head. The headers that are strings stay, for readHeader to find
// them unchanged, which spares an allocation per response.
func (r *Response) reset() { r.Status, r.close, r.body = 0, false, body{} }

// silent reports whether no byte of the response came.
func (r *Response) silent() bool { return !r.received }

// IsWhole reports whether the body was read to an end that the server itself marked. One that
// ends with the connection may be cut off.
func (r *Response) IsWhole() bool { return r.body.ended && r.body.kind != untilClose }

// isTLS reports whether what was received begins as an alert or a handshake of TLS 1 does.
func (r *Response) isTLS() bool {
	const alert, handshake, version = 0x15, 0x16, 0x03
	return r.received && (r.buf[0] == alert || r.buf[0] == handshake) && r.buf[1] == version
}

// reusable reports whether the connection is ready for the next request.
func (r *Response) reusable() bool {
	return r.body.kind != untilClose && r.body.ended && !r.close && r.at == r.end
}

// fill receives more into the buffer. The buffer has room: what a line needs was
// moved to its front.
func (r *Response) fill() error {
	n, err := r.conn.Read(r.buf[r.end:])
	if r.end += n; n > 0 {
		r.received = true
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// line returns the next line without its end, valid until the next read. strict
// demands "\r\n" at the end and no other "\r", as net/http does of the lines between
// chunks; else "\n" will do as well.
func (r *Response) line(strict bool) ([]byte, error) {
	for searched := 0; ; {
		if n := bytes.IndexByte(r.buf[r.at+searched:r.end], '\n'); n >= 0 {
			line := r.buf[r.at : r.at+searched+n]
			r.at += searched + n + 1
			cut, ok := bytes.CutSuffix(line, []byte{'\r'})
			if strict && (!ok || bytes.IndexByte(cut, '\r') >= 0) {
				return nil, malformed("a line of a chunk does not end with its only carriage return")
			}
			return cut, nil
		}
		searched = r.end - r.at
		if r.at > 0 {
			copy(r.buf[:], r.buf[r.at:r.end])
			r.at, r.end = 0, searched
		}
		if r.end == len(r.buf) {
			return nil, malformed("a line is longer than %d bytes", len(r.buf))
		}
		if err := r.fill(); err != nil {
			return nil, unexpectedEOF(err)
		}
	}
}

// headLine is line within the limit of the head.
func (r *Response) headLine() ([]byte, error) {
	line, err := r.line(false)
	if r.head += len(line) + 2; err == nil && r.head > maxHead {
		err = malformed("the header has more than %d bytes", maxHead)
	}
	return line, err
}

// readHead reads up to the body, past interim responses.
func (r *Response) readHead() error {
	for range maxInterim + 1 {
		r.reset()
		proto, err := r.readStatus()
		if err != nil && r.isTLS() {
			return ErrTLS
		}
		if err != nil {
			return err
		}
		f := framing{old: proto == "HTTP/1.0"}
		if err := r.readHeaders(&f); err != nil {
			return err
		}
		if r.Status >= 200 || r.Status == 101 {
			return r.frame(f)
		}
	}
	return malformed("more than %d interim responses", maxInterim)
}

// readStatus reads "HTTP/1.1 200 OK".
func (r *Response) readStatus() (proto string, err error) {
	line, err := r.headLine()
	if err != nil {
		return "", err
	}
	version, rest, _ := bytes.Cut(line, []byte{' '})
	switch string(version) {
	case "HTTP/1.1":
		proto = "HTTP/1.1"
	case "HTTP/1.0":
		proto = "HTTP/1.0"
	default:
		return "", notHTTP(line)
	}
	code, _, _ := bytes.Cut(rest, []byte{' '})
	if len(code) != 3 || !isDigits(code) || code[0] == '0' {
		return "", malformed("the status is %.20q", code)
	}
	r.Status = 100*int(code[0]-'0') + 10*int(code[1]-'0') + int(code[2]-'0')
	return proto, nil
}

// framing is what the headers say of the length of the body.
type framing struct {
	// old is HTTP/1.0, whose connections are kept only when the server says so.
	old, keepAlive bool
	chunked        bool
	hasLength      bool
	length         int64
}

func (r *Response) readHeaders(f *framing) error {
	var kind, encoding, location bool
	defer func() { // what this response does not have is not that of the last one
		clearUnless(kind, &r.ContentType)
		clearUnless(encoding, &r.ContentEncoding)
		clearUnless(location, &r.Location)
	}()
	for {
		line, err := r.headLine()
		if err != nil || len(line) == 0 {
			return err
		}
		name, value, err := cutHeader(line)
		if err != nil {
			return err
		}
		switch {
		case isName(name, "content-type"):
			setFirst(&r.ContentType, &kind, value)
		case isName(name, "content-encoding"):
			setFirst(&r.ContentEncoding, &encoding, value)
		case isName(name, "location"):
			setFirst(&r.Location, &location, value)
		case isName(name, "content-length"):
			err = f.setLength(value)
		case isName(name, "transfer-encoding"):
			err = f.setEncoding(value)
		case isName(name, "connection"):
			r.readConnection(f, value)
		}
		if err != nil {
			return err
		}
	}
}

func clearUnless(has bool, s *string) {
	if !has {
		*s = ""
	}
}

// setFirst stores the first value of a header, and allocates only for a new one.
func setFirst(to *string, has *bool, value []byte) {
	if !*has && *to != string(value) {
		*to = string(value)
	}
	*has = true
}

// cutHeader cuts "Name: value".
func cutHeader(line []byte) (name, value []byte, err error) {
	name, value, ok := bytes.Cut(line, []byte{':'})
	if !ok || len(name) == 0 {
		return nil, nil, malformed("a header is %.40q", line)
	}
	for _, c := range name {
		if !isToken(c) {
			return nil, nil, malformed("a header's name is %.40q", name)
		}
	}
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return nil, nil, malformed("a header has the control character %#x", c)
		}
	}
	return name, bytes.Trim(value, " \t"), nil
}

func isToken(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0
}

// isName compares a name with one in small letters.
func isName(name []byte, small string) bool {
	if len(name) != len(small) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != small[i] {
			return false
		}
	}
	return true
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

func (f *framing) setLength(value []byte) error {
	n, err := strconv.ParseInt(string(value), 10, 63)
	if err != nil || !isDigits(value) {
		return malformed("Content-Length is %.40q", value)
	}
	if f.hasLength && f.length != n {
		return malformed("there are two values of Content-Length")
	}
	f.hasLength, f.length = true, n
	return nil
}

func (f *framing) setEncoding(value []byte) error {
	if f.chunked || f.old || !isName(value, "chunked") {
		return malformed("Transfer-Encoding is %.40q", value)
	}
	f.chunked = true
	return nil
}

// readConnection reads the options of a Connection header.
func (r *Response) readConnection(f *framing, value []byte) {
	for option := range bytes.SplitSeq(value, []byte{','}) {
		option = bytes.Trim(option, " \t")
		r.close = r.close || isName(option, "close")
		f.keepAlive = f.keepAlive || isName(option, "keep-alive")
	}
}

// frame begins the body.
func (r *Response) frame(f framing) error {
	r.Length = -1
	if f.hasLength {
		r.Length = f.length
	}
	r.close = r.close || f.old && !f.keepAlive || r.Status == 101
	switch {
	case f.chunked && f.hasLength:
		return malformed("it has both Content-Length and Transfer-Encoding")
	case r.Status == 101 || r.Status == 204 || r.Status == 304:
		r.body = body{ended: true}
	case f.chunked:
		r.body = body{kind: chunked}
	case f.hasLength:
		r.body = body{left: f.length, ended: f.length == 0}
	default:
		r.body = body{kind: untilClose}
	}
	return nil
}
