package platform

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Process serves an App without a cloud: HTTP on a listener, ticks from the clock, wake-ups from a channel.
// Every call gets a deadline as it would have on a cloud, so that the code behind it behaves alike.
type Process struct {
	App  App
	Name string // for logs; see FunctionName

	Listener net.Listener // nil: no HTTP; closed by Run
	Wakeups  *Channel     // nil: no queue

	Tick    time.Duration // from one tick to the next; 0 means 1 s
	Limit   time.Duration // of every request, tick and wake-up; 0 means 1 min
	Workers int           // wake-ups handled at a time; 0 means 4
	Drain   time.Duration // for work under way when the end comes; 0 means 10 s
}

// ErrDrained is the cause with which the context of work under way ends when Process has waited for it as
// long as Drain allows.
var ErrDrained = errors.New("platform: the process is ending")

// lastGrace is what cancelled work gets to come back before Run gives up on it.
const lastGrace = 2 * time.Second

// Run serves until ctx ends or the listener fails. Then it accepts no more requests and starts no more ticks,
// lets work under way and wake-ups already sent come to their end within Drain, cancels what is left, and
// closes the App.
//
// It returns nil after an orderly end, and otherwise what went wrong.
func (p Process) Run(ctx context.Context) error {
	p.Tick = cmp.Or(p.Tick, time.Second)
	p.Limit = cmp.Or(p.Limit, time.Minute)
	p.Workers = cmp.Or(p.Workers, 4)
	p.Drain = cmp.Or(p.Drain, 10*time.Second)

	// Work outlives ctx, whose end is only the beginning of an orderly one.
	work, cancelWork := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancelWork(ErrDrained)
	ticks, stopTicks := context.WithCancel(ctx)
	defer stopTicks()
	stopWorkers := make(chan struct{})

	var ticking, working sync.WaitGroup
	if p.App.Timer != nil {
		ticking.Go(func() { p.tick(ticks, work) })
	}
	if p.App.Queue != nil && p.Wakeups != nil {
		for range p.Workers {
			working.Go(func() { p.consume(work, stopWorkers) })
		}
	}
	server := &http.Server{}
	serving := make(chan error, 1)
	if p.App.HTTP != nil && p.Listener != nil {
		server = p.server(work)
		go func() { serving <- server.Serve(p.Listener) }()
	}

	var failure error
	select {
	case <-ctx.Done():
	case err := <-serving:
		failure = fmt.Errorf("platform: serving HTTP on %s: %w", p.Listener.Addr(), err)
	}

	stopTicks()
	expiry := time.AfterFunc(p.Drain, func() { cancelWork(ErrDrained) })
	defer expiry.Stop()
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Drain+lastGrace)
	defer cancel()
	drained := make(chan error, 1)
	go func() {
		// In this order: requests and ticks may still send wake-ups.
		err := server.Shutdown(patience)
		ticking.Wait()
		close(stopWorkers)
		working.Wait()
		drained <- err
	}()
	abandoned := true
	select {
	case err := <-drained:
		abandoned = err != nil
	case <-patience.Done():
	}
	if abandoned {
		_ = server.Close() // its requests have had their time
		failure = errors.Join(failure, fmt.Errorf("platform: some work did not end within %s and was abandoned; it will fall due again", p.Drain+lastGrace))
	}
	return errors.Join(failure, p.close(ctx))
}

// tick calls the timer at once, so that what fell due while the process was down is found, and then at every
// tick. A call that takes longer than a tick delays the next one; two never overlap.
func (p *Process) tick(ticks, work context.Context) {
	ticker := time.NewTicker(p.Tick)
	defer ticker.Stop()
	var dropped uint64
	for ticks.Err() == nil {
		ctx, cancel := p.call(work)
		if n := p.Wakeups.Dropped(); n > dropped {
			p.App.log().WarnContext(ctx, "wake-ups found the channel full; the tick finds their work", "dropped", n-dropped)
			dropped = n
		}
		if err := callTimer(ctx, &p.App); err != nil {
			p.App.log().ErrorContext(ctx, "a tick failed; the next one repeats its work", "error", err)
		}
		cancel()
		select {
		case <-ticker.C:
		case <-ticks.Done():
		}
	}
}

// consume handles wake-ups until stop is closed and the channel is empty, or until work ends.
func (p *Process) consume(work context.Context, stop <-chan struct{}) {
	for work.Err() == nil {
		var message Message
		select {
		case message = <-p.Wakeups.messages:
		case <-work.Done():
			return
		case <-stop:
			select {
			case message = <-p.Wakeups.messages:
			default:
				return
			}
		}
		ctx, cancel := p.call(work)
		deliver(ctx, &p.App, "channel", []Message{message})
		cancel()
	}
}

// call returns the context of one tick, wake-up or request.
func (p *Process) call(parent context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(withInvocation(parent, rand.Text(), p.Name), p.Limit)
}

// server returns the HTTP server, with the limits that a gateway would set.
func (p *Process) server(work context.Context) *http.Server {
	return &http.Server{
		Handler:           http.MaxBytesHandler(p.limited(), MaxAnswer),
		BaseContext:       func(net.Listener) context.Context { return work },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      p.Limit + 10*time.Second, // room for the answer after the last moment of the work
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// limited wraps the App's handler in what Invoke does on a cloud: the deadline, the request ID, the problem
// document in place of a panic.
func (p *Process) limited() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := p.call(r.Context())
		defer cancel()
		started := &startedWriter{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // the value of a panic, which net/http compares so too
				panic(v)
			}
			logPanic(ctx, p.App.log(), "http", v)
			if started.yes {
				panic(http.ErrAbortHandler) // half an answer cannot be taken back, only cut off
			}
			for name := range w.Header() {
				w.Header().Del(name)
			}
			writeProblem(w, http.StatusInternalServerError, problemInternal, problemInternalDetail)
		}()
		p.App.HTTP.ServeHTTP(started, r.WithContext(ctx))
	})
}

// startedWriter knows whether any of the answer has been sent.
type startedWriter struct {
	http.ResponseWriter
	yes bool
}

func (w *startedWriter) WriteHeader(status int) {
	w.yes = w.yes || status >= 200
	w.ResponseWriter.WriteHeader(status)
}

func (w *startedWriter) Write(p []byte) (int, error) {
	w.yes = true
	return w.ResponseWriter.Write(p)
}

// Unwrap gives http.ResponseController access to the rest.
func (w *startedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// closeLimit is what App.Close gets at the end of a plain process.
const closeLimit = 5 * time.Second

func (p *Process) close(ctx context.Context) error {
	if p.App.Close == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	if err := p.App.Close(ctx); err != nil {
		return fmt.Errorf("platform: closing: %w", err)
	}
	return nil
}
