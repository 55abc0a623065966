package submsg

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// What alarms look back on.
const (
	interestDays = 28 // the span that low_interest judges
	spikeDays    = 35 // the span that cancel_spike compares today with: it holds the last day of a monthly message
)

// alarm is what the figures of one template give reason to tell.
type alarm struct {
	rule       string
	templateID string
	figures    figures
	detail     map[string]string
}

func (a alarm) name() string { return a.rule + "#" + a.templateID }

// reason is why a schedule of the template is paused.
func (a alarm) reason() Reason {
	f := a.figures
	return Reason{
		Code:     policy.RuleCancelSpike,
		Detail:   fmt.Sprintf("%d users revoked this template today, %.1f a day before; see what was sent last, then resume the schedule", f.today, f.usual()),
		DetailZH: fmt.Sprintf("今日有 %d 位用户取消订阅该模板，此前日均 %.1f；请检查近期发送的内容后再恢复", f.today, f.usual()),
	}
}

// alarmsOf reads the alarms out of the counters of the last spikeDays days, ordered by template.
func alarmsOf(counters []Counter, now time.Time) []alarm {
	var alarms []alarm
	all := figuresOf(counters, now)
	reported := false // an app that reports no opens at all is not judged by them
	for _, f := range all {
		reported = reported || f.opened > 0
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		f := all[id]
		if f.spike() {
			alarms = append(alarms, alarm{policy.RuleCancelSpike, id, f, map[string]string{
				"revoked_today": strconv.Itoa(f.today), "revoked_a_day_before": fmt.Sprintf("%.1f", f.usual()), "days_compared": strconv.Itoa(len(f.past)),
			}})
		}
		if reported && policy.LowInterest(f.delivered, f.opened) {
			alarms = append(alarms, alarm{policy.RuleLowInterest, id, f, map[string]string{
				"delivered": strconv.Itoa(f.delivered), "opened": strconv.Itoa(f.opened), "days": strconv.Itoa(interestDays),
			}})
		}
	}
	return alarms
}

// figures are those of one template that alarms rest on.
type figures struct {
	past          []int // revocations of each day before today, from the first day anything is known of
	today         int   // revocations
	sent          int   // today
	sentBefore    int
	revokedBefore int
	delivered     int // in interestDays
	opened        int
}

// figuresOf adds up counters by template.
func figuresOf(counters []Counter, now time.Time) map[string]figures {
	today := day(now)
	byDay := make(map[string]map[string]Counter)
	for _, c := range counters {
		if byDay[c.TemplateID] == nil {
			byDay[c.TemplateID] = make(map[string]Counter)
		}
		byDay[c.TemplateID][c.Day] = c
	}
	since := day(now.AddDate(0, 0, 1-interestDays))
	all := make(map[string]figures, len(byDay))
	for id, days := range byDay {
		var f figures
		first := slices.MinFunc(slices.Collect(maps.Keys(days)), strings.Compare)
		for back := spikeDays - 1; back >= 0; back-- {
			d := day(now.AddDate(0, 0, -back))
			if d < first {
				continue // before the template was in use: unknown, not zero
			}
			counts := days[d].Counts
			revoked, sent := int(counts["grant_revoked"]), int(counts[string(SendSent)])
			if d == today {
				f.today, f.sent = revoked, sent
			} else {
				f.past = append(f.past, revoked)
				f.revokedBefore += revoked
				f.sentBefore += sent
			}
			if d >= since {
				f.delivered += int(counts[string(SendDelivered)])
				f.opened += int(counts[countOpened])
			}
		}
		all[id] = f
	}
	return all
}

// usual is how many revocations a day saw before today.
func (f figures) usual() float64 { return float64(f.revokedBefore) / float64(max(len(f.past), 1)) }

// spike reports whether users revoke the template as they never did before. Revocations follow messages: those of the
// day of a monthly bill are compared with the month's bills, not with the quiet days between them.
func (f figures) spike() bool {
	if !policy.CancelSpike(policy.CancelCounts{Past: f.past, Current: f.today}) {
		return false
	}
	return f.sent == 0 || f.sentBefore == 0 || f.today*f.sentBefore >= 3*f.revokedBefore*f.sent
}
