package wechat

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// wire is a server that reads whole requests and does with the connection what the test says.
type wire struct {
	listener net.Listener
	requests atomic.Int64 // sends read to their last byte
	// act is told the number of the send, from 1, and returns false to close the connection.
	act func(conn net.Conn, n int64) (keep bool)
}

const accepted = `{"errcode":0,"errmsg":"ok"}`

func reply(conn net.Conn, body string) bool {
	_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
	return err == nil
}

func newWire(t *testing.T, act func(net.Conn, int64) bool) *wire {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: ln, act: act}
	var wg sync.WaitGroup
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { w.serve(conn) })
		}
	})
	return w
}

func (w *wire) serve(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		if req.URL.Path == tokenPath {
			if !reply(conn, `{"access_token":"TOKEN-1-x","expires_in":7200}`) {
				return
			}
			continue
		}
		if !w.act(conn, w.requests.Add(1)) {
			return
		}
	}
}

func wireLab(t *testing.T, act func(net.Conn, int64) bool) (*lab, *wire) {
	l := newLab(t)
	w := newWire(t, act)
	l.server.Close()
	l.server = &httptest.Server{URL: "http://" + w.listener.Addr().String()}
	return l, w
}

// The trap: net/http repeats some requests by itself when a kept-alive connection turns out to be closed.
func TestRequestCutOffOnAReusedConnectionIsNeverRepeated(t *testing.T) {
	l, w := wireLab(t, func(conn net.Conn, n int64) bool {
		return n%2 == 1 && reply(conn, accepted) // every second request is read, then the connection closed
	})
	c := l.client()
	for i := int64(1); i <= 50; i++ {
		r := l.send(c)
		if wantAnswer := i%2 == 1; r.Answered != wantAnswer || r.NotSent {
			t.Fatalf("send %d: %+v", i, r)
		}
		if got := w.requests.Load(); got != i {
			t.Fatalf("after %d sends the server read %d requests", i, got)
		}
	}
}

func TestRequestResetOnAReusedConnectionIsNeverRepeated(t *testing.T) {
	l, w := wireLab(t, func(conn net.Conn, n int64) bool {
		if n == 1 {
			return reply(conn, accepted)
		}
		conn.(*net.TCPConn).SetLinger(0) // close with RST
		return false
	})
	c := l.client()
	l.mustSend(c)
	if r := l.send(c); r.Answered || r.NotSent {
		t.Errorf("got %+v", r)
	}
	if got := w.requests.Load(); got != 2 {
		t.Errorf("the server read %d requests", got)
	}
}

// Servers close idle connections whenever they like. Whatever the race, a request is read at most once, and one
// that is not read is either repeated or reported as it is.
func TestIdleConnectionsClosedByTheServerLoseNothingAndDoubleNothing(t *testing.T) {
	l, w := wireLab(t, func(conn net.Conn, n int64) bool {
		reply(conn, accepted)
		return false // without having said "Connection: close"
	})
	c := l.client()
	var answered, unknown atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				switch r := l.send(c); {
				case r.Answered:
					answered.Add(1)
				case r.NotSent:
					t.Errorf("not sent: %v", r.Err)
				default:
					unknown.Add(1)
				}
			}
		})
	}
	wg.Wait()
	read := w.requests.Load()
	if read < answered.Load() || read > answered.Load()+unknown.Load() {
		t.Errorf("the server read %d requests; %d were answered, %d are unknown", read, answered.Load(), unknown.Load())
	}
	t.Logf("%d answered, %d unknown, %d read", answered.Load(), unknown.Load(), read)
}

func TestAnswerThatNeverComesIsUnknown(t *testing.T) {
	release := make(chan struct{})
	l, w := wireLab(t, func(net.Conn, int64) bool { <-release; return false })
	c := l.client()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for w.requests.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	r := c.Send(ctx, testApp, testMessage)
	close(release)
	if r.Answered || r.NotSent || !errors.Is(r.Err, context.Canceled) {
		t.Errorf("got %+v", r)
	}
}

func TestAnswerCutOffInTheMiddleIsUnknown(t *testing.T) {
	l, _ := wireLab(t, func(conn net.Conn, n int64) bool {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Le")
		return false
	})
	if r := l.send(l.client()); r.Answered || r.NotSent {
		t.Errorf("got %+v", r)
	}
}

func TestAnswerThatIsNotHTTPIsUnknown(t *testing.T) {
	l, _ := wireLab(t, func(conn net.Conn, n int64) bool {
		io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n")
		return false
	})
	if r := l.send(l.client()); r.Answered || r.NotSent {
		t.Errorf("got %+v", r)
	}
}

