package submsg_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// pausing is a store under a worker that stops for a while, once: after its reservation is written, or before what
// WeChat answered is. A machine that swaps does that, and a function that was frozen.
type pausing struct {
	submsg.Store
	reserved func()
	answered func()
}

func (p *pausing) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	if b, ok := rec.Body.(*submsg.Send); ok && b.Attempts > 0 {
		once(&p.answered)
	}
	v, err := p.Store.Save(ctx, rec)
	if sub, ok := rec.Body.(*submsg.Subscriber); ok && len(sub.Reservations) > 0 {
		once(&p.reserved)
	}
	return v, err
}

func once(f *func()) {
	if run := *f; run != nil {
		*f = nil
		run()
	}
}

func calls(w *submsgtest.World) int64 {
	totals := w.Sim.Totals(appid)
	return totals.Answered(wechattest.PathSend, "0")
}

// The rule "fence": a call to WeChat starts only while more than its own time is left of the lease and of the worker's
// deadline. The worker has 20 s, a call 5 s, and the lease ends 2 s after the worker.
func TestAPausedWorkerThatWakesUpLateDoesNotCallWeChat(t *testing.T) {
	for _, tc := range []struct {
		name  string
		pause func(w *submsgtest.World)
		calls int64
	}{
		{"a pause that leaves 6 s of 20: it calls", func(*submsgtest.World) { time.Sleep(14 * time.Second) }, 1},
		{"a pause that leaves 4 s of the worker's time and 6 s of the lease", func(*submsgtest.World) { time.Sleep(16 * time.Second) }, 0},
		{"a pause beyond the worker's time and within the lease", func(*submsgtest.World) { time.Sleep(21 * time.Second) }, 0},
		{"a pause beyond the lease", func(*submsgtest.World) { time.Sleep(time.Minute) }, 0},
		{"a freeze that stopped the timers but not the clock", func(w *submsgtest.World) { w.Clock.Advance(time.Minute) }, 0},
		{"a freeze that leaves 4 s of the lease by the clock", func(w *submsgtest.World) { w.Clock.Advance(18 * time.Second) }, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				w.Granted("user", order, 1)
				w.Service.Store = &pausing{Store: w.Service.Store, reserved: func() { tc.pause(w) }}
				asked, view, err := w.Send("user", "order", "the-send")
				if err != nil {
					t.Fatal(err)
				}
				if got := calls(w); got != tc.calls {
					t.Errorf("%d calls after the pause, want %d", got, tc.calls)
				}
				if tc.calls == 0 && view.State != submsg.SendQueued {
					t.Errorf("the send is %s, want queued: nothing was sent, and it is known", view.State)
				}
				w.Recover()
				w.Judge([]submsgtest.Asked{asked}, "user")
				if got := calls(w); got != 1 {
					t.Errorf("%d calls in the end, want 1", got)
				}
			})
		})
	}
}

// While a worker is paused beyond its lease, others take over: they cannot know whether it called. When it wakes up, it
// knows better, and must neither call nor lose the message.
func TestAWorkerThatWasTakenOverWhileItPausedDoesNotCallWeChat(t *testing.T) {
	for _, tc := range []struct {
		name     string
		takeOver func(t *testing.T, w *submsgtest.World)
	}{
		{"by the caller who asks again", func(t *testing.T, w *submsgtest.World) {
			_, view, err := w.Send("user", "order", "the-send")
			if err != nil || view.State != submsg.SendUnknown {
				t.Errorf("asked again: %v, %s; want unknown", err, view.State)
			}
		}},
		{"by the tick", func(t *testing.T, w *submsgtest.World) {
			if err := w.Service.Tick(context.Background()); err != nil {
				t.Error(err)
			}
			view, err := w.Service.Send(context.Background(), appid, submsg.SendID(appid, "the-send"))
			if err != nil || view.State != submsg.SendUnknown {
				t.Errorf("after the tick: %v, %s; want unknown", err, view.State)
			}
		}},
		{"by another message to the subscriber", func(t *testing.T, w *submsgtest.World) {
			_, view, err := w.Send("user", "order", "another")
			if err != nil || view.State != submsg.SendSent {
				t.Errorf("another message: %v, %s; want sent", err, view.State)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				w.Granted("user", order, 2)
				var paused *submsg.Service
				w.Service.Store = &pausing{Store: w.Service.Store, reserved: func() {
					time.Sleep(23 * time.Second)
					paused = w.Service
					w.Start(nil)
					tc.takeOver(t, w)
				}}
				before := calls(w)
				asked, view, err := w.Send("user", "order", "the-send")
				if err != nil {
					t.Fatal(err)
				}
				if paused == nil {
					t.Fatal("the worker never paused: the test shows nothing")
				}
				for _, m := range w.Sim.Received(appid, "user") {
					if m.Data["character_string1"] == "the-send" {
						t.Error("the worker called WeChat after its lease")
					}
				}
				if view.State != submsg.SendQueued {
					t.Errorf("the send is %s, want queued: the worker knows that it did not call", view.State)
				}
				all := []submsgtest.Asked{asked}
				if calls(w) != before {
					all = append(all, submsgtest.Asked{Key: "another", OpenID: "user", Template: "order", Accepted: true})
				}
				w.Recover()
				w.Judge(all, "user")
				if got := len(w.Sim.Received(appid, "user")); got != len(all) {
					t.Errorf("%d messages received in the end, want %d", got, len(all))
				}
			})
		})
	}
}

