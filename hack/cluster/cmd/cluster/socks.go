package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// serveSocks serves SOCKS5 (RFC 1928: CONNECT, no authentication) on a Unix socket, so that a
// test on the host reaches any Service or pod of the cluster by name or address. It is called
// inside the cluster's network; the keeper forwards a loopback port of the host to it.
func serveSocks(path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go serveSocksConn(c)
			}
		}
	}()
	return nil
}

// Replies of RFC 1928, section 6; the bound address is always given as 0.0.0.0:0.
const (
	socksOK          = 0
	socksUnreachable = 4
	socksUnsupported = 7
)

func serveSocksConn(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	addr, err := socksHandshake(c)
	if err != nil {
		socksReply(c, socksUnsupported)
		return
	}
	out, err := dialCluster(addr)
	if err != nil {
		socksReply(c, socksUnreachable)
		return
	}
	defer out.Close()
	socksReply(c, socksOK)
	_ = c.SetDeadline(time.Time{})
	join(c, out)
}

func socksReply(c net.Conn, code byte) {
	_, _ = c.Write([]byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0}) // a lost client sees its connection end
}

// socksHandshake reads the greeting and the request and gives the asked host:port.
func socksHandshake(c io.ReadWriter) (string, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(c, head); err != nil {
		return "", err
	}
	if _, err := io.CopyN(io.Discard, c, int64(head[1])); err != nil {
		return "", err
	}
	if head[0] != 5 {
		return "", fmt.Errorf("SOCKS version %d, want 5", head[0])
	}
	if _, err := c.Write([]byte{5, 0}); err != nil {
		return "", err
	}
	ask := make([]byte, 4)
	if _, err := io.ReadFull(c, ask); err != nil {
		return "", err
	}
	if ask[1] != 1 {
		return "", fmt.Errorf("SOCKS command %d, only CONNECT (1) is served", ask[1])
	}
	return socksAddress(c, ask[3])
}

func socksAddress(r io.Reader, kind byte) (string, error) {
	size := map[byte]int{1: 4, 4: 16}[kind]
	if kind == 3 {
		length := make([]byte, 1)
		if _, err := io.ReadFull(r, length); err != nil {
			return "", err
		}
		size = int(length[0])
	}
	if size == 0 {
		return "", fmt.Errorf("SOCKS address of type %d", kind)
	}
	b := make([]byte, size+2)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", err
	}
	host := string(b[:size])
	if kind != 3 {
		host = net.IP(b[:size]).String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(b[size:])))), nil
}

// dialCluster knows names as a pod does: SERVICE.NAMESPACE is enough.
func dialCluster(addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(host) == nil && !strings.HasSuffix(host, ".cluster.local") {
		host = strings.TrimSuffix(host, ".svc") + ".svc.cluster.local"
	}
	dns := func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, net.JoinHostPort(dnsIP, "53"))
	}
	d := net.Dialer{Timeout: 5 * time.Second, Resolver: &net.Resolver{PreferGo: true, Dial: dns}}
	return d.Dial("tcp", net.JoinHostPort(host, port))
}
