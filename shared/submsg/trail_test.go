package submsg_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// nothingUnrecorded asserts, reading the store itself, that every open reservation of a subscriber has a send that says
// what it is, and that a message that was received has one too. It returns the send's state, "" where there is none.
func nothingUnrecorded(t testing.TB, w *submsgtest.World, openid, id string) submsg.SendState {
	t.Helper()
	sub, _ := stored(t, w, submsg.SubscriberKey(appid, openid)).(*submsg.Subscriber)
	for _, r := range sub.Reservations {
		b, ok := stored(t, w, submsg.SendKey(appid, r.SendID)).(*submsg.Send)
		if !ok {
			t.Errorf("a reservation stands until %s and its send %s has no record", r.Until.Time(), r.SendID)
		} else if b.State == submsg.SendQueued || b.State == submsg.SendSending {
			t.Errorf("a reservation stands and its send is %s", b.State)
		}
	}
	b, ok := stored(t, w, submsg.SendKey(appid, id)).(*submsg.Send)
	if !ok {
		return ""
	}
	return b.State
}

// holds reports whether the subscriber has an open reservation for a send.
func holds(t testing.TB, w *submsgtest.World, openid, id string) bool {
	t.Helper()
	sub, ok := stored(t, w, submsg.SubscriberKey(appid, openid)).(*submsg.Subscriber)
	return ok && slices.ContainsFunc(sub.Reservations, func(r submsg.Reservation) bool { return r.SendID == id })
}

// numbered makes the content of a schedule tell its occurrences apart.
func numbered(r *submsg.ScheduleRequest) {
	r.Content.Data["character_string1"] += "-{{number}}"
}

// A personal schedule leads to the reservation that a worker holds for its occurrence. Before it moves on or goes away,
// something else must lead there, or a message that went out is on record nowhere.
func TestAWorkerThatDiesOverAPersonalOccurrenceLeavesATrailWhateverBecomesOfTheSchedule(t *testing.T) {
	ctx := context.Background()
	replacement := func(w *submsgtest.World, sch submsg.Schedule, to submsg.Recipients) error {
		_, err := w.Service.ReplaceSchedule(ctx, appid, sch.ID, submsg.ScheduleRequest{
			Template: "bill", To: to, RRule: "FREQ=WEEKLY", Start: w.Clock.Now().Add(aDay), Content: submsg.Content{Data: submsgtest.Data("weekly")},
		})
		return err
	}
	for _, tc := range []struct {
		name string
		then func(w *submsgtest.World, sch submsg.Schedule) error
	}{
		{"it is deleted", func(w *submsgtest.World, sch submsg.Schedule) error {
			return w.Service.DeleteSchedule(ctx, appid, sch.ID)
		}},
		{"it is paused", func(w *submsgtest.World, sch submsg.Schedule) error {
			_, err := w.Service.PauseSchedule(ctx, appid, sch.ID)
			return err
		}},
		{"it is paused, resumed and deleted", func(w *submsgtest.World, sch submsg.Schedule) error {
			if _, err := w.Service.PauseSchedule(ctx, appid, sch.ID); err != nil {
				return err
			}
			if _, err := w.Service.ResumeSchedule(ctx, appid, sch.ID); err != nil {
				return err
			}
			return w.Service.DeleteSchedule(ctx, appid, sch.ID)
		}},
		{"it is replaced for the same person", func(w *submsgtest.World, sch submsg.Schedule) error {
			return replacement(w, sch, submsg.Recipients{OpenID: "anna"})
		}},
		{"it is replaced for another person", func(w *submsgtest.World, sch submsg.Schedule) error {
			return replacement(w, sch, submsg.Recipients{OpenID: "bo"})
		}},
		{"it is replaced for an audience", func(w *submsgtest.World, sch submsg.Schedule) error {
			return replacement(w, sch, submsg.Recipients{Audience: &submsg.Audience{}})
		}},
		{"it is found too late for its catch-up", func(w *submsgtest.World, _ submsg.Schedule) error {
			w.Clock.Advance(3 * time.Hour)
			return w.Service.Tick(ctx)
		}},
		{"a later occurrence is found with it", func(w *submsgtest.World, _ submsg.Schedule) error {
			w.Clock.Advance(aDay)
			return w.Service.Tick(ctx)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			effects, reserved, received := 0, 0, 0
			for _, after := range []bool{false, true} {
				for n := 0; n <= effects; n++ { // the first run dies nowhere and counts
					t.Run(fmt.Sprintf("effect %d after=%v", n, after), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							w := newWorld(t, nil)
							w.Granted("anna", bill, 1)
							sch := scheduled(t, w, "own", submsg.Recipients{OpenID: "anna"}, numbered)
							id := submsg.OccurrenceSendID(appid, sch.ID, sch.NextAt, "anna")
							w.Clock.Advance(time.Hour + time.Second)
							w.Start(&submsgtest.Process{DieAt: n, After: after})
							_ = w.Service.Tick(ctx)
							if n == 0 {
								effects = w.Process.Effects()
							}
							w.Start(nil)
							w.Clock.Advance(time.Second)
							if err := tc.then(w, sch); err != nil {
								t.Fatal(err)
							}
							if holds(t, w, "anna", id) {
								reserved++
								if stored(t, w, submsg.SendKey(appid, id)) == nil {
									t.Error("the reservation stands and its send has no record")
								}
							}
							w.Recover()
							state, got := nothingUnrecorded(t, w, "anna", id), receivedOf(w, "anna", "own-1")
							received += got
							switch sent := state == submsg.SendDelivered || state == submsg.SendSent; {
							case got > 1:
								t.Errorf("the message was received %d times", got)
							case sent != (got == 1): // its event came, so "unknown" is no answer either
								t.Errorf("%d messages were received, and the send is %q", got, state)
							case state == submsg.SendQueued:
								t.Error("the send is queued in the end")
							}
						})
					})
				}
			}
			if reserved < 3 || received < 3 {
				t.Errorf("%d runs found a reservation, in %d the message was received: the test shows too little", reserved, received)
			}
		})
	}
}

