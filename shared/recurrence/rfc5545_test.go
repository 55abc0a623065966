package recurrence_test

import (
	"strings"
	"testing"
	"time"
)

// TestExamplesOfRFC5545 holds the rules of RFC 5545, section 3.8.5.3, with the dates that it
// lists. All start at 09:00 in New York. A date may be followed by times of day, which stand
// for the 09:00 that is left out; "…" says that the rule goes on.
func TestExamplesOfRFC5545(t *testing.T) {
	const tuesday = "1997-09-02"
	tests := []struct {
		name, start, rrule, want string
	}{
		{"daily for 10 occurrences", tuesday, "FREQ=DAILY;COUNT=10",
			"1997-09-02 09-03 09-04 09-05 09-06 09-07 09-08 09-09 09-10 09-11"},
		{"every other day", tuesday, "FREQ=DAILY;INTERVAL=2",
			"1997-09-02 09-04 09-06 09-08 09-10 …"},
		{"every 10 days, 5 occurrences", tuesday, "FREQ=DAILY;INTERVAL=10;COUNT=5",
			"1997-09-02 09-12 09-22 10-02 10-12"},
		{"weekly for 10 occurrences", tuesday, "FREQ=WEEKLY;COUNT=10",
			"1997-09-02 09-09 09-16 09-23 09-30 10-07 10-14 10-21 10-28 11-04"},
		{"weekly until 24 December 1997", tuesday, "FREQ=WEEKLY;UNTIL=19971224T000000Z",
			"1997-09-02 09-09 09-16 09-23 09-30 10-07 10-14 10-21 10-28 11-04 11-11 11-18 11-25 12-02 12-09 12-16 12-23"},
		{"every other week", tuesday, "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
			"1997-09-02 09-16 09-30 10-14 10-28 11-11 11-25 12-09 12-23 1998-01-06 01-20 …"},
		{"weekly on Tuesday and Thursday for five weeks", tuesday, "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
			"1997-09-02 09-04 09-09 09-11 09-16 09-18 09-23 09-25 09-30 10-02"},
		{"every other week on three days until 24 December", "1997-09-01", "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
			"1997-09-01 09-03 09-05 09-15 09-17 09-19 09-29 10-01 10-03 10-13 10-15 10-17 10-27 10-29 10-31 11-10 11-12 11-14 11-24 11-26 11-28 12-08 12-10 12-12 12-22"},
		{"every other week on Tuesday and Thursday, 8 occurrences", tuesday, "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
			"1997-09-02 09-04 09-16 09-18 09-30 10-02 10-14 10-16"},
		{"monthly on the first Friday, 10 occurrences", "1997-09-05", "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
			"1997-09-05 10-03 11-07 12-05 1998-01-02 02-06 03-06 04-03 05-01 06-05"},
		{"monthly on the first Friday until 24 December", "1997-09-05", "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",
			"1997-09-05 10-03 11-07 12-05"},
		{"every other month on the first and last Sunday", "1997-09-07", "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
			"1997-09-07 09-28 11-02 11-30 1998-01-04 01-25 03-01 03-29 05-03 05-31"},
		{"monthly on the second to last Monday", "1997-09-22", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
			"1997-09-22 10-20 11-17 12-22 1998-01-19 02-16"},
		{"monthly on the third to last day", "1997-09-28", "FREQ=MONTHLY;BYMONTHDAY=-3",
			"1997-09-28 10-29 11-28 12-29 1998-01-29 02-26 …"},
		{"monthly on the 2nd and 15th", tuesday, "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
			"1997-09-02 09-15 10-02 10-15 11-02 11-15 12-02 12-15 1998-01-02 01-15"},
		{"monthly on the first and last day", "1997-09-30", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
			"1997-09-30 10-01 10-31 11-01 11-30 12-01 12-31 1998-01-01 01-31 02-01"},
		{"every 18 months on the 10th to 15th", "1997-09-10", "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
			"1997-09-10 09-11 09-12 09-13 09-14 09-15 1999-03-10 03-11 03-12 03-13"},
		{"every Tuesday of every other month", tuesday, "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
			"1997-09-02 09-09 09-16 09-23 09-30 11-04 11-11 11-18 11-25 1998-01-06 01-13 01-20 01-27 03-03 …"},
		{"yearly in June and July", "1997-06-10", "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
			"1997-06-10 07-10 1998-06-10 07-10 1999-06-10 07-10 2000-06-10 07-10 2001-06-10 07-10"},
		{"every other year in January, February and March", "1997-03-10", "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
			"1997-03-10 1999-01-10 02-10 03-10 2001-01-10 02-10 03-10 2003-01-10 02-10 03-10"},
		{"every third year on days 1, 100 and 200", "1997-01-01", "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
			"1997-01-01 04-10 07-19 2000-01-01 04-09 07-18 2003-01-01 04-10 07-19 2006-01-01"},
		{"every 20th Monday of the year", "1997-05-19", "FREQ=YEARLY;BYDAY=20MO",
			"1997-05-19 1998-05-18 1999-05-17 …"},
		{"Monday of week 20", "1997-05-12", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
			"1997-05-12 1998-05-11 1999-05-17 …"},
		{"every Thursday in March", "1997-03-13", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
			"1997-03-13 03-20 03-27 1998-03-05 03-12 03-19 03-26 1999-03-04 …"},
		{"every Thursday in summer", "1997-06-05", "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
			"1997-06-05 06-12 06-19 06-26 07-03 07-10 07-17 07-24 07-31 08-07 08-14 08-21 08-28 1998-06-04 …"},
		{"every Friday the 13th", tuesday, "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
			"1998-02-13 03-13 11-13 1999-08-13 2000-10-13 …"},
		{"the first Saturday after the first Sunday of the month", "1997-09-13", "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
			"1997-09-13 10-11 11-08 12-13 1998-01-10 02-07 03-07 …"},
		{"election day", "1996-11-05", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
			"1996-11-05 2000-11-07 2004-11-02 …"},
		{"the third of Tuesday, Wednesday, Thursday", "1997-09-04", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
			"1997-09-04 10-07 11-06"},
		{"the second to last weekday of the month", "1997-09-29", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
			"1997-09-29 10-30 11-27 12-30 1998-01-29 02-26 03-30 …"},
		{"every 3 hours until 17:00", tuesday, "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z",
			"1997-09-02 09:00 12:00 15:00"},
		{"every 15 minutes, 6 occurrences", tuesday, "FREQ=MINUTELY;INTERVAL=15;COUNT=6",
			"1997-09-02 09:00 09:15 09:30 09:45 10:00 10:15"},
		{"every hour and a half, 4 occurrences", tuesday, "FREQ=MINUTELY;INTERVAL=90;COUNT=4",
			"1997-09-02 09:00 10:30 12:00 13:30"},
		{"every 20 minutes from 9 to 16:40", tuesday, "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
			"1997-09-02 09:00 09:20 09:40 10:00 10:20 10:40 11:00 11:20 11:40 12:00 12:20 12:40 13:00 13:20 13:40 14:00 14:20 14:40 15:00 15:20 15:40 16:00 16:20 16:40 09-03 09:00 …"},
		{"the same, minutely", tuesday, "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
			"1997-09-02 09:00 09:20 09:40 10:00 10:20 10:40 11:00 11:20 11:40 12:00 12:20 12:40 13:00 13:20 13:40 14:00 14:20 14:40 15:00 15:20 15:40 16:00 16:20 16:40 09-03 09:00 …"},
		{"weeks that start on Monday", "1997-08-05", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
			"1997-08-05 08-10 08-19 08-24"},
		{"weeks that start on Sunday", "1997-08-05", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
			"1997-08-05 08-17 08-19 08-31"},
	}
	zone := mustZone(t, "America/New_York")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rule := mustParse(t, tt.rrule, tt.start+" 09:00:00", zone)
			want, open := expand(t, tt.want, zone)
			got, more := rule.Between(time.Time{}, time.Date(2090, 1, 1, 0, 0, 0, 0, zone), len(want))
			if more != open {
				t.Errorf("goes on after the listed ones: %v, want %v", more, open)
			}
			for i, w := range want {
				if i >= len(got) || !got[i].Equal(w) {
					t.Fatalf("occurrence %d of %v, want %v", i, got, w)
				}
			}
		})
	}
}

// expand reads the test's notation: a date with or without year, then any times of that day.
func expand(t *testing.T, list string, zone *time.Location) (want []time.Time, open bool) {
	t.Helper()
	year, date, timed := "", "", false
	flush := func() {
		if date != "" && !timed {
			want = append(want, mustTime(t, date+" 09:00", zone))
		}
	}
	for word := range strings.FieldsSeq(list) {
		switch {
		case word == "…":
			open = true
		case strings.Contains(word, ":"):
			timed = true
			want = append(want, mustTime(t, date+" "+word, zone))
		default:
			flush()
			if len(word) == len("1997-09-02") {
				year = word[:4]
				word = word[5:]
			}
			date, timed = year+"-"+word, false
		}
	}
	flush()
	return want, open
}

func mustTime(t *testing.T, text string, zone *time.Location) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
