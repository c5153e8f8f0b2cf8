package server

import (
	"net"
	"sync"
)

// limitedListener closes connections beyond a number in all and a number from one address. It
// is safe for concurrent use.
type limitedListener struct {
	net.Listener
	maxOpen, maxPerAddress int

	mu        sync.Mutex
	open      int
	ofAddress map[string]int
}

// limitConnections bounds the connections of a port to maxConnections and maxOfAddress.
func limitConnections(l net.Listener) net.Listener {
	return &limitedListener{Listener: l, maxOpen: maxConnections, maxPerAddress: maxOfAddress, ofAddress: map[string]int{}}
}

// Accept returns the next connection that is within the limits.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err //nolint:wrapcheck a listener's error is what net/http compares
		}
		address := addressOf(conn)
		if l.add(address) {
			return &limitedConn{Conn: conn, ended: sync.OnceFunc(func() { l.remove(address) })}, nil
		}
		_ = conn.Close() // nobody here reads it
	}
}

// add counts a connection and reports whether it is within the limits.
func (l *limitedListener) add(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.maxOpen || l.ofAddress[address] >= l.maxPerAddress {
		return false
	}
	l.open++
	l.ofAddress[address]++
	return true
}

func (l *limitedListener) remove(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.ofAddress[address]--; l.ofAddress[address] == 0 {
		delete(l.ofAddress, address)
	}
}

// addressOf is the client's address without the port.
func addressOf(conn net.Conn) string {
	text := conn.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(text); err == nil {
		return host
	}
	return text
}

// limitedConn leaves the count of its listener when it is closed.
type limitedConn struct {
	net.Conn
	ended func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.ended()
	return c.Conn.Close() //nolint:wrapcheck a connection's error is what net/http compares
}
