package wechat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"
)

// Bounds of an answer. Sending is answered in about 100 bytes; a list of 25 templates fits many times.
const (
	maxAnswer = 64 << 10
	maxList   = 1 << 20
)

// callError is a call without a usable answer.
type callError struct {
	unsent bool // certainly not received: no byte of the request was written
	err    error
}

func (e *callError) Error() string {
	if e.unsent {
		return "not sent: " + e.err.Error()
	}
	return "outcome unknown: " + e.err.Error()
}

func (e *callError) Unwrap() error { return e.err }

// exchange is the memory of one HTTP call, in one allocation. It is not pooled: net/http may go on reading a
// body after RoundTrip has failed, and a buffer that already holds the next message would then be sent
// to this user.
type exchange struct {
	trace  httptrace.ClientTrace
	conn   *trackedConn
	reused bool
	body   bytes.Reader
	space  [512]byte // of the answer
}

func (x *exchange) gotConn(info httptrace.GotConnInfo) {
	x.conn = info.Conn.(*trackedConn) // newTransport dials nothing else
	x.reused = info.Reused
	x.conn.begin()
}

// do makes one HTTP call within the client's timeout and returns the body of a 200 answer of at most limit
// bytes. Any other ending is a *callError, whose text does not hold the secret that the call carries. It does not
// follow redirects.
//
// The request is written at most once. http.Transport repeats a request by itself only if it may rewind the
// body (there is no GetBody), or if the method or an Idempotency-Key header says that this is harmless (neither
// does). What is repeated, here, is a request of which nothing was written: the usual end of a
// kept-alive connection that the server closed. It goes out on a new connection, since where one idle
// connection is dead its neighbours tend to be: a thawed function, a restarted proxy.
func (c *Client) do(ctx context.Context, method string, u *url.URL, payload []byte, limit int, secret string) ([]byte, error) {
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > c.timeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	x := new(exchange)
	resp, err := x.send(ctx, c.pooled, c.request(method, u), payload)
	if err != nil && x.conn != nil && x.reused && ctx.Err() == nil && x.conn.giveUp() {
		x = new(exchange)
		resp, err = x.send(ctx, c.fresh, c.request(method, u), payload)
	}
	if err != nil {
		return nil, &callError{unsent: x.conn.giveUp(), err: plain(err, c.timeout, secret)}
	}
	return x.answer(resp, limit)
}

func (c *Client) request(method string, u *url.URL) *http.Request {
	return &http.Request{
		Method: method, URL: u, Host: u.Host, Header: c.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

func (x *exchange) send(ctx context.Context, t *http.Transport, req *http.Request, payload []byte) (*http.Response, error) {
	x.trace.GotConn = x.gotConn
	if payload != nil {
		x.body.Reset(payload)
		req.Body, req.ContentLength = io.NopCloser(&x.body), int64(len(payload))
	}
	return t.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, &x.trace)))
}

// answer reads a response to its end, which frees the connection for reuse.
func (x *exchange) answer(resp *http.Response, limit int) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }() // nothing is left to lose
	if resp.StatusCode != http.StatusOK {
		return nil, &callError{err: fmt.Errorf("HTTP status %d", resp.StatusCode)}
	}
	buf := x.space[:0]
	for {
		n, err := resp.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > limit:
			return nil, &callError{err: fmt.Errorf("the answer is longer than %d bytes", limit)}
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, &callError{err: fmt.Errorf("the answer broke off after %d bytes: %w", len(buf), err)}
		case len(buf) == cap(buf):
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

// plain says in words what the transport's less obvious errors mean. RoundTrip's errors, unlike those of
// http.Client, hold no URL, but they may quote what a broken server echoed.
func plain(err error, timeout time.Duration, secret string) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s or the caller's deadline: %w", timeout, err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the connection was closed without an answer: %w", err)
	case secret != "" && strings.Contains(err.Error(), secret):
		return errors.New(redact(err.Error(), secret))
	}
	return err
}

// redact removes secrets from text that came from outside.
func redact(text string, secrets ...string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "[redacted]")
		}
	}
	return text
}
