package recurrence_test

import (
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/recurrence"
)

// hardest are rules that match nothing or nearly nothing and differ in what makes the search
// for that long: days, weeks, times, steps, positions, and a COUNT that is never reached.
var hardest = []string{
	"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
	"FREQ=WEEKLY;INTERVAL=7;BYMONTH=2;BYDAY=SU;BYSETPOS=2",
	"FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1",
	"FREQ=YEARLY;BYWEEKNO=53;BYYEARDAY=100",
	"FREQ=YEARLY;BYMONTH=2;BYDAY=-10MO",
	"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYWEEKNO=1;BYMONTH=6",
	"FREQ=HOURLY;INTERVAL=7;BYDAY=MO;BYHOUR=5,6;BYMONTH=2;BYMONTHDAY=30",
	"FREQ=HOURLY;INTERVAL=168;BYDAY=SA",
	"FREQ=MINUTELY;INTERVAL=7;BYDAY=MO;BYHOUR=0,7,14,21;BYMINUTE=5",
	"FREQ=MINUTELY;BYSECOND=1;BYSETPOS=2",
	"FREQ=SECONDLY;INTERVAL=60;BYSECOND=1,2,3,4,5",
	"FREQ=SECONDLY;INTERVAL=7;BYDAY=WE,FR;BYHOUR=0,1,2,3,4,5,7,8,9,10,11,12,14,15,16,17,18,19,21,22,23;BYMINUTE=0,7,14,21,28,35,42,49,56;BYSECOND=0,7,14,21,28,35,42,49,56",
	"FREQ=SECONDLY;INTERVAL=77;BYDAY=WE;BYHOUR=0,1,2,3,4,5,7,8,9,10,11,12,14,15,16,17,18,19,21,22,23;BYMINUTE=0,7,14,21,28,35,42,49,56;BYSECOND=0,7,14,21,28,35,42,49,56;BYMONTH=1",
	"FREQ=SECONDLY;INTERVAL=14;BYDAY=TU;BYHOUR=0;BYMINUTE=0,7,14,21,28,35,42,49,56",
	"FREQ=SECONDLY;INTERVAL=86399;BYHOUR=9;BYMINUTE=0;BYSECOND=1;BYMONTHDAY=13;BYDAY=FR",
	"FREQ=SECONDLY;BYYEARDAY=366;BYDAY=MO;BYMONTH=1",
	"FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;COUNT=10000",
	"FREQ=SECONDLY;INTERVAL=61;BYSECOND=0;COUNT=10000",
	"FREQ=YEARLY;BYYEARDAY=366;BYHOUR=9,10,11;COUNT=10000",
	"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,2,3,4,5,6,7,8,9,-1,-2,-3,-4,-5,-6,-7,-8,-9;COUNT=10000",
}

func TestWorkIsBounded(t *testing.T) {
	zone := mustZone(t, "America/New_York")
	for _, rrule := range hardest {
		begin := time.Now()
		rule, err := recurrence.Parse(rrule, time.Date(2026, 1, 1, 9, 0, 0, 0, zone), zone)
		if err != nil {
			t.Fatal(err)
		}
		parsed := time.Since(begin)
		begin = time.Now()
		rule.After(time.Date(2026, 3, 1, 0, 0, 0, 0, zone))
		after := time.Since(begin)
		t.Logf("%10v %10v  %s", parsed, after, rrule)
		// Wide margins: the race detector and a busy machine slow this down tenfold.
		if parsed > 2*time.Second || after > 2*time.Second {
			t.Errorf("%s took %v to parse and %v to search", rrule, parsed, after)
		}
	}
}

func BenchmarkAfter(b *testing.B) {
	zone := mustZone(b, "Asia/Shanghai")
	start := time.Date(2016, 1, 31, 9, 0, 0, 0, zone)
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, zone)
	for name, rrule := range map[string]string{
		"daily":     "FREQ=DAILY",
		"weekly":    "FREQ=WEEKLY;BYDAY=MO,FR",
		"monthly":   "FREQ=MONTHLY;BYMONTHDAY=31",
		"yearly":    "FREQ=YEARLY",
		"last-work": "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
		"minutely":  "FREQ=MINUTELY;INTERVAL=5",
		"no-match":  "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
	} {
		b.Run(name, func(b *testing.B) {
			rule, err := recurrence.Parse(rrule, start, zone)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				rule.After(now)
			}
		})
	}
}

func BenchmarkIndexOfTheTenthYearOfADailyRule(b *testing.B) {
	zone := mustZone(b, "America/New_York")
	start := time.Date(2016, 1, 1, 9, 0, 0, 0, zone)
	rule, err := recurrence.Parse("FREQ=DAILY", start, zone)
	if err != nil {
		b.Fatal(err)
	}
	now := start.AddDate(10, 0, 0)
	b.ReportAllocs()
	for b.Loop() {
		if n, ok := rule.Index(now); !ok || n != 3653 {
			b.Fatal(n, ok)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	zone := mustZone(b, "Asia/Shanghai")
	start := time.Date(2026, 1, 5, 9, 0, 0, 0, zone)
	for name, rrule := range map[string]string{
		"monthly":     "FREQ=MONTHLY;BYMONTHDAY=5;BYHOUR=9;BYMINUTE=0",
		"count-12":    "FREQ=MONTHLY;COUNT=12",
		"count-10000": "FREQ=MINUTELY;COUNT=10000",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := recurrence.Parse(rrule, start, zone); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
