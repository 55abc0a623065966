package submsg

import (
	"context"
	"slices"
	"strconv"
)

// PushEvent is one verified message push of WeChat.
type PushEvent struct {
	Name        string // the Event field: subscribe_msg_popup_event …
	OpenID      string
	At          Instant // CreateTime
	Fingerprint uint64
	Items       []PushItem
}

// PushItem is one template in a push.
type PushItem struct {
	TemplateID string
	Status     string // accept, reject …; for sent events WeChat's ErrorStatus
	Scene      string
	MsgID      int64
	Code       int // sent events: ErrorCode
}

// The events that mean something to the ledger (developers.weixin.qq.com, 订阅消息 events).
const (
	EventPopup    = "subscribe_msg_popup_event"
	EventChange   = "subscribe_msg_change_event"
	EventSent     = "subscribe_msg_sent_event"
	EventTemplate = "TEMPLATESENDJOBFINISH"
)

// Push applies one push. Events that mean nothing here, and templates that are not configured, are acknowledged
// without effect: WeChat pushes everything to one address.
func (s *Service) Push(ctx context.Context, appid string, ev PushEvent) error {
	s.init()
	app, err := s.Apps.App(appid)
	if err != nil {
		return err
	}
	ctx, cancel := s.work(ctx)
	defer cancel()
	switch ev.Name {
	case EventPopup, EventChange:
		var grants []Grant
		for _, it := range ev.Items {
			t, err := app.Template(it.TemplateID)
			if err != nil {
				s.Log.InfoContext(ctx, "push names a template that is not configured", "appid", appid, "template_id", it.TemplateID)
				continue
			}
			grants = append(grants, Grant{
				TemplateID: t.ID, LongTerm: t.LongTerm(), Decision: it.Status, Source: SourcePush, Event: ev.Name,
				At: ev.At, Arrived: s.now(), Scene: it.Scene,
				Fingerprint: digest(strconv.FormatUint(ev.Fingerprint, 16), t.ID, it.Status),
			})
		}
		if len(grants) == 0 {
			return nil
		}
		_, err := s.applyGrants(ctx, app, ev.OpenID, grants)
		return err
	case EventSent, EventTemplate:
		for _, it := range ev.Items {
			if err := s.sentEvent(ctx, app, SentEvent{OpenID: ev.OpenID, TemplateID: it.TemplateID, MsgID: it.MsgID, Code: it.Code, Status: it.Status, At: ev.At,
				Fingerprint: digest(strconv.FormatUint(ev.Fingerprint, 16), it.TemplateID, strconv.FormatInt(it.MsgID, 10))}); err != nil {
				return err
			}
		}
	}
	return nil
}

// applyGrants records grants of one subscriber. It takes no more at a time than the subscriber remembers: repeated after a
// crash, those whose history is not written yet are still known.
func (s *Service) applyGrants(ctx context.Context, app *App, openid string, grants []Grant) ([]Effect, error) {
	effects := make([]Effect, 0, len(grants))
	for some := range slices.Chunk(grants, maxSeen) {
		e, err := s.applySome(ctx, app, openid, some)
		if err != nil {
			return nil, err
		}
		effects = append(effects, e...)
	}
	return effects, nil
}

// applySome writes audience entries first, then the subscriber, then the history.
func (s *Service) applySome(ctx context.Context, app *App, openid string, grants []Grant) ([]Effect, error) {
	appid := app.Rules.AppID
	for try := 0; ; try++ {
		sub, version, sends, err := s.withSends(ctx, appid, openid)
		if err != nil {
			return nil, err
		}
		next := settle(sub, sends, s.now())
		effects, active := make([]Effect, len(grants)), make([]bool, len(grants))
		for i, g := range grants {
			active[i] = next.Subscription(g.TemplateID).State == StateActive
			if len(next.Seen) == maxSeen && !slices.Contains(next.Seen, g.Fingerprint) { // it may have been seen and forgotten
				if g.Replayed, err = s.inHistory(ctx, appid, openid, g); err != nil {
					return nil, err
				}
				grants[i] = g // what is in the history stays there: it is not looked up again
			}
			next, effects[i] = applyGrant(next, g)
		}
		if next != sub {
			if err := s.joinAudiences(ctx, app, sub, next); err != nil {
				return nil, err
			}
			_, err = s.Store.Save(ctx, subscriberRecord(next, version))
		}
		if err == nil {
			if err := s.writeHistory(ctx, next, grants, effects); err != nil {
				return nil, err
			}
			for i, g := range grants {
				what := "grant_" + string(effects[i])
				if effects[i] == EffectRevoked && !active[i] {
					what = "grant_refused" // a prompt was refused, or the other feed told already: nothing ended
				}
				s.Metrics.Count(appid, g.TemplateID, what, 1)
				s.counters.add(s.Now(), appid, g.TemplateID, what)
			}
			return effects, s.leaveAudiences(ctx, sub, next)
		}
		if err := again(ctx, try, err); err != nil {
			return nil, err
		}
	}
}

