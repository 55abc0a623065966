package submsg_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

func erase(t testing.TB, w *submsgtest.World, openid string) {
	t.Helper()
	if err := w.Service.Erase(context.Background(), appid, openid); err != nil {
		t.Fatalf("erasing %s: %v", openid, err)
	}
}

// stored reads one record as it is in the store: no method of the service puts it in order on the way.
func stored(t testing.TB, w *submsgtest.World, k submsg.Key) submsg.Body {
	t.Helper()
	recs, err := w.Base.Load(context.Background(), k)
	if err != nil {
		t.Fatal(err)
	}
	return recs[0].Body
}

// scheduled makes a daily schedule of bills, first due in an hour.
func scheduled(t testing.TB, w *submsgtest.World, key string, to submsg.Recipients, change ...func(*submsg.ScheduleRequest)) submsg.Schedule {
	t.Helper()
	req := submsg.ScheduleRequest{Template: "bill", To: to, RRule: "FREQ=DAILY", Start: w.Clock.Now().Add(time.Hour), Content: submsg.Content{Data: submsgtest.Data(key)}}
	for _, f := range change {
		f(&req)
	}
	sch, _, err := w.Service.CreateSchedule(context.Background(), appid, key, req)
	if err != nil {
		t.Fatalf("schedule %s: %v", key, err)
	}
	return sch
}

func receivedOf(w *submsgtest.World, openid, text string) (n int) {
	for _, m := range w.Sim.Received(appid, openid) {
		if m.Data["character_string1"] == text {
			n++
		}
	}
	return n
}

// A send that waits is not found through its person, so it is void from the erasure on and goes when it is come across.
func TestASendThatWaitsWhenItsPersonIsErasedIsNeverDelivered(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*submsg.SendRequest, time.Time)
		quiet  bool
	}{
		{"for its moment", func(r *submsg.SendRequest, now time.Time) { r.SendAt = now.Add(time.Hour) }, false},
		{"for a worker", func(r *submsg.SendRequest, _ time.Time) { r.Async = true }, false},
		{"for quiet hours to end", func(*submsg.SendRequest, time.Time) {}, true},
	} {
		for _, ticked := range []bool{true, false} { // a tick comes across it, or its key that is used again
			t.Run(fmt.Sprintf("%s, ticked=%v", tc.name, ticked), func(t *testing.T) {
				w := newWorld(t, func(a *submsg.App) {
					if tc.quiet {
						a.Rules.QuietHours = quietNow(t)
					}
				})
				w.Granted("anna", order, 2)
				_, waits, err := w.Send("anna", "order", "the-key", func(r *submsg.SendRequest) { tc.change(r, w.Clock.Now()) })
				if err != nil || waits.State != submsg.SendQueued {
					t.Fatalf("%v %+v; want that it waits", err, waits)
				}
				w.Clock.Advance(time.Second)
				erase(t, w, "anna")
				w.Clock.Advance(2 * time.Second)
				w.Granted("anna", order, 1) // a grant of afterwards is not for what was asked before
				if ticked {
					w.Clock.Advance(3 * time.Hour)
					tick(t, w)
					if stored(t, w, submsg.SendKey(appid, waits.ID)) != nil {
						t.Error("the send is still stored after the tick that came across it")
					}
					if _, err := w.Service.Send(context.Background(), appid, waits.ID); !problemIs(err, submsg.CodeNotFound) {
						t.Errorf("reading the send: %v, want that it is not found", err)
					}
				}
				view, replayed, err := createAs(w, "anna", "the-key", "another")
				if err != nil || replayed || view.CreatedAt <= waits.CreatedAt {
					t.Fatalf("the key for a new send: %v, replayed %v, %+v", err, replayed, view.Send)
				}
				w.Clock.Advance(3 * time.Hour)
				tick(t, w)
				if got := stateOf(t, w, view.ID).State; got != submsg.SendSent {
					t.Errorf("the new send is %s", got)
				}
				if old, fresh := receivedOf(w, "anna", "the-key"), receivedOf(w, "anna", "another"); old != 0 || fresh != 1 {
					t.Errorf("%d old and %d new messages were received; want 0 and 1", old, fresh)
				}
			})
		}
	}
}