// The rule "answer": a worker that paused between WeChat's answer and its recording finds the send called unknown by then,
// or judged, and sets that right.
func TestALateRecordingOfWeChatsAnswerReplacesWhatOthersMadeOfIt(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fault  wechattest.Fault
		paused time.Duration
		found  submsg.SendState // what others have made of it meanwhile
		want   submsg.SendState
		credit int
	}{
		{"sent, and called unknown meanwhile", wechattest.Fault{}, 25 * time.Second, submsg.SendUnknown, submsg.SendSent, 0},
		{"refused by WeChat, and called unknown meanwhile", wechattest.Refuse(47003), 25 * time.Second, submsg.SendUnknown, submsg.SendRejected, 1},
		{"sent, and judged not to be meanwhile", wechattest.Fault{}, 4 * time.Minute, submsg.SendFailed, submsg.SendSent, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				w.Granted("user", order, 1)
				w.Granted("other", order, 1)
				w.Sim.Script(func(c wechattest.Call) wechattest.Fault {
					if c.OpenID == "user" {
						return tc.fault.And(wechattest.SentNever())
					}
					return wechattest.Fault{}
				})
				id := submsg.SendID(appid, "the-send")
				w.Service.Store = &pausing{Store: w.Service.Store, answered: func() {
					w.Start(nil)
					for left := tc.paused; left > 0; left -= 5 * time.Second {
						w.Clock.Advance(5 * time.Second) // frozen: its timers stand still, the clock does not
						if err := w.Service.Tick(context.Background()); err != nil {
							t.Error(err)
						}
						if left <= tc.paused/2 && tc.found == submsg.SendFailed { // evidence: an event of a later send
							if _, _, err := w.Send("other", "order", "evidence"); err != nil {
								t.Error(err)
							}
							w.Sim.DeliverAll()
						}
					}
					if view, err := w.Service.Send(context.Background(), appid, id); err != nil || view.State != tc.found {
						t.Errorf("during the pause: %v, %s; want %s, or the test shows nothing", err, view.State, tc.found)
					}
				}}
				if _, view, err := w.Send("user", "order", "the-send"); err != nil || view.State != tc.want {
					t.Errorf("answered %v, %s; want %s", err, view.State, tc.want)
				}
				w.Recover()
				view, err := w.Service.Send(context.Background(), appid, id)
				if err != nil || view.State != tc.want {
					t.Errorf("in the end %v, %s; want %s", err, view.State, tc.want)
				}
				sub, err := w.Service.Subscriber(context.Background(), appid, "user", 0)
				if err != nil || sub.Subscription(order).Credits != tc.credit || len(sub.Reservations) != 0 {
					t.Errorf("%v, %d credits, %d reservations; want %d and none", err, sub.Subscription(order).Credits, len(sub.Reservations), tc.credit)
				}
			})
		})
	}
}

// A worker whose time is too short for a call does not even begin: a reservation would only hold up the next one.
func TestAWorkerWithTooLittleTimeHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.Granted("user", order, 1)
		ctx, cancel := context.WithTimeout(context.Background(), submsg.DefaultCallTimeout+submsg.DefaultLeaseMargin-time.Millisecond)
		defer cancel()
		later, _, err := w.Service.CreateSend(ctx, appid, "short", submsg.SendRequest{OpenID: "user", Template: "order", Data: submsgtest.Data("short")})
		if err != nil || later.State != submsg.SendQueued || later.Reason == nil || later.Reason.Code != "waiting" {
			t.Errorf("%v, %s %+v; want that it waits for a worker with more time", err, later.State, later.Reason)
		}
		view, err := w.Service.Subscriber(context.Background(), appid, "user", 0)
		if err != nil || len(view.Reservations) != 0 || view.Subscription(order).Credits != 1 {
			t.Errorf("%v, %d reservations, %d credits; want none and 1", err, len(view.Reservations), view.Subscription(order).Credits)
		}
		w.Clock.Advance(time.Second)
		if _, view, err := w.Send("user", "order", "short"); err != nil || view.State != submsg.SendSent {
			t.Errorf("asked again with time: %v, %s", err, view.State)
		}
	})
}
