package recurrence

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// CodeBadRRule is the stable code of every error that Parse returns.
const CodeBadRRule = "bad_rrule"

// Error tells which part of a rule is wrong and what to write instead.
type Error struct {
	Part   string // the rule part, such as "BYDAY"; "" when it is the rule as a whole
	Detail string // a sentence for the person who wrote the rule
}

// Error returns the code, the part and the detail.
func (e *Error) Error() string {
	if e.Part == "" {
		return CodeBadRRule + ": " + e.Detail
	}
	return CodeBadRRule + ": " + e.Part + ": " + e.Detail
}

// Code returns CodeBadRRule.
func (e *Error) Code() string { return CodeBadRRule }

func bad(part, format string, args ...any) *Error {
	return &Error{Part: part, Detail: fmt.Sprintf(format, args...)}
}

// parts are a rule's parts as written.
type parts struct {
	freq      frequency
	interval  int64
	count     int                        // 0 when the rule has no COUNT
	until     func(*time.Location) int64 // nil when it has no UNTIL
	weekStart int                        // 0 is Monday
	days      dayFilter
	times     clock
	positions []int
	seen      map[string]bool
}

// Parse reads one RRULE, such as "FREQ=MONTHLY;BYMONTHDAY=5;BYHOUR=9;BYMINUTE=0" with or
// without "RRULE:" before it, and binds it to its start (whole seconds; a fraction is cut
// off) and to the zone whose wall clock it follows. The start is given apart, so DTSTART,
// EXDATE and RDATE are refused, as is everything that RFC 5545 section 3.3.10 forbids. An
// UNTIL without "Z" is wall-clock time; a bare date includes that whole day. A rule that is
// valid but never matches is no error: ask After. Every error is an *Error.
//
// A rule with COUNT is counted through once, here: microseconds for a dozen, about a
// millisecond for MaxCount.
func Parse(rrule string, start time.Time, zone *time.Location) (Rule, error) {
	if zone == nil {
		return Rule{}, bad("", "no time zone given")
	}
	if year := start.In(zone).Year(); start.IsZero() || year < 1 || year > 9999-HorizonYears {
		return Rule{}, bad("", "the start must lie between the years 1 and %d", 9999-HorizonYears)
	}
	p, err := read(rrule)
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return Rule{}, err
	}
	return Rule{spec: compile(p, start, zone)}, nil
}

// read splits a rule into its parts. It returns *Error as error only when it is not nil.
func read(text string) (parts, error) {
	p := parts{interval: 1, seen: map[string]bool{}}
	if len(text) > MaxLength {
		return p, bad("", "the rule has %d bytes, the limit is %d", len(text), MaxLength)
	}
	if strings.ContainsAny(text, "\r\n") {
		return p, bad("", "give one RRULE on one line, without DTSTART, EXDATE or further rules")
	}
	text = strings.ToUpper(strings.TrimSpace(text))
	text = strings.TrimPrefix(text, "RRULE:")
	for item := range strings.SplitSeq(text, ";") {
		name, value, found := strings.Cut(item, "=")
		switch {
		case isForeign(name):
			return p, bad(foreignName(name), "belongs outside the RRULE; the start is a field of its own, exceptions are not supported")
		case !found || name == "" || value == "":
			return p, bad("", "%q is not NAME=VALUE", item)
		case p.seen[name]:
			return p, bad(name, "is given twice")
		}
		p.seen[name] = true
		if err := p.set(name, value); err != nil {
			return p, err
		}
	}
	if !p.seen["FREQ"] {
		return p, bad("FREQ", "is missing; every rule needs one, such as FREQ=MONTHLY")
	}
	return p, nil
}

// foreignNames are properties that stand beside an RRULE in a calendar, never in it.
var foreignNames = []string{"DTSTART", "DTEND", "EXDATE", "RDATE", "EXRULE"}

func foreignName(name string) string {
	for _, foreign := range foreignNames {
		if strings.HasPrefix(name, foreign) {
			return foreign
		}
	}
	return ""
}

func isForeign(name string) bool { return foreignName(name) != "" }

// set reads one part. The bounds are those of RFC 5545, section 3.3.10.
func (p *parts) set(name, value string) (err error) {
	switch name {
	case "FREQ":
		p.freq, err = readFrequency(value)
	case "INTERVAL":
		var n int
		n, err = readNumber(name, value, 1, 999_999_999)
		p.interval = int64(n)
	case "COUNT":
		p.count, err = readNumber(name, value, 1, MaxCount)
	case "UNTIL":
		p.until, err = readUntil(value)
	case "WKST":
		var item nthDay
		if item, err = readWeekday(name, value); err == nil && len(value) != 2 {
			err = bad(name, "%q is not a weekday; write MO, TU, WE, TH, FR, SA or SU", value)
		}
		p.weekStart = item.weekday
	case "BYSECOND":
		p.times.seconds, _, err = readMask(name, value, 0, 60, false)
		if p.times.seconds>>60&1 == 1 { // a leap second, which no clock here shows
			p.times.seconds = p.times.seconds&everySecond | 1<<59
		}
	case "BYMINUTE":
		p.times.minutes, _, err = readMask(name, value, 0, 59, false)
	case "BYHOUR":
		p.times.hours, _, err = readMask(name, value, 0, 23, false)
	case "BYDAY":
		err = p.readDays(value)
	case "BYMONTHDAY":
		p.days.monthDays, p.days.monthDaysBack, err = readMask(name, value, 1, 31, true)
	case "BYYEARDAY":
		p.days.hasYearDays = true
		err = readList(name, value, 1, 366, true, func(n int) {
			if n > 0 {
				p.days.yearDays.add(n)
			} else {
				p.days.yearDaysBack.add(-n)
			}
		})
	case "BYWEEKNO":
		p.days.weeks, p.days.weeksBack, err = readMask(name, value, 1, 53, true)
	case "BYMONTH":
		p.days.months, _, err = readMask(name, value, 1, 12, false)
	case "BYSETPOS":
		err = readList(name, value, 1, 366, true, func(n int) { p.positions = append(p.positions, n) })
	default:
		err = bad(name, "is not a part of an RRULE")
	}
	return err
}

