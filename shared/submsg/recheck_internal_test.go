package submsg

import (
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

func TestAHeldSendLooksAgain(t *testing.T) {
	now := At(time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC))
	midnight, week := now.Add(4*time.Hour), now.Add(7*24*time.Hour)
	quota := Hold{Rule: policy.RuleDailyQuota, Since: now, Until: midnight}
	young := Hold{Rule: policy.RuleSuspended, Since: now, Until: week}
	old := Hold{Rule: policy.RuleSuspended, Since: now.Add(-24 * time.Hour), Until: week}
	for _, tc := range []struct {
		name  string
		holds []Hold
		end   Instant
		want  Instant
	}{
		{"a spent quota waits for the day's end", []Hold{quota}, midnight, midnight},
		{"a young suspension is looked at in half a minute", []Hold{young}, week, now.Add(30 * time.Second)},
		{"an old one within six hours", []Hold{old}, week, now.Add(6 * time.Hour)},
		{"a suspension beside a spent quota is not forgotten until its end", []Hold{quota, young}, week, now.Add(30 * time.Second)},
		{"one without an end too", []Hold{{Rule: policy.RuleSuspended, Since: now}}, 0, now.Add(30 * time.Second)},
		{"one that has ended counts no more", []Hold{{Rule: policy.RuleSuspended, Since: now.Add(-time.Hour), Until: now - 1}, quota}, midnight, midnight},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := recheck(&Health{Holds: tc.holds}, "t", now, tc.end); got != tc.want {
				t.Errorf("in %s, want %s", got.Sub(now), tc.want.Sub(now))
			}
		})
	}
}
