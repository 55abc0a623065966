package submsg

import (
	"context"
	"time"
)

// notify posts a notice to the app's webhook, and logs it in any case. A notice that comes with an id may be made again:
// while it waits it is still one.
func (s *Service) notify(ctx context.Context, app *App, n Notice) {
	n.AppID, n.At = app.Rules.AppID, s.now()
	if n.ID == "" {
		n.ID = derive("notice", n.AppID, n.Event, n.TemplateID, n.At.Time().Format(time.RFC3339Nano))
	}
	s.Log.WarnContext(ctx, "notice", "appid", n.AppID, "event", n.Event, "template_id", n.TemplateID, "detail", n.Detail)
	if s.Webhook == nil || !app.Webhook {
		return
	}
	rec := Record{Key: NoticeKey(n.AppID, n.ID), Due: n.At, Body: &n}
	if err := s.offer(ctx, rec); err != nil {
		s.Log.ErrorContext(ctx, "notice could not be kept", "appid", n.AppID, "event", n.Event, "error", err)
		return
	}
	s.wake(ctx, rec.Key)
}

// giveUpNotice is when a webhook that never answers is not asked any more.
const giveUpNotice = 3 * 24 * time.Hour

func (s *Service) deliverNotice(ctx context.Context, k Key) error {
	recs, err := s.Store.Load(ctx, k)
	if err != nil {
		return err
	}
	n, ok := recs[0].Body.(*Notice)
	if !ok || recs[0].Due > s.now() || s.Webhook == nil {
		return nil
	}
	call, cancel := context.WithTimeout(ctx, s.CallTimeout)
	defer cancel()
	perr := s.Webhook.Post(call, *n)
	if perr == nil || s.now().Sub(n.At) > giveUpNotice {
		return s.deleteAll(ctx, recs)
	}
	next := *n
	next.Attempts++
	s.Log.WarnContext(ctx, "webhook did not take a notice", "appid", n.AppID, "event", n.Event, "error", perr)
	return s.offer(ctx, Record{Key: k, Version: recs[0].Version, Due: s.now().Add(backoff(next.Attempts, time.Hour)), Body: &next})
}
