package recurrence_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/teambition/rrule-go"
	"pgregory.net/rapid"

	"github.com/yuexin-dev/yuexin/shared/recurrence"
)

// drawn is a rule in the simplest form that both it and a slow evaluator can be made from.
type drawn struct {
	freq      string
	interval  int
	lists     map[string][]int // BYMONTH, BYMONTHDAY, …
	days      []numbered
	weekStart int // 0 is Monday
}

type numbered struct{ n, weekday int }

var weekdayNames = []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}

func (d drawn) String() string {
	text := fmt.Sprintf("FREQ=%s;INTERVAL=%d;WKST=%s", d.freq, d.interval, weekdayNames[d.weekStart])
	for _, name := range []string{"BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYHOUR", "BYMINUTE", "BYSECOND", "BYSETPOS"} {
		if list := d.lists[name]; len(list) > 0 {
			text += ";" + name + "=" + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(list)), ","), "[]")
		}
	}
	var days []string
	for _, day := range d.days {
		if day.n == 0 {
			days = append(days, weekdayNames[day.weekday])
		} else {
			days = append(days, fmt.Sprintf("%d%s", day.n, weekdayNames[day.weekday]))
		}
	}
	if len(days) > 0 {
		text += ";BYDAY=" + strings.Join(days, ",")
	}
	return text
}

// drawRule draws a rule that RFC 5545 allows. Lists are short, so that rules match often
// enough to be compared and contradict themselves now and then.
func drawRule(t *rapid.T, frequencies ...string) drawn {
	d := drawn{
		freq:      rapid.SampledFrom(frequencies).Draw(t, "freq"),
		interval:  rapid.SampledFrom([]int{1, 1, 1, 2, 3, 7, 24, 61}).Draw(t, "interval"),
		weekStart: rapid.IntRange(0, 6).Draw(t, "wkst"),
		lists:     map[string][]int{},
	}
	maybe := func(name string, odds int, values *rapid.Generator[int]) {
		if rapid.IntRange(1, odds).Draw(t, name+"?") == 1 {
			d.lists[name] = rapid.SliceOfNDistinct(values, 1, 4, rapid.ID[int]).Draw(t, name)
		}
	}
	signed := func(high int) *rapid.Generator[int] {
		return rapid.Custom(func(t *rapid.T) int {
			n := rapid.IntRange(1, high).Draw(t, "n")
			if rapid.Bool().Draw(t, "back") {
				n = -n
			}
			return n
		})
	}
	maybe("BYMONTH", 4, rapid.IntRange(1, 12))
	if d.freq == "YEARLY" {
		maybe("BYWEEKNO", 6, signed(53))
	}
	if d.freq != "DAILY" && d.freq != "WEEKLY" && d.freq != "MONTHLY" {
		maybe("BYYEARDAY", 6, signed(366))
	}
	if d.freq != "WEEKLY" {
		maybe("BYMONTHDAY", 3, rapid.OneOf(rapid.IntRange(27, 31), signed(31)))
	}
	maybe("BYHOUR", 3, rapid.IntRange(0, 23))
	maybe("BYMINUTE", 3, rapid.IntRange(0, 59))
	maybe("BYSECOND", 4, rapid.IntRange(0, 59))
	if rapid.IntRange(1, 3).Draw(t, "byday?") == 1 {
		numbers := rapid.Just(0)
		if (d.freq == "MONTHLY" || d.freq == "YEARLY") && d.lists["BYWEEKNO"] == nil {
			numbers = rapid.OneOf(rapid.Just(0), signed(5), signed(53))
		}
		d.days = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) numbered {
			return numbered{numbers.Draw(t, "n"), rapid.IntRange(0, 6).Draw(t, "weekday")}
		}), 1, 3).Draw(t, "byday")
	}
	if len(d.lists)+len(d.days) > 0 {
		maybe("BYSETPOS", 4, rapid.OneOf(signed(3), signed(366)))
	}
	return d
}

