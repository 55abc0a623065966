package recurrence

import "math/bits"

// Walls and days. A wall is a reading of the wall clock as the number of seconds since
// 1970-01-01 00:00:00 on that same clock; a day is the number of days since that date.
// Both leave out the zone, so all arithmetic on them is plain and exact.
const (
	secondsPerMinute = 60
	secondsPerHour   = 3600
	secondsPerDay    = 86400
)

// date is a day with everything that the parts of a rule may ask of it.
type date struct {
	year, month, day int // month 1–12
	yearDay          int // 1–366
	weekday          int // 0 is Monday
	monthLen         int
	yearLen          int
}

func dateOf(day int64) date {
	year, month, dayOfMonth := civil(day)
	return date{
		year: year, month: month, day: dayOfMonth,
		yearDay:  int(day-dayNumber(year, 1, 1)) + 1,
		weekday:  weekdayOf(day),
		monthLen: monthLength(year, month),
		yearLen:  yearLength(year),
	}
}

// dayNumber converts a date of the proleptic Gregorian calendar. It counts in eras of 400
// years that begin in March, so that the leap day is the last of its year.
func dayNumber(year, month, day int) int64 {
	y, m := int64(year), int64(month)
	if m <= 2 {
		y--
		m += 12
	}
	era := floorDiv(y, 400)
	yearOfEra := y - era*400
	dayOfYear := (153*(m-3)+2)/5 + int64(day) - 1
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}

// civil is the inverse of dayNumber.
func civil(number int64) (year, month, day int) {
	number += 719468
	era := floorDiv(number, 146097)
	dayOfEra := number - era*146097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	m := (5*dayOfYear + 2) / 153
	day = int(dayOfYear - (153*m+2)/5 + 1)
	month = int(m) + 3
	year = int(yearOfEra + era*400)
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

// weekdayOf returns 0 for Monday; day 0 was a Thursday.
func weekdayOf(day int64) int { return int(floorMod(day+3, 7)) }

func isLeap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func yearLength(year int) int {
	if isLeap(year) {
		return 366
	}
	return 365
}

func monthLength(year, month int) int {
	switch month {
	case 2:
		return yearLength(year) - 337
	case 4, 6, 9, 11:
		return 30
	default:
		return 31
	}
}

// weekNumber returns the number of the week that holds day, and how many weeks the year has
// to which that week belongs. Weeks begin on weekStart (0 is Monday) and belong to the year
// that holds their middle day: RFC 5545, BYWEEKNO, which for Monday is ISO 8601.
func weekNumber(day int64, weekStart int) (week, weeks int) {
	middle := func(day int64) int64 { return day - floorMod(int64(weekdayOf(day)-weekStart), 7) + 3 }
	number := func(middle int64, year int) int { return int(middle-dayNumber(year, 1, 1))/7 + 1 }
	year, _, _ := civil(middle(day))
	// 28 December is always in the last week of its year, as 4 January is in the first.
	return number(middle(day), year), number(middle(dayNumber(year, 12, 28)), year)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

// firstBit returns the position of the lowest bit of mask at or above from, or 64.
func firstBit(mask uint64, from int) int {
	if from >= 64 {
		return 64
	}
	return bits.TrailingZeros64(mask >> from << from)
}

// nthBit returns the position of the n-th set bit of mask, n from 0.
func nthBit(mask uint64, n int) int {
	for range n {
		mask &= mask - 1
	}
	return bits.TrailingZeros64(mask)
}
