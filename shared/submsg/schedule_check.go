package submsg

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/recurrence"
)

// buildSchedule validates a request. With was, the schedule it replaces, what has occurred stays.
func (s *Service) buildSchedule(ctx context.Context, app *App, req ScheduleRequest, was *Schedule) (*Schedule, error) {
	tpl, err := s.template(ctx, app, req.Template)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	sch := &Schedule{AppID: app.Rules.AppID, State: ScheduleActive, TemplateID: tpl.ID, To: req.To, RRule: strings.TrimSpace(req.RRule), Content: req.Content,
		Page: pageOf(tpl, req.Page), OnUnknown: req.OnUnknown, ValidFor: req.ValidFor.Milliseconds(), Spread: req.Spread.Milliseconds(), UpdatedAt: At(now)}
	switch {
	case req.CatchUp == 0:
		sch.CatchUp = DefaultCatchUp.Milliseconds()
	case req.CatchUp > 0:
		sch.CatchUp = req.CatchUp.Milliseconds()
	}
	for _, d := range []struct {
		field string
		d     time.Duration
		most  time.Duration
	}{{"valid_for", req.ValidFor, maxDuration}, {"catch_up", req.CatchUp, maxDuration}, {"spread", req.Spread, maxSpread}} {
		if d.d < 0 && d.field != "catch_up" || d.d > d.most {
			return nil, problem(CodeInvalidRequest, d.field, fmt.Sprintf("%s is between 0 and %s", d.field, d.most))
		}
	}
	if err := checkRecipients(req.To, tpl); err != nil {
		return nil, err
	}
	if req.OnUnknown != "" && req.OnUnknown != OnUnknownFail && req.OnUnknown != OnUnknownResend {
		return nil, problem(CodeInvalidRequest, "on_unknown", `on_unknown is "fail" or "resend"`)
	}
	if len(req.Page) > maxPage {
		return nil, problem(CodeInvalidRequest, "page", fmt.Sprintf("page has at most %d bytes", maxPage))
	}
	zone := app.Rules.Zone
	sch.TimeZone = req.TimeZone
	if sch.TimeZone == "" {
		sch.TimeZone = zone.String()
	} else if zone, err = time.LoadLocation(sch.TimeZone); err != nil || sch.TimeZone == "Local" {
		return nil, problem(CodeBadTimeZone, "time_zone", fmt.Sprintf("%q is no zone of the IANA database, such as Asia/Shanghai", sch.TimeZone))
	}
	start := req.Start
	if start.IsZero() {
		// "At nine" means 09:00:00, not the second in which it was asked for; and a first occurrence that had gone by would be lost.
		start = now.Truncate(time.Minute).Add(time.Minute)
		if was != nil {
			start = was.Start.Time()
		}
	}
	start = start.Truncate(time.Second)
	if start.After(now.Add(10*maxAhead)) || start.Before(now.Add(-10*maxAhead)) {
		return nil, problem(CodeInvalidRequest, "start", "start is more than ten years away")
	}
	sch.Start = At(start)
	if sch.RRule == "" {
		return nil, problem(CodeBadRRule, "rrule", "rrule is needed, such as FREQ=MONTHLY;BYMONTHDAY=5;BYHOUR=9;BYMINUTE=0")
	}
	rule, err := recurrence.Parse(sch.RRule, start.In(zone), zone)
	if err != nil {
		return nil, problem(CodeBadRRule, "rrule", err.Error())
	}
	from := start.Add(-time.Second)
	if now.After(from) {
		from = now
	}
	first, ok := rule.After(from)
	if !ok {
		return nil, problem(CodeBadRRule, "rrule", "this rule has no occurrence after now")
	}
	sch.NextAt = At(first)
	if len(req.Content.Series) > 0 || usesNumber(req.Content) {
		if sch.NextIndex, ok = rule.Index(first); !ok {
			return nil, problem(CodeBadRRule, "rrule", "the start lies too many occurrences back to number this one; choose a later start")
		}
		if !hasContent(sch, sch.NextIndex) {
			return nil, problem(CodeInvalidRequest, "content.series", "every occurrence of the series lies in the past")
		}
	}
	if err := s.checkContent(app, tpl, sch, rule, zone); err != nil {
		return nil, err
	}
	if was == nil || was.RRule != sch.RRule || was.Start != sch.Start || was.TimeZone != sch.TimeZone || was.TemplateID != sch.TemplateID {
		if err := checkScheduleRules(app, tpl, sch, rule, from); err != nil {
			return nil, err
		}
	}
	return sch, nil
}

func usesNumber(c Content) bool {
	for _, v := range c.Data {
		if strings.Contains(v, "number") {
			return true
		}
	}
	return false
}

