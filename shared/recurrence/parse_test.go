package recurrence_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/recurrence"
)

var newYear = time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)

func TestParseNamesTheBadPart(t *testing.T) {
	tests := []struct {
		name, rrule, part, detail string
	}{
		{"empty", "", "", `"" is not NAME=VALUE`},
		{"no FREQ", "BYMONTHDAY=5", "FREQ", "is missing"},
		{"an unknown frequency", "FREQ=FORTNIGHTLY", "FREQ", `"FORTNIGHTLY" is none of SECONDLY`},
		{"a part twice", "FREQ=DAILY;FREQ=WEEKLY", "FREQ", "given twice"},
		{"an unknown part", "FREQ=DAILY;BYEASTER=0", "BYEASTER", "not a part"},
		{"a part without value", "FREQ=DAILY;COUNT=", "", `"COUNT=" is not NAME=VALUE`},
		{"a part without name", "FREQ=DAILY;=5", "", `"=5" is not NAME=VALUE`},
		{"a trailing semicolon", "FREQ=DAILY;", "", `"" is not NAME=VALUE`},
		{"two equals signs", "FREQ=DAILY;COUNT=5=6", "COUNT", `"5=6"`},
		{"DTSTART as a part", "FREQ=DAILY;DTSTART=20260101T000000", "DTSTART", "field of its own"},
		{"DTSTART as a property", "DTSTART:20260101T000000;FREQ=DAILY", "DTSTART", "field of its own"},
		{"DTSTART with a zone, in small letters", "dtstart;tzid=Asia/Shanghai:20260101T000000", "DTSTART", "field of its own"},
		{"EXDATE", "FREQ=DAILY;EXDATE=20260101", "EXDATE", "exceptions are not supported"},
		{"two lines", "FREQ=DAILY\nEXDATE:20260101", "", "one line"},
		{"a trailing line break", "FREQ=DAILY\r\n", "", "one line"},
		{"too long", "FREQ=DAILY;BYHOUR=" + strings.Repeat("1,", 250) + "1", "", "519 bytes, the limit is 500"},
		{"COUNT with UNTIL", "FREQ=DAILY;COUNT=3;UNTIL=20260105", "COUNT", "cannot be combined with UNTIL"},
		{"COUNT zero", "FREQ=DAILY;COUNT=0", "COUNT", `"0" is not a number from 1 to 10000`},
		{"COUNT too large", "FREQ=DAILY;COUNT=10001", "COUNT", "from 1 to 10000"},
		{"COUNT beyond any integer", "FREQ=DAILY;COUNT=99999999999999999999", "COUNT", "from 1 to 10000"},
		{"INTERVAL zero", "FREQ=DAILY;INTERVAL=0", "INTERVAL", "from 1 to"},
		{"INTERVAL negative", "FREQ=DAILY;INTERVAL=-1", "INTERVAL", "from 1 to"},
		{"UNTIL not a time", "FREQ=DAILY;UNTIL=2026-01-05", "UNTIL", "is not a time; write"},
		{"UNTIL on 31 June", "FREQ=DAILY;UNTIL=20260631", "UNTIL", "is not a time; write"},
		{"WKST with a number", "FREQ=WEEKLY;WKST=1MO", "WKST", `"1MO" is not a weekday`},
		{"BYDAY not a day", "FREQ=WEEKLY;BYDAY=MO,XX", "BYDAY", `"XX" is not a weekday`},
		{"BYDAY zeroth", "FREQ=MONTHLY;BYDAY=0MO", "BYDAY", `"0" is not a number from 1 to 53`},
		{"BYDAY 54th", "FREQ=YEARLY;BYDAY=-54MO", "BYDAY", `"-54" is not a number`},
		{"BYDAY numbered in a weekly rule", "FREQ=WEEKLY;BYDAY=2MO", "BYDAY", "need FREQ=MONTHLY or YEARLY"},
		{"BYDAY numbered with week numbers", "FREQ=YEARLY;BYWEEKNO=3;BYDAY=2MO", "BYDAY", "BYWEEKNO"},
		{"BYMONTHDAY zero", "FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY", `"0" is not a number from 1 to 31 or from -31 to -1`},
		{"BYMONTHDAY with two signs", "FREQ=MONTHLY;BYMONTHDAY=-+5", "BYMONTHDAY", `"-+5"`},
		{"BYMONTHDAY in a weekly rule", "FREQ=WEEKLY;BYMONTHDAY=5", "BYMONTHDAY", "FREQ=WEEKLY"},
		{"BYYEARDAY in a monthly rule", "FREQ=MONTHLY;BYYEARDAY=5", "BYYEARDAY", "MONTHLY"},
		{"BYWEEKNO in a monthly rule", "FREQ=MONTHLY;BYWEEKNO=5", "BYWEEKNO", "needs FREQ=YEARLY"},
		{"BYMONTH 13", "FREQ=YEARLY;BYMONTH=13", "BYMONTH", "from 1 to 12"},
		{"BYMONTH negative", "FREQ=YEARLY;BYMONTH=-1", "BYMONTH", "from 1 to 12"},
		{"BYHOUR 24", "FREQ=DAILY;BYHOUR=24", "BYHOUR", "from 0 to 23"},
		{"BYMINUTE 60", "FREQ=DAILY;BYMINUTE=60", "BYMINUTE", "from 0 to 59"},
		{"BYSECOND 61", "FREQ=DAILY;BYSECOND=61", "BYSECOND", "from 0 to 60"},
		{"BYHOUR with a blank", "FREQ=DAILY;BYHOUR=9, 10", "BYHOUR", `" 10"`},
		{"BYSETPOS alone", "FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS", "the rule has none"},
		{"BYSETPOS zero", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0", "BYSETPOS", "from 1 to 366"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := recurrence.Parse(tt.rrule, newYear, time.UTC)
			var bad *recurrence.Error
			if !errors.As(err, &bad) {
				t.Fatalf("error %v, want *recurrence.Error", err)
			}
			if bad.Code() != "bad_rrule" || bad.Part != tt.part || !strings.Contains(bad.Detail, tt.detail) {
				t.Errorf("got part %q, detail %q; want part %q, detail with %q", bad.Part, bad.Detail, tt.part, tt.detail)
			}
			if text := bad.Error(); !strings.HasPrefix(text, "bad_rrule: ") || !strings.Contains(text, tt.part) {
				t.Errorf("error text %q lacks the code or the part", text)
			}
		})
	}
}

