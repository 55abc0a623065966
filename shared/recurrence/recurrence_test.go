package recurrence_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/recurrence"
)

const layout = "2006-01-02 15:04:05"

func mustZone(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func mustParse(t testing.TB, rrule, start string, zone *time.Location) recurrence.Rule {
	t.Helper()
	at, err := time.ParseInLocation(layout, start, zone)
	if err != nil {
		t.Fatal(err)
	}
	rule, err := recurrence.Parse(rrule, at, zone)
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

// first lists up to n occurrences with the offset that the zone has at each.
func first(rule recurrence.Rule, n int) string {
	all, more := rule.Between(time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), n)
	var lines []string
	for _, x := range all {
		lines = append(lines, x.Format(layout+" -0700"))
	}
	if !more {
		lines = append(lines, "end")
	}
	return strings.Join(lines, "\n")
}

func TestOccurrences(t *testing.T) {
	tests := []struct {
		name, zone, start, rrule string
		n                        int
		want                     string
	}{
		{
			"a bill on the 5th of each month at nine in Shanghai", "Asia/Shanghai", "2026-01-10 00:00:00",
			"FREQ=MONTHLY;BYMONTHDAY=5;BYHOUR=9;BYMINUTE=0;BYSECOND=0", 3, `
				2026-02-05 09:00:00 +0800
				2026-03-05 09:00:00 +0800
				2026-04-05 09:00:00 +0800`,
		},
		{
			"eight weeks of classes on Friday", "Asia/Shanghai", "2026-09-04 18:30:00",
			"RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=8", 9, `
				2026-09-04 18:30:00 +0800
				2026-09-11 18:30:00 +0800
				2026-09-18 18:30:00 +0800
				2026-09-25 18:30:00 +0800
				2026-10-02 18:30:00 +0800
				2026-10-09 18:30:00 +0800
				2026-10-16 18:30:00 +0800
				2026-10-23 18:30:00 +0800
				end`,
		},
		{
			"morning practice and the evening reminder for two days", "Asia/Shanghai", "2026-05-01 00:00:00",
			"FREQ=DAILY;BYHOUR=8,20;BYMINUTE=0;BYSECOND=0;UNTIL=20260502", 9, `
				2026-05-01 08:00:00 +0800
				2026-05-01 20:00:00 +0800
				2026-05-02 08:00:00 +0800
				2026-05-02 20:00:00 +0800
				end`,
		},

		// Short months.
		{
			"day 31 is the last day of every month, also of a leap February", "Asia/Shanghai", "2027-11-30 09:00:00",
			"FREQ=MONTHLY;BYMONTHDAY=31", 5, `
				2027-11-30 09:00:00 +0800
				2027-12-31 09:00:00 +0800
				2028-01-31 09:00:00 +0800
				2028-02-29 09:00:00 +0800
				2028-03-31 09:00:00 +0800`,
		},
		{
			"a monthly rule that starts on the 31st is clamped too, and recovers", "Asia/Shanghai", "2026-01-31 09:00:00",
			"FREQ=MONTHLY;COUNT=4", 9, `
				2026-01-31 09:00:00 +0800
				2026-02-28 09:00:00 +0800
				2026-03-31 09:00:00 +0800
				2026-04-30 09:00:00 +0800
				end`,
		},
		{
			"days 29, 30 and 31 that fall together count once", "UTC", "2026-01-29 09:00:00",
			"FREQ=MONTHLY;BYMONTHDAY=29,30,31;COUNT=7", 9, `
				2026-01-29 09:00:00 +0000
				2026-01-30 09:00:00 +0000
				2026-01-31 09:00:00 +0000
				2026-02-28 09:00:00 +0000
				2026-03-29 09:00:00 +0000
				2026-03-30 09:00:00 +0000
				2026-03-31 09:00:00 +0000
				end`,
		},
		{
			"an anniversary on 29 February is kept on the 28th", "UTC", "2028-02-29 09:00:00",
			"FREQ=YEARLY", 5, `
				2028-02-29 09:00:00 +0000
				2029-02-28 09:00:00 +0000
				2030-02-28 09:00:00 +0000
				2031-02-28 09:00:00 +0000
				2032-02-29 09:00:00 +0000`,
		},
		{
			"30 February is the end of February", "UTC", "2027-01-01 09:00:00",
			"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", 2, `
				2027-02-28 09:00:00 +0000
				2028-02-29 09:00:00 +0000`,
		},
		{
			"the clamp comes before BYDAY, as RFC 7529 orders it", "UTC", "2026-01-01 09:00:00",
			"FREQ=MONTHLY;BYMONTHDAY=31;BYDAY=SA", 3, `
				2026-01-31 09:00:00 +0000
				2026-02-28 09:00:00 +0000
				2026-10-31 09:00:00 +0000`,
		},
		{
			"the clamp comes before BYSETPOS", "UTC", "2026-02-01 09:00:00",
			"FREQ=MONTHLY;BYMONTHDAY=15,30,31;BYSETPOS=2", 3, `
				2026-02-28 09:00:00 +0000
				2026-03-30 09:00:00 +0000
				2026-04-30 09:00:00 +0000`,
		},
		{
			"every other month on the 31st keeps to its months", "UTC", "2026-08-31 09:00:00",
			"FREQ=MONTHLY;INTERVAL=2;UNTIL=20270301T000000Z", 9, `
				2026-08-31 09:00:00 +0000
				2026-10-31 09:00:00 +0000
				2026-12-31 09:00:00 +0000
				2027-02-28 09:00:00 +0000
				end`,
		},
		{
			"a daily rule only filters by BYMONTHDAY", "UTC", "2026-01-01 09:00:00",
			"FREQ=DAILY;BYMONTHDAY=31", 3, `
				2026-01-31 09:00:00 +0000
				2026-03-31 09:00:00 +0000
				2026-05-31 09:00:00 +0000`,
		},
		{
			"the last day by a negative number needs no clamp", "UTC", "2026-01-01 09:00:00",
			"FREQ=MONTHLY;BYMONTHDAY=-1", 3, `
				2026-01-31 09:00:00 +0000
				2026-02-28 09:00:00 +0000
				2026-03-31 09:00:00 +0000`,
		},

		// Clock changes.
		{
			"nine o'clock stays nine o'clock in New York", "America/New_York", "2026-03-07 09:00:00",
			"FREQ=DAILY", 2, `
				2026-03-07 09:00:00 -0500
				2026-03-08 09:00:00 -0400`,
		},
		{
			"a time in the gap fires when the gap ends", "America/New_York", "2026-03-07 02:30:00",
			"FREQ=DAILY", 3, `
				2026-03-07 02:30:00 -0500
				2026-03-08 03:00:00 -0400
				2026-03-09 02:30:00 -0400`,
		},
		{
			"two times in one gap fire once, and COUNT counts them once", "Europe/Berlin", "2026-03-29 00:00:00",
			"FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30;COUNT=3", 9, `
				2026-03-29 03:00:00 +0200
				2026-03-29 03:30:00 +0200
				2026-03-30 02:00:00 +0200
				end`,
		},
		{
			"a time that comes twice fires the first time", "Europe/Berlin", "2026-10-24 02:30:00",
			"FREQ=DAILY", 3, `
				2026-10-24 02:30:00 +0200
				2026-10-25 02:30:00 +0200
				2026-10-26 02:30:00 +0100`,
		},
		{
			"an hourly rule pauses while the hour is repeated", "America/New_York", "2026-11-01 00:30:00",
			"FREQ=HOURLY", 4, `
				2026-11-01 00:30:00 -0400
				2026-11-01 01:30:00 -0400
				2026-11-01 02:30:00 -0500
				2026-11-01 03:30:00 -0500`,
		},
		{
			"a start at the end of a gap does not reach back into it", "America/New_York", "2026-03-08 03:00:00",
			"FREQ=DAILY;BYHOUR=2;BYMINUTE=30", 2, `
				2026-03-09 02:30:00 -0400
				2026-03-10 02:30:00 -0400`,
		},
		{
			"Lord Howe's half hour gap moves by less than half an hour", "Australia/Lord_Howe", "2026-10-03 02:15:00",
			"FREQ=DAILY", 3, `
				2026-10-03 02:15:00 +1030
				2026-10-04 02:30:00 +1100
				2026-10-05 02:15:00 +1100`,
		},
		{
			"Lord Howe's repeated half hour fires once", "Australia/Lord_Howe", "2026-04-04 01:45:00",
			"FREQ=DAILY", 3, `
				2026-04-04 01:45:00 +1100
				2026-04-05 01:45:00 +1100
				2026-04-06 01:45:00 +1030`,
		},
		{
			"a day that a zone skipped is made up at the next midnight", "Pacific/Apia", "2011-12-29 08:00:00",
			"FREQ=DAILY", 3, `
				2011-12-29 08:00:00 -1000
				2011-12-31 00:00:00 +1400
				2011-12-31 08:00:00 +1400`,
		},
		{
			"midnight that does not exist is one o'clock", "America/Santiago", "2026-09-05 00:00:00",
			"FREQ=DAILY", 3, `
				2026-09-05 00:00:00 -0400
				2026-09-06 01:00:00 -0300
				2026-09-07 00:00:00 -0300`,
		},

		// Ends, and rules that match little or nothing.
		{"UNTIL is included", "UTC", "2026-01-01 09:00:00", "FREQ=DAILY;UNTIL=20260102T090000Z", 9, `
				2026-01-01 09:00:00 +0000
				2026-01-02 09:00:00 +0000
				end`},
		{"UNTIL without Z is wall-clock time", "Asia/Shanghai", "2026-01-01 09:00:00", "FREQ=DAILY;UNTIL=20260102T085959", 9, `
				2026-01-01 09:00:00 +0800
				end`},
		{"UNTIL before the start leaves nothing", "UTC", "2026-01-01 09:00:00", "FREQ=DAILY;UNTIL=20251231", 9, `
				end`},
		{"the tenth Monday from the end of February does not exist", "UTC", "2026-01-01 09:00:00", "FREQ=YEARLY;BYMONTH=2;BYDAY=-10MO", 9, `
				end`},
		{"a daily rule on 30 February never matches", "UTC", "2026-01-01 09:00:00", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", 9, `
				end`},
		{"a step of 24 hours never reaches another hour", "UTC", "2026-01-01 09:00:00", "FREQ=HOURLY;INTERVAL=24;BYHOUR=5", 9, `
				end`},
		{"a position that no period has never matches", "UTC", "2026-01-01 09:00:00", "FREQ=SECONDLY;BYSECOND=1;BYSETPOS=2", 9, `
				end`},
		{"COUNT beyond the horizon ends there", "UTC", "2026-01-01 09:00:00", "FREQ=YEARLY;INTERVAL=60;COUNT=9", 9, `
				2026-01-01 09:00:00 +0000
				2086-01-01 09:00:00 +0000
				end`},
		{"Monday and a numbered Friday are joined with or", "UTC", "2026-02-20 09:00:00", "FREQ=MONTHLY;BYDAY=MO,-1FR", 4, `
				2026-02-23 09:00:00 +0000
				2026-02-27 09:00:00 +0000
				2026-03-02 09:00:00 +0000
				2026-03-09 09:00:00 +0000`},
		{"second 60 is read as 59", "UTC", "2026-01-01 09:00:00", "FREQ=DAILY;BYSECOND=60", 1, `
				2026-01-01 09:00:59 +0000`},
		{"weeks are counted from WKST", "UTC", "2026-01-01 09:00:00", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO;WKST=SU", 2, `
				2026-01-05 09:00:00 +0000
				2027-01-04 09:00:00 +0000`},
		{"the first week may begin in December", "UTC", "2025-01-01 09:00:00", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO", 3, `
				2025-12-29 09:00:00 +0000
				2027-01-04 09:00:00 +0000
				2028-01-03 09:00:00 +0000`},
		{"the last week may be the 53rd and end in January", "UTC", "2026-01-01 09:00:00", "FREQ=YEARLY;BYWEEKNO=-1;BYDAY=SU", 3, `
				2027-01-03 09:00:00 +0000
				2028-01-02 09:00:00 +0000
				2028-12-31 09:00:00 +0000`},
		{"a week number alone keeps the start's weekday", "UTC", "2026-01-01 09:00:00", "FREQ=YEARLY;BYWEEKNO=20", 2, `
				2026-05-14 09:00:00 +0000
				2027-05-20 09:00:00 +0000`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := first(mustParse(t, tt.rrule, tt.start, mustZone(t, tt.zone)), tt.n)
			want := strings.ReplaceAll(strings.TrimSpace(tt.want), "\t", "")
			if want != "end" && !strings.HasSuffix(want, "end") && strings.Count(want, "\n")+1 != tt.n {
				t.Fatalf("the test lists %d occurrences and asks for %d", strings.Count(want, "\n")+1, tt.n)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("occurrences (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAfterIsStrictlyAfter(t *testing.T) {
	rule := mustParse(t, "FREQ=DAILY;COUNT=3", "2026-01-01 09:00:00", time.UTC)
	day := func(d, h, m, s, ns int) time.Time { return time.Date(2026, 1, d, h, m, s, ns, time.UTC) }
	tests := []struct {
		name string
		t    time.Time
		want time.Time // zero: none
	}{
		{"long before the start", time.Time{}, day(1, 9, 0, 0, 0)},
		{"a nanosecond before an occurrence", day(2, 8, 59, 59, 999_999_999), day(2, 9, 0, 0, 0)},
		{"at an occurrence", day(2, 9, 0, 0, 0), day(3, 9, 0, 0, 0)},
		{"a nanosecond after an occurrence", day(2, 9, 0, 0, 1), day(3, 9, 0, 0, 0)},
		{"at the last occurrence", day(3, 9, 0, 0, 0), time.Time{}},
		{"far in the future", time.Date(290_000_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := rule.After(tt.t)
			if ok == tt.want.IsZero() || !got.Equal(tt.want) {
				t.Errorf("After(%v) = %v, %v, want %v", tt.t, got, ok, tt.want)
			}
		})
	}
}

func TestAStartInsideARepeatedHourIsNotGoneBackOn(t *testing.T) {
	zone := mustZone(t, "Europe/Berlin")
	second := time.Date(2026, 10, 25, 1, 15, 0, 0, time.UTC) // 02:15 for the second time
	rule, err := recurrence.Parse("FREQ=MINUTELY;INTERVAL=15;BYSECOND=0", second, zone)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := rule.After(second.Add(-time.Hour))
	if want := time.Date(2026, 10, 25, 2, 0, 0, 0, time.UTC); !ok || !got.Equal(want) {
		t.Errorf("first occurrence %v, %v, want %v (03:00, the next wall time not yet shown)", got, ok, want)
	}
}

func TestBetweenTakesTheLaterBoundAndSaysWhenItStopsShort(t *testing.T) {
	rule := mustParse(t, "FREQ=DAILY", "2026-01-01 09:00:00", time.UTC)
	nine := func(d int) time.Time { return time.Date(2026, 1, d, 9, 0, 0, 0, time.UTC) }
	tests := []struct {
		name      string
		from, to  time.Time
		max       int
		want      []time.Time
		truncated bool
	}{
		{"excludes from and includes to", nine(2), nine(4), 10, []time.Time{nine(3), nine(4)}, false},
		{"an exact fit is not truncated", nine(2), nine(4), 2, []time.Time{nine(3), nine(4)}, false},
		{"one more is truncated", nine(2), nine(5), 2, []time.Time{nine(3), nine(4)}, true},
		{"none asked for, some there", nine(2), nine(4), 0, nil, true},
		{"none asked for, none there", nine(2), nine(2), 0, nil, false},
		{"an empty span", nine(4), nine(2), 10, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, truncated := rule.Between(tt.from, tt.to, tt.max)
			if diff := cmp.Diff(tt.want, got); diff != "" || truncated != tt.truncated {
				t.Errorf("truncated %v, want %v; occurrences (-want +got):\n%s", truncated, tt.truncated, diff)
			}
		})
	}
}

func TestIndexCountsFromTheStart(t *testing.T) {
	zone := mustZone(t, "Asia/Shanghai")
	weekly := mustParse(t, "FREQ=WEEKLY;BYDAY=FR", "2026-09-01 18:30:00", zone)
	friday := time.Date(2026, 9, 4, 18, 30, 0, 0, zone)
	secondly := mustParse(t, "FREQ=SECONDLY", "2026-01-01 00:00:00", zone)
	tests := []struct {
		name string
		rule recurrence.Rule
		t    time.Time
		want int
		ok   bool
	}{
		{"the first occurrence is 0, though the start is earlier", weekly, friday, 0, true},
		{"week 3 is 2", weekly, friday.AddDate(0, 0, 14), 2, true},
		{"another zone's notation of the same instant", weekly, friday.UTC(), 0, true},
		{"not an occurrence", weekly, friday.Add(time.Second), 0, false},
		{"a fraction of a second off", weekly, friday.Add(time.Nanosecond), 0, false},
		{"before the start", weekly, friday.AddDate(0, 0, -7), 0, false},
		{"the last that is counted", secondly, time.Date(2026, 1, 1, 0, 0, recurrence.MaxCount-1, 0, zone), recurrence.MaxCount - 1, true},
		{"beyond what is counted", secondly, time.Date(2026, 1, 1, 0, 0, recurrence.MaxCount, 0, zone), 0, false},
		{"the zero rule", recurrence.Rule{}, friday, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := tt.rule.Index(tt.t); got != tt.want || ok != tt.ok {
				t.Errorf("Index = %d, %v, want %d, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestTheZeroRuleHasNoOccurrences(t *testing.T) {
	var rule recurrence.Rule
	if got, ok := rule.After(time.Time{}); ok {
		t.Errorf("After = %v", got)
	}
	if got, more := rule.Between(time.Time{}, time.Now(), 5); got != nil || more {
		t.Errorf("Between = %v, %v", got, more)
	}
}
