package wechat

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// idleTimeout is how long a connection waits for reuse. Short on purpose: a connection that WeChat's side, or a
// NAT on the way, has dropped unnoticed swallows the next request and makes its outcome unknown, while a
// fresh TLS handshake costs a few tens of milliseconds.
const idleTimeout = 15 * time.Second

// newTransport builds the transport of a client. HTTP/1.1 only: a request then has its connection to
// itself, so the connection can tell whether any of it was written.
func newTransport(cfg Config, timeout time.Duration) *http.Transport {
	dial := cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: min(timeout, 3*time.Second), KeepAlive: 15 * time.Second}).DialContext
	}
	secure := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		RootCAs:            cfg.RootCAs,
		ClientSessionCache: tls.NewLRUClientSessionCache(64),
		NextProtos:         []string{"http/1.1"},
	}
	idle := cfg.IdleConns
	if idle <= 0 {
		idle = 512
	}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &trackedConn{Conn: conn}, nil
		},
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return dialTLS(ctx, dial, secure, network, addr)
		},
		MaxIdleConnsPerHost:    idle,
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true, // answers are tens of bytes
		MaxResponseHeaderBytes: 16 << 10,
		WriteBufferSize:        4 << 10,
		ReadBufferSize:         4 << 10,
	}
}

// dialTLS does the handshake here, not in net/http, so that the tracked connection sees the plain request and
// none of what TLS itself writes.
func dialTLS(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), base *tls.Config, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	raw, err := dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	cfg := base.Clone()
	cfg.ServerName = host
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return &trackedConn{Conn: conn}, nil
}

// trackedConn knows whether any byte of the current request was handed to the network. net/http knows it too,
// but keeps it to itself.
type trackedConn struct {
	net.Conn
	state atomic.Int32
}

// The states of a trackedConn. A write moves untouched to touched before it begins; the verdict "not sent" moves
// untouched to sealed. Only one of the two can win, so a verdict is never overtaken by a write that net/http
// still had in hand.
const (
	untouched int32 = iota
	touched
	sealed
)

var errSealed = errors.New("wechat: the call was given up before it was written")

// Write passes p on unless the call was given up already.
func (c *trackedConn) Write(p []byte) (int, error) {
	first := c.state.CompareAndSwap(untouched, touched)
	if !first && c.state.Load() == sealed {
		return 0, errSealed
	}
	n, err := c.Conn.Write(p)
	if first && n == 0 && err != nil {
		// Nothing was taken: a closed socket, or a TLS record cut short, which the other side cannot open.
		c.state.CompareAndSwap(touched, untouched)
	}
	return n, err
}

// begin starts the account of a new request.
func (c *trackedConn) begin() { c.state.CompareAndSwap(touched, untouched) }

// giveUp reports whether nothing of the request was written, and makes sure that nothing will be. A nil
// connection stands for a request that never got one.
func (c *trackedConn) giveUp() bool {
	return c == nil || c.state.CompareAndSwap(untouched, sealed)
}
