package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"
)

// ErrNotServed is the reason why an event of a known sort was refused: the App has no handler for that sort.
var ErrNotServed = errors.New("this function does not serve events of this sort; attach the trigger to another function")

// errPanicked stands for a panic in what is returned to the platform. The panic's own text is left out: it
// may quote what the code was working on.
var errPanicked = errors.New("the function panicked; the place is in its log")

// nothing is the answer to an event that has none: a tick, or a wake-up from a source that ignores answers.
var nothing = []byte("null")

// event is one classified invocation. Each shape knows how to hand itself to an App and how its source wants
// to be answered.
type event interface {
	serve(ctx context.Context, app *App) ([]byte, error)
}

// Invoke hands one raw event, as the cloud sends it, to the handler it is meant for and returns the answer
// in the form that the event's source expects. The shapes it knows are those of events/aws and events/scf.
//
// An error means that the invocation failed and is for the cloud to show and perhaps to repeat: the shape is
// unknown ([UnknownEventError]), nothing here serves it ([ErrNotServed]), or the handler failed where its
// source wants to know. Neither the errors made here nor what is logged here quote values of the event.
func (a App) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ev, err := classify(payload)
	if err != nil {
		return nil, err
	}
	ctx, cancel := withMargin(ctx)
	defer cancel()
	return ev.serve(ctx, &a)
}

// tickEvent is a timer's call. It carries nothing: see App.Timer.
type tickEvent struct{ source string }

func (t tickEvent) serve(ctx context.Context, app *App) ([]byte, error) {
	if app.Timer == nil {
		return nil, fmt.Errorf("platform: %s: %w", t.source, ErrNotServed)
	}
	if err := callTimer(ctx, app); err != nil {
		return nil, fmt.Errorf("platform: %s: %w", t.source, err)
	}
	return nothing, nil
}

func callTimer(ctx context.Context, app *App) (err error) {
	defer func() {
		if v := recover(); v != nil {
			logPanic(ctx, app.log(), "timer", v)
			err = errPanicked
		}
	}()
	return app.Timer(ctx, time.Now())
}

func callQueue(ctx context.Context, app *App, messages []Message) (failed []string, err error) {
	defer func() {
		if v := recover(); v != nil {
			logPanic(ctx, app.log(), "queue", v)
			failed, err = nil, errPanicked
		}
	}()
	return app.Queue(ctx, messages)
}

// logPanic records where a handler panicked. A runtime error says what was wrong without quoting data and is
// logged in full; of any other value only the type is, because code panics with whatever it has at hand.
func logPanic(ctx context.Context, log *slog.Logger, handler string, value any) {
	what := fmt.Sprintf("%T", value)
	if err, ok := value.(runtime.Error); ok {
		what = err.Error()
	}
	log.ErrorContext(ctx, "a handler panicked", "handler", handler, "panic", what, "stack", string(debug.Stack()))
}