// slowly evaluates a rule by asking every second (or, for days and longer, every second that
// its time parts allow) of the span whether it belongs, straight from the standard's words:
// group by period, keep every interval-th period, then take BYSETPOS. It works in UTC.
func (d drawn) slowly(start, to time.Time) []time.Time {
	in := func(name string, values ...int) bool {
		list := d.lists[name]
		return len(list) == 0 || slices.ContainsFunc(values, func(v int) bool { return slices.Contains(list, v) })
	}
	weekday := func(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }
	weekOf := func(t time.Time) time.Time { return t.AddDate(0, 0, -((weekday(t) - d.weekStart + 7) % 7)) }
	midnight := func(t time.Time) time.Time { return t.Truncate(24 * time.Hour) }

	days := d.days
	months, monthDays := d.lists["BYMONTH"], d.lists["BYMONTHDAY"]
	if len(days) == 0 && len(monthDays) == 0 && len(d.lists["BYYEARDAY"]) == 0 {
		switch {
		case d.freq == "WEEKLY" || len(d.lists["BYWEEKNO"]) > 0:
			days = []numbered{{0, weekday(start)}}
		case d.freq == "YEARLY" && len(months) == 0:
			months, monthDays = []int{int(start.Month())}, []int{start.Day()}
		case d.freq == "YEARLY" || d.freq == "MONTHLY":
			monthDays = []int{start.Day()}
		}
	}
	dayOK := func(t time.Time) bool {
		last := time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
		if len(months) > 0 && !slices.Contains(months, int(t.Month())) {
			return false
		}
		if len(monthDays) > 0 && !slices.ContainsFunc(monthDays, func(n int) bool {
			if n < 0 {
				return last+n+1 == t.Day()
			}
			if d.freq == "MONTHLY" || d.freq == "YEARLY" {
				n = min(n, last)
			}
			return n == t.Day()
		}) {
			return false
		}
		length := time.Date(t.Year(), 12, 31, 0, 0, 0, 0, time.UTC).YearDay()
		if !in("BYYEARDAY", t.YearDay(), t.YearDay()-length-1) {
			return false
		}
		if len(d.lists["BYWEEKNO"]) > 0 {
			// A week belongs to the year that has at least four of its days.
			begin := weekOf(t)
			year := begin.AddDate(0, 0, 3).Year()
			number := func(day time.Time) int { return 1 + (weekOf(day).AddDate(0, 0, 3).YearDay()-1)/7 }
			var weeks int
			if lastWeek := weekOf(time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC)); lastWeek.AddDate(0, 0, 3).Year() == year {
				weeks = number(lastWeek)
			} else {
				weeks = number(lastWeek.AddDate(0, 0, -1))
			}
			if n := number(begin); !in("BYWEEKNO", n, n-weeks-1) {
				return false
			}
		}
		return len(days) == 0 || slices.ContainsFunc(days, func(day numbered) bool {
			if day.weekday != weekday(t) {
				return false
			}
			// The n-th such weekday is found by walking from the border of the month or year.
			sameSpan := func(u time.Time) bool {
				return u.Year() == t.Year() && (d.freq == "YEARLY" && len(months) == 0 || u.Month() == t.Month())
			}
			forth, back := 1, -1
			for u := t.AddDate(0, 0, -7); sameSpan(u); u = u.AddDate(0, 0, -7) {
				forth++
			}
			for u := t.AddDate(0, 0, 7); sameSpan(u); u = u.AddDate(0, 0, 7) {
				back--
			}
			return day.n == 0 || day.n == forth || day.n == back
		})
	}
	period := func(t time.Time) int64 {
		switch d.freq {
		case "YEARLY":
			return int64(t.Year())
		case "MONTHLY":
			return int64(t.Year())*12 + int64(t.Month())
		case "WEEKLY":
			return midnight(weekOf(t)).Unix() / (7 * 86400)
		case "DAILY":
			return t.Unix() / 86400
		case "HOURLY":
			return t.Unix() / 3600
		case "MINUTELY":
			return t.Unix() / 60
		default:
			return t.Unix()
		}
	}
	times := d.timesOfDay(start)

	var all, group []time.Time
	current := period(start)
	flush := func() {
		var chosen []time.Time
		for i, t := range group {
			if in("BYSETPOS", i+1, i-len(group)) {
				chosen = append(chosen, t)
			}
		}
		all = append(all, chosen...)
		group = nil
	}
	// BYSETPOS needs whole periods: reach beyond both ends where a period is longer than a day.
	reach := 0
	if !finerThanDay(d.freq) {
		reach = 370
	}
	for day := midnight(start).AddDate(0, 0, -reach); !day.After(to.AddDate(0, 0, reach)); day = day.AddDate(0, 0, 1) {
		if !dayOK(day) {
			continue
		}
		for _, second := range times {
			t := day.Add(time.Duration(second) * time.Second)
			p := period(t)
			if (p-period(start))%int64(d.interval) != 0 {
				continue
			}
			if p != current {
				flush()
				current = p
			}
			group = append(group, t)
		}
	}
	flush()
	return slices.DeleteFunc(all, func(t time.Time) bool { return t.Before(start) || t.After(to) })
}