func TestServerThatEchoesTheRequestRevealsNoSecret(t *testing.T) {
	l, _ := wireLab(t, func(conn net.Conn, n int64) bool {
		io.WriteString(conn, "POST "+sendPath+"?TOKEN-1-x HTTP/1.1\r\n\r\n")
		return false
	})
	l.send(l.client()) // checks the text of the error
}

func TestRefusedConnectionIsNotSent(t *testing.T) {
	l, w := wireLab(t, func(conn net.Conn, n int64) bool { return reply(conn, accepted) && n > 1 })
	c := l.client()
	l.mustSend(c)
	w.listener.Close()
	c.Close()
	if r := l.send(c); !r.NotSent {
		t.Errorf("got %+v", r)
	}
}

// network is a fake one: connections are pipes to a server in the same synctest bubble.
type network struct {
	dial func(ctx context.Context, n int) (net.Conn, error)
	n    atomic.Int64
}

func (n *network) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return n.dial(ctx, int(n.n.Add(1)))
}

// pipeTo serves one end of a pipe with handler and returns the other.
func pipeTo(handler func(conn net.Conn)) net.Conn {
	client, server := net.Pipe()
	go func() { defer server.Close(); handler(server) }()
	return client
}

// serveWire answers tokens and leaves sends to act, like wire.
func serveWire(requests *atomic.Int64, act func(net.Conn, int64) bool) func(net.Conn) {
	w := &wire{act: act}
	return func(conn net.Conn) { w.serve(conn); requests.Add(w.requests.Load()) }
}

// bubbleClient is a client inside a synctest bubble.
func bubbleClient(t *testing.T, n *network) *Client {
	c, err := New(Config{
		Apps:  []App{{AppID: testApp, BaseURL: "http://wechat.test", Secret: func(context.Context, bool) (string, error) { return testSecret, nil }}},
		Store: &tokenStore{}, Dial: n.Dial,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestTimeoutIsFiveSecondsAndUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int64
		c := bubbleClient(t, &network{dial: func(context.Context, int) (net.Conn, error) {
			return pipeTo(serveWire(&requests, func(net.Conn, int64) bool { time.Sleep(time.Minute); return false })), nil
		}})
		start := time.Now()
		r := c.Send(context.Background(), testApp, testMessage)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("took %s", took)
		}
		if r.Answered || r.NotSent || !errors.Is(r.Err, context.DeadlineExceeded) {
			t.Errorf("got %+v", r)
		}
		time.Sleep(time.Hour)
		if requests.Load() != 1 {
			t.Errorf("the server read %d requests", requests.Load())
		}
	})
}

func TestTimeUsedUpByTheTokenMeansNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int64
		c := bubbleClient(t, &network{dial: func(context.Context, int) (net.Conn, error) {
			return pipeTo(serveWire(&requests, func(conn net.Conn, _ int64) bool { return reply(conn, accepted) })), nil
		}})
		c.apps[testApp].Secret = func(context.Context, bool) (string, error) {
			time.Sleep(4500 * time.Millisecond)
			return testSecret, nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if r := c.Send(ctx, testApp, testMessage); !r.NotSent || !strings.Contains(r.Err.Error(), "500ms are left") {
			t.Errorf("got %+v", r)
		}
		ctx, cancel = context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		if r := c.Send(ctx, testApp, testMessage); !r.Answered {
			t.Errorf("a caller with little time and a token at hand: %+v", r)
		}
	})
}

func TestDialThatHangsIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := bubbleClient(t, &network{dial: func(ctx context.Context, _ int) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		c.apps[testApp].tokens.use(c.apps[testApp].tokens.newToken("TOKEN-1-x", time.Now().Add(time.Hour)))
		start := time.Now()
		r := c.Send(context.Background(), testApp, testMessage)
		if took := time.Since(start); took != 5*time.Second || !r.NotSent {
			t.Errorf("took %s: %+v", took, r)
		}
	})
}

func TestFailedNameLookupIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := bubbleClient(t, &network{dial: func(context.Context, int) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "wechat.test", IsNotFound: true}
		}})
		if r := c.Send(context.Background(), testApp, testMessage); !r.NotSent || !strings.Contains(r.Err.Error(), "no such host") {
			t.Errorf("got %+v", r)
		}
	})
}

// faultyConn fails writes of sends as the test says; tokens pass.
type faultyConn struct {
	net.Conn
	fail func(p []byte) (n int, err error) // of a send
}