// What is left for a dead worker must not get in the way of one that lives: its answer is what counts.
func TestAScheduleThatIsDeletedDuringItsCallKeepsTheAnswer(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, nil)
	w.Granted("anna", bill, 1)
	sch := scheduled(t, w, "own", submsg.Recipients{OpenID: "anna"})
	id := submsg.OccurrenceSendID(appid, sch.ID, sch.NextAt, "anna")
	w.Sim.Script(func(wechattest.Call) wechattest.Fault {
		if err := w.Service.DeleteSchedule(ctx, appid, sch.ID); err != nil {
			t.Error(err)
		}
		return wechattest.Fault{}
	})
	w.Clock.Advance(time.Hour + time.Second)
	tick(t, w)
	if got := stateOf(t, w, id); got.State != submsg.SendSent || got.Data["character_string1"] != "own" {
		t.Errorf("the send is %s with %v", got.State, got.Data)
	}
	w.Recover()
	if state := nothingUnrecorded(t, w, "anna", id); state != submsg.SendDelivered || receivedOf(w, "anna", "own") != 1 {
		t.Errorf("in the end the send is %s, and %d messages were received", state, receivedOf(w, "anna", "own"))
	}
}

func TestAScheduleThatNobodyDiedOverLeavesNoSendBehind(t *testing.T) {
	ctx := context.Background()
	for _, tc := range []struct {
		name  string
		first time.Duration // before it goes, its first occurrence is sent
	}{{"before its first occurrence", 0}, {"between two occurrences", time.Hour + time.Second}} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.Granted("anna", bill, 1)
			w.Granted("anna", order, 1)
			sch := scheduled(t, w, "own", submsg.Recipients{OpenID: "anna"})
			w.Sim.Script(wechattest.Rules(wechattest.Rule{Times: 1, Fault: wechattest.CutBefore()}))
			if _, other := sendTo(t, w, "anna", "another"); other.State != submsg.SendUnknown {
				t.Fatalf("the other send is %s, want a reservation that stands", other.State)
			}
			w.Clock.Advance(tc.first)
			tick(t, w)
			next, err := w.Service.Schedule(ctx, appid, sch.ID)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Service.DeleteSchedule(ctx, appid, sch.ID); err != nil {
				t.Fatal(err)
			}
			w.Clock.Advance(2 * aDay)
			tick(t, w)
			if b := stored(t, w, submsg.SendKey(appid, submsg.OccurrenceSendID(appid, sch.ID, next.NextAt, "anna"))); b != nil {
				t.Errorf("a send of the next occurrence is stored: %+v", b)
			}
		})
	}
}
