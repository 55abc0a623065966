package submsg

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// ErrInProgress is wrapped in the problem that answers a send another worker holds right now.
var errInProgress = errors.New("submsg: another worker holds this send")

// carriage is one send on its way through the path, with the records it rests on as last loaded.
type carriage struct {
	app    *App
	tpl    *Template
	send   Record // Key is set from the start; Body may be unsaved: Version 0
	sub    Record
	others map[string]Record // sends that hold open reservations of the subscriber
	loose  bool
	holder uint64
	known  bool // sub and others are loaded
	paced  bool // the app's rate let it through already
}

func (c *carriage) sendBody() *Send { return c.send.Body.(*Send) }

func (c *carriage) subBody() *Subscriber {
	if sub, ok := c.sub.Body.(*Subscriber); ok {
		return sub
	}
	return &Subscriber{AppID: c.sendBody().AppID, OpenID: c.sendBody().OpenID}
}

func (c *carriage) sends() map[string]*Send {
	if len(c.others) == 0 && c.send.Version == 0 {
		return nil
	}
	m := make(map[string]*Send, len(c.others)+1)
	for id, r := range c.others {
		m[id] = r.Body.(*Send)
	}
	if c.send.Version != 0 {
		m[c.sendBody().ID] = c.sendBody()
	}
	return m
}

// load reads the send and the subscriber together, then the sends that other open reservations name.
func (s *Service) load(ctx context.Context, c *carriage) error {
	b := c.sendBody()
	recs, err := s.Store.Load(ctx, c.send.Key, SubscriberKey(b.AppID, b.OpenID))
	if err != nil {
		return err
	}
	if recs[0].Body != nil {
		c.send = recs[0]
	} else {
		c.send.Version = 0
	}
	c.sub = recs[1]
	return s.loadOthers(ctx, c)
}

func (s *Service) loadOthers(ctx context.Context, c *carriage) error {
	c.known, c.others = true, nil
	ids := sendsNamed(c.subBody(), c.sendBody().ID)
	if len(ids) == 0 {
		return nil
	}
	named, err := s.loadSends(ctx, c.sendBody().AppID, ids)
	if err != nil {
		c.known = false
		return err
	}
	c.others = named
	return nil
}

// loadSends reads those of the named sends that have a record.
func (s *Service) loadSends(ctx context.Context, appid string, ids []string) (map[string]Record, error) {
	keys := make([]Key, len(ids))
	for i, id := range ids {
		keys[i] = SendKey(appid, id)
	}
	recs, err := s.Store.Load(ctx, keys...)
	if err != nil {
		return nil, err
	}
	m := make(map[string]Record, len(recs))
	for i, r := range recs {
		if r.Body != nil {
			m[ids[i]] = r
		}
	}
	return m, nil
}

// carry takes one send as far as it goes now: load → decide → save, and where the decision is to call WeChat,
// call → save. It returns the send's record as it stands then. errInProgress means that another worker holds
// it; any other error that its state is as it was, or will be found out by whoever looks next.
func (s *Service) carry(ctx context.Context, c *carriage) (Record, error) {
	c.holder = rand.Uint64() | 1
	var began time.Time
	for try := 0; ; try++ {
		if !c.known {
			if err := s.load(ctx, c); err != nil {
				return c.send, err
			}
		}
		health, err := s.healthOf(ctx, c.app)
		if err != nil {
			return c.send, err
		}
		now := s.Now()
		if try == 0 {
			began = now
		}
		p := decide(situation{
			now: now, app: c.app, tpl: c.tpl, sub: c.subBody(), send: c.sendBody(), stored: c.send.Version != 0, due: c.send.Due,
			others: c.sends(), health: health, holder: c.holder, until: s.leaseEnd(ctx), loose: c.loose,
		})
		switch p.step {
		case stepLeave:
			return c.send, nil
		case stepBusy:
			return c.send, errInProgress
		case stepWait:
			if now.Sub(began) > patience || s.shortOf(ctx, 2*s.CallTimeout) {
				p = waiting(c.sendBody(), s.now(), p.due)
			} else {
				c.known = false
				if err := again(ctx, min(try, maxTries-1)); err != nil {
					return c.send, err
				}
				continue
			}
		case stepMark:
			if err := s.mark(ctx, c.app, c.subBody().OpenID, p.mark, c.recordOf(p.mark.SendID)); err != nil && !errors.Is(err, ErrConflict) {
				return c.send, err
			}
		case stepReserve:
			if s.shortOf(ctx, s.CallTimeout+s.LeaseMargin) {
				return c.send, context.DeadlineExceeded // nothing is held yet: the next worker begins afresh
			}
			if try >= maxTries-1 { // so many write this subscriber that it is better taken up in a moment
				p = waiting(c.sendBody(), s.now(), 0)
				break
			}
			if !c.paced {
				c.paced = true
				waited, err := s.pace.wait(ctx, c.app)
				if err != nil {
					return c.send, err
				}
				if waited {
					continue // time has passed: decide again
				}
			}
			rec := subscriberRecord(p.sub, c.sub.Version, c.sends())
			if rec.Version, err = s.Store.Save(ctx, rec); err == nil {
				return s.attempt(ctx, c, p.send, p.sub)
			}
			if lost(err) {
				s.Log.WarnContext(ctx, "reservation got no answer from the store; loading again", "appid", c.app.Rules.AppID, "error", err)
			}
		case stepCall:
			return s.attempt(ctx, c, p.send, p.sub)
		}
		if wait := p.due.Sub(s.now()); p.step == stepRecord && p.send.State == SendQueued && p.send.Schedule != "" && wait <= patient && !s.shortOf(ctx, wait+2*s.CallTimeout) {
			if err := pause(ctx, wait); err != nil {
				return c.send, err
			}
			continue
		}
		if p.step == stepRecord {
			rec := sendRecord(p.send, c.send.Version, p.due)
			v, err := s.Store.Save(ctx, rec)
			if err == nil {
				rec.Version = v
				s.countSend(c, p.send, rec.Due)
				return rec, nil
			}
			if lost(err) && ctx.Err() != nil {
				return c.send, err
			}
		}
		c.known = false
		if err := again(ctx, try); err != nil {
			return c.send, err
		}
	}
}

