// Package recurrence answers when a schedule is due: it evaluates one RFC 5545 RRULE
// in one time zone, as pure arithmetic without I/O.
//
// Three readings of the standard are this package's own, because a message must not be
// lost to a calendar's corners:
//
//   - Short months. In a MONTHLY or YEARLY rule a day of the month that the month does
//     not have means its last day: a bill due on the 31st is sent on 30 April. This is
//     SKIP=BACKWARD of RFC 7529, and is applied where that RFC applies it: after
//     BYMONTHDAY, before BYDAY and BYSETPOS. Two days that fall together count once.
//     In the other frequencies BYMONTHDAY only filters days, so nothing is moved.
//   - Clock changes. A rule speaks of the wall clock: 09:00 stays 09:00. An occurrence is
//     the first instant at which the zone's clock shows its time or a later one, so a time
//     inside a gap fires when the gap ends, and a time that the clock shows twice fires
//     once, the first time. Times that fall on one instant are one occurrence. HOURLY and
//     finer rules follow the wall clock too: they pause while an hour is repeated.
//   - Horizon. A rule is followed for [HorizonYears] after its start. That makes every
//     call's work bounded, also for rules that can never match, such as the tenth Monday
//     of February; the Gregorian calendar's longest gap for a rule without INTERVAL that
//     matches at all is 40 years.
//
// The start is not itself an occurrence unless the rule says so. What the rule leaves
// open (time of day, day of the week, month or year) is taken from the start's wall clock.
package recurrence

import "time"

const (
	// MaxLength is the longest rule that Parse accepts, in bytes.
	MaxLength = 500
	// MaxCount bounds COUNT and the ordinals that Index tells: both are found by counting.
	MaxCount = 10_000
	// HorizonYears is how long after its start a rule is followed.
	HorizonYears = 100
)

// Rule is a recurrence rule bound to its start and zone. It is immutable and safe for
// concurrent use. The zero Rule has no occurrences; Parse makes others.
type Rule struct {
	spec *spec
}

// After returns the first occurrence strictly after t, in the rule's zone, and false when
// there is none: the rule has ended, or matches nothing before its horizon. It does not
// walk from the start, so an old rule costs no more than a new one.
func (r Rule) After(t time.Time) (time.Time, bool) {
	if r.spec == nil {
		return time.Time{}, false
	}
	c := newCursor(r.spec)
	c.seek(t)
	at, ok := c.next()
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(at, 0).In(r.spec.zone), true
}

// Between returns the occurrences x with from < x <= to in order, at most max of them, and
// whether there were more. A max below one returns none and only says whether there are any.
func (r Rule) Between(from, to time.Time, max int) (occurrences []time.Time, truncated bool) {
	if r.spec == nil {
		return nil, false
	}
	c := newCursor(r.spec)
	c.seek(from)
	for {
		at, ok := c.next()
		if !ok {
			return occurrences, false
		}
		x := time.Unix(at, 0).In(r.spec.zone)
		if x.After(to) {
			return occurrences, false
		}
		if len(occurrences) >= max {
			return occurrences, true
		}
		occurrences = append(occurrences, x)
	}
}

// Index returns which occurrence t is, counted from the rule's start: 0 for the first. It is
// false when t is not an occurrence, or comes after the first MaxCount of them. It counts
// from the start, about 0.1 µs for each occurrence before t.
func (r Rule) Index(t time.Time) (int, bool) {
	if r.spec == nil {
		return 0, false
	}
	c := newCursor(r.spec)
	for n := range MaxCount {
		at, ok := c.next()
		if !ok || time.Unix(at, 0).After(t) {
			return 0, false
		}
		if time.Unix(at, 0).Equal(t) {
			return n, true
		}
	}
	return 0, false
}
