package platform

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// builder builds the App of a function once, when it is first asked for. A failed build is tried again at
// the next request: its cause may have been a secret store that was out of reach for a moment.
type builder struct {
	name   string
	build  Build
	getenv func(string) string

	gate  chan struct{} // holds one token while somebody builds
	built atomic.Pointer[App]
}

func newBuilder(name string, build Build, getenv func(string) string) *builder {
	return &builder{name: name, build: build, getenv: getenv, gate: make(chan struct{}, 1)}
}

// app returns the App, building it where nobody has yet. Callers that arrive during a build wait for it, as
// long as their own context allows.
func (b *builder) app(ctx context.Context) (*App, error) {
	if app := b.built.Load(); app != nil {
		return app, nil
	}
	select {
	case b.gate <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("platform: function %s: still starting: %w", b.name, context.Cause(ctx))
	}
	defer func() { <-b.gate }()
	if app := b.built.Load(); app != nil {
		return app, nil
	}
	app, err := b.attempt(ctx)
	if err != nil {
		return nil, fmt.Errorf("platform: function %s did not start: %w", b.name, err)
	}
	b.built.Store(&app)
	return &app, nil
}

func (b *builder) attempt(ctx context.Context) (app App, err error) {
	defer func() {
		if v := recover(); v != nil {
			logPanic(ctx, slog.Default(), "build", v)
			err = errPanicked
		}
	}()
	return b.build(ctx, b.getenv)
}

// invoke serves one invocation under the platform's ID for it.
func (b *builder) invoke(ctx context.Context, requestID string, payload []byte) ([]byte, error) {
	ctx = withInvocation(ctx, requestID, b.name)
	app, err := b.app(ctx)
	if err != nil {
		return nil, err
	}
	return app.Invoke(ctx, payload)
}

// closeTime is what App.Close gets on SCF, whose documentation does not say how long it waits.
const closeTime = 300 * time.Millisecond

// close flushes the App where there is one.
func (b *builder) close() {
	app := b.built.Load()
	if app == nil || app.Close == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if err := app.Close(ctx); err != nil {
		app.log().Error("closing before the end of the process failed", "function", b.name, "error", err)
	}
}

// closeOnSIGTERM flushes the App and ends the process when the platform says that it is time.
func (b *builder) closeOnSIGTERM() {
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGTERM)
	go func() {
		<-ending
		b.close()
		os.Exit(0)
	}()
}
