package submsg_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// poisoned is a store whose reader stumbles over one record, as a bug over a record of a kind nobody thought of would.
type poisoned struct {
	submsg.Store
	key submsg.Key
}

func (p *poisoned) Load(ctx context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
	if slices.Contains(keys, p.key) {
		panic("what the record holds")
	}
	return p.Store.Load(ctx, keys...)
}

// Work runs in goroutines of its own, where a panic would end the process and everybody else's work with it.
func TestAPanicOverOneRecordIsOnlyThatRecordsFailure(t *testing.T) {
	t.Run("of a batch of wake-ups", func(t *testing.T) {
		w := newWorld(t, nil)
		var keys []submsg.Key
		for _, openid := range []string{"anna", "ben", "cleo"} {
			w.Granted(openid, order, 1)
			_, view, err := w.Send(openid, "order", "for-"+openid, func(r *submsg.SendRequest) { r.SendAt = w.Clock.Now().Add(time.Minute) })
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, submsg.SendKey(appid, view.ID))
		}
		w.Clock.Advance(2 * time.Minute)
		steady := w.Service.Store
		w.Service.Store = &poisoned{steady, keys[1]}
		if failed := w.Service.Deliver(context.Background(), keys); len(failed) != 1 || failed[0] != keys[1] {
			t.Errorf("failed: %v, want the second alone", failed)
		}
		w.Service.Store = steady
		tick(t, w)
		for _, openid := range []string{"anna", "ben", "cleo"} {
			if view := stateOf(t, w, submsg.SendID(appid, "for-"+openid)); view.State != submsg.SendSent {
				t.Errorf("the send to %s is %s", openid, view.State)
			}
		}
	})

	t.Run("of an audience", func(t *testing.T) {
		w := newWorld(t, nil)
		var openids []string
		for _, openid := range []string{"anna", "ben", "cleo"} {
			w.Granted(openid, bill, 1)
			openids = append(openids, openid)
		}
		start := w.Clock.Now().Add(time.Minute).Truncate(time.Second)
		sch, _, err := w.Service.CreateSchedule(context.Background(), appid, "a-schedule", submsg.ScheduleRequest{
			Template: "bill", To: submsg.Recipients{Audience: &submsg.Audience{}}, RRule: "FREQ=MONTHLY", Start: start,
			Content: submsg.Content{Data: map[string]string{"character_string1": "monthly", "thing2": "bill"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(2 * time.Minute)
		steady := w.Service.Store
		w.Service.Store = &poisoned{steady, submsg.SubscriberKey(appid, "ben")}
		tick(t, w)
		w.Service.Store = steady
		for range 20 {
			w.Clock.Advance(time.Minute)
			tick(t, w)
		}
		for _, openid := range openids {
			if view := stateOf(t, w, submsg.OccurrenceSendID(appid, sch.ID, submsg.At(start), openid)); view.State != submsg.SendSent {
				t.Errorf("the bill for %s is %s", openid, view.State)
			}
		}
	})
}

func TestAPanicIsToldWithoutWhatTheCodeHadAtHand(t *testing.T) {
	var at []int
	defer func() {
		if err := submsg.Panicked(recover()); !strings.Contains(err.Error(), "index out of range") {
			t.Errorf("a runtime error: %v", err)
		}
		if err := submsg.Panicked("oUser-1"); err.Error() != "panic with a string" {
			t.Errorf("a text: %v", err)
		}
	}()
	_ = at[len(at)]
}
