package submsg

import (
	"context"
	"fmt"
	"time"
)

// OpenReport is one message that a user opened, as the mini program's back end learns it from the page the message
// leads to.
type OpenReport struct {
	OpenID   string
	Template string    // id or configured name
	SendID   string    // "": not known; with it, a repeated report counts once
	At       time.Time // when it was opened; zero: now
}

// OpenEffect says what one report of an open did.
type OpenEffect string

// The effects of a report of an open.
const (
	OpenCounted   OpenEffect = "counted"
	OpenDuplicate OpenEffect = "duplicate" // this send was reported as opened already
	OpenUnknown   OpenEffect = "unknown"   // no send of this id to this subscriber under this template is known
)

const (
	countOpened = "opened" // the counter's name
	maxOpens    = 100
	openPast    = interestDays * 24 * time.Hour
)

// ReportOpens counts opened messages per template and day: what low_interest judges by. Nothing is kept of who opened
// what but, for reports that name a send, the time on that send. Either all reports are valid or nothing is counted;
// the effects come in their order.
//
// Problems: CodeUnknownApp, CodeUnknownTemplate, CodeInvalidRequest, CodeClockSkew, CodeTooMany.
func (s *Service) ReportOpens(ctx context.Context, appid string, reports []OpenReport) ([]OpenEffect, error) {
	s.init()
	app, err := s.Apps.App(appid)
	if err != nil {
		return nil, err
	}
	if len(reports) == 0 || len(reports) > maxOpens {
		return nil, problem(CodeTooMany, "opens", fmt.Sprintf("opens holds 1 to %d reports", maxOpens))
	}
	now := s.Now()
	templates := make([]*Template, len(reports))
	for i, r := range reports {
		if templates[i], err = checkOpen(app, r, i, now); err != nil {
			return nil, err
		}
	}
	ctx, cancel := s.work(ctx)
	defer cancel()
	effects := make([]OpenEffect, len(reports))
	earlier := make(map[counterName]map[string]int64)
	for i, r := range reports {
		at := r.At
		if at.IsZero() {
			at = now
		}
		effects[i] = OpenCounted
		if r.SendID != "" {
			if effects[i], err = s.markOpened(ctx, appid, templates[i].ID, r, At(at)); err != nil {
				return nil, err
			}
		}
		if effects[i] != OpenCounted {
			continue
		}
		s.Metrics.Count(appid, templates[i].ID, countOpened, 1)
		if day(at) == day(now) {
			s.counters.add(s.Now(), appid, templates[i].ID, countOpened)
			continue
		}
		name := counterName{appid, day(at), templates[i].ID}
		if earlier[name] == nil {
			earlier[name] = map[string]int64{}
		}
		earlier[name][countOpened]++
	}
	for name, counts := range earlier {
		if err := s.addCounts(ctx, name, counts); err != nil {
			return nil, err
		}
	}
	return effects, nil
}

func checkOpen(app *App, r OpenReport, i int, now time.Time) (*Template, error) {
	at := func(err error) error {
		p := AsProblem(err)
		p.Field = fmt.Sprintf("opens[%d].%s", i, p.Field)
		return p
	}
	if err := CheckOpenID(r.OpenID); err != nil {
		return nil, at(err)
	}
	t, err := app.Template(r.Template)
	switch {
	case err != nil:
		return nil, at(err)
	case len(r.SendID) > maxKey:
		return nil, at(problem(CodeInvalidRequest, "send_id", fmt.Sprintf("a send's id has at most %d characters", maxKey)))
	case !r.At.IsZero() && (r.At.Before(now.Add(-openPast)) || r.At.After(now.Add(reportFuture))):
		return nil, at(problem(CodeClockSkew, "at", fmt.Sprintf("at is not within the last %d days: check the reporter's clock, or leave it out", interestDays)))
	}
	return t, nil
}

// markOpened notes on the send that it was opened: one conditional write, so that a send counts once however many
// instances hear of it.
func (s *Service) markOpened(ctx context.Context, appid, templateID string, r OpenReport, at Instant) (OpenEffect, error) {
	if !IsID(r.SendID) {
		return OpenUnknown, nil
	}
	for try := 0; ; try++ {
		recs, err := s.Store.Load(ctx, SendKey(appid, r.SendID))
		if err != nil {
			return "", err
		}
		b, ok := recs[0].Body.(*Send)
		switch {
		case !ok || b.OpenID != r.OpenID || b.TemplateID != templateID:
			return OpenUnknown, nil
		case b.OpenedAt != 0:
			return OpenDuplicate, nil
		}
		next := *b
		next.OpenedAt = at
		rec := recs[0]
		rec.Body = &next
		if _, err = s.Store.Save(ctx, rec); err == nil {
			return OpenCounted, nil
		}
		if err := again(ctx, try, err); err != nil {
			return "", err
		}
	}
}

// Flags lists what the figures of an app say against its templates, by template id: policy.RuleLowInterest where hardly
// anybody opens what is delivered, policy.RuleCancelSpike where users revoke as never before. Templates that nothing
// speaks against are left out.
func (s *Service) Flags(ctx context.Context, appid string) (map[string][]string, error) {
	counters, err := s.Stats(ctx, appid, spikeDays)
	if err != nil {
		return nil, err
	}
	flags := make(map[string][]string)
	for _, a := range alarmsOf(counters, s.Now()) {
		flags[a.templateID] = append(flags[a.templateID], a.rule)
	}
	return flags, nil
}
