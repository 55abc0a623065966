package submsg_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// nothingIsLeft asserts that neither the store nor the service knows anything of a person that is listed here.
func nothingIsLeft(t testing.TB, w *submsgtest.World, openid, scheduleID string, sends ...string) {
	t.Helper()
	ctx := context.Background()
	for _, topic := range []string{"", "rain", "snow"} {
		if stored(t, w, submsg.AudienceKey(appid, bill, topic, openid)) != nil {
			t.Errorf("there is a place in the audience %q", topic)
		}
	}
	for _, partition := range []string{submsg.HistoryPartition(appid, openid), submsg.PlanPartition(appid, openid), submsg.UnsentPartition(appid, openid)} {
		if lines, err := w.Base.List(ctx, partition, "", 100); err != nil || len(lines) != 0 {
			t.Errorf("%v, %d records in %s", err, len(lines), partition)
		}
	}
	if sch, ok := stored(t, w, submsg.ScheduleKey(appid, scheduleID)).(*submsg.Schedule); ok && (sch.State != submsg.ScheduleDeleted || sch.To.OpenID != "" || sch.Content.Data != nil) {
		t.Errorf("of the person's own schedule there is %+v", sch)
	}
	for _, id := range sends {
		if view, err := w.Service.Send(ctx, appid, id); !problemIs(err, submsg.CodeNotFound) {
			t.Errorf("send %s: %v, %+v", id, err, view.Send)
		}
	}
	view, err := w.Service.Subscriber(ctx, appid, openid, 100)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(view.Subscriptions) + len(view.Reservations) + len(view.Seen) + len(view.Topics) + len(view.Sends) + len(view.History) + len(view.Open); n != 0 || view.QuietHours != "" || view.TimeZone != "" || view.ActiveAt != 0 {
		t.Errorf("the subscriber reads as %+v", view)
	}
	if sub, ok := stored(t, w, submsg.SubscriberKey(appid, openid)).(*submsg.Subscriber); !ok || sub.ErasedAt == 0 || len(sub.Subscriptions) != 0 {
		t.Errorf("the record of the person is %+v", sub)
	}
}

func TestACrashAnywhereInAnErasureIsMadeGoodByTheNext(t *testing.T) {
	effects := 0
	for _, after := range []bool{false, true} {
		for n := 0; n <= effects; n++ { // the first run dies nowhere and counts
			t.Run(fmt.Sprintf("effect %d after=%v", n, after), func(t *testing.T) {
				w := newWorld(t, nil)
				scheduleID, sends := lived(t, w, "anna")
				w.Start(&submsgtest.Process{DieAt: n, After: after})
				err := w.Service.Erase(context.Background(), appid, "anna")
				if n == 0 {
					effects = w.Process.Effects()
				}
				if (err != nil) != (n > 0) {
					t.Fatalf("the process died: %v; it answered %v", w.Process.Dead(), err)
				}
				w.Start(nil)
				if n%2 == 1 { // others meet the half-erased person before it is tried again
					tick(t, w)
					if _, err := w.Service.Subscriber(context.Background(), appid, "anna", 10); err != nil {
						t.Error(err)
					}
				}
				erase(t, w, "anna")
				nothingIsLeft(t, w, "anna", scheduleID, sends...)
				w.Clock.Advance(25 * time.Hour)
				w.Recover()
				nothingIsLeft(t, w, "anna", scheduleID, sends...)
				for _, id := range sends {
					if b := stored(t, w, submsg.SendKey(appid, id)); b != nil {
						t.Errorf("a day later send %s is still stored: %+v", id, b)
					}
				}
				if got := w.Sim.Received(appid, "anna"); len(got) != 1 {
					t.Errorf("%d messages were received, want the one of before", len(got))
				}
			})
		}
	}
	if effects < 10 {
		t.Errorf("the erasure had only %d effects", effects)
	}
}

// lived gives a person something of everything: credits, a place in the audience and in those of two topics, a schedule,
// and sends in several states. It returns the ids of the schedule and the sends.
func lived(t testing.TB, w *submsgtest.World, openid string) (scheduleID string, sends []string) {
	t.Helper()
	w.Granted(openid, order, 4)
	w.Granted(openid, bill, 1)
	quiet := "03:00-03:01"
	if err := w.Service.SetPreferences(context.Background(), appid, openid, submsg.Preferences{Topics: &[]string{"rain", "snow"}, QuietHours: &quiet}); err != nil {
		t.Fatal(err)
	}
	own := scheduled(t, w, "own", submsg.Recipients{OpenID: openid})
	later := w.Clock.Now().Add(2 * time.Hour)
	_, sent := sendTo(t, w, openid, "sent")
	_, waits, err := w.Send(openid, "order", "waits", func(r *submsg.SendRequest) { r.SendAt = later })
	if err != nil {
		t.Fatal(err)
	}
	w.Sim.Script(wechattest.Rules(wechattest.Rule{Times: 1, Fault: wechattest.CutBefore()}))
	_, unknown := sendTo(t, w, openid, "unknown")
	if states := []submsg.SendState{sent.State, waits.State, unknown.State}; !slices.Equal(states, []submsg.SendState{submsg.SendSent, submsg.SendQueued, submsg.SendUnknown}) {
		t.Fatalf("the sends are %v", states)
	}
	w.Clock.Advance(time.Minute)
	return own.ID, []string{sent.ID, waits.ID, unknown.ID}
}
