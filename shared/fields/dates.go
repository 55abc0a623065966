package fields

import (
	"strings"
	"time"
)

// timeForm: a point in time or two joined by "~": 15:01, 15:01:30, with a date before it if
// need be. A date alone passes too: bills carry their month in a time field.
func timeForm(value string) (string, string) {
	from, to, isRange := strings.Cut(value, "~")
	if !isMoment(from, false) || isRange && !isMoment(to, false) {
		return BadFormat, "must be a time such as 15:01 or 2019年10月1日 15:01, a period is joined by ~"
	}
	return "", ""
}

// dateForm: a date, with a time after it if need be, or two joined by "~". The end of a
// period may be a time alone: 2019年10月1日 15:01~17:01.
func dateForm(value string) (string, string) {
	from, to, isRange := strings.Cut(value, "~")
	if !isMoment(from, true) || isRange && !isMoment(to, false) {
		return BadFormat, "must be a date such as 2019年10月1日, 2019-10-01 or 2019年10月1日 15:01, a period is joined by ~"
	}
	return "", ""
}

// isMoment reports whether text is a date, a time of day, or both with or without a blank
// between them. Blanks around it, as around "~", do not matter.
func isMoment(text string, needDate bool) bool {
	text = strings.TrimSpace(text)
	rest, hasDate := cutDate(text)
	if !hasDate {
		return !needDate && isClock(text)
	}
	if rest == "" {
		return true
	}
	// 2019-10-0115:01 would be a date and a time run together.
	if rest[0] != ' ' && !strings.HasSuffix(text[:len(text)-len(rest)], "日") {
		return false
	}
	return isClock(strings.TrimLeft(rest, " "))
}

// cutDate takes a date off the front: y年m月d日, y年m月, m月d日, or the same joined by one of - / .
func cutDate(text string) (rest string, ok bool) {
	first, width, rest := cutNumber(text, 4)
	if width == 0 {
		return text, false
	}
	separator := leadingSeparator(rest)
	switch separator {
	case "年":
		return cutMonth(first, width, rest[len("年"):], "月", "日")
	case "月":
		day, n, after := cutNumber(rest[len("月"):], 2)
		after, found := strings.CutPrefix(after, "日")
		return after, found && n > 0 && isDate(leapYear, first, day)
	case "-", "/", ".":
		if width == 4 {
			return cutMonth(first, width, rest[1:], separator, "")
		}
		day, n, after := cutNumber(rest[1:], 2)
		return after, n > 0 && isDate(leapYear, first, day)
	}
	return text, false
}

// leapYear stands in where a date has no year: 29 February may be meant.
const leapYear = 2024

// cutMonth goes on after the year: the month, and the day if there is one.
func cutMonth(year, width int, text, separator, last string) (rest string, ok bool) {
	month, n, rest := cutNumber(text, 2)
	if n == 0 || width != 4 {
		return text, false
	}
	after, hasSeparator := strings.CutPrefix(rest, separator)
	if !hasSeparator {
		return rest, separator != "月" && isDate(year, month, 1)
	}
	day, n, end := cutNumber(after, 2)
	if n == 0 || last != "" && !strings.HasPrefix(end, last) {
		return after, separator == "月" && isDate(year, month, 1)
	}
	return strings.TrimPrefix(end, last), isDate(year, month, day)
}

func leadingSeparator(text string) string {
	for _, s := range [...]string{"年", "月", "-", "/", "."} {
		if strings.HasPrefix(text, s) {
			return s
		}
	}
	return ""
}

// cutNumber takes up to most digits off the front; width says how many there were.
func cutNumber(text string, most int) (n, width int, rest string) {
	for width < len(text) && width < most && '0' <= text[width] && text[width] <= '9' {
		n = n*10 + int(text[width]-'0')
		width++
	}
	return n, width, text[width:]
}

func isDate(year, month, day int) bool {
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return year > 0 && month >= 1 && month <= 12 && day >= 1 && t.Day() == day
}

// isClock: HH:MM or HH:MM:SS of a 24-hour clock, the hour with one digit or two.
func isClock(text string) bool {
	hour, width, rest := cutNumber(text, 2)
	if width == 0 || hour > 23 {
		return false
	}
	parts := 0
	for rest != "" {
		if rest[0] != ':' {
			return false
		}
		var n int
		n, width, rest = cutNumber(rest[1:], 2)
		if width != 2 || n > 59 {
			return false
		}
		parts++
	}
	return parts == 1 || parts == 2
}
