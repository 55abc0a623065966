package recurrence

import "math/bits"

// dayFilter is the conjunction of a rule's parts that speak of days. A zero mask or an empty
// list means that the rule does not have the part.
type dayFilter struct {
	months        uint64    // bit 1–12
	monthDays     uint64    // bit 1–31, counted from the month's first day
	monthDaysBack uint64    // bit 1–31, counted from its last day
	clamp         bool      // a monthDay beyond the month's end means its last day
	yearDays      dayBits   // bit 1–366, counted from 1 January
	yearDaysBack  dayBits   // bit 1–366, counted from 31 December
	hasYearDays   bool      //
	weeks         uint64    // bit 1–53
	weeksBack     uint64    // bit 1–53, counted from the year's last week
	weekStart     int       // 0 is Monday
	weekdays      uint64    // bit 0 is Monday; BYDAY without a number
	nthDays       []nthDay  // BYDAY with a number
	nthWithin     nthPeriod // what that number counts in
}

// nthDay is one BYDAY item with its number: 2TU, -1FR.
type nthDay struct {
	weekday int
	n       int
}

// nthPeriod says whether a numbered weekday is counted within its month or its year.
type nthPeriod int

const (
	withinMonth nthPeriod = iota
	withinYear
)

// matches reports whether a day passes every part.
func (f *dayFilter) matches(d date) bool {
	return (f.months == 0 || f.months>>d.month&1 == 1) &&
		f.matchesWeekday(d) &&
		f.matchesMonthDay(d) &&
		(!f.hasYearDays || f.yearDays.has(d.yearDay) || f.yearDaysBack.has(d.yearLen-d.yearDay+1)) &&
		f.matchesWeek(d)
}

func (f *dayFilter) matchesMonthDay(d date) bool {
	if f.monthDays|f.monthDaysBack == 0 {
		return true
	}
	return f.monthDays>>d.day&1 == 1 ||
		f.clamp && d.day == d.monthLen && f.monthDays>>d.day != 0 ||
		f.monthDaysBack>>(d.monthLen-d.day+1)&1 == 1
}

// matchesWeekday joins the items of BYDAY with or: "MO,-1FR" is every Monday and the last Friday.
func (f *dayFilter) matchesWeekday(d date) bool {
	if f.weekdays == 0 && len(f.nthDays) == 0 {
		return true
	}
	if f.weekdays>>d.weekday&1 == 1 {
		return true
	}
	position, length := d.day, d.monthLen
	if f.nthWithin == withinYear {
		position, length = d.yearDay, d.yearLen
	}
	forth, back := (position-1)/7+1, -((length-position)/7 + 1)
	for _, item := range f.nthDays {
		if item.weekday == d.weekday && (item.n == forth || item.n == back) {
			return true
		}
	}
	return false
}

func (f *dayFilter) matchesWeek(d date) bool {
	if f.weeks|f.weeksBack == 0 {
		return true
	}
	week, weeks := weekNumber(dayNumber(d.year, d.month, d.day), f.weekStart)
	return f.weeks>>week&1 == 1 || f.weeksBack>>(weeks-week+1)&1 == 1
}

// dayBits is a set of small numbers up to 383: the days of a year.
type dayBits [6]uint64

func (b *dayBits) has(i int) bool { return b[i>>6]>>(i&63)&1 == 1 }
func (b *dayBits) add(i int)      { b[i>>6] |= 1 << (i & 63) }

// daySet holds the days of one period of a rule (a year, a month, a week, a day).
type daySet struct {
	first int64 // the day of bit 0
	bits  dayBits
	count int
}

func (s *daySet) reset(first int64) { *s = daySet{first: first} }

func (s *daySet) add(day int64) {
	s.bits.add(int(day - s.first))
	s.count++
}

// addMonth adds the days of a month that pass the filter.
func (s *daySet) addMonth(f *dayFilter, year, month int) {
	if f.months != 0 && f.months>>month&1 == 0 {
		return
	}
	number := dayNumber(year, month, 1)
	d := dateOf(number)
	for range d.monthLen {
		if f.matches(d) {
			s.add(number)
		}
		number++
		d.day++
		d.yearDay++
		d.weekday = (d.weekday + 1) % 7
	}
}

// from returns the first day of the set at or after day, and false when there is none.
func (s *daySet) from(day int64) (int64, bool) {
	offset := max(day-s.first, 0)
	for word := int(offset >> 6); word < len(s.bits); word++ {
		if bit := firstBit(s.bits[word], int(offset&63)); bit < 64 {
			return s.first + int64(word*64+bit), true
		}
		offset = 0
	}
	return 0, false
}

// at returns the i-th day of the set in order, i from 0 and below count.
func (s *daySet) at(i int) int64 {
	for word, mask := range s.bits {
		n := bits.OnesCount64(mask)
		if i < n {
			return s.first + int64(word*64+nthBit(mask, i))
		}
		i -= n
	}
	panic("recurrence: day index beyond the set")
}