// waiting is the plan to take a send up again in a second, or at until if that is sooner (0: it is not known).
func waiting(b *Send, now, until Instant) plan {
	due := now.Add(time.Second)
	if until != 0 {
		due = min(due, until+1)
	}
	return record(b, SendQueued, now, due, &Reason{Code: "waiting", Detail: "another send to this subscriber is under way", DetailZH: "同一用户的另一条消息正在发送"})
}

func (c *carriage) recordOf(sendID string) Record {
	if sendID == c.sendBody().ID {
		if c.send.Version == 0 {
			// Nothing is stored, but what was asked for is known: the record may as well keep it.
			return Record{Body: c.send.Body}
		}
		return c.send
	}
	return c.others[sendID]
}

// shortOf reports whether less than d is left of ctx.
func (s *Service) shortOf(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < d
}

// attempt makes the call that a reservation allows and records what came of it. The fence: a call starts only
// while more than its own time is left of the lease and of the worker's deadline.
func (s *Service) attempt(ctx context.Context, c *carriage, begun *Send, sub *Subscriber) (Record, error) {
	i := slices.IndexFunc(sub.Reservations, func(r Reservation) bool { return r.SendID == begun.ID && r.Holder == c.holder })
	var res Result
	if left := sub.Reservations[i].Until.Sub(s.now()); left <= s.CallTimeout || s.shortOf(ctx, s.CallTimeout) {
		res = Result{NotSent: true, Err: errors.New("too little time was left to call WeChat")}
	} else {
		// The fence leaves more than the call's own time: nothing of the worker's context can end it earlier.
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.CallTimeout)
		res = s.WeChat.Send(call, begun.AppID, Message{OpenID: begun.OpenID, TemplateID: begun.TemplateID, Data: begun.Data, Page: begun.Page})
		cancel()
	}
	o := conclude(begun, res, s.now(), c.app.UnknownAfter)
	if o.hold != nil {
		if h, err := s.addHold(ctx, c.app, c.tpl.ID, *o.hold); err != nil {
			s.Log.ErrorContext(ctx, "hold could not be recorded", "appid", c.app.Rules.AppID, "errcode", res.Code, "error", err)
			o.due = s.now().Add(backoff(begun.Attempts, time.Minute))
		} else {
			o.due = recheck(h, c.tpl.ID, s.now(), holdEnd(h, c.tpl.ID))
		}
	}
	if res.NotSent || !res.Answered {
		s.Log.WarnContext(ctx, "call to WeChat without an answer", "appid", begun.AppID, "send", begun.ID, "subscriber", s.Pseudonym(begun.OpenID), "not_sent", res.NotSent, "errcode", res.Code, "error", res.Err)
	}
	save, cancel := s.toRecord(ctx)
	defer cancel()
	rec, err := s.saveOutcome(save, c.send.Version, o)
	if err != nil {
		return rec, err
	}
	final := rec.Body.(*Send)
	s.countSend(c, final, rec.Due)
	if final.Credit == CreditZeroed {
		if err := s.tidy(save, SubscriberKey(final.AppID, final.OpenID)); err != nil {
			s.Log.WarnContext(ctx, "balance is zeroed at the next write instead", "appid", final.AppID, "error", err)
		}
	}
	return rec, nil
}

