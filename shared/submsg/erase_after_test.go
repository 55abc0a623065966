package submsg_test

import (
	"context"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

func TestAGrantOfBeforeTheErasureThatComesLateChangesNothing(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before func(t *testing.T, w *submsgtest.World) (late func())
	}{
		{"an event that WeChat delivers late", func(t *testing.T, w *submsgtest.World) func() {
			if err := w.Sim.Accept(appid, "anna", order, bill); err != nil {
				t.Fatal(err)
			}
			return func() { w.Sim.DeliverAll() }
		}},
		{"a report that the mini program kept", func(t *testing.T, w *submsgtest.World) func() {
			at := w.Clock.Now()
			return func() {
				for _, template := range []string{"order", "bill"} {
					if err := w.Report("anna", template, "accept", at); err != nil {
						t.Error(err)
					}
				}
			}
		}},
		{"a copy of an event that was taken before", func(t *testing.T, w *submsgtest.World) func() {
			at := w.Clock.Now()
			again := func() {
				if err := w.Report("anna", "bill", "accept", at); err != nil {
					t.Error(err)
				}
			}
			again()
			return again
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			late := tc.before(t, w)
			w.Clock.Advance(2 * time.Second) // WeChat tells the time of an event in whole seconds
			erase(t, w, "anna")
			w.Clock.Advance(time.Minute)
			late()
			nothingIsLeft(t, w, "anna", "")
			_, view := sendTo(t, w, "anna", "after")
			if view.State != submsg.SendRefused || len(w.Sim.Received(appid, "anna")) != 0 {
				t.Errorf("a send afterwards is %s", view.State)
			}
		})
	}
}

func TestAPersonWhoAcceptsAgainAfterAnErasureReceivesTheNextOccurrence(t *testing.T) {
	w := newWorld(t, nil)
	w.Granted("anna", bill, 1)
	w.Granted("bo", bill, 1)
	sch := scheduled(t, w, "daily", submsg.Recipients{Audience: &submsg.Audience{}})
	erase(t, w, "anna")
	w.Clock.Advance(time.Hour + time.Second)
	tick(t, w)
	if anna, bo := len(w.Sim.Received(appid, "anna")), len(w.Sim.Received(appid, "bo")); anna != 0 || bo != 1 {
		t.Fatalf("while erased: anna received %d, bo %d; want 0 and 1", anna, bo)
	}
	if b := stored(t, w, submsg.SendKey(appid, submsg.OccurrenceSendID(appid, sch.ID, sch.NextAt, "anna"))); b != nil {
		t.Errorf("while erased, a send of the occurrence is stored: %+v", b)
	}
	w.Granted("anna", bill, 1)
	if stored(t, w, submsg.AudienceKey(appid, bill, "", "anna")) == nil {
		t.Error("after the new accept there is no place in the audience")
	}
	w.Clock.Advance(aDay)
	tick(t, w)
	if anna, bo := len(w.Sim.Received(appid, "anna")), len(w.Sim.Received(appid, "bo")); anna != 1 || bo != 2 {
		t.Errorf("after the new accept: anna received %d, bo %d; want 1 and 2", anna, bo)
	}
}

// interrupted is a store under a worker that others overtake, once, right before it reads a record.
type interrupted struct {
	submsg.Store
	at        submsg.Key
	meanwhile func()
}

func (s *interrupted) Load(ctx context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
	if len(keys) == 1 && keys[0] == s.at {
		once(&s.meanwhile)
	}
	return s.Store.Load(ctx, keys...)
}

