package submsg_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// WeChat cuts the blanks around a value, so two values that differ in these alone are one period's message twice.
func TestBlanksAroundTheKeyOfALimitedPeriodMakeNoOtherValue(t *testing.T) {
	keys := []string{"P-1", " P-1", "P-1 ", " P-1 "}
	limited := func(a *submsg.App) {
		for i := range a.Templates {
			if tpl := &a.Templates[i]; tpl.ID == bill {
				tpl.Kind, tpl.KeyField, tpl.Period = policy.LongTermLimited, "thing2", policy.PeriodMonth
			}
		}
	}
	for i, first := range keys {
		for j, second := range keys {
			t.Run(fmt.Sprintf("%q, then %q", first, second), func(t *testing.T) {
				w := newWorld(t, limited)
				w.Granted("anna", bill, 1)
				with := func(value string) func(*submsg.SendRequest) {
					return func(r *submsg.SendRequest) { r.Data["thing2"] = value }
				}
				if _, v, err := w.Send("anna", "bill", fmt.Sprint("first-", i), with(first)); err != nil || v.State != submsg.SendSent {
					t.Fatalf("the first: %v, %s %+v", err, v.State, v.Reason)
				}
				w.Clock.Advance(time.Second)
				if _, v, err := w.Send("anna", "bill", fmt.Sprint("second-", j), with(second)); err != nil || v.State == submsg.SendSent || v.Reason == nil || v.Reason.Code != policy.RuleLimitedPeriod {
					t.Errorf("the second: %v, %s %+v", err, v.State, v.Reason)
				}
				if _, v, err := w.Send("anna", "bill", "third", with("P-2")); err != nil || v.State != submsg.SendSent {
					t.Errorf("another value: %v, %s %+v", err, v.State, v.Reason)
				}
			})
		}
	}
}

// What a variable stands for grows with the calendar and the count; whoever makes a schedule learns it then, and not on the
// morning of the first message that is refused.
func TestContentThatOutgrowsItsFieldAtALaterOccurrenceIsRefusedAtOnce(t *testing.T) {
	const room = 20 // characters of a thing
	year := time.Now().Year() + 1
	ninth := time.Date(year, time.January, 9, 9, 0, 0, 0, policy.Shanghai)
	filler := func(n int) string { return strings.Repeat("满", n) }
	series := func(last int) []map[string]string {
		var all []map[string]string
		for range last {
			all = append(all, map[string]string{"character_string1": "s", "thing2": filler(room-1) + "{{number}}"})
		}
		return all
	}
	date := len([]rune(fmt.Sprintf("%d年1月9日", year)))
	for _, tc := range []struct {
		name    string
		rrule   string
		start   time.Time
		content submsg.Content
		field   string // "": it is taken
	}{
		{"a date that grows on the tenth", "FREQ=DAILY", ninth, one(filler(room-date) + "{{date_zh}}"), "content.data.thing2"},
		{"a date with room to grow", "FREQ=DAILY", ninth, one(filler(room-date-2) + "{{date_zh}}"), ""},
		{"a date that never grows", "FREQ=YEARLY", ninth, one(filler(room-date) + "{{date_zh}}"), ""},
		{"a date that would grow after the last occurrence", "FREQ=DAILY;COUNT=1", ninth, one(filler(room-date) + "{{date_zh}}"), ""},
		{"a month that grows in October", "FREQ=MONTHLY", ninth, one(filler(room-1) + "{{month}}"), "content.data.thing2"},
		{"a count that grows at ten", "FREQ=DAILY", ninth, one(filler(room-1) + "{{number}}"), "content.data.thing2"},
		{"a count that ends at nine", "FREQ=DAILY;COUNT=9", ninth, one(filler(room-1) + "{{number}}"), ""},
		{"a series of ten parts", "FREQ=DAILY", ninth, submsg.Content{Series: series(10)}, "content.series[9].data.thing2"},
		{"a series of nine parts", "FREQ=DAILY", ninth, submsg.Content{Series: series(9)}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			_, _, err := w.Service.CreateSchedule(context.Background(), appid, "grows", submsg.ScheduleRequest{
				Template: "bill", To: submsg.Recipients{Audience: &submsg.Audience{}}, RRule: tc.rrule, Start: tc.start, Content: tc.content,
			})
			p := submsg.AsProblem(err)
			switch {
			case tc.field == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tc.field != "" && (p == nil || p.Code != submsg.CodeInvalidFields || p.Field != tc.field):
				t.Errorf("%v, %+v; want that %s is refused", err, p, tc.field)
			}
		})
	}
}

func one(text string) submsg.Content {
	return submsg.Content{Data: map[string]string{"character_string1": "s", "thing2": text}}
}
