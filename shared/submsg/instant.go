package submsg

import "time"

// Instant is a moment in milliseconds since 1970 UTC; 0 means "none". Records hold instants instead
// of time.Time: they compare with ==, have no zone to lose, and take eight bytes of a write unit.
type Instant int64

// At converts a time; the zero time becomes 0. Fractions of a millisecond are dropped.
func At(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return Instant(t.UnixMilli())
}

// Time is the moment in UTC, or the zero time for 0.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(i)).UTC()
}

// Add moves the moment by d.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d.Milliseconds()) }

// Sub is the time from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i-j) * time.Millisecond }
