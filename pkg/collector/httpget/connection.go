// Package httpget asks one URL again and again over one connection that it keeps,
// by HTTP/1.1 in plain text. It exists for the scrapes of the collector, thousands a
// second of servers that nobody trusts: net/http keeps two goroutines and 9 KiB for
// each connection and allocates 4 KiB for each request, this package keeps neither.
//
// What it accepts is a part of what net/http accepts, with the same result; what it
// refuses on purpose is listed at ErrMalformed. It follows no redirect, keeps no
// cookie, uses no proxy and speaks no TLS.
package httpget

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// Dial opens a connection before ctx ends.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// idleFor is the longest time that a connection may have waited for its next request:
// servers and firewalls drop idle connections, some without a word. A standby reads an
// engine every 30 s at least; a connection for each reading would double its cost.
const idleFor = 45 * time.Second

// Connection is one URL with the connection to its server. Get, Body's reads and Done
// are for one goroutine at a time; Close may be called at any time by any.
type Connection struct {
	dial    Dial
	address string
	header  string
	uri     string
	token   string
	request string

	mu      sync.Mutex
	conn    net.Conn // nil before the first request, and after a failed one
	used    time.Time
	stop    context.CancelFunc // of the dial under way
	stopped bool
}

// New returns a connection to an address, a host with a port, that is dialled when it is
// first needed. uri is the path with its query, as the request line has it, and header
// the lines after Host, each ended by "\r\n".
func New(dial Dial, address, uri, header string) *Connection {
	c := &Connection{dial: dial, address: address, header: header}
	c.Ask(uri)
	return c
}

// Ask makes uri what the next requests ask for. It is for the goroutine that calls Get.
func (c *Connection) Ask(uri string) {
	c.uri = uri
	c.prepareRequest()
}

// Authorize makes token the bearer token of the next requests; without one none is sent.
// The token must have printable characters of ASCII only: it becomes a header as it is. It
// goes to the address of New and nowhere else, and is for the goroutine that calls Get.
func (c *Connection) Authorize(token string) {
	if token != c.token {
		c.token = token
		c.prepareRequest()
	}
}

func (c *Connection) prepareRequest() {
	c.request = "GET " + c.uri + " HTTP/1.1\r\nHost: " + c.address + "\r\n" + c.header
	if c.token != "" {
		c.request += "Authorization: Bearer " + c.token + "\r\n"
	}
	c.request += "\r\n"
}

// URL is what is asked.
func (c *Connection) URL() string { return "http://" + c.address + c.uri }

// Get sends the request and reads the response up to its body into r, all before the
// deadline, which holds for the body too. A connection that the server closed while it
// was idle is dialled anew, once. After Get without an error, Done must be called.
func (c *Connection) Get(deadline time.Time, r *Response) error {
	conn, kept, err := c.open(deadline)
	if err != nil {
		return err
	}
	err = c.ask(conn, deadline, r)
	if err == nil || !r.silent() || isTimeout(err) {
		return err
	}
	if kept {
		if conn, _, err = c.open(deadline); err != nil {
			return err
		}
		err = c.ask(conn, deadline, r)
	}
	if err != nil && r.silent() && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)) {
		return ErrNoResponse
	}
	return err
}

// ask sends the request and reads the head. Whatever ends it early, a panic too, ends
// the connection.
func (c *Connection) ask(conn net.Conn, deadline time.Time, r *Response) (err error) {
	done := false
	defer func() {
		if !done {
			c.drop(conn)
		}
	}()
	r.begin(conn)
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	// The buffer for the response is free until the request is sent.
	if _, err := conn.Write(append(r.buf[:0], c.request...)); err != nil {
		return err
	}
	err = r.readHead()
	done = err == nil
	return err
}

// Done ends the use of a response. The connection is kept for the next request when
// the body was read to its end and the server keeps it too.
func (c *Connection) Done(r *Response) {
	if !r.reusable() {
		c.drop(r.conn)
	} else {
		c.mu.Lock()
		c.used = time.Now()
		c.mu.Unlock()
	}
	r.conn = nil
}

// Close ends the connection and the request under way. Every Get after that fails.
func (c *Connection) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.stop != nil {
		c.stop()
	}
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// open returns the connection that is kept, or a new one.
func (c *Connection) open(deadline time.Time) (conn net.Conn, kept bool, err error) {
	ctx, cancel, conn, err := c.prepare(deadline)
	if err != nil || conn != nil {
		return conn, conn != nil, err
	}
	defer cancel()
	conn, err = c.dial(ctx, "tcp", c.address)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop = nil
	if err != nil {
		return nil, false, err
	}
	if c.stopped {
		_ = conn.Close()
		return nil, false, net.ErrClosed
	}
	c.conn = conn
	return conn, false, nil
}

// prepare returns the connection that is kept, else the context of a dial.
func (c *Connection) prepare(deadline time.Time) (context.Context, context.CancelFunc, net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil, nil, nil, net.ErrClosed
	}
	if c.conn != nil && time.Since(c.used) < idleFor {
		return nil, nil, c.conn, nil
	}
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	c.stop = cancel
	return ctx, cancel, nil, nil
}

func (c *Connection) drop(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
	if c.conn == conn {
		c.conn = nil
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// ErrMalformed says that the response is not one of HTTP/1.0 or 1.1 as this package
// reads it. Other than net/http it refuses: a line of more than 4,094 bytes, a head of more
// than 64 KiB, a header that goes on in the next line, a status that has not three
// digits, a length together with a transfer encoding, a transfer encoding in
// HTTP/1.0, more than eight interim responses, and control characters in any header.
var ErrMalformed = errors.New("malformed HTTP response")

// ErrNotHTTP says that the response does not begin as one of HTTP does.
var ErrNotHTTP = fmt.Errorf("%w: it does not begin with HTTP/1", ErrMalformed)

// ErrTLS says that the server answered plain HTTP in TLS.
var ErrTLS = fmt.Errorf("%w: the server speaks TLS and not plain HTTP", ErrMalformed)

// ErrNoResponse says that the server closed a new connection without a byte, as Python's
// and other servers of TLS do when they are asked in plain HTTP.
var ErrNoResponse = fmt.Errorf("the server closed the connection without a response: %w", io.ErrUnexpectedEOF)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}

func notHTTP(begin []byte) error { return fmt.Errorf("%w but with %.20q", ErrNotHTTP, begin) }

// unexpectedEOF is an end where more was announced.
func unexpectedEOF(err error) error {
	if err == io.EOF { //nolint:errorlint the connection's own, as it is
		return io.ErrUnexpectedEOF
	}
	return err
}
