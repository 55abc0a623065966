package recurrence

import "time"

// frequency is FREQ, ordered by the length of its period.
type frequency int

const (
	secondly frequency = iota
	minutely
	hourly
	daily
	weekly
	monthly
	yearly
)

// seconds returns the length of a period of a frequency up to daily.
func (f frequency) seconds() int {
	return [...]int{1, secondsPerMinute, secondsPerHour, secondsPerDay}[f]
}

// spec is a rule made ready for evaluation: defaults filled in from the start, bounds as
// instants, and what can never match marked as such. It does not change after compile.
type spec struct {
	zone        *time.Location
	freq        frequency
	interval    int64
	filter      dayFilter
	times       clock
	positions   []int // BYSETPOS
	firstPeriod int64 // the period of the start
	start, end  int64 // bounds as Unix seconds, both included
	startWall   int64 // the first wall at or after start
	endWall     int64 // the last wall at or before end
	never       bool  // the parts contradict each other
}

// compile joins the parts of a rule with its start.
func compile(p parts, start time.Time, zone *time.Location) *spec {
	local := start.In(zone)
	walls := zoneClock{zone: zone}
	s := &spec{
		zone: zone, freq: p.freq, interval: p.interval, filter: p.days,
		times: p.times.withDefaults(p.freq, local), positions: p.positions,
		start: start.Unix(),
		end:   local.AddDate(HorizonYears, 0, 0).Unix(),
	}
	if p.until != nil {
		s.end = min(s.end, p.until(zone))
	}
	s.fillDays(p, local)
	_, offset := local.Zone()
	wall := s.start + int64(offset)
	s.startWall = wall
	s.endWall = walls.wallAfter(s.end) - 1
	if s.freq < daily {
		s.firstPeriod = floorDiv(wall, int64(s.freq.seconds()))
	} else {
		s.firstPeriod = s.periodOf(floorDiv(wall, secondsPerDay))
	}
	s.never = !s.reachable() || len(p.positions) > 0 && !s.keepPositions()
	if p.count > 0 {
		s.endAfter(p.count)
	}
	return s
}

// withDefaults completes the times of day: a part that the rule lacks is taken from the start
// where the rule's period is longer than what the part counts, and free where it is not.
func (c clock) withDefaults(freq frequency, start time.Time) clock {
	fill := func(mask *uint64, value int, all uint64, free bool) {
		switch {
		case *mask != 0:
		case free:
			*mask = all
		default:
			*mask = 1 << value
		}
	}
	fill(&c.hours, start.Hour(), everyHour, freq <= hourly)
	fill(&c.minutes, start.Minute(), everyMinute, freq <= minutely)
	fill(&c.seconds, start.Second(), everySecond, freq <= secondly)
	return c
}

// fillDays completes the day filter from the start where the rule names no day.
func (s *spec) fillDays(p parts, start time.Time) {
	f := &s.filter
	f.weekStart = p.weekStart
	f.clamp = s.freq >= monthly
	if s.freq == yearly && f.months == 0 {
		f.nthWithin = withinYear
	}
	startWeekday := (int(start.Weekday()) + 6) % 7
	namesDay := f.monthDays|f.monthDaysBack|f.weekdays != 0 || f.hasYearDays || len(f.nthDays) > 0
	switch {
	case namesDay || s.freq < weekly:
	case s.freq == weekly || f.weeks|f.weeksBack != 0:
		f.weekdays = 1 << startWeekday
	case s.freq == yearly && f.months == 0:
		f.months = 1 << start.Month()
		f.monthDays = 1 << start.Day()
	default:
		f.monthDays = 1 << start.Day()
	}
}

// periodOf returns the number of the period, daily or longer, that holds a day.
func (s *spec) periodOf(day int64) int64 {
	switch s.freq {
	case yearly:
		year, _, _ := civil(day)
		return int64(year)
	case monthly:
		year, month, _ := civil(day)
		return int64(year)*12 + int64(month) - 1
	case weekly:
		return floorDiv(day+3-int64(s.filter.weekStart), 7)
	default:
		return day
	}
}

