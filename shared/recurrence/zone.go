package recurrence

import (
	"math"
	"time"
)

// reach is further than any two clocks of one zone have ever been apart, and further than
// one clock is from UTC. (Offsets lie within 16 hours of UTC; a zone that crossed the date
// line moved by 24.)
const reach = 48 * secondsPerHour

// zoneClock converts between walls and instants (Unix seconds) in one zone. It remembers the
// stretch of constant offset it used last, as neighbouring occurrences share it.
type zoneClock struct {
	zone *time.Location
	last stretch
}

// stretch is a time of constant offset: start <= instant < end, wall = instant + offset.
type stretch struct {
	start, end, offset int64
}

// stretchAt looks up the stretch that holds an instant. Beyond the last year that the zone's
// data lists, Time.ZoneBounds also ends stretches at the turn of the (UTC) year, which does no
// harm, and on 31 December of a leap year (seen in Go 1.26) it returns an end that has already
// passed, which would hold up whoever walks from stretch to stretch: that one is put right.
func stretchAt(zone *time.Location, instant int64) stretch {
	t := time.Unix(instant, 0).In(zone)
	_, offset := t.Zone()
	from, to := t.ZoneBounds()
	s := stretch{start: math.MinInt64 / 2, end: math.MaxInt64 / 2, offset: int64(offset)}
	if !from.IsZero() {
		s.start = from.Unix()
	}
	if !to.IsZero() {
		s.end = to.Unix()
	}
	if s.end <= instant {
		s.end = (floorDiv(instant, secondsPerDay) + 1) * secondsPerDay
	}
	return s
}

// instant returns the first instant at which the zone's clock shows the wall or later: the
// wall itself, the first of two where the clock is set back, the end of the gap where it is
// set forward. It never decreases as the wall grows.
func (z *zoneClock) instant(wall int64) int64 {
	if u := wall - z.last.offset; u >= z.last.start+reach && u < z.last.end {
		return u // no earlier stretch can have shown this wall
	}
	for at := wall - reach; ; at = z.last.end {
		z.last = stretchAt(z.zone, at)
		if u := max(wall-z.last.offset, z.last.start); u < z.last.end {
			return u
		}
	}
}

// wallAfter returns the smallest wall whose instant is later than the given one: one second
// more than the latest wall that the clock has shown until then.
func (z *zoneClock) wallAfter(instant int64) int64 {
	s := stretchAt(z.zone, instant)
	shown := instant + s.offset
	for s.start > instant-reach {
		end := s.start
		s = stretchAt(z.zone, end-1)
		shown = max(shown, end-1+s.offset)
	}
	return shown + 1
}
