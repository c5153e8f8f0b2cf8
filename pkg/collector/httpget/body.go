package httpget

import (
	"io"
	"strconv"
)

// framingKind is how the end of a body is marked.
type framingKind int

const (
	fixedLength framingKind = iota
	chunked
	untilClose
)

// body is where in the body of a response the reader is.
type body struct {
	kind framingKind
	// left is what is left of the body, or of the chunk, in bytes.
	left int64
	// inChunk is true between a chunk's size and the end of its line.
	inChunk bool
	ended   bool
	// trouble is the error that ended the reading.
	trouble error
	// overhead is the number of bytes in the sizes of chunks so far, less what data paid for.
	overhead int64
}

// maxOverhead bounds the bytes of chunk sizes, their extensions and trailers beyond
// one for each byte of data: a server that sends a byte in a chunk each costs no more.
const maxOverhead = 16 << 10

// Read reads the body, and returns io.EOF with or after its last bytes. A body that
// ends before its announced end is io.ErrUnexpectedEOF. What is larger than the buffer
// is received into p directly.
func (r *Response) Read(p []byte) (n int, err error) {
	b := &r.body
	switch {
	case b.trouble != nil:
		return 0, b.trouble
	case b.ended:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	case b.kind == chunked:
		n, err = r.readChunked(p)
	case b.kind == untilClose:
		if n, err = r.receive(p); err == io.EOF { //nolint:errorlint the connection's own, as it is
			b.ended = true
			return n, io.EOF
		}
	default:
		n, err = r.readLeft(p)
		b.ended = err == nil && b.left == 0
	}
	if err != nil {
		b.trouble = err
		return n, err
	}
	if b.ended {
		return n, io.EOF
	}
	return n, nil
}

// readLeft reads of the bytes that are left of a length.
func (r *Response) readLeft(p []byte) (int, error) {
	b := &r.body
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := r.receive(p)
	b.left -= int64(n)
	if n > 0 {
		return n, nil
	}
	return 0, unexpectedEOF(err)
}

// receive reads what the buffer has, else from the connection.
func (r *Response) receive(p []byte) (int, error) {
	if r.at == r.end && len(p) < len(r.buf) {
		r.at, r.end = 0, 0
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	if r.at < r.end {
		n := copy(p, r.buf[r.at:r.end])
		r.at += n
		return n, nil
	}
	n, err := r.conn.Read(p)
	if n > 0 {
		return n, nil // an error comes again with the next read
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return 0, err
}

// readChunked reads of the present chunk, the first bytes of the next one included.
func (r *Response) readChunked(p []byte) (int, error) {
	b := &r.body
	if b.left == 0 {
		if err := r.nextChunk(); err != nil || b.ended {
			return 0, err
		}
	}
	n, err := r.readLeft(p)
	b.overhead -= min(b.overhead, int64(n))
	if err == nil && b.left == 0 && r.at < r.end {
		err = r.peekChunk()
	}
	return n, err
}

// peekChunk goes on to the next chunk when its size was received already, so that the
// end of a body is reported with its last bytes.
func (r *Response) peekChunk() error {
	const last = "\r\n0\r\n\r\n"
	if string(r.buf[r.at:min(r.end, r.at+len(last))]) != last {
		return nil
	}
	return r.nextChunk()
}

// nextChunk reads the size of the next chunk, and after the last one the trailers.
func (r *Response) nextChunk() error {
	b := &r.body
	if b.inChunk {
		if line, err := r.line(true); err != nil || len(line) > 0 {
			return orMalformed(err, "a chunk is longer than its size")
		}
	}
	line, err := r.line(true)
	if err != nil {
		return err
	}
	if b.overhead += int64(len(line)) + 4; b.overhead > maxOverhead {
		return malformed("its chunks have more sizes than data")
	}
	if b.left, err = chunkSize(line); err != nil {
		return err
	}
	if b.inChunk = true; b.left > 0 {
		return nil
	}
	for n := 0; ; n += len(line) + 2 {
		line, err = r.line(true)
		switch {
		case err != nil:
			return err
		case len(line) == 0:
			b.ended = true
			return nil
		case n+len(line) > maxOverhead:
			return malformed("its trailers have more than %d bytes", maxOverhead)
		}
		if _, _, err := cutHeader(line); err != nil {
			return err
		}
	}
}

func orMalformed(err error, text string) error {
	if err != nil {
		return err
	}
	return malformed("%s", text)
}

// chunkSize reads a size in hexadecimal; extensions are passed over.
func chunkSize(line []byte) (int64, error) {
	digits := 0
	for digits < len(line) && isHex(line[digits]) {
		digits++
	}
	rest := line[digits:]
	for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
		rest = rest[1:]
	}
	if digits == 0 || digits > 15 || len(rest) > 0 && rest[0] != ';' {
		return 0, malformed("the size of a chunk is %.40q", line)
	}
	return strconv.ParseInt(string(line[:digits]), 16, 64)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
