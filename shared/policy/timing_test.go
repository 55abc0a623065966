package policy

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var zoneNames = []string{"Asia/Shanghai", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC"}

// drawMoment draws a moment near a change of clocks as often as far from one.
func drawMoment(t *rapid.T, zone *time.Location) time.Time {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, zone).Add(time.Duration(rapid.IntRange(0, 365*24*60).Draw(t, "minute")) * time.Minute)
	if _, change := start.ZoneBounds(); !change.IsZero() && rapid.Bool().Draw(t, "near change") {
		return change.Add(time.Duration(rapid.IntRange(-30*60, 6*60).Draw(t, "offset")) * time.Minute)
	}
	return start
}

func drawWindow(t *rapid.T) Window {
	if rapid.IntRange(0, 5).Draw(t, "none") == 0 {
		return Window{state: windowNone}
	}
	if rapid.Bool().Draw(t, "near the changes of clocks") {
		half := rapid.SampledFrom([]int{22 * 60, 0, 60, 90, 120, 150, 180})
		start, end := half.Draw(t, "from"), half.Draw(t, "to")
		if start != end {
			return Window{start: uint16(start), end: uint16(end), state: windowSet}
		}
	}
	start := rapid.IntRange(0, 1439).Draw(t, "window start")
	length := rapid.IntRange(1, 23*60).Draw(t, "window length")
	return Window{start: uint16(start), end: uint16((start + length) % 1440), state: windowSet}
}

// oracle is a second opinion on the rules of time, in the plainest words: may
// the message go at t? It counts and compares and solves nothing.
func oracle(r Request, t time.Time) bool {
	for _, h := range r.Suspended {
		if h.Until.After(t) {
			return false
		}
	}
	if r.Template.urgent() {
		return true
	}
	local := t.In(r.zone())
	minute := uint16(local.Hour()*60 + local.Minute())
	if w := r.quietHours(); w.state == windowSet {
		inside := minute >= w.start && minute < w.end
		if w.start > w.end {
			inside = minute >= w.start || minute < w.end
		}
		if inside {
			return false
		}
	}
	within := func(window time.Duration, tpl string) (n int) {
		for _, s := range r.History {
			if !s.Urgent && (tpl == "" || s.TemplateID == tpl) && s.At.After(t.Add(-window)) {
				n++
			}
		}
		return n
	}
	own, all := *r.Template.Limits, *r.App.Limits
	id := r.Template.ID
	return (own.PerDay == 0 || within(24*time.Hour, id) < own.PerDay) &&
		(own.PerWeek == 0 || within(168*time.Hour, id) < own.PerWeek) &&
		(all.PerDay == 0 || within(24*time.Hour, "") < all.PerDay) &&
		(all.PerWeek == 0 || within(168*time.Hour, "") < all.PerWeek)
}

func drawLimits(t *rapid.T, label string) *Limits {
	return &Limits{PerDay: rapid.IntRange(0, 3).Draw(t, label+" a day"), PerWeek: rapid.IntRange(0, 5).Draw(t, label+" a week")}
}

func drawRequest(t *rapid.T, zones map[string]*time.Location) Request {
	zone := zones[rapid.SampledFrom(zoneNames).Draw(t, "zone")]
	window := drawWindow(t)
	r := bill()
	r.Now = drawMoment(t, zone)
	r.Zone = zone
	r.App.Limits, r.Template.Limits = drawLimits(t, "all"), drawLimits(t, "own")
	r.QuietHours = &window
	if rapid.IntRange(0, 9).Draw(t, "urgent") == 0 {
		r.Template.Class = Urgent
	}
	r.History = drawHistory(t, r.Now, rapid.IntRange(0, 8).Draw(t, "history"))
	if rapid.Bool().Draw(t, "hold") {
		r.Suspended = []Hold{{Rule: RuleDailyQuota, Until: r.Now.Add(time.Duration(rapid.IntRange(-60, 2*24*60).Draw(t, "hold minutes")) * time.Minute)}}
	}
	return r
}

func drawHistory(t *rapid.T, now time.Time, n int) []Sent {
	var history []Sent
	for i := range n {
		history = append(history, Sent{
			TemplateID: rapid.SampledFrom([]string{"T1", "T2"}).Draw(t, fmt.Sprint("template ", i)),
			At:         now.Add(-time.Duration(rapid.IntRange(-5, 9*24*60).Draw(t, fmt.Sprint("minutes ago ", i))) * time.Minute),
			Urgent:     rapid.IntRange(0, 5).Draw(t, fmt.Sprint("urgent ", i)) == 0,
		})
	}
	return history
}

func loadZones(t *testing.T) map[string]*time.Location {
	zones := make(map[string]*time.Location)
	for _, name := range zoneNames {
		zones[name] = mustZone(t, name)
	}
	return zones
}

func TestTheFirstAllowedMomentIsAllowedAndNothingEarlierIs(t *testing.T) {
	e, zones := mustEngine(t), loadZones(t)
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t, zones)
		d := e.Decide(r)
		if !oracle(r, d.Due) {
			t.Fatalf("%s due at %s is not allowed", d.Outcome, d.Due)
		}
		if (d.Outcome == Send) != d.Due.Equal(r.Now) {
			t.Fatalf("%s with due %s, asked at %s", d.Outcome, d.Due, r.Now)
		}
		// Everything in the draw falls on whole minutes, so what is allowed at all
		// before Due is allowed on one of them, or just before Due.
		for m := r.Now; m.Before(d.Due); m = m.Add(time.Minute) {
			if oracle(r, m) {
				t.Fatalf("due at %s, but %s is allowed already", d.Due, m)
			}
		}
		if d.Due.After(r.Now) && oracle(r, d.Due.Add(-time.Nanosecond)) {
			t.Fatalf("due at %s, but the moment before is allowed already", d.Due)
		}
	})
}

