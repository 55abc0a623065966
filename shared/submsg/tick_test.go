package submsg_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

// No cloud promises when its timer fires, nor in which zone it reads cron. So when ticks come may change when a message
// goes, within the longest gap between them, and nothing else: who gets which messages, and that each comes once.
func TestWhenTicksComeChangesNothingButLateness(t *testing.T) {
	every := func(step, from, to time.Duration) (ticks []time.Duration) {
		for at := from; at < to; at += step {
			ticks = append(ticks, at)
		}
		return ticks
	}
	const hour = time.Hour
	onTime := every(time.Minute, 0, hour)
	var wanted []string
	for _, tc := range []struct {
		name   string
		ticks  []time.Duration
		atOnce int           // how many come at each of these moments
		latest time.Duration // that a message may be late
	}{
		{"on time", onTime, 1, time.Minute},
		{"late by 59 seconds, which is a second early for the next minute", every(time.Minute, 59*time.Second, hour), 1, time.Minute},
		{"twice, one after the other", slices.Sorted(slices.Values(append(every(time.Minute, time.Second, hour), onTime...))), 1, time.Minute},
		{"five at once", onTime, 5, time.Minute},
		{"every second", every(time.Second, 0, hour), 1, time.Second},
		{"not at all for the ten minutes in which all falls due", append(every(time.Minute, 0, 10*time.Minute), every(time.Minute, 20*time.Minute, hour)...), 1, 10 * time.Minute},
		{"only three in an hour", []time.Duration{10 * time.Minute, 25 * time.Minute, 45 * time.Minute}, 1, 20 * time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				start := w.Clock.Now().Truncate(time.Minute).Add(time.Minute)
				moveTo(w, start.Add(-30*time.Second))
				due := occasion(t, w, start)
				for _, at := range tc.ticks {
					moveTo(w, start.Add(at))
					var group sync.WaitGroup
					for range tc.atOnce {
						group.Go(func() { tick(t, w) })
					}
					group.Wait()
				}
				var got []string
				for _, openid := range []string{"anna", "bo", "chen"} {
					for _, m := range w.Sim.Received(appid, openid) {
						what := openid + " " + m.Data["character_string1"]
						got = append(got, what)
						if late := m.At.Sub(due[what]); late < 0 || late > tc.latest {
							t.Errorf("%s: sent %s after it was due; want 0 to %s", what, late, tc.latest)
						}
					}
				}
				slices.Sort(got)
				if wanted == nil {
					wanted = got
				}
				if len(got) != len(due) {
					t.Errorf("%d messages, %d were due", len(got), len(due))
				}
				if diff := cmp.Diff(wanted, got); diff != "" {
					t.Errorf("with ticks on time these were received (-), now these (+):\n%s", diff)
				}
			})
		})
	}
}

func moveTo(w *submsgtest.World, at time.Time) { w.Clock.Advance(at.Sub(w.Clock.Now())) }

// occasion plans messages of every kind for the eleventh to nineteenth minute after start, and returns when each of them
// is due.
func occasion(t *testing.T, w *submsgtest.World, start time.Time) map[string]time.Time {
	t.Helper()
	due := map[string]time.Time{}
	text := func(what string) map[string]string {
		return map[string]string{"character_string1": what, "thing2": "账单"}
	}
	for _, openid := range []string{"anna", "bo", "chen"} {
		w.Granted(openid, bill, 1)
		w.Granted(openid, order, 1)
	}
	moveTo(w, start.Add(-time.Second))
	schedule := func(key string, to submsg.Recipients, rrule string, first time.Duration) {
		_, _, err := w.Service.CreateSchedule(context.Background(), appid, key, submsg.ScheduleRequest{
			Template: "bill", To: to, RRule: rrule, Start: start.Add(first), Content: submsg.Content{Data: text(key)},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, openid := range []string{"anna", "bo", "chen"} {
			if to.OpenID == "" || to.OpenID == openid {
				due[openid+" "+key] = start.Add(first)
			}
		}
	}
	schedule("all", submsg.Recipients{Audience: &submsg.Audience{}}, "FREQ=DAILY", 11*time.Minute)
	schedule("once", submsg.Recipients{Audience: &submsg.Audience{}}, "FREQ=WEEKLY;COUNT=1", 14*time.Minute+30*time.Second)
	schedule("mine", submsg.Recipients{OpenID: "bo"}, "FREQ=MONTHLY", 12*time.Minute)
	for i, openid := range []string{"anna", "chen"} {
		at := start.Add(time.Duration(13+5*i) * time.Minute)
		key := "later-" + openid
		_, _, err := w.Service.CreateSend(context.Background(), appid, key, submsg.SendRequest{OpenID: openid, Template: "order", Data: text(key), SendAt: at})
		if err != nil {
			t.Fatal(err)
		}
		due[openid+" "+key] = at
	}
	return due
}
