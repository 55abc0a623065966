package httpapi

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// The years that a time may lie in: outside of them it is a mistake of units, or somebody's zero.
const (
	firstYear = 2000
	lastYear  = 2199
)

func readTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, strings.ToUpper(s)) // "t" and "z" may be small letters
	if err != nil || strings.Contains(s, ",") {
		return time.Time{}, errors.New(" is a time of RFC 3339 with its offset, such as 2026-12-05T09:00:00+08:00")
	}
	if y := t.UTC().Year(); y < firstYear || y > lastYear {
		return time.Time{}, errors.New(" lies outside of the years 2000 to 2199")
	}
	return t, nil
}

// showTime spells an instant in UTC; "" for none.
func showTime(i submsg.Instant) string { return showTimeIn(i, time.UTC) }

// showTimeIn spells an instant with the offset of a zone, with milliseconds where it has any.
func showTimeIn(i submsg.Instant, zone *time.Location) string {
	if i == 0 {
		return ""
	}
	return i.Time().In(zone).Format("2006-01-02T15:04:05.999Z07:00")
}

// durationForm is what may be written as a duration. Fractions and units below a second have no use here.
// It is compiled when it is first needed, because every function pays for what is compiled at its start.
var durationForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?$`)
})

func readDuration(s string) (time.Duration, error) {
	m := durationForm().FindStringSubmatch(s)
	if m == nil || s == "" {
		return 0, errors.New(" is a duration such as 10m, 48h, 2d or 1h30m")
	}
	var d time.Duration
	for i, unit := range [...]time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, _ := strconv.Atoi(m[i+1]) // digits or nothing
		d += time.Duration(n) * unit
	}
	return d, nil
}

// showDuration spells milliseconds as readDuration reads them: 48h, 1h30m, 0s.
func showDuration(ms int64) string {
	s := (time.Duration(ms) * time.Millisecond).Truncate(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
