package platform

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Address of the custom runtime's API where the environment does not name it.
const (
	scfCustomHost = "127.0.0.1"
	scfCustomPort = "9001"
)

// scfDefaultLimit is the time limit of a function on SCF that was not given one
// (cloud.tencent.com/document/product/583/19805). It is assumed where the platform fails to tell the limit,
// because code that fences its work by the deadline must have one.
const scfDefaultLimit = 3 * time.Second

// serveSCFCustom runs the loop of SCF's custom runtime (cloud.tencent.com/document/product/583/47274).
func serveSCFCustom(b *builder) error {
	host, port := b.getenv(envSCFCustom), b.getenv(envSCFCustomPort)
	if host == "" {
		host = scfCustomHost
	}
	if port == "" {
		port = scfCustomPort
	}
	b.closeOnSIGTERM()
	loop := scfCustomLoop{
		base:   "http://" + net.JoinHostPort(host, port) + "/runtime/",
		client: runtimeClient(),
		invoke: b.invoke,
		log:    slog.Default(),
	}
	loop.run(context.Background())
	return errEnded
}

// scfCustomLoop asks for one event after the other and posts the answers. The API knows no request IDs: an
// answer belongs to the event that was handed out last, so there is never more than one under way.
type scfCustomLoop struct {
	base   string // "http://host:port/runtime/"
	client *http.Client
	invoke func(ctx context.Context, requestID string, payload []byte) ([]byte, error)
	log    *slog.Logger
}

// run works until ctx ends, which it does only in tests. Errors of the API never end it, since the platform
// decides when the process has served its time; it waits longer after each.
func (l *scfCustomLoop) run(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		if _, err := l.call(ctx, http.MethodPost, "init/ready", []byte(" ")); err == nil {
			break
		} else {
			failures++
			l.wait(ctx, failures, "reporting readiness", err)
		}
	}
	for failures := 0; ctx.Err() == nil; {
		next, err := l.call(ctx, http.MethodGet, "invocation/next", nil)
		if err != nil {
			failures++
			l.wait(ctx, failures, "asking for the next event", err)
			continue
		}
		failures = 0
		l.serve(ctx, next)
	}
}

// serve handles one event and posts what came of it.
func (l *scfCustomLoop) serve(ctx context.Context, next reply) {
	requestID := next.header.Get("request_id")
	limit := scfDefaultLimit
	if ms, err := strconv.Atoi(next.header.Get("time_limit_in_ms")); err == nil && ms > 0 {
		limit = time.Duration(ms) * time.Millisecond
	}
	deadline := time.Now().Add(limit)
	invocation, cancel := context.WithDeadline(ctx, deadline)
	answer, err := l.invoke(invocation, requestID, next.body)
	cancel()

	path := "invocation/response"
	if err != nil {
		l.log.Error("an invocation failed", "request_id", requestID, "error", err)
		path, answer = "invocation/error", []byte(err.Error())
	}
	// Posting the answer again is safe: until the next event is asked for it can only belong to this one.
	const attempts = 3
	for failures := 1; failures <= attempts; failures++ {
		if _, err = l.call(ctx, http.MethodPost, path, answer); err == nil {
			return
		}
		l.wait(ctx, failures, "posting an answer", err)
	}
	l.log.Error("an answer could not be posted and is lost", "request_id", requestID, "attempts", attempts)
}

// reply is a successful answer of the runtime API.
type reply struct {
	header http.Header
	body   []byte
}

func (l *scfCustomLoop) call(ctx context.Context, method, path string, body []byte) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, method, l.base+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := l.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	received, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, err
	}
	if response.StatusCode/100 != 2 {
		return reply{}, fmt.Errorf("%s %s: the runtime API answered %s", method, path, response.Status)
	}
	return reply{header: response.Header, body: received}, nil
}

// wait pauses after the nth failure in a row: 50 ms, doubling up to 5 s.
func (l *scfCustomLoop) wait(ctx context.Context, failures int, doing string, cause error) {
	const first, longest = 50 * time.Millisecond, 5 * time.Second
	pause := longest
	if failures <= 7 { // 50 ms << 6 is 3.2 s, the last step below the longest
		pause = first << (failures - 1)
	}
	l.log.Warn("SCF's runtime API failed", "doing", doing, "failures", failures, "pause", pause, "error", cause)
	select {
	case <-time.After(pause):
	case <-ctx.Done():
	}
}

// runtimeClient returns a client for a runtime's own API, which is on this machine: never through a proxy
// that the function's environment names, and without a time limit, because asking for the next event waits
// as long as there is none.
func runtimeClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2}}
}
