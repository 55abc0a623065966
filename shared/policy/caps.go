package policy

import (
	"fmt"
	"slices"
	"time"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// The caps of an app that sets none (运营规范 §1.2, 实战指南, 长期订阅指南 pit 4: 医疗类每周1-2次,
// 教育类每周2-3次).
var (
	defaultOverall           = Limits{PerDay: 3}
	defaultTemplate          = Limits{PerDay: 1}
	defaultTemplateEducation = Limits{PerWeek: 3}
	defaultTemplateMedical   = Limits{PerWeek: 2}
)

// answers reports whether a message answers something that the user just did and asked to be told of: a one-time
// message, agreed to on its own, that no schedule sends. The defaults of caps and quiet hours are made for
// messages that go on and on: a second order's notice must not wait until tomorrow, nor a late delivery's
// until the morning. Limits and hours that are set hold for all.
func answers(tpl *Template, scheduled bool) bool { return tpl.Kind == OneTime && !scheduled }

// overallLimits caps what one subscriber gets of the app, all templates together.
//
// Where nothing is set, an answer (see answers) has no cap.
func overallLimits(app *App, answer bool) Limits {
	switch {
	case app.Limits != nil:
		return *app.Limits
	case answer:
		return Limits{}
	default:
		return defaultOverall
	}
}

// templateLimits caps what one subscriber gets of one template: its own word,
// else the app's, else the default of the app's category, the stricter first.
func templateLimits(app *App, tpl *Template, answer bool) Limits {
	switch {
	case tpl.Limits != nil:
		return *tpl.Limits
	case app.TemplateLimits != nil:
		return *app.TemplateLimits
	case answer:
		return Limits{}
	case app.in(medical):
		return defaultTemplateMedical
	case app.in(education):
		return defaultTemplateEducation
	default:
		return defaultTemplate
	}
}

// capEnd is the first moment that every cap allows, or the zero time where none
// stands in the way, with a reason for each cap that does.
func (r *Request) capEnd(reasons []Reason) (time.Time, []Reason) {
	if r.Template.urgent() || len(r.History) == 0 {
		return time.Time{}, reasons
	}
	history := r.History
	if !slices.IsSortedFunc(history, bySentTime) {
		history = slices.Clone(history)
		slices.SortStableFunc(history, bySentTime)
	}
	var end time.Time
	answer := answers(r.Template, r.Scheduled)
	tpl := templateLimits(r.App, r.Template, answer)
	all := overallLimits(r.App, answer)
	for _, c := range [...]struct {
		limit  int
		window time.Duration
		tpl    string // "" = all templates
	}{
		{tpl.PerDay, day, r.Template.ID},
		{tpl.PerWeek, week, r.Template.ID},
		{all.PerDay, day, ""},
		{all.PerWeek, week, ""},
	} {
		free := windowFree(history, c.tpl, c.limit, c.window)
		if !free.After(r.Now) {
			continue
		}
		end = latest(end, free)
		reasons = append(reasons, r.reasonCap(history, c.tpl, c.limit, c.window, free))
	}
	return end, reasons
}

func bySentTime(a, b Sent) int { return a.At.Compare(b.At) }

// windowFree is when a rolling window with room for limit messages next has
// room: as the limit-th newest message leaves it. Zero where there is room for ever.
// History is sorted, newest last.
func windowFree(history []Sent, tpl string, limit int, window time.Duration) time.Time {
	if limit <= 0 {
		return time.Time{}
	}
	n := 0
	for i := len(history) - 1; i >= 0; i-- {
		if !counts(history[i], tpl) {
			continue
		}
		if n++; n == limit {
			return history[i].At.Add(window)
		}
	}
	return time.Time{}
}

// counts reports whether an earlier message takes room in the caps of tpl, or
// of all templates where tpl is "". Urgent messages are exempt both ways: they
// are not stopped, and they do not crowd out what the user expects.
func counts(s Sent, tpl string) bool {
	return !s.Urgent && (tpl == "" || s.TemplateID == tpl)
}

func (r *Request) reasonCap(history []Sent, tpl string, limit int, window time.Duration, free time.Time) Reason {
	var earlier []time.Time
	for i := len(history) - 1; i >= 0 && len(earlier) < limit; i-- {
		if counts(history[i], tpl) {
			earlier = append(earlier, history[i].At)
		}
	}
	slices.Reverse(earlier)

	of, ofZH := "of all templates", "本应用全部模板"
	if tpl != "" {
		of, ofZH = "of "+r.Template.label(), "“"+r.Template.label()+"”"
	}
	span, spanZH := "24 hours", "24 小时"
	if window == week {
		span, spanZH = "7 days", "7 天"
	}
	at := r.clock(free)
	return Reason{
		Code: RuleFrequencyCap,
		Detail: fmt.Sprintf("The subscriber has had %d %s %s within %s, which is the cap; the next may go at %s.",
			limit, plural(limit, "message", "messages"), of, span, at),
		DetailZH: fmt.Sprintf("该用户在 %s内已收到%s %d 条，达到上限；下一条最早可于 %s 发送。", spanZH, ofZH, limit, at),
		Until:    free,
		Earlier:  earlier,
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