func finerThanDay(freq string) bool {
	return freq == "HOURLY" || freq == "MINUTELY" || freq == "SECONDLY"
}

// timesOfDay lists the seconds of the day that the time parts allow.
func (d drawn) timesOfDay(start time.Time) (times []int) {
	finer := func(freqs ...string) bool { return slices.Contains(freqs, d.freq) }
	for second := range 86400 {
		h, m, s := second/3600, second/60%60, second%60
		ok := func(name string, value, fallback int, free bool) bool {
			list := d.lists[name]
			return slices.Contains(list, value) || len(list) == 0 && (free || value == fallback)
		}
		if ok("BYHOUR", h, start.Hour(), finer("HOURLY", "MINUTELY", "SECONDLY")) &&
			ok("BYMINUTE", m, start.Minute(), finer("MINUTELY", "SECONDLY")) &&
			ok("BYSECOND", s, start.Second(), finer("SECONDLY")) {
			times = append(times, second)
		}
	}
	return times
}

// drawStart draws a start near the end of a month, a year or a leap February half of the time.
func drawStart(t *rapid.T) time.Time {
	day := rapid.OneOf(
		rapid.IntRange(0, 366*5),
		rapid.SampledFrom([]int{30, 58, 59, 364, 365, 366, 425, 790, 1155, 1460, 1461}),
	).Draw(t, "day")
	second := rapid.OneOf(rapid.Just(9*3600), rapid.IntRange(0, 86399)).Draw(t, "second")
	return time.Date(2023, 1, 1, 0, 0, second, 0, time.UTC).AddDate(0, 0, day)
}

