package submsg_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

// A wait is no failure: who waits for another worker's lease is not told that too many requests came at once.
func TestWhoWaitsForADeadWorkersLeaseIsNotToldThatItIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.Granted("user", order, 3)
		var sub *submsg.Subscriber
		for n := 1; n < 6 && (sub == nil || len(sub.Reservations) == 0); n++ {
			w.Start(&submsgtest.Process{DieAt: n, After: true})
			_, _, _ = w.Send("user", "order", fmt.Sprint("first", n))
			sub = stored(t, w, submsg.SubscriberKey(appid, "user")).(*submsg.Subscriber)
		}
		w.Start(nil)
		w.Clock.Advance(sub.Reservations[0].Until.Time().Sub(w.Clock.Now()) - 1800*time.Millisecond)
		if _, _, err := w.Send("user", "order", "second"); err != nil {
			t.Errorf("answered %v", err)
		}
	})
}

// "busy" says that nothing was recorded. A request whose send is stored is accepted.
func TestNobodyIsToldThatNothingWasRecordedAboutASendThatGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.Granted("user", order, 3)
		base, done := w.Service.Store, false
		w.Service.Store = &onSave{base, func(rec submsg.Record, real func() (submsg.Version, error)) (submsg.Version, error) {
			sub, ok := rec.Body.(*submsg.Subscriber)
			if !ok || done || len(sub.Reservations) == 0 {
				return real()
			}
			done = true // another worker's reservation comes first; that worker dies, and its lease ends in 1.8 s
			other := *sub
			other.Reservations = []submsg.Reservation{sub.Reservations[0]}
			r := &other.Reservations[0]
			r.SendID, r.Holder, r.Fingerprint, r.Until = "another", 77, 99, submsg.At(w.Clock.Now()).Add(1800*time.Millisecond)
			if _, err := base.Save(context.Background(), submsg.Record{Key: rec.Key, Version: rec.Version, Body: &other}); err != nil {
				t.Error(err)
			}
			return real()
		}}
		_, _, err := w.Send("user", "order", "the-send")
		w.Service.Store = base
		for range 5 {
			w.Clock.Advance(time.Minute)
			tick(t, w)
		}
		if problemIs(err, submsg.CodeBusy) && receivedOf(w, "user", "the-send") == 1 {
			t.Error("the caller was told that nothing was recorded, and the message was received")
		}
	})
}
