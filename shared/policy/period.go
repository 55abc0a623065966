package policy

import (
	"fmt"
	"time"
)

// The periods of LongTermLimited templates.
const (
	PeriodDay   = "day"
	PeriodWeek  = "week" // from Monday
	PeriodMonth = "month"
)

// periodBounds are the calendar period that t lies in. WeChat does not say
// where its periods begin; the calendar of Shanghai is taken, since its quotas
// are counted in it.
func periodBounds(t time.Time, period string) (start, next time.Time) {
	y, m, d := t.In(Shanghai).Date()
	midnight := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, Shanghai) }
	switch period {
	case PeriodDay:
		return midnight(y, m, d), midnight(y, m, d+1)
	case PeriodWeek:
		sinceMonday := (int(t.In(Shanghai).Weekday()) + 6) % 7
		return midnight(y, m, d-sinceMonday), midnight(y, m, d-sinceMonday+7)
	default:
		return midnight(y, m, 1), midnight(y, m+1, 1)
	}
}

// appendPeriod keeps a rate-limited long-term template to one message in each
// period for each value of its key field
// (developers.weixin.qq.com, 订阅消息, 长期订阅限频消息).
func appendPeriod(reasons []Reason, r *Request) []Reason {
	if r.Template.Kind != LongTermLimited {
		return reasons
	}
	start, next := periodBounds(r.Now, r.Template.Period)
	for _, s := range r.History {
		if s.TemplateID != r.Template.ID || s.PeriodKey != r.PeriodKey || s.At.Before(start) {
			continue
		}
		period, periodZH := r.Template.Period, map[string]string{PeriodDay: "今日", PeriodWeek: "本周"}[r.Template.Period]
		if periodZH == "" {
			period, periodZH = PeriodMonth, "本月"
		}
		of, ofZH := "", ""
		if f := r.Template.KeyField; f != "" {
			of, ofZH = " for the same value of "+f, "（"+f+" 取值相同）"
		}
		return append(reasons, Reason{
			Code:     RuleLimitedPeriod,
			Detail:   fmt.Sprintf("This rate-limited template has been sent this %s%s, at %s; the next may go from %s.", period, of, r.clock(s.At), r.clock(next)),
			DetailZH: fmt.Sprintf("该限频长期订阅模板%s已发送过一条%s（%s）；下一条最早于 %s 发送。", periodZH, ofZH, r.clock(s.At), r.clock(next)),
			Field:    r.Template.KeyField,
			Until:    next,
			Earlier:  []time.Time{s.At},
		})
	}
	return reasons
}
