package platform

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func noEnvironment(string) string { return "" }

func TestTheAppIsBuiltOnceHoweverManyAskForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var builds atomic.Int32
		b := newBuilder("send", func(context.Context, func(string) string) (App, error) {
			builds.Add(1)
			time.Sleep(time.Second)
			return App{}, nil
		}, noEnvironment)
		var apps sync.Map
		var askers sync.WaitGroup
		for range 50 {
			askers.Go(func() {
				app, err := b.app(t.Context())
				if err != nil {
					t.Error(err)
				}
				apps.Store(app, true)
			})
		}
		askers.Wait()
		different := 0
		apps.Range(func(any, any) bool { different++; return true })
		if builds.Load() != 1 || different != 1 {
			t.Errorf("%d builds gave %d apps, want one of each", builds.Load(), different)
		}
	})
}

func TestAFailedBuildIsTriedAgainAndNamesTheFunction(t *testing.T) {
	attempts := 0
	b := newBuilder("send", func(context.Context, func(string) string) (App, error) {
		attempts++
		switch attempts {
		case 1:
			return App{}, errors.New("out of reach")
		case 2:
			panic("secret")
		}
		return App{}, nil
	}, noEnvironment)
	for _, want := range []string{"function send did not start: out of reach", "the function panicked"} {
		if _, err := b.app(t.Context()); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("the error is %v, want one that says %q", err, want)
		}
	}
	if _, err := b.app(t.Context()); err != nil {
		t.Errorf("the third attempt failed: %v", err)
	}
}

func TestWhoWaitsForABuildWaitsNoLongerThanHeMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBuilder("send", func(context.Context, func(string) string) (App, error) {
			time.Sleep(time.Hour)
			return App{}, nil
		}, noEnvironment)
		go func() { _, _ = b.app(t.Context()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := b.app(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v, want the deadline", err)
		}
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("it waited %v, want 1s", waited)
		}
		time.Sleep(time.Hour)
	})
}

func TestClosingFlushesWhatWasBuiltAndOnlyThat(t *testing.T) {
	closed := 0
	b := newBuilder("send", func(context.Context, func(string) string) (App, error) {
		return App{Close: func(ctx context.Context) error {
			if _, limited := ctx.Deadline(); !limited {
				t.Error("closing has no time limit")
			}
			closed++
			return nil
		}}, nil
	}, noEnvironment)
	b.close()
	if closed != 0 {
		t.Error("closed before it was built")
	}
	if _, err := b.app(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.close()
	if closed != 1 {
		t.Errorf("closed %d times, want once", closed)
	}
}
