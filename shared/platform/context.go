package platform

import (
	"context"
	"log/slog"
	"time"
)

type invocationKey struct{}

// invocation is what the platform knows of the call under way.
type invocation struct {
	requestID string
	function  string
}

func withInvocation(ctx context.Context, requestID, function string) context.Context {
	return context.WithValue(ctx, invocationKey{}, invocation{requestID: requestID, function: function})
}

// RequestID returns the platform's ID of the invocation that ctx belongs to, the one under which the
// platform's own logs and traces are found; "" outside of an invocation.
func RequestID(ctx context.Context) string {
	i, _ := ctx.Value(invocationKey{}).(invocation)
	return i.requestID
}

// FunctionName returns the name that Start or Process was given; "" outside of an invocation.
func FunctionName(ctx context.Context) string {
	i, _ := ctx.Value(invocationKey{}).(invocation)
	return i.function
}

// LogHandler returns a slog.Handler that adds invocation_id and function to every record whose context belongs
// to an invocation, and passes everything on to next. With it, code that logs with a context needs to know
// nothing of this package.
func LogHandler(next slog.Handler) slog.Handler {
	return contextHandler{next}
}

type contextHandler struct{ slog.Handler }

func (h contextHandler) Handle(ctx context.Context, record slog.Record) error {
	if i, ok := ctx.Value(invocationKey{}).(invocation); ok {
		record = record.Clone()
		record.AddAttrs(slog.String("invocation_id", i.requestID), slog.String("function", i.function))
	}
	return h.Handler.Handle(ctx, record)
}

func (h contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextHandler{h.Handler.WithAttrs(attrs)}
}

func (h contextHandler) WithGroup(name string) slog.Handler {
	return contextHandler{h.Handler.WithGroup(name)}
}

// withMargin moves the deadline of ctx forward by the margin described at DeadlineMargin.
func withMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	left := time.Until(deadline)
	margin := min(DeadlineMargin, max(left/4, 0))
	return context.WithDeadline(ctx, deadline.Add(-margin))
}
