// Package platform turns what a cloud hands to a function into calls of ordinary Go code, and the answers
// back: AWS Lambda, Tencent SCF (its Go runtime and its custom runtime) and a plain process.
//
// A function describes what it offers once, as an [App]: an http.Handler, something to do on a timer tick,
// something to do with wake-up messages. Which cloud runs it, which of a cloud's dozen event shapes arrived,
// and how that cloud wants to be answered is this package's business alone, so one binary serves both clouds
// and every function can be tested as plain Go.
//
// [Start] is the whole main of a deployed function. [Process] serves the same App without any cloud.
// [App.Invoke] feeds one raw event through, for tests and tools.
//
// Nothing here keeps a promise about delivery. A queue message and a tick are wake-up calls: what must be
// done is found in the store, so a lost, doubled or late event changes nothing but latency. That is what
// allows this package to drop a poison message instead of failing on it for ever.
package platform

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// App is what a function offers. A nil handler means that this function does not serve events of that sort:
// an event of that sort is then an error that says so, because it means that a trigger is attached to the
// wrong function.
//
// Handlers may be called from several goroutines at once: Lambda with AWS_LAMBDA_MAX_CONCURRENCY, SCF's Go
// runtime and the plain process all do so.
//
// The context of every call ends [DeadlineMargin] before the platform would kill the function, so that work
// can stop and hand on what is left. A panic in a handler never ends the process.
type App struct {
	// HTTP serves requests that came through a function URL or an API gateway.
	HTTP http.Handler

	// Timer does what is due at now, which is the time of the call and never the one that an event
	// carries: ticks arrive late, early, twice or not at all, and Tencent does not document the zone
	// that its cron expressions are read in.
	Timer func(ctx context.Context, now time.Time) error

	// Queue handles a batch of wake-ups and returns the IDs of those that should be delivered again. An
	// error means the whole batch. Whether there is another delivery is up to the source: SQS redelivers,
	// every other source logs the failure and drops the message, since the timer finds what it left.
	Queue func(ctx context.Context, messages []Message) (failed []string, err error)

	// Close flushes what must not be lost when the process ends (SIGTERM). Optional. Lambda does not call it: it
	// tells of the end only a process that has registered an extension, which is one more request at every cold
	// start.
	Close func(ctx context.Context) error

	// Log receives what the platform has to say about this App: panics, dropped messages. nil means
	// slog.Default().
	Log *slog.Logger
}

// Message is one wake-up.
type Message struct {
	// ID names the message within its batch, and is what Queue returns for a failed one.
	ID string
	// Body is what the sender passed to Wake.
	Body []byte
}

// Build makes the App of one function from the environment. getenv reads one environment variable ("" when
// it is not set) and stays usable after Build has returned; on SCF's Go runtime values may change between
// invocations (temporary credentials do).
//
// ctx limits the building only. Whatever lives on must not hold on to it, or must use
// context.WithoutCancel.
type Build func(ctx context.Context, getenv func(string) string) (App, error)

const (
	// DeadlineMargin is the time kept back from the platform's own deadline: handlers see a context that
	// ends this much earlier, and have that long to save a cursor, wake up a successor and answer. Where
	// less than four times the margin is left of an invocation, a quarter of what is left is kept back.
	DeadlineMargin = 500 * time.Millisecond

	// MaxAnswer is the size limit in bytes of an HTTP answer as the platform receives it, headers and
	// encoding included. Lambda and SCF both accept 6 MB from a synchronous call
	// (docs.aws.amazon.com/lambda, "Lambda quotas"; cloud.tencent.com/document/product/583/11637).
	// A larger answer is replaced by a problem with the code response_too_large.
	MaxAnswer = 6 << 20
)

func (a *App) log() *slog.Logger {
	if a.Log != nil {
		return a.Log
	}
	return slog.Default()
}
