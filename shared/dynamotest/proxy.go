package dynamotest

import (
	"bytes"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Request is one HTTP request that reaches a Proxy.
type Request struct {
	N         int    // counted from 1 over all requests of the proxy
	Operation string // PutItem, GetItem, …
	Body      []byte
}

// Fault is what a Proxy does with a request. The zero Fault passes it on.
type Fault struct {
	Before time.Duration // wait before doing it
	Do     Action
	After  time.Duration // wait before answering
}

// Action is a way to treat a request.
type Action int

// The actions. FailAfter and DropReply are about writes that took place: where the server refuses the
// request (4xx), its refusal is passed on.
const (
	Forward   Action = iota // pass it on, and the reply back
	Throttle                // refuse it with ProvisionedThroughputExceededException, status 400
	Fail                    // answer 500 without passing it on
	FailAfter               // pass it on, then answer 500
	Drop                    // close the connection without passing it on
	DropReply               // pass it on, then close the connection without an answer
)

// Proxy stands between a store and its server. Each request is put to its script.
type Proxy struct {
	Endpoint string

	target string
	script func(Request) Fault

	mu     sync.Mutex
	n      int
	counts map[string]int
}

// NewProxy starts a proxy in front of target that ends with the test. script is called for one request at a
// time, in order of arrival; nil passes everything on.
func NewProxy(t testing.TB, target string, script func(Request) Fault) *Proxy {
	p := &Proxy{target: target, script: script, counts: make(map[string]int)}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.Endpoint = server.URL
	return p
}

// Counts returns how many requests of each operation have arrived, faults included.
func (p *Proxy) Counts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// Script replaces the script from the next request on.
func (p *Proxy) Script(script func(Request) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.script = script
}

// ServeHTTP treats one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	fault := p.ask(strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810."), body)
	time.Sleep(fault.Before)
	var reply *reply
	if fault.Do == Forward || fault.Do == FailAfter || fault.Do == DropReply {
		if reply, err = p.forward(r, body); err != nil {
			fault.Do = Drop // the server is down: let the client see the same
		} else if reply.status/100 == 4 {
			fault.Do = Forward
		}
	}
	time.Sleep(fault.After)
	switch fault.Do {
	case Throttle:
		answer(w, http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"The level of configured provisioned throughput for the table was exceeded."}`)
	case Fail, FailAfter:
		answer(w, http.StatusInternalServerError, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"The request processing has failed because of an unknown error."}`)
	case Drop, DropReply:
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			conn.Close()
		}
	default:
		maps.Copy(w.Header(), reply.header)
		w.WriteHeader(reply.status)
		_, _ = w.Write(reply.body)
	}
}

// ask puts a request to the script.
func (p *Proxy) ask(operation string, body []byte) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	p.counts[operation]++
	if p.script == nil {
		return Fault{}
	}
	return p.script(Request{N: p.n, Operation: operation, Body: body})
}

// reply is a server's whole answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// forward passes a request on and waits for the whole answer, whether or not the client still does.
func (p *Proxy) forward(r *http.Request, body []byte) (*reply, error) {
	request, err := http.NewRequest(r.Method, p.target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = r.Header.Clone()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	return &reply{response.StatusCode, response.Header, all}, err
}

// answer answers in the service's name, with the checksum that its clients verify.
func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(body))), 10))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
