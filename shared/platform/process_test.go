package platform_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/platform"
)

// run runs p until the test lets it end and returns how to do that; ending waits for it.
func run(t *testing.T, p platform.Process) (end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}

func TestTicks(t *testing.T) {
	tests := map[string]struct {
		takes func(n int) time.Duration // how long the nth tick takes
		want  []string
	}{
		"come at once and then every second": {
			func(int) time.Duration { return 0 }, []string{"0s", "1s", "2s", "3s", "4s"},
		},
		"never overlap, and a long one delays only the next": {
			func(n int) time.Duration { return []time.Duration{0, 2500 * time.Millisecond, 0, 0, 0}[n] },
			[]string{"0s", "1s", "3.5s", "4s"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var ticks []string
				running := false
				end := run(t, platform.Process{App: platform.App{Timer: func(_ context.Context, now time.Time) error {
					if running {
						t.Error("two ticks overlap")
					}
					running = true
					ticks = append(ticks, now.Sub(start).String())
					time.Sleep(test.takes(len(ticks) - 1))
					running = false
					return nil
				}}})
				time.Sleep(4500 * time.Millisecond)
				if err := end(); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(test.want, ticks); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestATickThatFailsOrPanicsIsLoggedAndTheNextOneComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		ticks := 0
		end := run(t, platform.Process{App: platform.App{
			Log: slog.New(slog.NewTextHandler(&log, nil)),
			Timer: func(context.Context, time.Time) error {
				ticks++
				if ticks == 1 {
					return errors.New("out of reach")
				}
				panic("secret")
			},
		}})
		time.Sleep(1500 * time.Millisecond)
		if err := end(); err != nil {
			t.Error(err)
		}
		if ticks != 2 {
			t.Errorf("%d ticks, want 2", ticks)
		}
		for _, want := range []string{"out of reach", "a handler panicked", "the next one repeats its work"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, &log)
			}
		}
	})
}

func TestWakeUpsAreHandledByAsManyWorkersAsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers, messages = 3, 9
		var running, most, handled atomic.Int32
		wakeups := platform.NewChannel(messages)
		end := run(t, platform.Process{Wakeups: wakeups, Workers: workers, App: platform.App{
			Queue: func(ctx context.Context, batch []platform.Message) ([]string, error) {
				if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != time.Minute {
					t.Errorf("a wake-up has the deadline %v, want a minute", deadline)
				}
				if platform.RequestID(ctx) == "" {
					t.Error("a wake-up has no request ID")
				}
				most.Store(max(most.Load(), running.Add(1)))
				time.Sleep(time.Second)
				running.Add(-1)
				handled.Add(int32(len(batch)))
				return nil, nil
			},
		}})
		for i := range messages {
			if err := wakeups.Wake(t.Context(), [][]byte{fmt.Append(nil, i)}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3*time.Second + time.Millisecond)
		if most.Load() != workers || handled.Load() != messages {
			t.Errorf("%d at a time, %d in all; want %d and %d", most.Load(), handled.Load(), workers, messages)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestAFullChannelDropsAndNeverBlocks(t *testing.T) {
	wakeups := platform.NewChannel(2)
	body := []byte("one")
	if err := wakeups.Wake(t.Context(), [][]byte{body, []byte("two"), []byte("three")}); err != nil {
		t.Fatal(err)
	}
	if wakeups.Dropped() != 1 {
		t.Errorf("%d were dropped, want 1", wakeups.Dropped())
	}
	copy(body, "ONE") // the sender may use its buffer again
	synctest.Test(t, func(t *testing.T) {
		var got []string
		end := run(t, platform.Process{Wakeups: wakeups, Workers: 1, App: platform.App{
			Queue: func(_ context.Context, messages []platform.Message) ([]string, error) {
				got = append(got, string(messages[0].Body))
				return nil, nil
			},
		}})
		if err := end(); err != nil {
			t.Error(err)
		}
		if !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestAWakeUpThatFailsIsLoggedAndDropped(t *testing.T) {
	var log bytes.Buffer
	wakeups := platform.NewChannel(0)
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		end := run(t, platform.Process{Wakeups: wakeups, Workers: 1, App: platform.App{
			Log: slog.New(slog.NewTextHandler(&log, nil)),
			Queue: func(context.Context, []platform.Message) ([]string, error) {
				calls++
				panic("secret")
			},
		}})
		_ = wakeups.Wake(t.Context(), [][]byte{[]byte("a"), []byte("b")})
		if err := end(); err != nil {
			t.Error(err)
		}
		if calls != 2 || strings.Count(log.String(), "wake-ups were dropped") != 2 || strings.Contains(log.String(), "secret") {
			t.Errorf("%d calls, log:\n%s", calls, &log)
		}
	})
}

func TestTheEndOfAPlainProcess(t *testing.T) {
	tests := map[string]struct {
		takes   time.Duration // by the work under way when the end comes
		heeds   bool          // it stops when its context ends
		want    time.Duration // from the end of the context to the end of Run
		wantErr string
		cause   error // of the end of the work's context
	}{
		"waits for work under way":                         {3 * time.Second, true, 3 * time.Second, "", nil},
		"cancels work that takes too long":                 {time.Hour, true, 10 * time.Second, "", platform.ErrDrained},
		"abandons work that does not heed being cancelled": {time.Hour, false, 12 * time.Second, "abandoned", nil},
	}
	for name, test := range tests {
		for _, sort := range []string{"tick", "wake-up"} {
			t.Run(name+" of a "+sort, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var cause error
					closed := false
					work := func(ctx context.Context) {
						var heeded <-chan struct{}
						if test.heeds {
							heeded = ctx.Done()
						}
						select {
						case <-time.After(test.takes):
						case <-heeded:
							cause = context.Cause(ctx)
						}
					}
					wakeups := platform.NewChannel(0)
					p := platform.Process{Wakeups: wakeups, Limit: 24 * time.Hour, App: platform.App{Close: func(context.Context) error { closed = true; return nil }}}
					if sort == "tick" {
						p.App.Timer = func(ctx context.Context, _ time.Time) error { work(ctx); return nil }
					} else {
						p.App.Queue = func(ctx context.Context, _ []platform.Message) ([]string, error) { work(ctx); return nil, nil }
					}
					end := run(t, p)
					_ = wakeups.Wake(t.Context(), [][]byte{[]byte("x")})
					synctest.Wait()
					began := time.Now()
					err := end()
					if took := time.Since(began); took != test.want {
						t.Errorf("it took %v, want %v", took, test.want)
					}
					if (err == nil) != (test.wantErr == "") || err != nil && !strings.Contains(err.Error(), test.wantErr) {
						t.Errorf("the error is %v, want %q", err, test.wantErr)
					}
					if cause != test.cause {
						t.Errorf("the work was ended by %v, want %v", cause, test.cause)
					}
					if !closed {
						t.Error("the App was not closed")
					}
					time.Sleep(test.takes) // abandoned work must come to its end within the test
				})
			})
		}
	}
}