func (c *faultyConn) Write(p []byte) (int, error) {
	if c.fail != nil && strings.Contains(string(p), sendPath) {
		n, err := c.fail(p)
		if n > 0 {
			c.Conn.Write(p[:n])
		}
		return n, err
	}
	return c.Conn.Write(p)
}

var errBroken = errors.New("write: broken pipe")

func TestWhatWasWrittenDecidesTheOutcome(t *testing.T) {
	nothing := func([]byte) (int, error) { return 0, errBroken }
	cases := map[string]struct {
		fail             func(p []byte) (int, error) // on the first connection
		reused           bool                        // the connection has carried a send before
		answered, unsent bool
		either           bool  // answered or unknown: net/http may see the answer or the error first
		read             int64 // sends read by the server
	}{
		"nothing, on a new connection":              {fail: nothing, unsent: true, read: 0},
		"nothing, on a reused one: sent on another": {fail: nothing, reused: true, answered: true, read: 2},
		"one byte":                                       {fail: func([]byte) (int, error) { return 1, errBroken }, read: 0},
		"one byte, on a reused connection":               {fail: func([]byte) (int, error) { return 1, errBroken }, reused: true, read: 1},
		"all bytes, and an error":                        {fail: func(p []byte) (int, error) { return len(p), errBroken }, either: true, read: 1},
		"all bytes, and an error, on a reused one":       {fail: func(p []byte) (int, error) { return len(p), errBroken }, reused: true, either: true, read: 2},
		"everything":                                     {answered: true, read: 1},
		"everything, on a reused connection as is usual": {reused: true, answered: true, read: 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var requests atomic.Int64
				var first *faultyConn
				c := bubbleClient(t, &network{dial: func(_ context.Context, n int) (net.Conn, error) {
					conn := &faultyConn{Conn: pipeTo(serveWire(&requests, func(conn net.Conn, _ int64) bool { return reply(conn, accepted) }))}
					if n == 1 {
						first = conn
					}
					return conn, nil
				}})
				if tc.reused {
					if r := c.Send(context.Background(), testApp, testMessage); !r.Answered {
						t.Fatalf("the first send: %+v", r)
					}
					synctest.Wait()
				} else {
					// The token's call must not have used the connection before.
					c.apps[testApp].tokens.use(c.apps[testApp].tokens.newToken("TOKEN-1-x", time.Now().Add(time.Hour)))
					inner := c.pooled.DialContext
					c.pooled.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
						conn, err := inner(ctx, network, addr)
						first.fail = tc.fail
						return conn, err
					}
				}
				if first != nil {
					first.fail = tc.fail
				}
				r := c.Send(context.Background(), testApp, testMessage)
				if r.Answered != tc.answered && !tc.either || r.NotSent != tc.unsent {
					t.Errorf("got %+v", r)
				}
				c.Close()
				synctest.Wait()
				if got := requests.Load(); got != tc.read {
					t.Errorf("the server read %d sends, want %d", got, tc.read)
				}
			})
		})
	}
}

// A write that is still under way when the time is up may yet arrive.
func TestWriteThatHangsIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := bubbleClient(t, &network{dial: func(context.Context, int) (net.Conn, error) {
			client, _ := net.Pipe() // nobody reads
			return client, nil
		}})
		c.apps[testApp].tokens.use(c.apps[testApp].tokens.newToken("TOKEN-1-x", time.Now().Add(time.Hour)))
		if r := c.Send(context.Background(), testApp, testMessage); r.Answered {
			t.Errorf("got %+v", r)
		}
	})
}

func TestVerdictAndWriteExcludeEachOther(t *testing.T) {
	client, server := net.Pipe()
	go io.Copy(io.Discard, server)
	defer client.Close()
	for range 2000 {
		c := &trackedConn{Conn: client}
		c.begin()
		var wrote, unsent bool
		var wg sync.WaitGroup
		wg.Go(func() { n, err := c.Write([]byte("x")); wrote = n > 0 && err == nil })
		wg.Go(func() { unsent = c.giveUp() })
		wg.Wait()
		if wrote == unsent {
			t.Fatalf("wrote %t, not sent %t", wrote, unsent)
		}
	}
}

func TestContextThatHasEndedIsNotSent(t *testing.T) {
	l := newLab(t)
	c := l.client()
	l.mustSend(c)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if r := c.Send(ctx, testApp, testMessage); !r.NotSent {
		t.Errorf("got %+v", r)
	}
	if len(l.wechat.sent) != 1 {
		t.Errorf("%d messages arrived", len(l.wechat.sent))
	}
}
