package recurrence

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// zones with every kind of change: an hour, half an hour, a whole day, at midnight, none.
var zones = []string{
	"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia",
	"America/Santiago", "Africa/Casablanca", "Asia/Shanghai", "UTC",
}

// shownAt returns what a zone's clock shows at an instant, as a wall.
func shownAt(zone *time.Location, instant int64) int64 {
	_, offset := time.Unix(instant, 0).In(zone).Zone()
	return instant + int64(offset)
}

// drawNearChange draws a whole minute of the years that zone data lists and of those beyond
// them, mostly within hours of a clock change or the end of a leap year.
func drawNearChange(t *rapid.T, zone *time.Location) int64 {
	at := time.Date(2011, 12, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 50*365).Draw(t, "day"))
	if rapid.IntRange(0, 9).Draw(t, "leap") == 0 {
		at = time.Date(at.Year()/4*4, 12, 31, 12, 0, 0, 0, time.UTC)
	}
	if _, end := at.In(zone).ZoneBounds(); !end.IsZero() && rapid.IntRange(0, 3).Draw(t, "near") > 0 {
		at = end
	}
	return at.Unix() + int64(rapid.IntRange(-30*60, 30*60).Draw(t, "minute")*60)
}

func TestInstantIsTheFirstAtWhichTheClockShowsTheWallOrLater(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		clock := zoneClock{zone: zone}
		for range 3 { // the later rounds use what the earlier remembered
			wall := drawNearChange(t, zone)
			want := wall - 30*secondsPerHour
			for shownAt(zone, want) < wall {
				want += 60
			}
			if got := clock.instant(wall); got != want {
				t.Fatalf("instant(%v) = %v, want %v", time.Unix(wall, 0).UTC(), time.Unix(got, 0).UTC(), time.Unix(want, 0).UTC())
			}
		}
	})
}

func TestWallAfterIsTheSmallestWallWithALaterInstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		clock := zoneClock{zone: zone}
		instant := drawNearChange(t, zone) + int64(rapid.IntRange(-1, 1).Draw(t, "second"))
		wall := clock.wallAfter(instant)
		if at := clock.instant(wall); at <= instant {
			t.Fatalf("wallAfter(%d) = %d, whose instant %d is not later", instant, wall, at)
		}
		if at := clock.instant(wall - 1); at > instant {
			t.Fatalf("wallAfter(%d) = %d, but the wall before it has the later instant %d too", instant, wall, at)
		}
	})
}

// TestARuleInAZoneIsTheRuleOnItsWallClock evaluates each rule in UTC, reads the results as
// walls, and expects the zone's rule to be exactly their instants, without repeats.
func TestARuleInAZoneIsTheRuleOnItsWallClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		text := rapid.SampledFrom([]string{
			"FREQ=DAILY", "FREQ=DAILY;BYHOUR=0,1,2,3;BYMINUTE=0,15,30,45", "FREQ=HOURLY;INTERVAL=3",
			"FREQ=MINUTELY;INTERVAL=20", "FREQ=WEEKLY;BYDAY=SU,SA;BYHOUR=2;BYMINUTE=30", "FREQ=MONTHLY;BYMONTHDAY=31;BYHOUR=23,0",
		}).Draw(t, "rule")
		start := drawNearChange(t, zone)
		wallStart := shownAt(zone, start)
		inZone, err := Parse(text, time.Unix(start, 0), zone)
		if err != nil {
			t.Fatal(err)
		}
		onWall, err := Parse(text, time.Unix(wallStart, 0), time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		clock := zoneClock{zone: zone}
		var want []int64
		walls, _ := onWall.Between(time.Time{}, time.Unix(wallStart, 0).AddDate(0, 0, 60), 200)
		for _, wall := range walls {
			at := clock.instant(wall.Unix())
			if at >= start && (len(want) == 0 || at > want[len(want)-1]) {
				want = append(want, at)
			}
		}
		got, _ := inZone.Between(time.Time{}, time.Unix(1<<40, 0), len(want))
		for i := range want {
			if got[i].Unix() != want[i] {
				t.Fatalf("%s from %v: occurrence %d is %v, want %v", text, time.Unix(start, 0).In(zone), i, got[i], time.Unix(want[i], 0).In(zone))
			}
			if next, ok := inZone.After(time.Unix(want[i]-1, 0)); !ok || next.Unix() != want[i] {
				t.Fatalf("%s from %v: After just before %v = %v", text, time.Unix(start, 0).In(zone), time.Unix(want[i], 0).In(zone), next)
			}
		}
	})
}

func TestCalendarAgreesWithTheStandardLibrary(t *testing.T) {
	for day := dayNumber(1, 1, 1); day < dayNumber(2600, 1, 1); day += 13 {
		want := time.Unix(day*secondsPerDay, 0).UTC()
		got := dateOf(day)
		week, weeks := weekNumber(day, 0)
		year, wantWeek := want.ISOWeek()
		_, wantWeeks := time.Date(year, 12, 28, 0, 0, 0, 0, time.UTC).ISOWeek()
		if got.year != want.Year() || got.month != int(want.Month()) || got.day != want.Day() ||
			got.yearDay != want.YearDay() || got.weekday != (int(want.Weekday())+6)%7 ||
			dayNumber(got.year, got.month, got.day) != day || week != wantWeek || weeks != wantWeeks ||
			got.monthLen != time.Date(got.year, time.Month(got.month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
			t.Fatalf("day %d is %+v in week %d of %d, want %v in week %d of %d", day, got, week, weeks, want, wantWeek, wantWeeks)
		}
	}
}
