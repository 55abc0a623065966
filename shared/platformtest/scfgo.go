package platformtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/rpc"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tencentyun/scf-go-lib/cloudfunction/messages"
)

// SCFGoProcess is a function on a fake of Tencent SCF's Go runtime.
type SCFGoProcess struct {
	*child

	// Timeout is the function's time limit, after which its process is killed.
	Timeout time.Duration
	// NoDeadline leaves the deadline of every request at zero, so that the time limit is all that the
	// function is told.
	NoDeadline bool

	address     string
	environment string
	sequence    atomic.Uint64

	mu     sync.Mutex
	client *rpc.Client
}

var _ Runtime = (*SCFGoProcess)(nil)

// SCFGo returns the function in binary behind a fake of the Go runtime, which speaks net/rpc with the process
// as scf-go-lib expects. As on the platform, env reaches the process with each invocation and not at its
// start.
func SCFGo(t testing.TB, binary string, env map[string]string) *SCFGoProcess {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close() // the port is the function's to listen on
	all := make(map[string]string, len(env))
	for _, variable := range scfEnvironment() {
		name, value, _ := strings.Cut(variable, "=")
		all[name] = value
	}
	for name, value := range env {
		all[name] = value
	}
	environment, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	return &SCFGoProcess{
		child:       newChild(t, binary, nil, "_LAMBDA_SERVER_PORT="+port),
		Timeout:     DefaultTimeout,
		address:     address,
		environment: string(environment),
	}
}

// Invoke implements Runtime.
func (p *SCFGoProcess) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	client, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	request := &messages.InvokeRequest{
		Payload:         payload,
		RequestId:       fmt.Sprintf("00000000-0000-4000-8000-%012d", p.sequence.Add(1)),
		Namespace:       "default",
		FunctionName:    "yuexin-test",
		FunctionVersion: "$LATEST",
		MemoryLimitInMb: 128,
		TimeLimitInMs:   int32(p.Timeout.Milliseconds()),
		Environment:     p.environment,
	}
	if deadline := time.Now().Add(p.Timeout); !p.NoDeadline {
		request.Deadline = messages.InvokeRequest_Timestamp{Seconds: deadline.Unix(), Nanos: int64(deadline.Nanosecond())}
	}
	var response messages.InvokeResponse
	invocation := client.Go("Function.Invoke", request, &response, make(chan *rpc.Call, 1))
	select {
	case <-invocation.Done:
	case <-time.After(p.Timeout):
		p.Kill()
		return nil, &FunctionError{Message: fmt.Sprintf("Invoking task timed out after %v", p.Timeout)}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	switch {
	case invocation.Error != nil:
		p.disconnect(client)
		return nil, &FunctionError{Message: "the process ended: " + invocation.Error.Error()}
	case response.Error != nil:
		if response.Error.ShouldExit {
			p.Kill()
		}
		return nil, &FunctionError{Type: response.Error.Type, Message: response.Error.Message}
	}
	return response.Payload, nil
}

// connect starts the process where none runs and waits until it answers a ping.
func (p *SCFGoProcess) connect(ctx context.Context) (*rpc.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != nil && p.client.Call("Function.Ping", &messages.PingRequest{}, &messages.PingResponse{}) == nil {
		return p.client, nil
	}
	if err := p.ensure(); err != nil {
		return nil, err
	}
	var last error
	for range 500 {
		client, err := rpc.Dial("tcp", p.address)
		if err == nil {
			if err = client.Call("Function.Ping", &messages.PingRequest{}, &messages.PingResponse{}); err == nil {
				p.client = client
				return client, nil
			}
			client.Close()
		}
		last = err
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, fmt.Errorf("platformtest: the function does not answer on %s: %w", p.address, last)
}

func (p *SCFGoProcess) disconnect(client *rpc.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	client.Close()
	if p.client == client {
		p.client = nil
	}
}
