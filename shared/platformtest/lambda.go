package platformtest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// LambdaProcess is a function on a fake of AWS Lambda.
type LambdaProcess struct {
	*child
	*dispatcher

	// Timeout is the function's time limit, after which its process is killed. Set it before the first
	// invocation.
	Timeout time.Duration
}

var _ Runtime = (*LambdaProcess)(nil)

// Lambda returns the function in binary behind a fake of Lambda's Runtime API
// (docs.aws.amazon.com/lambda, "Using the Lambda runtime API for custom runtimes"). env is added to the few
// variables that Lambda itself sets. The process starts with the first invocation.
func Lambda(t testing.TB, binary string, env map[string]string) *LambdaProcess {
	p := &LambdaProcess{dispatcher: newDispatcher(), Timeout: DefaultTimeout}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", p.handleNext)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", p.handleResponse)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", p.handleError)
	server := httptest.NewServer(mux)
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	p.child = newChild(t, binary, env,
		"AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(server.URL, "http://"),
		"AWS_LAMBDA_FUNCTION_NAME=yuexin-test", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128", "AWS_REGION=ap-southeast-1",
		"AWS_ACCESS_KEY_ID=fake", "AWS_SECRET_ACCESS_KEY=fake", "TZ=:UTC")
	p.child.ended = func(state string) {
		p.fail(&FunctionError{Type: "Runtime.ExitError", Message: "Runtime exited: " + state})
	}
	return p
}

// Invoke implements Runtime.
func (p *LambdaProcess) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	c := p.submit(payload, p.Timeout, p.Kill)
	if err := p.ensure(); err != nil {
		return nil, err
	}
	return c.result(ctx)
}

func (p *LambdaProcess) handleNext(w http.ResponseWriter, r *http.Request) {
	c := p.next(r.Context())
	if c == nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Lambda-Runtime-Aws-Request-Id", c.id)
	w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(c.deadline.UnixMilli(), 10))
	w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:ap-southeast-1:123456789012:function:yuexin-test")
	w.Header().Set("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1")
	_, _ = w.Write(c.payload)
}

func (p *LambdaProcess) handleResponse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it was cut off; the end of the process tells
	}
	p.accept(w, r.PathValue("id"), outcome{answer: body})
}

func (p *LambdaProcess) handleError(w http.ResponseWriter, r *http.Request) {
	p.accept(w, r.PathValue("id"), outcome{err: readFunctionError(r)})
}

func (p *LambdaProcess) accept(w http.ResponseWriter, id string, o outcome) {
	if !p.finish(id, o) {
		http.Error(w, `{"errorType":"InvalidRequestID","errorMessage":"no such invocation"}`, http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func readFunctionError(r *http.Request) *FunctionError {
	var failure struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if err := json.NewDecoder(r.Body).Decode(&failure); err != nil {
		return &FunctionError{Type: "Runtime.MalformedError", Message: "the function's error is not JSON: " + err.Error()}
	}
	return &FunctionError{Type: failure.Type, Message: failure.Message}
}