func checkRecipients(to Recipients, tpl *Template) error {
	switch {
	case (to.OpenID == "") == (to.Audience == nil):
		return problem(CodeInvalidRequest, "to", `"to" names either an openid or an audience`)
	case to.OpenID != "":
		if err := CheckOpenID(to.OpenID); err != nil {
			AsProblem(err).Field = "to.openid"
			return err
		}
	case !tpl.LongTerm():
		return problem(CodeInvalidRequest, "to.audience", "an audience is made of long-term subscriptions; this template gives one send for each accept")
	default:
		return CheckTopic(to.Audience.Topic, "to.audience.topic")
	}
	return nil
}

// CheckTopic answers a problem for what cannot be a topic; "" is none.
func CheckTopic(topic, field string) error {
	if len(topic) > 64 || strings.ContainsFunc(topic, func(r rune) bool { return r <= 0x20 || r == 0x7f || r == '#' || r == 0xfffd }) {
		return problem(CodeInvalidRequest, field, "a topic has at most 64 bytes, without spaces, '#' and control characters")
	}
	return nil
}

// checkContent holds the content against the template, with the variables filled in as at the next occurrences: what fits
// on the 9th may be too long on the 10th.
func (s *Service) checkContent(app *App, tpl *Template, sch *Schedule, rule recurrence.Rule, zone *time.Location) error {
	c := sch.Content
	kinds := 0
	for _, set := range []bool{c.Data != nil, c.Series != nil, c.Provider != ""} {
		if set {
			kinds++
		}
	}
	if kinds != 1 {
		return problem(CodeInvalidRequest, "content", "content is exactly one of data, series and provider")
	}
	if c.Provider != "" {
		return s.checkProvider(app, c.Provider)
	}
	if c.Series != nil && (len(c.Series) == 0 || len(c.Series) > maxSeries) {
		return problem(CodeInvalidRequest, "content.series", fmt.Sprintf("a series has 1 to %d parts", maxSeries))
	}
	topic := "topic"
	if sch.To.Audience != nil && sch.To.Audience.Topic != "" {
		topic = sch.To.Audience.Topic
	}
	check := func(data map[string]string, field string, at time.Time, index int) error {
		filled, err := fill(data, at.In(zone), index, topic)
		if p := AsProblem(err); p != nil {
			p.Field = field + "." + p.Field
			return p
		}
		if p := checkData(tpl, filled, field); p != nil {
			return p
		}
		for _, r := range app.engine.CheckWords(&app.Rules, &tpl.Template, filled) {
			p := &Problem{Code: CodeRuleBroken, Field: field + "." + r.Field, Detail: r.Code + ": " + r.Detail}
			p.Errors = []FieldProblem{{Field: p.Field, Code: r.Code, Detail: r.Detail}}
			return p
		}
		return nil
	}
	at, index := sch.NextAt.Time(), sch.NextIndex
	for range checkAhead {
		data, field := c.Data, "content.data"
		if c.Series != nil {
			data, field = c.Series[index], fmt.Sprintf("content.series[%d].data", index)
		}
		if err := check(data, field, at, index); err != nil {
			return err
		}
		next, ok := rule.After(at)
		if at, index = next, index+1; !ok || !hasContent(sch, index) {
			break
		}
	}
	for i := range c.Series { // those of the past, or too far ahead
		if err := check(c.Series[i], fmt.Sprintf("content.series[%d].data", i), sch.NextAt.Time(), i); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) checkProvider(app *App, address string) error {
	if s.Provider == nil || app.CheckProvider == nil {
		return problem(CodeHostNotAllowed, "content.provider.url", "this app has no allow list of provider hosts")
	}
	if err := app.CheckProvider(address); err != nil {
		return problem(CodeHostNotAllowed, "content.provider.url", err.Error())
	}
	return nil
}

// checkScheduleRules refuses a schedule that by itself breaks a rule, showing the first occurrences that would.
func checkScheduleRules(app *App, tpl *Template, sch *Schedule, rule recurrence.Rule, from time.Time) error {
	next, _ := rule.Between(from, from.Add(10*maxAhead), checkAhead)
	if n := len(sch.Content.Series); n > 0 && len(next) > n-sch.NextIndex {
		next = next[:n-sch.NextIndex]
	}
	reasons := policy.CheckSchedule(&app.Rules, &tpl.Template, next)
	if len(reasons) == 0 {
		return nil
	}
	p := problem(CodeRuleBroken, "rrule", reasons[0].Code+": "+reasons[0].Detail)
	for _, r := range reasons {
		detail := r.Detail
		for i, at := range r.Occurrences {
			if i < 3 {
				detail += " " + at.Format(time.RFC3339)
			}
		}
		p.Errors = append(p.Errors, FieldProblem{Field: "rrule", Code: r.Code, Detail: detail})
	}
	return p
}
