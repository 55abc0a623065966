package wechattest

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// Transport serves calls without a network: for tests under testing/synctest, whose clock stands still while a socket
// is read, and for histories by the thousand. A cut connection is an error, and a caller whose context ends leaves while
// the call goes on, as over a real connection. The host of the request is not looked at.
func (s *Sim) Transport() http.RoundTripper { return inProcess{s} }

// Client is an http.Client over Transport.
func (s *Sim) Client() *http.Client { return &http.Client{Transport: s.Transport()} }

// inProcess is a RoundTripper that calls a handler.
type inProcess struct{ handler http.Handler }

// errCut is what a client sees of a closed connection; net/http's client wraps io.EOF in the same place.
var errCut = io.ErrUnexpectedEOF

func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in := req.Clone(ctx)
	in.RequestURI, in.RemoteAddr = req.URL.RequestURI(), "127.0.0.1:1"
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	// The body is read here, as a kernel's socket buffer would: the caller may take it back when RoundTrip returns.
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		_ = req.Body.Close() // read to its end: nothing is lost
		if err != nil {
			return nil, err
		}
	}
	in.Body = io.NopCloser(bytes.NewReader(body))
	if ctx.Done() == nil {
		return t.serve(in)
	}
	type result struct {
		resp *http.Response
		err  error
	}
	done := make(chan result, 1)
	go func() {
		resp, err := t.serve(in)
		done <- result{resp, err}
	}()
	select {
	case r := <-done:
		return r.resp, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve runs the handler and gathers its answer. A panic with http.ErrAbortHandler closes the connection; any other
// is the handler's own and goes on.
func (t inProcess) serve(req *http.Request) (resp *http.Response, err error) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler { //nolint:errorlint // the value of a panic, which net/http compares so too
			resp, err = nil, errCut
		} else if p != nil {
			panic(p)
		}
	}()
	w := &memoryWriter{header: make(http.Header)}
	t.handler.ServeHTTP(w, req)
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return &http.Response{
		Status:     http.StatusText(w.status),
		StatusCode: w.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        w.header,
		Body:          io.NopCloser(strings.NewReader(w.body.String())),
		ContentLength: int64(w.body.Len()),
		Request:       req,
	}, nil
}

// memoryWriter is a ResponseWriter that keeps the answer.
type memoryWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *memoryWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}
