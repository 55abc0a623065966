package recurrence

import "math/bits"

// clock is a set of times of day: every combination of its hours, minutes and seconds, each
// a bit mask. Rules only ever need such products, and a product is searched, counted and
// indexed without listing up to 86,400 times.
type clock struct {
	hours, minutes, seconds uint64
}

const (
	everyHour   = 1<<24 - 1
	everyMinute = 1<<60 - 1
	everySecond = 1<<60 - 1
)

// size returns the number of times in the set.
func (c clock) size() int {
	return bits.OnesCount64(c.hours) * bits.OnesCount64(c.minutes) * bits.OnesCount64(c.seconds)
}

// from returns the first time of the set at or after second-of-day t, and false when there
// is none left that day.
func (c clock) from(t int) (int, bool) {
	if t >= secondsPerDay {
		return 0, false
	}
	hour, minute, second := t/secondsPerHour, t/secondsPerMinute%60, t%60
	if c.hours>>hour&1 == 1 {
		if c.minutes>>minute&1 == 1 {
			if s := firstBit(c.seconds, second); s < 64 {
				return hour*secondsPerHour + minute*secondsPerMinute + s, true
			}
		}
		if m := firstBit(c.minutes, minute+1); m < 64 {
			return hour*secondsPerHour + m*secondsPerMinute + firstBit(c.seconds, 0), true
		}
	}
	if h := firstBit(c.hours, hour+1); h < 64 {
		return h*secondsPerHour + firstBit(c.minutes, 0)*secondsPerMinute + firstBit(c.seconds, 0), true
	}
	return 0, false
}

// at returns the i-th time of the set in order, i from 0 and below size.
func (c clock) at(i int) int {
	seconds := bits.OnesCount64(c.seconds)
	minutes := bits.OnesCount64(c.minutes)
	return nthBit(c.hours, i/seconds/minutes)*secondsPerHour +
		nthBit(c.minutes, i/seconds%minutes)*secondsPerMinute +
		nthBit(c.seconds, i%seconds)
}