// quietNow is a window of quiet hours that began an hour ago and ends in one.
func quietNow(t testing.TB) policy.Window {
	t.Helper()
	now := time.Now().In(policy.Shanghai)
	w, err := policy.ParseWindow(now.Add(-time.Hour).Format("15:04") + "-" + now.Add(time.Hour).Format("15:04"))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// createAs asks for a send whose content is not its key.
func createAs(w *submsgtest.World, openid, key, text string) (submsg.SendView, bool, error) {
	return w.Service.CreateSend(context.Background(), appid, key, submsg.SendRequest{OpenID: openid, Template: "order", Data: submsgtest.Data(text)})
}

func TestAnErasedPersonsWaitingSendReadsAsNotFoundAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.Granted("anna", order, 1)
	_, waits, err := w.Send("anna", "order", "waits", func(r *submsg.SendRequest) { r.SendAt = w.Clock.Now().Add(time.Hour) })
	if err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(time.Second)
	erase(t, w, "anna")
	if _, err := w.Service.Send(context.Background(), appid, waits.ID); !problemIs(err, submsg.CodeNotFound) {
		t.Errorf("reading it: %v", err)
	}
	if _, err := w.Service.Cancel(context.Background(), appid, waits.ID); !problemIs(err, submsg.CodeNotFound) {
		t.Errorf("cancelling it: %v", err)
	}
}

func TestAScheduleThatBecameAnAudiencesStaysWhenItsFormerPersonIsErased(t *testing.T) {
	w := newWorld(t, nil)
	w.Granted("anna", bill, 1)
	w.Granted("bo", bill, 1)
	own := scheduled(t, w, "own", submsg.Recipients{OpenID: "anna"})
	everybodys := scheduled(t, w, "everybodys", submsg.Recipients{OpenID: "anna"})
	_, err := w.Service.ReplaceSchedule(context.Background(), appid, everybodys.ID, submsg.ScheduleRequest{
		Template: "bill", To: submsg.Recipients{Audience: &submsg.Audience{}}, RRule: "FREQ=DAILY", Start: everybodys.Start.Time(), Content: everybodys.Content,
	})
	if err != nil {
		t.Fatal(err)
	}
	erase(t, w, "anna")
	if _, err := w.Service.Schedule(context.Background(), appid, own.ID); !problemIs(err, submsg.CodeNotFound) {
		t.Errorf("the person's own schedule: %v, want that it is gone", err)
	}
	if _, err := w.Service.Schedule(context.Background(), appid, everybodys.ID); err != nil {
		t.Errorf("the audience's schedule: %v", err)
	}
	w.Clock.Advance(time.Hour + time.Second)
	tick(t, w)
	if anna, bo := len(w.Sim.Received(appid, "anna")), receivedOf(w, "bo", "everybodys"); anna != 0 || bo != 1 {
		t.Errorf("anna received %d, bo %d; want 0 and 1", anna, bo)
	}
}

func TestAnErasureDuringACallErasesNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.Granted("anna", order, 3)
	w.Granted("anna", bill, 1)
	own := scheduled(t, w, "own", submsg.Recipients{OpenID: "anna"})
	called := false
	w.Sim.Script(func(wechattest.Call) wechattest.Fault {
		called = true
		if err := w.Service.Erase(context.Background(), appid, "anna"); !problemIs(err, submsg.CodeInProgress) {
			t.Errorf("erasing during the call: %v", err)
		}
		return wechattest.Fault{}
	})
	_, view := sendTo(t, w, "anna", "on-its-way")
	if !called || view.State != submsg.SendSent {
		t.Fatalf("called %v, the send is %s", called, view.State)
	}
	sub, err := w.Service.Subscriber(context.Background(), appid, "anna", 100)
	if err != nil || sub.Subscription(order).Credits != 2 || sub.Subscription(bill).State != submsg.StateActive || len(sub.History) != 4 || len(sub.Sends) != 1 {
		t.Errorf("after it: %v, %+v, %d lines, %d sends", err, sub.Subscriptions, len(sub.History), len(sub.Sends))
	}
	if _, err := w.Service.Schedule(context.Background(), appid, own.ID); err != nil {
		t.Errorf("the person's own schedule: %v", err)
	}
	if stored(t, w, submsg.AudienceKey(appid, bill, "", "anna")) == nil {
		t.Error("the person's place in the audience is gone")
	}
	w.Sim.Script(nil)
	erase(t, w, "anna")
	nothingIsLeft(t, w, "anna", own.ID, view.ID)
}

func sendTo(t testing.TB, w *submsgtest.World, openid, key string) (submsgtest.Asked, submsg.SendView) {
	t.Helper()
	a, v, err := w.Send(openid, "order", key)
	if err != nil {
		t.Fatalf("send %s: %v", key, err)
	}
	return a, v
}