func compare(t *rapid.T, d drawn, start, to time.Time) {
	rule, err := recurrence.Parse(d.String(), start, time.UTC)
	if err != nil {
		t.Fatalf("%s: %v", d, err)
	}
	const enough = 400
	want := d.slowly(start, to)
	got, more := rule.Between(start.Add(-1), to, enough)
	if more != (len(want) > enough) {
		t.Fatalf("%s from %v: truncated %v with %d expected", d, start, more, len(want))
	}
	if diff := cmp.Diff(want[:min(len(want), enough)], got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s from %v (-want +got):\n%s", d, start, diff)
	}
	if len(want) == 0 {
		return
	}
	// Jumping in anywhere gives what walking from the start gives.
	i := rapid.IntRange(0, min(len(want), enough)-1).Draw(t, "i")
	if next, ok := rule.After(want[i].Add(-time.Second)); !ok || !next.Equal(want[i]) {
		t.Fatalf("%s from %v: After just before %v = %v, %v", d, start, want[i], next, ok)
	}
	if n, ok := rule.Index(want[i]); !ok || n != i {
		t.Fatalf("%s from %v: Index(%v) = %d, %v, want %d", d, start, want[i], n, ok, i)
	}
	// COUNT stops after exactly that many.
	counted, err := recurrence.Parse(fmt.Sprintf("%s;COUNT=%d", d, i+1), start, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if last, ok := counted.After(want[i].Add(-time.Second)); !ok || !last.Equal(want[i]) {
		t.Fatalf("%s;COUNT=%d from %v: last %v, %v, want %v", d, i+1, start, last, ok, want[i])
	}
	if past, ok := counted.After(want[i]); ok {
		t.Fatalf("%s;COUNT=%d from %v: %v follows the last", d, i+1, start, past)
	}
}

func TestLongPeriodsAgreeWithTheSlowEvaluation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawRule(t, "YEARLY", "MONTHLY", "WEEKLY", "DAILY")
		start := drawStart(t)
		compare(t, d, start, start.AddDate(4, 0, 0))
	})
}

func TestWeekNumbersAgreeWithTheSlowEvaluation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawn{
			freq: "YEARLY", interval: rapid.IntRange(1, 2).Draw(t, "interval"), weekStart: rapid.IntRange(0, 6).Draw(t, "wkst"),
			lists: map[string][]int{"BYWEEKNO": rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 52, 53, -1, -2, -52, -53}), 1, 2).Draw(t, "weeks")},
			days:  []numbered{{0, rapid.IntRange(0, 6).Draw(t, "weekday")}},
		}
		start := drawStart(t)
		compare(t, d, start, start.AddDate(6, 0, 0))
	})
}

func TestShortPeriodsAgreeWithTheSlowEvaluation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawRule(t, "HOURLY", "MINUTELY", "SECONDLY")
		start := drawStart(t)
		compare(t, d, start, start.AddDate(0, 0, rapid.SampledFrom([]int{1, 2, 9}).Draw(t, "span")))
	})
}

// TestAgreesWithRRuleGo compares with github.com/teambition/rrule-go where that library is
// right: in UTC, without the clamp, and without the rules that make it panic (numbered
// weekdays beyond the month), hang (times no step reaches), drop days (numbered beside plain)
// or cut the first week short (WEEKLY with BYSETPOS).
func TestAgreesWithRRuleGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawRule(t, "YEARLY", "MONTHLY", "WEEKLY", "DAILY")
		d.lists["BYMONTHDAY"] = slices.DeleteFunc(d.lists["BYMONTHDAY"], func(n int) bool { return n > 28 })
		delete(d.lists, "BYWEEKNO")
		if d.freq == "WEEKLY" {
			delete(d.lists, "BYSETPOS")
		}
		numberedDays := slices.ContainsFunc(d.days, func(day numbered) bool { return day.n != 0 })
		d.days = slices.DeleteFunc(d.days, func(day numbered) bool {
			return numberedDays && (day.n == 0 || day.n > 4 || day.n < -4)
		})
		start := drawStart(t)
		if start.Day() > 28 {
			start = start.AddDate(0, 0, -3)
		}
		rule, err := recurrence.Parse(d.String(), start, time.UTC)
		if err != nil {
			t.Skip("a part was emptied that another needs")
		}
		option, err := rrule.StrToROption(d.String())
		if err != nil {
			t.Fatal(err)
		}
		option.Dtstart = start
		option.Until = start.AddDate(5, 0, 0)
		library, err := rrule.NewRRule(*option)
		if err != nil {
			t.Fatal(err)
		}
		var want []time.Time
		next := library.Iterator()
		for at, ok := next(); ok && len(want) < 200; at, ok = next() {
			want = append(want, at)
		}
		got, _ := rule.Between(start.Add(-1), option.Until, 200)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s from %v (-library +got):\n%s", d, start, diff)
		}
	})
}