func TestWakeUpsAlreadySentAreHandledBeforeTheEnd(t *testing.T) {
	for name, waiting := range map[string][][]byte{
		"also one that the last tick sends to idle workers": nil,
		"also those behind others":                          {[]byte("a"), []byte("b")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				handled := 0
				wakeups := platform.NewChannel(0)
				end := run(t, platform.Process{Wakeups: wakeups, Workers: 1, App: platform.App{
					Timer: func(ctx context.Context, _ time.Time) error {
						time.Sleep(time.Second) // under way when the end comes
						return wakeups.Wake(ctx, [][]byte{[]byte("from the last tick")})
					},
					Queue: func(context.Context, []platform.Message) ([]string, error) {
						time.Sleep(time.Second)
						handled++
						return nil, nil
					},
				}})
				synctest.Wait()
				_ = wakeups.Wake(t.Context(), waiting)
				if err := end(); err != nil {
					t.Error(err)
				}
				if want := len(waiting) + 1; handled != want {
					t.Errorf("%d wake-ups were handled, want %d", handled, want)
				}
			})
		})
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func get(url string) (status int, contentType, body string, err error) {
	r, err := http.Get(url)
	if err != nil {
		return 0, "", "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return r.StatusCode, r.Header.Get("Content-Type"), string(text), err
}

func TestRequestsToAPlainProcess(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/context", func(w http.ResponseWriter, r *http.Request) {
		_, limited := r.Context().Deadline()
		fmt.Fprintf(w, "limited %t, named %s, with an ID %t", limited, platform.FunctionName(r.Context()), platform.RequestID(r.Context()) != "")
	})
	mux.HandleFunc("/panic", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Secret", "1")
		panic("secret")
	})
	mux.HandleFunc("/panic-late", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half of it")
		_ = http.NewResponseController(w).Flush()
		panic("secret")
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "done")
	})
	listener := listen(t)
	base := "http://" + listener.Addr().String()
	end := run(t, platform.Process{Name: "standalone", Listener: listener, App: platform.App{HTTP: mux, Log: slog.New(slog.DiscardHandler)}})

	if _, _, body, err := get(base + "/context"); err != nil || body != "limited true, named standalone, with an ID true" {
		t.Errorf("got %q, %v", body, err)
	}
	if status, kind, body, err := get(base + "/panic"); err != nil || status != 500 || kind != "application/problem+json" || body != internalError.Body {
		t.Errorf("a panic was answered with %d %s %s, %v", status, kind, body, err)
	}
	if _, _, body, err := get(base + "/panic-late"); err == nil {
		t.Errorf("half an answer passed for a whole one: %q", body)
	}

	answer := make(chan string, 1)
	go func() {
		_, _, body, err := get(base + "/slow")
		answer <- body + errorText(err)
	}()
	<-arrived
	ended := make(chan error, 1)
	go func() { ended <- end() }()
	for { // the listener closes while the request is under way
		connection, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			break
		}
		connection.Close()
	}
	close(release)
	if got := <-answer; got != "done" {
		t.Errorf("the request under way got %q, want done", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAListenerThatFailsEndsTheProcess(t *testing.T) {
	listener := listen(t)
	listener.Close()
	ticks := 0
	err := platform.Process{Listener: listener, App: platform.App{
		HTTP:  http.NotFoundHandler(),
		Timer: func(context.Context, time.Time) error { ticks++; return nil },
	}}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "serving HTTP on 127.0.0.1:") {
		t.Errorf("the error is %v", err)
	}
}
