package submsg

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// What a due schedule leads to, after a shorter or longer time without a tick. A tick is due every minute, so up to two
// minutes are on time.
func TestWhatADueScheduleFires(t *testing.T) {
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, policy.Shanghai)
	const lateness = 2 * time.Minute
	at := func(d time.Duration) time.Time { return start.Add(d) }
	const day, hour, minute = 24 * time.Hour, time.Hour, time.Minute
	for _, tc := range []struct {
		name    string
		rrule   string
		catchUp time.Duration
		now     time.Time
		fired   []int // ordinals of what is sent
		missed  int
		next    time.Time // zero: the schedule has ended
	}{
		{"on the second", "FREQ=DAILY", hour, at(0), []int{0}, 0, at(day)},
		{"not due yet", "FREQ=DAILY", hour, at(-time.Second), nil, 0, at(0)},
		{"two ticks late is on time", "FREQ=DAILY", hour, at(2 * minute), []int{0}, 0, at(day)},
		{"late, inside the window: sent", "FREQ=DAILY", hour, at(hour), []int{0}, 0, at(day)},
		{"late, outside the window: missed", "FREQ=DAILY", hour, at(hour + time.Second), nil, 1, at(day)},
		{"no window at all: what is on time still goes", "FREQ=DAILY", 0, at(2 * minute), []int{0}, 0, at(day)},
		{"no window at all: what is late is missed", "FREQ=DAILY", 0, at(3 * minute), nil, 1, at(day)},
		{"every minute, a tick late: both go", "FREQ=MINUTELY", hour, at(minute), []int{0, 1}, 0, at(2 * minute)},
		{"a day's standstill: only what is on time, no burst", "FREQ=HOURLY", 3 * hour, at(day), []int{24}, 24, at(25 * hour)},
		{"a standstill that ends between two: the newest in the window, once", "FREQ=HOURLY", 3 * hour, at(day + 30*minute), []int{24}, 24, at(25 * hour)},
		{"a standstill beyond a short window: nothing", "FREQ=HOURLY", 10 * minute, at(day + 30*minute), nil, 25, at(25 * hour)},
		{"the last one", "FREQ=DAILY;COUNT=1", hour, at(0), []int{0}, 0, time.Time{}},
		{"all of it was slept through", "FREQ=DAILY;COUNT=3", hour, at(9 * day), nil, 3, time.Time{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sch := &Schedule{ID: "s", AppID: "app", State: ScheduleActive, To: Recipients{Audience: &Audience{}}, RRule: tc.rrule, Start: At(start), TimeZone: "Asia/Shanghai",
				CatchUp: tc.catchUp.Milliseconds(), NextAt: At(start)}
			rule, err := sch.rule()
			if err != nil {
				t.Fatal(err)
			}
			f := moveOn(sch, rule, tc.now, lateness)
			if diff := cmp.Diff(tc.fired, f.index); diff != "" {
				t.Errorf("fired:\n%s", diff)
			}
			if len(f.fire) != len(f.index) {
				t.Fatalf("%d occurrences and %d ordinals", len(f.fire), len(f.index))
			}
			for i, o := range f.fire {
				if want, ok := rule.Index(o.At.Time()); !ok || want != f.index[i] {
					t.Errorf("the occurrence at %s has ordinal %d, want %d", o.At.Time(), f.index[i], want)
				}
			}
			if f.next.Missed != tc.missed {
				t.Errorf("%d missed, want %d", f.next.Missed, tc.missed)
			}
			if f.next.NextAt != At(tc.next) || f.due != At(tc.next) || (f.next.State == ScheduleEnded) != tc.next.IsZero() {
				t.Errorf("goes on at %s, due %s, %s; want %s", f.next.NextAt.Time(), f.due.Time(), f.next.State, tc.next)
			}
			if n := min(tc.missed+len(tc.fired), maxPast); len(f.next.Past) != n {
				t.Errorf("%d past occurrences are remembered, want %d", len(f.next.Past), n)
			}
			fired := 0
			for _, o := range f.next.Past {
				if o.State == "fired" {
					fired++
				} else if o.Detail == "" {
					t.Errorf("the occurrence at %s is %s and does not say why", o.At.Time(), o.State)
				}
			}
			if fired != len(tc.fired) {
				t.Errorf("%d are remembered as fired, want %d", fired, len(tc.fired))
			}
			if sch.NextAt != At(start) || sch.Missed != 0 || len(sch.Past) != 0 {
				t.Error("the loaded schedule was changed")
			}
		})
	}
}

