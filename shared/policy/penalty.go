package policy

import (
	"math"
	"time"
)

// Scope is what a hold covers.
type Scope string

// The scopes of holds.
const (
	ScopeTemplate Scope = "template"
	ScopeApp      Scope = "app"
)

// The ladder of 运营规范 §5: 首次封7天,第二次30天,第三次永久封禁.
const (
	firstSuspension  = 7 * 24 * time.Hour
	secondSuspension = 30 * 24 * time.Hour
)

// Suspend is the hold that the given strike earns: 7 days for the first, 30
// for the second, from the third on until an operator resumes. Strikes below 1
// count as the first.
func Suspend(strikes int, now time.Time) Hold {
	h := Hold{Rule: RuleSuspended, Strikes: max(strikes, 1)}
	switch h.Strikes {
	case 1:
		h.Until = now.Add(firstSuspension)
	case 2:
		h.Until = now.Add(secondSuspension)
	}
	return h
}

// quotaJitter strews the first sends after a spent daily quota, so that all
// that waited does not fall due in the same second.
const quotaJitter = 5 * time.Minute

// DailyQuotaHold is the hold that errcode 45009 asks for: until the next
// midnight in Asia/Shanghai, where WeChat's days end, and up to five minutes
// more, by the seed.
func DailyQuotaHold(now time.Time, seed uint64) Hold {
	y, m, d := now.In(Shanghai).Date()
	midnight := time.Date(y, m, d+1, 0, 0, 0, 0, Shanghai)
	jitter := time.Duration(mix(seed) % uint64(quotaJitter)).Truncate(time.Millisecond)
	return Hold{Rule: RuleDailyQuota, Until: midnight.Add(jitter), Scope: ScopeApp, Code: 45009}
}

// CancelCounts is what CancelSpike looks at: the revocations of one template.
type CancelCounts struct {
	Past    []int // of each earlier period of equal length, in any order; missing periods are not zeros
	Current int   // of the period in question
}

// The smallest number of revocations that can be a spike: below it a family
// that cleans its phone would pause a schedule.
const minSpike = 10

// CancelSpike reports whether revocations rise sharply against the template's
// own past (长期订阅指南 pit 5): at least ten, at least three times the mean, and more
// than four standard deviations of a Poisson process above it. With fewer than
// three past periods there is no past to compare with, and the answer is no.
func CancelSpike(c CancelCounts) bool {
	if c.Current < minSpike || len(c.Past) < 3 {
		return false
	}
	sum := 0
	for _, n := range c.Past {
		sum += n
	}
	mean := float64(sum) / float64(len(c.Past))
	current := float64(c.Current)
	return current >= 3*mean && current > mean+4*math.Sqrt(mean)
}

// minDelivered is the smallest sample from which LowInterest judges.
const minDelivered = 100

// LowInterest reports whether fewer than 5 % of the delivered messages were
// opened (长期订阅指南 pit 5: 点击率<5%). Fewer than a hundred deliveries say nothing.
func LowInterest(delivered, opened int) bool {
	return delivered >= minDelivered && opened*20 < delivered
}