// inHistory reports whether the history has a line of this very grant. A report that does not say when the user decided
// is at another time whenever it is repeated, so it is looked for among those of the last day.
func (s *Service) inHistory(ctx context.Context, appid, openid string, g Grant) (bool, error) {
	key := HistoryKey(appid, openid, g.At, g.Fingerprint)
	if g.Source == SourcePush || g.At != g.Arrived {
		recs, err := s.Store.Load(ctx, key)
		return err == nil && recs[0].Body != nil, err
	}
	const page = 100
	for after := ""; ; {
		lines, err := s.Store.List(ctx, key.Partition, after, page)
		if err != nil {
			return false, err
		}
		for _, l := range lines {
			switch {
			case sameGrant(l.Key, key):
				return true, nil
			case g.Arrived.Sub(l.Body.(*GrantHistory).At) > reportRepeatable:
				return false, nil
			}
		}
		if len(lines) < page {
			return false, nil
		}
		after = lines[page-1].Key.Sort
	}
}

func (s *Service) writeHistory(ctx context.Context, sub *Subscriber, grants []Grant, effects []Effect) error {
	for i, g := range grants {
		if g.Replayed || sub.beforeErasure(g) {
			continue
		}
		if effects[i] == EffectDuplicate {
			// Its first delivery may have died before it got here; otherwise the line stands already.
			known, err := s.inHistory(ctx, sub.AppID, sub.OpenID, g)
			if err != nil {
				return err
			}
			if known {
				continue
			}
		}
		line := &GrantHistory{At: g.At, Event: g.Event, Source: g.Source, TemplateID: g.TemplateID, Decision: g.Decision, Effect: string(effects[i]), Scene: g.Scene, Arrived: g.Arrived}
		if err := s.offer(ctx, Record{Key: HistoryKey(sub.AppID, sub.OpenID, g.At, g.Fingerprint), Body: line}); err != nil {
			return err // the caller is told to deliver again; the subscriber knows the event by then
		}
	}
	return nil
}

// sentEvent applies WeChat's final word to the send it means: one write, of the send.
func (s *Service) sentEvent(ctx context.Context, app *App, ev SentEvent) error {
	appid := app.Rules.AppID
	for try := 0; ; try++ {
		recs, err := s.Store.Load(ctx, SubscriberKey(appid, ev.OpenID))
		if err != nil {
			return err
		}
		sub, ok := recs[0].Body.(*Subscriber)
		if !ok {
			s.Log.InfoContext(ctx, "sent event for a subscriber nothing is known of", "appid", appid)
			return nil
		}
		cs := candidates(sub, ev.TemplateID)
		keys := make([]Key, len(cs))
		for i, c := range cs {
			keys[i] = SendKey(appid, c.sendID)
		}
		if len(keys) == 0 {
			return nil
		}
		loaded, err := s.Store.Load(ctx, keys...)
		if err != nil {
			return err
		}
		sends := make([]*Send, len(cs))
		for i, r := range loaded {
			sends[i], _ = r.Body.(*Send)
		}
		i, applied := matchEvent(cs, sends, ev)
		if applied { // its first delivery may have died before it got further than the send
			s.sawEvent(ctx, appid, cs[i].at)
			return s.takeBack(ctx, sub, sends[i], cs[i].notSent)
		}
		if i < 0 {
			s.Log.InfoContext(ctx, "sent event changes nothing", "appid", appid, "template_id", ev.TemplateID, "subscriber", s.Pseudonym(ev.OpenID))
			return nil
		}
		late := cs[i].notSent
		if b := sends[i]; late != 0 && late < b.Attempts && (b.State == SendSent || b.State == SendDelivered) {
			return s.takeBack(ctx, sub, b, late) // a further attempt went out too, and the send tells of that one
		}
		next := applyEvent(appid, cs[i], sends[i], ev, s.now())
		if _, err = s.Store.Save(ctx, sendRecord(next, loaded[i].Version, 0)); err == nil {
			s.sawEvent(ctx, appid, cs[i].at)
			s.Metrics.Count(appid, next.TemplateID, "event_"+string(next.State), 1)
			s.counters.add(s.Now(), appid, next.TemplateID, string(next.State))
			if late == 0 && overturned(sends[i], next) {
				late = next.Attempts
			}
			return s.takeBack(ctx, sub, next, late)
		}
		if err := again(ctx, try, err); err != nil {
			return err
		}
	}
}

// takeBack corrects the balance of a subscriber for an attempt (0: none) of a send that had been found "not sent", and went
// out after all: its credit, if it was given back already, is spent. A reservation that is still open is settled, so that
// nobody who has read the send as it was can give the credit back any more. sub is the subscriber as it was last loaded.
func (s *Service) takeBack(ctx context.Context, sub *Subscriber, b *Send, attempt int) error {
	held := slices.ContainsFunc(sub.Reservations, func(r Reservation) bool { return r.SendID == b.ID && r.Attempt == attempt })
	if attempt == 0 || !held && correct(sub, b.ID, attempt) == sub {
		return nil
	}
	for try := 0; ; try++ {
		sub, version, sends, err := s.withSends(ctx, b.AppID, b.OpenID)
		if err != nil {
			return err
		}
		next := correct(settle(sub, sends, s.now()), b.ID, attempt)
		if next == sub {
			return nil
		}
		if _, err = s.Store.Save(ctx, subscriberRecord(next, version)); err == nil {
			return nil
		}
		if err := again(ctx, try, err); err != nil {
			return err
		}
	}
}