// Who is about to remove the entry that a reject ended must not hit the one of an accept after an erasure, though the
// counting of what the person decided has begun anew.
func TestALateRemovalFromTheAudienceDoesNotHitAPersonWhoCameBackAfterAnErasure(t *testing.T) {
	w := newWorld(t, nil)
	report := func(decision string) {
		t.Helper()
		if err := w.Report("anna", "bill", decision, w.Clock.Now()); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(20 * time.Minute)
	}
	report("accept")
	report("reject")
	report("accept")
	came := false
	entry := submsg.AudienceKey(appid, bill, "", "anna")
	w.Service.Store = &interrupted{Store: w.Service.Store, at: entry, meanwhile: func() {
		came = true
		erase(t, w, "anna")
		w.Clock.Advance(2 * time.Second)
		report("accept")
	}}
	report("reject")
	if !came {
		t.Fatal("the removal was not overtaken: the test shows nothing")
	}
	sub, err := w.Service.Subscriber(context.Background(), appid, "anna", 0)
	if err != nil || sub.Subscription(bill).State != submsg.StateActive {
		t.Fatalf("%v, %+v; want the accept of after the erasure", err, sub.Subscriptions)
	}
	if stored(t, w, entry) == nil {
		t.Error("the person has no place in the audience any more")
	}
}

// An entry outlives its subscription where whoever ended it died before the removal.
func TestAPlaceThatARejectLeftBehindGoesWithTheErasure(t *testing.T) {
	w := newWorld(t, nil)
	topics := []string{"rain"}
	if err := w.Service.SetPreferences(context.Background(), appid, "anna", submsg.Preferences{Topics: &topics}); err != nil {
		t.Fatal(err)
	}
	w.Granted("anna", bill, 1)
	w.Clock.Advance(20 * time.Minute)
	w.Start(&submsgtest.Process{DieAt: 1, After: true})
	if err := w.Report("anna", "bill", "reject", w.Clock.Now()); err == nil {
		t.Fatal("the process did not die")
	}
	w.Start(nil)
	for _, topic := range []string{"", "rain"} {
		if stored(t, w, submsg.AudienceKey(appid, bill, topic, "anna")) == nil {
			t.Fatal("there is no entry: the test shows nothing")
		}
	}
	w.Clock.Advance(2 * time.Second)
	erase(t, w, "anna")
	nothingIsLeft(t, w, "anna", "")
}

// The entry of an accept is written before the subscriber. Where the second write is still to come, or never comes, nobody
// agreed to anything yet, and no trace of a refusal is to be kept of such a person.
func TestAnAudienceEntryWithoutItsSubscriberLeadsToNoStoredSend(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before func(w *submsgtest.World)
		after  func(w *submsgtest.World)
	}{
		{"of a person nothing is known of", nil, nil},
		{"of a person who is erased afterwards", nil, func(w *submsgtest.World) { erase(t, w, "anna") }},
		{"of a person who had been erased before", func(w *submsgtest.World) { erase(t, w, "anna") }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.Granted("bo", bill, 1)
			sch := scheduled(t, w, "daily", submsg.Recipients{Audience: &submsg.Audience{}})
			if tc.before != nil {
				tc.before(w)
				w.Clock.Advance(2 * time.Second)
			}
			w.Start(&submsgtest.Process{DieAt: 1, After: true})
			if err := w.Report("anna", "bill", "accept", w.Clock.Now()); err == nil {
				t.Fatal("the process did not die")
			}
			w.Start(nil)
			entry := submsg.AudienceKey(appid, bill, "", "anna")
			if stored(t, w, entry) == nil {
				t.Fatal("there is no entry: the test shows nothing")
			}
			if tc.after != nil {
				w.Clock.Advance(2 * time.Second)
				tc.after(w)
				if stored(t, w, entry) != nil {
					t.Error("the erasure leaves the entry")
				}
			}
			w.Clock.Advance(time.Hour + time.Second)
			tick(t, w)
			id := submsg.OccurrenceSendID(appid, sch.ID, sch.NextAt, "anna")
			if b := stored(t, w, submsg.SendKey(appid, id)); b != nil {
				t.Errorf("a send is stored: %+v", b)
			}
			if got := len(w.Sim.Received(appid, "bo")); got != 1 {
				t.Errorf("the other subscriber received %d messages", got)
			}
		})
	}
}