func TestParseRefusesImpossibleStarts(t *testing.T) {
	for name, start := range map[string]time.Time{
		"zero":                 {},
		"before year 1":        time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC),
		"horizon past the end": time.Date(9950, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if _, err := recurrence.Parse("FREQ=DAILY", start, time.UTC); err == nil {
			t.Errorf("a start %s was accepted", name)
		}
	}
	if _, err := recurrence.Parse("FREQ=DAILY", newYear, nil); err == nil {
		t.Error("a rule without zone was accepted")
	}
}

func TestParseAcceptsEquivalentSpellings(t *testing.T) {
	want := first(mustParse(t, "FREQ=MONTHLY;BYDAY=1MO,-1FR;COUNT=5", "2026-01-01 09:00:00", time.UTC), 10)
	for name, rrule := range map[string]string{
		"prefix":        "RRULE:FREQ=MONTHLY;BYDAY=1MO,-1FR;COUNT=5",
		"small letters": "rrule:freq=monthly;byday=1mo,-1fr;count=5",
		"plus sign":     "FREQ=MONTHLY;BYDAY=+1MO,-1FR;COUNT=5",
		"other order":   "COUNT=5;BYDAY=-1FR,1MO;FREQ=MONTHLY",
		"blanks around": " FREQ=MONTHLY;BYDAY=1MO,-1FR;COUNT=5 ",
		"repeats":       "FREQ=MONTHLY;BYDAY=1MO,-1FR,1MO;COUNT=5",
	} {
		if got := first(mustParse(t, rrule, "2026-01-01 09:00:00", time.UTC), 10); got != want {
			t.Errorf("%s: %s gives\n%s\nwant\n%s", name, rrule, got, want)
		}
	}
}

func TestAFractionOfTheStartIsCutOff(t *testing.T) {
	rule, err := recurrence.Parse("FREQ=DAILY", newYear.Add(999*time.Millisecond), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := rule.After(time.Time{}); !ok || !got.Equal(newYear) {
		t.Errorf("first occurrence %v, %v, want %v", got, ok, newYear)
	}
}

func FuzzParse(f *testing.F) {
	for _, rrule := range []string{
		"FREQ=MONTHLY;BYMONTHDAY=5;BYHOUR=9;BYMINUTE=0", "RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=8",
		"FREQ=YEARLY;BYMONTH=2;BYDAY=-10MO", "FREQ=SECONDLY;INTERVAL=59;BYSETPOS=-1;BYSECOND=60",
		"FREQ=YEARLY;BYWEEKNO=53,-1;BYDAY=MO;WKST=SU;UNTIL=20991231T235959Z", "FREQ=MINUTELY;INTERVAL=7;BYHOUR=9;BYDAY=MO",
		"FREQ=YEARLY;BYYEARDAY=366,-366;BYSETPOS=366", "DTSTART:20260101", "FREQ=DAILY;;", "FREQ",
	} {
		f.Add(rrule, int64(1767258000), int64(1767258000))
	}
	zone := mustZone(f, "America/New_York")
	f.Fuzz(func(t *testing.T, rrule string, start, at int64) {
		rule, err := recurrence.Parse(rrule, time.Unix(start, 0), zone)
		if err != nil {
			var bad *recurrence.Error
			if !errors.As(err, &bad) || bad.Detail == "" {
				t.Fatalf("%q: error without a reason: %v", rrule, err)
			}
			return
		}
		x := time.Unix(at, 0)
		next, ok := rule.After(x)
		if !ok {
			return
		}
		if !next.After(x) || next.Before(time.Unix(start, 0)) {
			t.Fatalf("%q: After(%v) = %v", rrule, x, next)
		}
		if again, ok := rule.After(next.Add(-time.Second)); !ok || !again.Equal(next) {
			t.Fatalf("%q: After(%v) = %v, After just before that = %v", rrule, x, next, again)
		}
		list, _ := rule.Between(x, next, 1)
		if len(list) != 1 || !list[0].Equal(next) {
			t.Fatalf("%q: After(%v) = %v, Between gives %v", rrule, x, next, list)
		}
	})
}