// check refuses the combinations that RFC 5545 forbids and that would be read differently by
// different programs.
func (p *parts) check() error {
	seen := func(name string) bool { return p.seen[name] }
	switch {
	case seen("COUNT") && seen("UNTIL"):
		return bad("COUNT", "cannot be combined with UNTIL")
	case seen("BYWEEKNO") && p.freq != yearly:
		return bad("BYWEEKNO", "needs FREQ=YEARLY")
	case seen("BYYEARDAY") && (p.freq == daily || p.freq == weekly || p.freq == monthly):
		return bad("BYYEARDAY", "cannot be combined with FREQ=DAILY, WEEKLY or MONTHLY")
	case seen("BYMONTHDAY") && p.freq == weekly:
		return bad("BYMONTHDAY", "cannot be combined with FREQ=WEEKLY")
	case len(p.days.nthDays) > 0 && p.freq < monthly:
		return bad("BYDAY", "numbers such as 2MO need FREQ=MONTHLY or YEARLY")
	case len(p.days.nthDays) > 0 && seen("BYWEEKNO"):
		return bad("BYDAY", "numbers such as 2MO cannot be combined with BYWEEKNO")
	case seen("BYSETPOS") && !seen("BYSECOND") && !seen("BYMINUTE") && !seen("BYHOUR") && !seen("BYDAY") &&
		!seen("BYMONTHDAY") && !seen("BYYEARDAY") && !seen("BYWEEKNO") && !seen("BYMONTH"):
		return bad("BYSETPOS", "selects from another BY… part, and the rule has none")
	}
	return nil
}

func readFrequency(value string) (frequency, error) {
	names := [...]string{"SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
	for f, name := range names {
		if value == name {
			return frequency(f), nil
		}
	}
	return 0, bad("FREQ", "%q is none of %s", value, strings.Join(names[:], ", "))
}

// readUntil accepts the three forms of RFC 5545: UTC, wall clock, and a date.
func readUntil(value string) (func(*time.Location) int64, error) {
	if t, err := time.Parse("20060102T150405Z", value); err == nil {
		return func(*time.Location) int64 { return t.Unix() }, nil
	}
	wall, err := time.Parse("20060102T150405", value)
	if err != nil {
		if wall, err = time.Parse("20060102", value); err != nil {
			return nil, bad("UNTIL", "%q is not a time; write 20261231T160000Z (UTC), 20270101T000000 (wall clock) or 20261231 (the whole day)", value)
		}
		wall = wall.Add(secondsPerDay*time.Second - time.Second)
	}
	return func(zone *time.Location) int64 {
		walls := zoneClock{zone: zone}
		return walls.instant(wall.Unix())
	}, nil
}

func (p *parts) readDays(value string) error {
	for text := range strings.SplitSeq(value, ",") {
		item, err := readWeekday("BYDAY", text)
		if err != nil {
			return err
		}
		if item.n == 0 {
			p.days.weekdays |= 1 << item.weekday
		} else {
			p.days.nthDays = append(p.days.nthDays, item)
		}
	}
	return nil
}

// readWeekday reads MO, 2MO, +2MO or -1MO; n is 0 without a number.
func readWeekday(part, text string) (nthDay, error) {
	names := [...]string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}
	for weekday, name := range names {
		number, found := strings.CutSuffix(text, name)
		if !found {
			continue
		}
		if number == "" {
			return nthDay{weekday: weekday}, nil
		}
		n, err := readSigned(part, number, 1, 53, true)
		return nthDay{weekday: weekday, n: n}, err
	}
	return nthDay{}, bad(part, "%q is not a weekday; write MO, TU, WE, TH, FR, SA or SU", text)
}

// readMask reads a list into bit masks, one for values counted forth, one for those counted back.
func readMask(part, value string, low, high int, signed bool) (forth, back uint64, err error) {
	err = readList(part, value, low, high, signed, func(n int) {
		if n < 0 {
			back |= 1 << -n
		} else {
			forth |= 1 << n
		}
	})
	return forth, back, err
}

func readList(part, value string, low, high int, signed bool, add func(int)) error {
	for text := range strings.SplitSeq(value, ",") {
		n, err := readSigned(part, text, low, high, signed)
		if err != nil {
			return err
		}
		add(n)
	}
	return nil
}

func readSigned(part, text string, low, high int, signed bool) (int, error) {
	if !signed {
		return readNumber(part, text, low, high)
	}
	digits, negative := strings.CutPrefix(text, "-")
	if !negative {
		digits = strings.TrimPrefix(digits, "+")
	}
	n, err := readNumber(part, digits, low, high)
	if err != nil {
		return 0, bad(part, "%q is not a number from %d to %d or from -%d to -%d", text, low, high, high, low)
	}
	if negative {
		n = -n
	}
	return n, nil
}

func readNumber(part, text string, low, high int) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || int(n) < low || int(n) > high {
		return 0, bad(part, "%q is not a number from %d to %d", text, low, high)
	}
	return int(n), nil
}
