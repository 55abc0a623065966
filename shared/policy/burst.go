package policy

import (
	"fmt"
	"time"
)

const (
	// DefaultNoBurst is the time within which the same content counts as a repetition.
	DefaultNoBurst = 10 * time.Minute
	// MinNoBurst is the least an app may set: the rule is WeChat's and cannot be
	// switched off.
	MinNoBurst = time.Minute
	// maxPerTrigger is how many messages one act of the user may cause: the
	// third is a violation (运营规范 §5 ②: 连续收到3条或更多).
	maxPerTrigger = 2
)

func (a *App) noBurst() time.Duration {
	if a.NoBurst == 0 {
		return DefaultNoBurst
	}
	return max(a.NoBurst, MinNoBurst)
}

// appendBurst refuses the same content again within a short time and a third
// message under one trigger. Urgent messages are not exempt.
func appendBurst(reasons []Reason, r *Request) []Reason {
	span := r.App.noBurst()
	var again time.Time // newest message with the same content
	var first [2]Sent   // the first messages under the same trigger
	triggered := 0
	for _, s := range r.History {
		if r.Fingerprint != 0 && s.Fingerprint == r.Fingerprint {
			again = latest(again, s.At)
		}
		if r.Trigger != 0 && s.Trigger == r.Trigger {
			if triggered < len(first) {
				first[triggered] = s
			}
			triggered++
		}
	}
	if !again.IsZero() && again.Add(span).After(r.Now) {
		reasons = append(reasons, Reason{
			Code: RuleNoBurst,
			Detail: fmt.Sprintf("The same content went to this subscriber at %s, less than %s ago; a repetition is harassment to WeChat.",
				r.clock(again), span),
			DetailZH: fmt.Sprintf("相同内容已于 %s 发给该用户，间隔不足 %s；短时间内重复发送属于骚扰。",
				r.clock(again), span),
			Until:   again.Add(span),
			Earlier: []time.Time{again},
		})
	}
	if triggered >= maxPerTrigger {
		reasons = append(reasons, Reason{
			Code:     RuleNoBurst,
			Detail:   fmt.Sprintf("This trigger has already caused %d messages; one act of the user may cause %d at most.", triggered, maxPerTrigger),
			DetailZH: fmt.Sprintf("同一触发行为已产生 %d 条消息；用户一次操作最多触发 %d 条。", triggered, maxPerTrigger),
			Earlier:  []time.Time{first[0].At, first[1].At},
		})
	}
	return reasons
}
