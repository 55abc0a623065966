package recurrence_test

import (
	"fmt"
	"time"

	"github.com/yuexin-dev/yuexin/shared/recurrence"
)

// A bill goes out at nine on the last day of each month: day 31, clamped.
func ExampleRule_After() {
	shanghai := time.FixedZone("UTC+8", 8*60*60)
	start := time.Date(2026, 1, 31, 9, 0, 0, 0, shanghai)
	rule, err := recurrence.Parse("FREQ=MONTHLY;BYMONTHDAY=31", start, shanghai)
	if err != nil {
		fmt.Println(err)
		return
	}
	next, ok := rule.After(start)
	fmt.Println(next.Format(time.RFC3339), ok)
	// Output: 2026-02-28T09:00:00+08:00 true
}

// A part that RFC 5545 does not allow is named.
func ExampleParse_error() {
	_, err := recurrence.Parse("FREQ=WEEKLY;BYDAY=2MO", time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC), time.UTC)
	fmt.Println(err)
	// Output: bad_rrule: BYDAY: numbers such as 2MO need FREQ=MONTHLY or YEARLY
}