// saveOutcome writes what a worker knows of a send over what is stored, as far as it prevails.
func (s *Service) saveOutcome(ctx context.Context, version Version, o outcome) (Record, error) {
	rec := sendRecord(o.send, version, o.due)
	for try := 0; ; try++ {
		v, err := s.Store.Save(ctx, rec)
		if err == nil {
			rec.Version = v
			return rec, nil
		}
		for {
			if werr := again(ctx, try); werr != nil {
				return rec, errors.Join(err, werr)
			}
			loaded, lerr := s.Store.Load(ctx, rec.Key)
			if lerr != nil {
				try++
				continue
			}
			stored, _ := loaded[0].Body.(*Send)
			next := prevail(stored, o.send)
			if next == stored {
				return loaded[0], nil
			}
			due := o.due
			if next != o.send && next.State != o.send.State {
				due = 0
			}
			rec = sendRecord(next, loaded[0].Version, due)
			break
		}
	}
}

// mark records that an attempt is unknown whose worker left nothing but a reservation past its lease.
func (s *Service) mark(ctx context.Context, app *App, openid string, r Reservation, at Record) error {
	stored, _ := at.Body.(*Send)
	o := markUnknown(app.Rules.AppID, openid, r, stored, s.now(), app.UnknownAfter)
	_, err := s.Store.Save(ctx, sendRecord(o.send, at.Version, o.due))
	if err == nil {
		s.Metrics.Count(app.Rules.AppID, r.TemplateID, "unknown", 1)
		s.Log.WarnContext(ctx, "an attempt was left without an answer", "appid", app.Rules.AppID, "send", r.SendID, "subscriber", s.Pseudonym(openid))
	}
	return err
}

// tidy settles what is settled of a subscriber: past leases become unknown, results are applied. It is how a
// subscriber that falls due by itself is looked after, and how 43101 takes effect at once.
func (s *Service) tidy(ctx context.Context, key Key) error {
	for try := 0; ; try++ {
		recs, err := s.Store.Load(ctx, key)
		if err != nil {
			return err
		}
		sub, ok := recs[0].Body.(*Subscriber)
		if !ok {
			return nil
		}
		app, err := s.Apps.App(sub.AppID)
		if err != nil {
			return err
		}
		named, err := s.loadSends(ctx, sub.AppID, sendsNamed(sub, ""))
		if err != nil {
			return err
		}
		marked := false
		for _, r := range sub.Reservations {
			at := named[r.SendID]
			stored, _ := at.Body.(*Send)
			if blocking(r, stored) && s.now() > r.Until {
				marked = true
				if err := s.mark(ctx, app, sub.OpenID, r, at); err != nil && !errors.Is(err, ErrConflict) {
					return err
				}
			}
		}
		if !marked {
			sends := bodies(named)
			next := settle(sub, sends)
			rec := subscriberRecord(next, recs[0].Version, sends)
			if next == sub && rec.Due == recs[0].Due {
				return nil
			}
			if _, err = s.Store.Save(ctx, rec); err == nil {
				return s.leaveAudiences(ctx, sub, rec.Body.(*Subscriber))
			}
			if lost(err) && ctx.Err() != nil {
				return err
			}
		}
		if err := again(ctx, try); err != nil {
			return err
		}
	}
}

func bodies(named map[string]Record) map[string]*Send {
	m := make(map[string]*Send, len(named))
	for id, r := range named {
		m[id] = r.Body.(*Send)
	}
	return m
}

// subscriberRecord is the record of a subscriber about to be saved. A reservation whose send has a record is
// not loose any more: that record falls due by itself.
func subscriberRecord(sub *Subscriber, version Version, sends map[string]*Send) Record {
	for i, r := range sub.Reservations {
		if o := sends[r.SendID]; r.Loose && o != nil && o.Attempts >= r.Attempt {
			next := *sub
			next.Reservations = slices.Clone(sub.Reservations)
			next.Reservations[i].Loose = false
			sub = &next
		}
	}
	return Record{Key: SubscriberKey(sub.AppID, sub.OpenID), Version: version, Due: dueOf(sub), Body: sub}
}

// sendRecord is the record of a send about to be saved. A send that is not due again is kept for a while: it is
// the memory of its idempotency key.
func sendRecord(b *Send, version Version, due Instant) Record {
	rec := Record{Key: SendKey(b.AppID, b.ID), Version: version, Due: due, Body: b}
	if due == 0 {
		rec.Expires = b.UpdatedAt.Add(keepFinal)
	}
	return rec
}