// firstDay is the inverse of periodOf.
func (s *spec) firstDay(period int64) int64 {
	switch s.freq {
	case yearly:
		return dayNumber(int(period), 1, 1)
	case monthly:
		return dayNumber(int(floorDiv(period, 12)), int(floorMod(period, 12))+1, 1)
	case weekly:
		return period*7 - 3 + int64(s.filter.weekStart)
	default:
		return period
	}
}

// align returns the first period of the rule at or after p.
func (s *spec) align(p int64) int64 {
	if p <= s.firstPeriod {
		return s.firstPeriod
	}
	return p + floorMod(s.firstPeriod-p, s.interval)
}

// timesOf narrows the times of day to one period shorter than a day.
func (s *spec) timesOf(period int64) clock {
	c := s.times
	t := floorMod(period*int64(s.freq.seconds()), secondsPerDay)
	c.hours = 1 << (t / secondsPerHour)
	if s.freq <= minutely {
		c.minutes = 1 << (t / secondsPerMinute % 60)
	}
	if s.freq == secondly {
		c.seconds = 1 << (t % 60)
	}
	return c
}

// pick returns the first wall at or after from that one period yields: every time on every
// day, or those that BYSETPOS names.
func (s *spec) pick(days *daySet, times clock, from int64) (int64, bool) {
	if len(s.positions) > 0 {
		return s.pickPosition(days, times, from)
	}
	fromDay := floorDiv(from, secondsPerDay)
	day, ok := days.from(fromDay)
	if !ok {
		return 0, false
	}
	if day == fromDay {
		if t, ok := times.from(int(from - day*secondsPerDay)); ok {
			return day*secondsPerDay + int64(t), true
		}
		if day, ok = days.from(day + 1); !ok {
			return 0, false
		}
	}
	return day*secondsPerDay + int64(times.at(0)), true
}

func (s *spec) pickPosition(days *daySet, times clock, from int64) (best int64, found bool) {
	perDay := times.size()
	total := days.count * perDay
	for _, position := range s.positions {
		i := position - 1
		if position < 0 {
			i = total + position
		}
		if i < 0 || i >= total {
			continue
		}
		wall := days.at(i/perDay)*secondsPerDay + int64(times.at(i%perDay))
		if wall >= from && (!found || wall < best) {
			best, found = wall, true
		}
	}
	return best, found
}

// reachable reports whether a rule of a frequency shorter than a day can ever fall on one of
// its times of the week. Steps of interval from the start visit exactly the times that agree
// with the start modulo gcd(interval, periods in a week). Other contradictions, such as days
// that do not exist, are cheap to search until the horizon; this one could take seconds.
func (s *spec) reachable() bool {
	if s.freq >= daily {
		return true
	}
	unit := int64(s.freq.seconds())
	step := gcd(s.interval, 7*secondsPerDay/unit)
	for day := range int64(7) {
		if s.filter.weekdays != 0 && s.filter.weekdays>>weekdayOf(day)&1 == 0 {
			continue
		}
		for t, ok := s.times.from(0); ok; t, ok = s.times.from(t + 1) {
			if floorMod((day*secondsPerDay+int64(t))/unit-s.firstPeriod, step) == 0 {
				return true
			}
		}
	}
	return false
}

// keepPositions drops the BYSETPOS values that no period is large enough for, and reports
// whether any are left.
func (s *spec) keepPositions() bool {
	longest := s.times.size()
	switch s.freq {
	case yearly:
		longest *= 366
	case monthly:
		longest *= 31
	case weekly:
		longest *= 7
	case hourly, minutely, secondly:
		longest = s.timesOf(s.firstPeriod).size()
	}
	var kept []int
	for _, position := range s.positions {
		if max(position, -position) <= longest {
			kept = append(kept, position)
		}
	}
	s.positions = kept
	return len(kept) > 0
}

// endAfter turns COUNT into an end, once, so that no later call has to count from the start.
func (s *spec) endAfter(count int) {
	c := newCursor(s)
	last := s.start - 1
	for range count {
		at, ok := c.next()
		if !ok {
			return
		}
		last = at
	}
	s.end = last
	walls := zoneClock{zone: s.zone}
	s.endWall = walls.wallAfter(s.end) - 1
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