func TestAskingAgainAtDueSends(t *testing.T) {
	e, zones := mustEngine(t), loadZones(t)
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t, zones)
		r.JitterSeed = rapid.Uint64().Draw(t, "seed")
		if rapid.Bool().Draw(t, "valid until") {
			r.ValidUntil = r.Now.Add(time.Duration(rapid.IntRange(1, 4*24*60).Draw(t, "valid minutes")) * time.Minute)
		}
		d := e.Decide(r)
		if d.Outcome != Defer {
			return
		}
		if !r.ValidUntil.IsZero() && !d.Held && !d.Due.Before(r.ValidUntil) {
			t.Fatalf("due at %s, valid until %s", d.Due, r.ValidUntil)
		}
		if d.Held && d.Due.Equal(r.ValidUntil) {
			return // it waits for an operator until it expires
		}
		r.Now = d.Due
		if again := e.Decide(r); again.Outcome != Send {
			t.Fatalf("at its due %s it is not sent: %v", d.Due, again)
		}
	})
}

func TestMoreHistoryNeverTurnsAStopIntoAPass(t *testing.T) {
	e, zones := mustEngine(t), loadZones(t)
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t, zones)
		before := e.Decide(r)
		r.History = append(r.History, drawHistory(t, r.Now, rapid.IntRange(1, 4).Draw(t, "more"))...)
		after := e.Decide(r)
		if before.Outcome != Send && after.Outcome == Send || after.Due.Before(before.Due) {
			t.Fatalf("%s at %s became %s at %s", before.Outcome, before.Due, after.Outcome, after.Due)
		}
	})
}

func TestADecisionIsDeterministic(t *testing.T) {
	zones := loadZones(t)
	one, other := mustEngine(t), mustEngine(t, &App{AppID: "wx99", Words: map[string][]string{"lure": {"暗号"}}})
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t, zones)
		r.JitterSeed = rapid.Uint64().Draw(t, "seed")
		for i := range rapid.IntRange(0, 6).Draw(t, "fields") {
			r.Data[fmt.Sprint("thing", i)] = rapid.SampledFrom([]string{"优惠券", "稳赚", "优惠红包", "新品上市", "平安"}).Draw(t, "text")
		}
		if diff := cmp.Diff(one.Decide(r), other.Decide(r)); diff != "" {
			t.Fatalf("two answers:\n%s", diff)
		}
	})
}

func TestAShortenedHistoryDecidesAsTheWhole(t *testing.T) {
	e, zones := mustEngine(t), loadZones(t)
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t, zones)
		want := e.Decide(r)
		r.History = Keep(append([]Sent(nil), r.History...), r.Now, 16)
		if diff := cmp.Diff(want, e.Decide(r)); diff != "" {
			t.Fatalf("another answer (-whole +kept):\n%s", diff)
		}
	})
}

func TestKeepStaysWithinItsBound(t *testing.T) {
	period := Sent{TemplateID: "P", At: noon.Add(-20 * day), PeriodKey: 3}
	history := []Sent{{At: noon.Add(-8 * day)}, period, ago(3 * day), ago(2 * day), ago(day), {At: noon.Add(-32 * day), PeriodKey: 4}}
	if diff := cmp.Diff([]Sent{period, ago(3 * day), ago(2 * day), ago(day)}, Keep(append([]Sent(nil), history...), noon, 10)); diff != "" {
		t.Errorf("with room (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Sent{ago(2 * day), ago(day)}, Keep(append([]Sent(nil), history...), noon, 2)); diff != "" {
		t.Errorf("without room (-want +got):\n%s", diff)
	}
}

func TestJitterSpreadsWhatTheNightHeldBack(t *testing.T) {
	e := mustEngine(t)
	r := bill()
	r.Now = atHour(23)
	end := time.Date(2026, 11, 22, 8, 0, 0, 0, Shanghai)
	var buckets [10]int
	for seed := range uint64(1000) {
		r.JitterSeed = seed + 1
		d := e.Decide(r)
		late := d.Due.Sub(end)
		if late < 0 || late >= DefaultSpread {
			t.Fatalf("seed %d: due %s after the night", seed, late)
		}
		buckets[late/time.Minute]++
	}
	for i, n := range buckets {
		if n < 60 || n > 140 {
			t.Errorf("minute %d gets %d of 1000", i, n)
		}
	}

	r.ValidUntil = end.Add(time.Second)
	if d := e.Decide(r); d.Outcome != Defer || !d.Due.Before(r.ValidUntil) {
		t.Errorf("valid until a second after the night: %s at %s", d.Outcome, d.Due)
	}
	r.ValidUntil, r.App.Spread = time.Time{}, -1
	if d := e.Decide(r); !d.Due.Equal(end) {
		t.Errorf("without spread due at %s", d.Due)
	}
	narrow := mustWindow(t, "08:02-08:00")
	r.App.Spread, r.QuietHours = 0, &narrow
	for seed := range uint64(200) {
		r.JitterSeed = seed + 1
		if d := e.Decide(r); narrow.Contains(d.Due, Shanghai) {
			t.Fatalf("jitter led back into quiet hours: %s", d.Due)
		}
	}
}