func TestASeriesEndsWithItsLastPart(t *testing.T) {
	start := time.Date(2026, 11, 6, 19, 0, 0, 0, policy.Shanghai) // weekly classes, on Fridays
	sch := &Schedule{ID: "s", State: ScheduleActive, To: Recipients{Audience: &Audience{}}, RRule: "FREQ=WEEKLY", Start: At(start), TimeZone: "Asia/Shanghai", NextAt: At(start),
		CatchUp: DefaultCatchUp.Milliseconds(), Content: Content{Series: []map[string]string{{"thing1": "a"}, {"thing1": "b"}, {"thing1": "c"}}}}
	rule, err := sch.rule()
	if err != nil {
		t.Fatal(err)
	}
	for week := range 3 {
		f := moveOn(sch, rule, start.AddDate(0, 0, 7*week), time.Minute)
		if len(f.index) != 1 || f.index[0] != week {
			t.Errorf("week %d fires %v", week, f.index)
		}
		sch = f.next
	}
	if sch.State != ScheduleEnded || sch.NextAt != 0 || dueOfSchedule(sch) != 0 {
		t.Errorf("after the last part: %s, next %d", sch.State, sch.NextAt)
	}
}

// Years of minutes are not looked through in one go; the rest comes at the next tick, and nothing of it is sent late.
func TestAnEndlessBacklogIsWorkedOffInSteps(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, policy.Shanghai)
	sch := &Schedule{ID: "s", State: ScheduleActive, To: Recipients{Audience: &Audience{}}, RRule: "FREQ=MINUTELY", Start: At(start), TimeZone: "Asia/Shanghai", NextAt: At(start)}
	rule, err := sch.rule()
	if err != nil {
		t.Fatal(err)
	}
	now, steps := start.Add((2*maxOccurrences+10)*time.Minute), 0
	for ; sch.NextAt <= At(now); steps++ {
		f := moveOn(sch, rule, now, 30*time.Second)
		if steps < 2 && (len(f.fire) != 0 || f.due == 0 || f.due > At(now)) {
			t.Fatalf("step %d: %d fired, due %s", steps, len(f.fire), f.due.Time())
		}
		sch = f.next
	}
	if steps != 3 || sch.Missed != 2*maxOccurrences+10 {
		t.Errorf("%d steps, %d missed", steps, sch.Missed)
	}
}

func TestThePlaceInTheSpreadIsStableAndInsideIt(t *testing.T) {
	sch := &Schedule{ID: "s", State: ScheduleActive, To: Recipients{OpenID: "someone"}, NextAt: 1_790_000_000_000, Spread: 300_000}
	due := dueOfSchedule(sch)
	if due != dueOfSchedule(sch) || due < sch.NextAt || due >= sch.NextAt+300_000 {
		t.Errorf("due %s after the occurrence", due.Sub(sch.NextAt))
	}
	sch.To = Recipients{Audience: &Audience{}} // an audience's jobs are spread, not its schedule
	if got := dueOfSchedule(sch); got != sch.NextAt {
		t.Errorf("due %s after the occurrence, want at once", got.Sub(sch.NextAt))
	}
	sch.State = SchedulePaused
	if got := dueOfSchedule(sch); got != 0 {
		t.Errorf("a paused schedule falls due at %d", got)
	}
}
