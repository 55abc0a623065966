package submsg

import (
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// counted makes the counters of one template, the last of the days being today.
func counted(now time.Time, days ...map[string]int64) []Counter {
	var all []Counter
	for i, counts := range days {
		if counts != nil {
			all = append(all, Counter{AppID: "app", TemplateID: "T", Day: day(now.AddDate(0, 0, i+1-len(days))), Counts: counts})
		}
	}
	return all
}

func TestSpikesAreJudgedAgainstTheTemplatesOwnPast(t *testing.T) {
	now := time.Date(2026, 11, 5, 20, 0, 0, 0, policy.Shanghai)
	rev := func(revoked, sent int64) map[string]int64 {
		return map[string]int64{"grant_revoked": revoked, "sent": sent}
	}
	month := func(first, today map[string]int64) []map[string]int64 { // a monthly message: both its days, and one revocation on each day between
		days := []map[string]int64{first}
		for range 30 {
			days = append(days, rev(1, 0))
		}
		return append(days, today)
	}
	for _, tc := range []struct {
		name string
		days []map[string]int64
		want bool
	}{
		{"500 where a day used to see 20", []map[string]int64{rev(22, 0), rev(19, 0), rev(20, 0), rev(500, 0)}, true},
		{"no more than usual", []map[string]int64{rev(22, 0), rev(19, 0), rev(20, 0), rev(21, 0)}, false},
		{"a template in use for two days has no past", []map[string]int64{rev(0, 10), rev(0, 10), rev(500, 10)}, false},
		{"days without a figure count as quiet once it is in use", []map[string]int64{rev(0, 10), nil, nil, nil, rev(12, 0)}, true},
		{"the day of a monthly bill, like the one before", month(rev(200, 10_000), rev(210, 10_000)), false},
		{"the day of a monthly bill that angers ten times as many", month(rev(200, 10_000), rev(2000, 10_000)), true},
		{"three times the messages, and revocations to match", []map[string]int64{rev(10, 100), rev(10, 100), rev(10, 100), rev(30, 300)}, false},
		{"three times the messages, and ten times the revocations", []map[string]int64{rev(10, 100), rev(10, 100), rev(10, 100), rev(100, 300)}, true},
		{"the first message after quiet days", []map[string]int64{rev(1, 0), rev(1, 0), rev(1, 0), rev(40, 100)}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := figuresOf(counted(now, tc.days...), now)["T"]
			if got := f.spike(); got != tc.want {
				t.Errorf("%v; %+v", got, f)
			}
		})
	}
}

func TestFiguresOfADayBeforeTheSpanAreLeftOut(t *testing.T) {
	now := time.Date(2026, 11, 5, 20, 0, 0, 0, policy.Shanghai)
	days := make([]map[string]int64, 40)
	for i := range days {
		days[i] = map[string]int64{"grant_revoked": 1, "delivered": 10, "opened": 1}
	}
	f := figuresOf(counted(now, days...), now)["T"]
	if len(f.past) != spikeDays-1 || f.today != 1 || f.delivered != 10*interestDays || f.opened != interestDays {
		t.Errorf("%+v", f)
	}
}
