package platformtest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// SCFCustomProcess is a function on a fake of Tencent SCF's custom runtime.
type SCFCustomProcess struct {
	*child
	*dispatcher

	// Timeout is the function's time limit, after which its process is killed. Set it before the first
	// invocation.
	Timeout time.Duration

	ready atomic.Bool
}

var _ Runtime = (*SCFCustomProcess)(nil)

// SCFCustom returns the function in binary behind a fake of the custom runtime's API
// (cloud.tencent.com/document/product/583/47274): a process must report that it is ready before it may ask
// for an event, and an answer carries no request ID. The process starts with the first invocation.
func SCFCustom(t testing.TB, binary string, env map[string]string) *SCFCustomProcess {
	p := &SCFCustomProcess{dispatcher: newDispatcher(), Timeout: DefaultTimeout}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /runtime/init/ready", func(http.ResponseWriter, *http.Request) { p.ready.Store(true) })
	mux.HandleFunc("GET /runtime/invocation/next", p.handleNext)
	mux.HandleFunc("POST /runtime/invocation/response", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // it was cut off; the end of the process tells
		}
		p.accept(w, outcome{answer: body})
	})
	mux.HandleFunc("POST /runtime/invocation/error", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		p.accept(w, outcome{err: &FunctionError{Message: string(body)}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p.child = newChild(t, binary, env, append(scfEnvironment(), "SCF_RUNTIME_API="+host, "SCF_RUNTIME_API_PORT="+port, "_HANDLER=index.main_handler")...)
	p.child.ended = func(state string) {
		p.ready.Store(false)
		p.fail(&FunctionError{Message: "the process ended: " + state})
	}
	return p
}

// scfEnvironment is what SCF sets for every function.
func scfEnvironment() []string {
	return []string{
		"SCF_FUNCTIONNAME=yuexin-test", "SCF_NAMESPACE=default", "SCF_FUNCTIONVERSION=$LATEST",
		"TENCENTCLOUD_REGION=ap-guangzhou", "TENCENTCLOUD_APPID=1250000000", "TENCENTCLOUD_UIN=100000000000",
		"TENCENTCLOUD_SECRETID=fake", "TENCENTCLOUD_SECRETKEY=fake", "TENCENTCLOUD_SESSIONTOKEN=fake",
	}
}

// Invoke implements Runtime.
func (p *SCFCustomProcess) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	c := p.submit(payload, p.Timeout, p.Kill)
	if err := p.ensure(); err != nil {
		return nil, err
	}
	return c.result(ctx)
}

func (p *SCFCustomProcess) handleNext(w http.ResponseWriter, r *http.Request) {
	if !p.ready.Load() {
		http.Error(w, "asked for an event before reporting ready", http.StatusForbidden)
		return
	}
	if p.only() != "" {
		http.Error(w, "asked for an event before answering the last one", http.StatusConflict)
		return
	}
	c := p.next(r.Context())
	if c == nil {
		return
	}
	// Written as the platform does, underscores and lower case included.
	w.Header()["request_id"] = []string{c.id}
	w.Header()["memory_limit_in_mb"] = []string{"128"}
	w.Header()["time_limit_in_ms"] = []string{strconv.FormatInt(c.limit.Milliseconds(), 10)}
	_, _ = w.Write(c.payload)
}

func (p *SCFCustomProcess) accept(w http.ResponseWriter, o outcome) {
	if id := p.only(); id == "" || !p.finish(id, o) {
		http.Error(w, "there is no invocation to answer", http.StatusBadRequest)
	}
}
