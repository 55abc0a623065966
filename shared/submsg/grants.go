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

// applyGrants records grants of one subscriber: audience entries first, then the subscriber, then the history.
func (s *Service) applyGrants(ctx context.Context, app *App, openid string, grants []Grant) ([]Effect, error) {
	appid := app.Rules.AppID
	key := SubscriberKey(appid, openid)
	for try := 0; ; try++ {
		recs, err := s.Store.Load(ctx, key)
		if err != nil {
			return nil, err
		}
		sub, ok := recs[0].Body.(*Subscriber)
		if !ok {
			sub = &Subscriber{AppID: appid, OpenID: openid}
		}
		named, err := s.loadSends(ctx, appid, sendsNamed(sub, ""))
		if err != nil {
			return nil, err
		}
		sends := bodies(named)
		next := settle(sub, sends)
		effects, active := make([]Effect, len(grants)), make([]bool, len(grants))
		for i, g := range grants {
			active[i] = next.Subscription(g.TemplateID).State == StateActive
			if g.Source == SourcePush && g.Arrived.Sub(g.At) > PairingWindow && !slices.Contains(next.Seen, g.Fingerprint) {
				if g.Replayed, err = s.inHistory(ctx, appid, openid, g); err != nil {
					return nil, err
				}
			}
			next, effects[i] = applyGrant(next, g)
		}
		if next != sub {
			if err := s.joinAudiences(ctx, app, sub, next); err != nil {
				return nil, err
			}
			_, err = s.Store.Save(ctx, subscriberRecord(next, recs[0].Version, sends))
		}
		if err == nil {
			if err := s.writeHistory(ctx, app, openid, grants, effects); err != nil {
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
		if lost(err) && ctx.Err() != nil {
			return nil, err
		}
		if err := again(ctx, try); err != nil {
			return nil, err
		}
	}
}

func (s *Service) inHistory(ctx context.Context, appid, openid string, g Grant) (bool, error) {
	recs, err := s.Store.Load(ctx, HistoryKey(appid, openid, g.At, g.Fingerprint))
	return err == nil && recs[0].Body != nil, err
}

func (s *Service) writeHistory(ctx context.Context, app *App, openid string, grants []Grant, effects []Effect) error {
	for i, g := range grants {
		if effects[i] == EffectDuplicate {
			// Its first delivery may have died before it got here; otherwise the line stands already.
			if known, err := s.inHistory(ctx, app.Rules.AppID, openid, g); err != nil || known {
				continue
			}
		}
		line := &GrantHistory{At: g.At, Event: g.Event, Source: g.Source, TemplateID: g.TemplateID, Decision: g.Decision, Effect: string(effects[i]), Scene: g.Scene, Arrived: g.Arrived}
		_, err := s.Store.Save(ctx, Record{Key: HistoryKey(app.Rules.AppID, openid, g.At, g.Fingerprint), Body: line})
		if lost(err) {
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
		i := matchEvent(cs, sends, ev)
		if i < 0 {
			s.Log.InfoContext(ctx, "sent event changes nothing", "appid", appid, "template_id", ev.TemplateID, "subscriber", s.Pseudonym(ev.OpenID))
			return nil
		}
		next := applyEvent(appid, cs[i], sends[i], ev, s.now())
		if _, err = s.Store.Save(ctx, sendRecord(next, loaded[i].Version, 0)); err == nil {
			s.sawEvent(ctx, appid, next.AttemptAt)
			s.Metrics.Count(appid, next.TemplateID, "event_"+string(next.State), 1)
			s.counters.add(s.Now(), appid, next.TemplateID, string(next.State))
			if overturned(sends[i], next) {
				return s.takeBack(ctx, app, next)
			}
			return nil
		}
		if lost(err) && ctx.Err() != nil {
			return err
		}
		if err := again(ctx, try); err != nil {
			return err
		}
	}
}

// takeBack corrects the balance after a sent event for a send that the evidence had called "not sent": its
// credit, if it was given back already, is spent after all.
func (s *Service) takeBack(ctx context.Context, app *App, b *Send) error {
	if t := app.byName[b.TemplateID]; t == nil || t.LongTerm() {
		return nil
	}
	for try := 0; ; try++ {
		recs, err := s.Store.Load(ctx, SubscriberKey(b.AppID, b.OpenID))
		if err != nil {
			return err
		}
		sub, ok := recs[0].Body.(*Subscriber)
		if !ok || sub.Subscription(b.TemplateID).Credits == 0 || slices.ContainsFunc(sub.Reservations, func(r Reservation) bool { return r.SendID == b.ID }) {
			return nil // still held: it will be settled as spent
		}
		next := sub.clone()
		next.subscription(b.TemplateID).Credits--
		if _, err = s.Store.Save(ctx, subscriberRecord(next, recs[0].Version, nil)); err == nil {
			return nil
		}
		if lost(err) && ctx.Err() != nil {
			return err
		}
		if err := again(ctx, try); err != nil {
			return err
		}
	}
}
