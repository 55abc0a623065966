package systemtest_test

import (
	"context"
	"strings"

	"github.com/yuexin-dev/yuexin/shared/platformtest"
)

// fleet is one function in several instances. Each of them handles one event at a time, as on Lambda and SCF, and the one
// that has waited longest takes the next.
type fleet struct {
	instances []platformtest.Runtime
	idle      chan platformtest.Runtime
}

var _ platformtest.Runtime = (*fleet)(nil)

func newFleet(instances ...platformtest.Runtime) *fleet {
	f := &fleet{instances: instances, idle: make(chan platformtest.Runtime, len(instances))}
	for _, i := range instances {
		f.idle <- i
	}
	return f
}

// Invoke implements platformtest.Runtime.
func (f *fleet) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	select {
	case instance := <-f.idle:
		defer func() { f.idle <- instance }()
		return instance.Invoke(ctx, payload)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Logs implements platformtest.Runtime.
func (f *fleet) Logs() string {
	var all strings.Builder
	for _, i := range f.instances {
		all.WriteString(i.Logs())
	}
	return all.String()
}

// Kill implements platformtest.Runtime.
func (f *fleet) Kill() {
	for _, i := range f.instances {
		i.Kill()
	}
}

// Terminate implements platformtest.Runtime.
func (f *fleet) Terminate() {
	for _, i := range f.instances {
		i.Terminate()
	}
}
