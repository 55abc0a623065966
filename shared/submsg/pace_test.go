package submsg_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

// More is asked for than the rate allows, for ten minutes. Those who would have to wait longer than they can are queued and
// cost no turn, so messages go on at the rate; and when nobody asks any more, the rest goes too.
func TestMessagesGoOnAtTheRateWhenMoreIsAskedFor(t *testing.T) {
	for _, tc := range []struct {
		name        string
		every, for_ time.Duration // between two requests of one caller, and how long they ask
		least       int           // messages in each whole minute of that
	}{
		{"40 callers every 20 seconds", 20 * time.Second, 10 * time.Minute, 50},
		{"40 callers every 5 seconds", 5 * time.Second, 5 * time.Minute, 50},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const callers = 40
				w := newWorld(t, func(a *submsg.App) { a.Rate = 1 })
				for i := range callers {
					w.Granted(fmt.Sprintf("user-%d", i), bill, 1)
				}
				start := w.Clock.Now()
				stop := make(chan struct{})
				var ticks sync.WaitGroup
				ticks.Go(func() { // a tick each minute, as a timer's, whether or not the one before has ended
					for {
						select {
						case <-stop:
							return
						case <-time.After(time.Minute):
							ticks.Go(func() { tick(t, w) })
						}
					}
				})
				var mu sync.Mutex
				var asked []submsgtest.Asked
				var queued atomic.Int64
				var group sync.WaitGroup
				for i := range callers {
					group.Go(func() {
						time.Sleep(time.Duration(i) * tc.every / callers)
						for n := 0; w.Clock.Now().Sub(start) < tc.for_; n++ {
							began := time.Now()
							a, v, err := w.Send(fmt.Sprintf("user-%d", i), "bill", fmt.Sprintf("message-%d-%d", i, n))
							switch {
							case err != nil:
								t.Errorf("%s: %v", a.Key, err)
							case v.State == submsg.SendQueued && v.Reason != nil && v.Reason.Code == "rate" && v.Due > submsg.At(w.Clock.Now()):
								queued.Add(1)
							case v.State != submsg.SendSent:
								t.Errorf("%s is %s %+v", a.Key, v.State, v.Reason)
							}
							if took := time.Since(began); took > submsg.DefaultWork {
								t.Errorf("%s: its caller waited for %s", a.Key, took)
							}
							mu.Lock()
							asked = append(asked, a)
							mu.Unlock()
							time.Sleep(tc.every - time.Since(began)%tc.every)
						}
					})
				}
				group.Wait()
				if queued.Load() == 0 {
					t.Error("nobody was queued: the test shows nothing")
				}
				received := func() (n int) {
					for i := range callers {
						n += len(w.Sim.Received(appid, fmt.Sprintf("user-%d", i)))
					}
					return n
				}
				for waited := time.Duration(0); received() < len(asked) && waited < 2*time.Hour; waited += time.Minute {
					time.Sleep(time.Minute)
				}
				close(stop)
				ticks.Wait()
				minutes := map[int]int{}
				for i := range callers {
					for _, m := range w.Sim.Received(appid, fmt.Sprintf("user-%d", i)) {
						minutes[int(m.At.Sub(start)/time.Minute)]++
					}
				}
				for minute := range int(tc.for_ / time.Minute) {
					if n := minutes[minute]; n < tc.least {
						t.Errorf("minute %d: %d messages, want at least %d", minute, n, tc.least)
					}
				}
				for minute, n := range minutes {
					if n > 62 {
						t.Errorf("minute %d: %d messages, and one a second is allowed", minute, n)
					}
				}
				if got := received(); got != len(asked) {
					t.Errorf("%d messages of %d that were asked for", got, len(asked))
				}
				for _, a := range asked {
					if got, err := w.Service.Send(context.Background(), appid, a.ID); err != nil || got.State != submsg.SendSent {
						t.Errorf("%s: %v, %s %+v", a.Key, err, got.State, got.Reason)
					}
				}
			})
		})
	}
}
