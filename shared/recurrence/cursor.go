package recurrence

import "time"

// cursor walks a rule's occurrences. The rule's periods (years, months, … seconds) are
// numbered; those it uses lie interval apart from the start's, so it jumps to the period of
// any wall and walks on from there. It lives on the stack of one call.
type cursor struct {
	spec     *spec
	zone     zoneClock
	wall     int64 // the next wall to consider
	previous int64 // only later instants count: walls in a gap share one, and the first wall of a repeated hour may be before the start
	expanded bool  // days holds period
	period   int64
	days     daySet
}

func newCursor(s *spec) cursor {
	return cursor{spec: s, zone: zoneClock{zone: s.zone}, wall: s.startWall, previous: s.start - 1}
}

// seek moves on to the occurrences strictly after t.
func (c *cursor) seek(t time.Time) {
	switch {
	case t.Before(time.Unix(c.spec.start, 0)):
	case !t.Before(time.Unix(c.spec.end, 0)):
		c.wall = c.spec.endWall + 1
	default:
		c.previous = t.Unix()
		c.wall = c.zone.wallAfter(c.previous)
	}
}

// next returns the next occurrence as Unix seconds, and false at the rule's end.
func (c *cursor) next() (int64, bool) {
	for {
		wall, ok := c.nextWall()
		if !ok {
			c.wall = c.spec.endWall + 1
			return 0, false
		}
		c.wall = wall + 1
		if at := c.zone.instant(wall); at > c.previous {
			c.previous = at
			return at, true
		}
	}
}

// nextWall returns the first wall of the rule at or after c.wall.
func (c *cursor) nextWall() (int64, bool) {
	if c.spec.never || c.wall > c.spec.endWall {
		return 0, false
	}
	if c.spec.freq < daily {
		return c.nextInDay()
	}
	for p := c.spec.align(c.spec.periodOf(floorDiv(c.wall, secondsPerDay))); ; p += c.spec.interval {
		if c.spec.firstDay(p)*secondsPerDay > c.spec.endWall {
			return 0, false
		}
		c.expand(p)
		if wall, ok := c.spec.pick(&c.days, c.spec.times, c.wall); ok {
			return wall, wall <= c.spec.endWall
		}
	}
}

// expand fills days with the days of period p that pass the rule's filter.
func (c *cursor) expand(p int64) {
	if c.expanded && c.period == p {
		return
	}
	c.expanded, c.period = true, p
	first := c.spec.firstDay(p)
	c.days.reset(first)
	switch c.spec.freq {
	case yearly:
		for month := 1; month <= 12; month++ {
			c.days.addMonth(&c.spec.filter, int(p), month)
		}
	case monthly:
		year, month, _ := civil(first)
		c.days.addMonth(&c.spec.filter, year, month)
	case weekly:
		for day := first; day < first+7; day++ {
			if c.spec.filter.matches(dateOf(day)) {
				c.days.add(day)
			}
		}
	case daily:
		if c.spec.filter.matches(dateOf(first)) {
			c.days.add(first)
		}
	}
}

// nextInDay is nextWall for periods shorter than a day. It skips whole days by the filter and
// the rest by the times that the rule allows, so that only periods that can hold an
// occurrence are looked at.
func (c *cursor) nextInDay() (int64, bool) {
	unit := int64(c.spec.freq.seconds())
	for p := c.spec.align(floorDiv(c.wall, unit)); p*unit <= c.spec.endWall; {
		day := floorDiv(p*unit, secondsPerDay)
		nextDay := (day + 1) * secondsPerDay / unit
		if !c.expanded || c.days.first != day {
			c.expanded = true
			c.days.reset(day)
			if c.spec.filter.matches(dateOf(day)) {
				c.days.add(day)
			}
		}
		if c.days.count == 0 {
			p = c.spec.align(nextDay)
			continue
		}
		allowed, ok := c.spec.times.from(int(p*unit - day*secondsPerDay))
		if !ok {
			p = c.spec.align(nextDay)
			continue
		}
		if q := floorDiv(day*secondsPerDay+int64(allowed), unit); q > p {
			p = c.spec.align(q)
			continue
		}
		if wall, ok := c.spec.pick(&c.days, c.spec.timesOf(p), c.wall); ok {
			return wall, wall <= c.spec.endWall
		}
		p += c.spec.interval
	}
	return 0, false
}
