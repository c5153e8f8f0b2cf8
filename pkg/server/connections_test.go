package server

import (
	"net"
	"testing"
	"time"
)

// pipeListener hands out connections that come from the addresses of a test.
type pipeListener struct {
	net.Listener
	conns chan net.Conn
}

func (l *pipeListener) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

// counts are the open connections, and those of one address.
func (l *limitedListener) counts(address string) (all, one int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open, l.ofAddress[address]
}

type from struct {
	net.Conn
	address net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.address }

// One address that opens connections without end leaves the port to others, and a connection
// that ends makes room for one more.
func TestLimitConnections(t *testing.T) {
	in := &pipeListener{conns: make(chan net.Conn, 16)}
	l := &limitedListener{Listener: in, maxOpen: 5, maxPerAddress: 3, ofAddress: map[string]int{}}
	accepted := make(chan net.Conn, 16)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func(ip string) (client net.Conn) {
		client, server := net.Pipe()
		in.conns <- from{server, &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}}
		return client
	}
	for range 3 {
		dial("10.0.0.1")
	}
	refused := dial("10.0.0.1")
	refused.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := refused.Read(make([]byte, 1)); err == nil || err.Error() != "EOF" {
		t.Errorf("a fourth connection of one address: %v, want it to be closed", err)
	}
	dial("10.0.0.2")
	dial("10.0.0.3")
	var open []net.Conn
	for range 5 {
		open = append(open, <-accepted)
	}
	full := dial("10.0.0.4")
	full.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := full.Read(make([]byte, 1)); err == nil || err.Error() != "EOF" {
		t.Errorf("a sixth connection in all: %v, want it to be closed", err)
	}
	open[0].Close()
	open[0].Close() // counts once
	dial("10.0.0.1")
	<-accepted
	if all, one := l.counts("10.0.0.1"); all != 5 || one != 3 {
		t.Errorf("%d open, %d of them of 10.0.0.1, want 5 and 3", all, one)
	}
	close(in.conns)
	for range accepted { //nolint:revive until Accept has ended
	}
}
