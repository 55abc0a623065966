package submsg

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// errInProgress is what a send answers that another worker holds right now.
var errInProgress = errors.New("submsg: another worker holds this send")

// carriage is one send on its way through the path, with the records it rests on as last loaded.
type carriage struct {
	app    *App
	tpl    *Template
	send   Record // Key is set from the start; Body may be unsaved: Version 0
	sub    Record
	others map[string]Record // sends that hold open reservations of the subscriber
	holder uint64            // drawn by this worker for this send
	known  bool              // sub and others are loaded
	paced  bool              // the app's rate let it through already
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

// due is when the send falls due for this worker. One that it has claimed, which is to say stored in order to work on it
// at once, falls due for the others only, should this worker die.
func (c *carriage) due() Instant {
	if b := c.sendBody(); b.Claim != 0 && b.Claim == c.holder {
		return 0
	}
	return c.send.Due
}

// load reads the send and the subscriber together, then the sends that other open reservations name. A send that is
// stored under the same key for another request is CodeKeyReused.
func (s *Service) load(ctx context.Context, c *carriage) error {
	b := c.sendBody()
	recs, err := s.Store.Load(ctx, c.send.Key, SubscriberKey(b.AppID, b.OpenID))
	if err != nil {
		return err
	}
	c.sub = recs[1]
	stored, ok := recs[0].Body.(*Send)
	switch {
	case !ok:
		c.send.Version = 0
	case erased(c.subBody(), stored):
		if err := s.deleteAll(ctx, recs[:1]); err != nil {
			return err
		}
		c.send.Version = 0
	case stored.RequestHash != b.RequestHash:
		return keyReused()
	default:
		c.send = recs[0]
	}
	return s.loadOthers(ctx, c)
}

// erased reports whether the send was asked for before the person was erased.
func erased(sub *Subscriber, b *Send) bool { return sub.ErasedAt != 0 && b.CreatedAt <= sub.ErasedAt }

func (s *Service) loadOthers(ctx context.Context, c *carriage) error {
	c.known, c.others = true, nil
	named, err := s.loadSends(ctx, c.sendBody().AppID, sendsNamed(c.subBody(), c.sendBody().ID))
	if err != nil {
		c.known = false
		return err
	}
	c.others = named
	return nil
}

// loadSends reads those of the named sends that have a record.
func (s *Service) loadSends(ctx context.Context, appid string, ids []string) (map[string]Record, error) {
	if len(ids) == 0 {
		return nil, nil
	}
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
	var cause error // what kept the last write from success
	for try, waits := 0, 0; ; try++ {
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
		if began.IsZero() {
			began = now
		}
		d := decide(situation{
			now: now, app: c.app, tpl: c.tpl, sub: c.subBody(), send: c.sendBody(), stored: c.send.Version != 0, due: c.due(),
			others: c.sends(), health: health, holder: c.holder, until: s.leaseEnd(ctx),
		})
		switch d.step {
		case stepLeave:
			return c.send, nil
		case stepForget:
			if err := s.deleteAll(ctx, []Record{c.send}); err != nil {
				return c.send, err
			}
			return c.send, problem(CodeNotFound, "openid", "the person was erased meanwhile")
		case stepBusy:
			return c.send, errInProgress
		case stepWait:
			if now.Sub(began) > patience || s.shortOf(ctx, 2*s.CallTimeout) {
				d = waiting(c.sendBody(), s.now(), d.due)
			} else {
				c.known = false
				if err := again(ctx, min(waits, maxTries-1), nil); err != nil {
					return c.send, err
				}
				waits, try = waits+1, try-1 // nothing has failed
				continue
			}
		case stepRecord:
			if wait := d.due.Sub(s.now()); d.send.State == SendQueued && d.send.Schedule != "" && wait <= patient && !s.shortOf(ctx, wait+2*s.CallTimeout) {
				c.known = false
				if err := pause(ctx, wait); err != nil {
					return c.send, err
				}
				continue
			}
		case stepMark:
			if err := s.mark(ctx, c.app, c.subBody().OpenID, d.mark, c.recordOf(d.mark.SendID)); lost(err) {
				return c.send, err
			}
		case stepReserve:
			short := s.shortOf(ctx, s.CallTimeout+s.LeaseMargin)
			if short && c.send.Version != 0 {
				return c.send, context.DeadlineExceeded // nothing is held yet: the next worker begins afresh
			}
			if short || try >= maxTries-1 { // or so many write this subscriber that it is better taken up in a moment
				d = waiting(c.sendBody(), s.now(), 0)
				break
			}
			if !c.paced {
				wait, ok := s.turn(c.app, s.toWait(ctx))
				if !ok {
					d = record(c.sendBody(), SendQueued, s.now(), s.now().Add(wait), &Reason{Code: "rate", Detail: "the app's rate is used up for now; it waits for its turn", DetailZH: "已达到应用的发送速率上限，排队等待"})
					break
				}
				c.paced = true
				if wait > 0 {
					if err := pause(ctx, wait); err != nil {
						return c.send, err
					}
					continue // time has passed: decide again
				}
			}
			if c.send.Version == 0 && c.sendBody().Schedule == "" {
				// The key must belong to this request before anything is held for it: another subscriber's request may be
				// under way under the same one, and nothing but the send is common to both.
				b := c.sendBody()
				b.Claim = c.holder // nobody else has it yet
				rec := sendRecord(b, 0, s.leaseEnd(ctx))
				if rec.Version, cause = s.Store.Save(ctx, rec); cause != nil {
					break
				}
				c.send = rec
			}
			if _, cause = s.Store.Save(ctx, subscriberRecord(d.sub, c.sub.Version)); cause == nil {
				return s.attempt(ctx, c, d.send, d.sub)
			}
			if lost(cause) {
				s.Log.WarnContext(ctx, "reservation got no answer from the store; loading again", "appid", c.app.Rules.AppID, "error", cause)
			}
		case stepCall:
			return s.attempt(ctx, c, d.send, d.sub)
		}
		if d.step == stepRecord {
			var rec Record
			if rec, cause = s.saveSend(ctx, sendRecord(d.send, c.send.Version, d.due)); cause == nil {
				s.countSend(c, d.send, rec.Due)
				return rec, nil
			}
		}
		c.known = false
		if err := again(ctx, try, cause); err != nil {
			return c.send, err
		}
	}
}

// waiting is the decision to take a send up again in a second, or at until if that is sooner (0: it is not known).
func waiting(b *Send, now, until Instant) decision {
	due := now.Add(time.Second)
	if until != 0 {
		due = min(due, until+1)
	}
	return record(b, SendQueued, now, due, &Reason{Code: "waiting", Detail: "another send to this subscriber is under way, or too little time was left: it goes in a moment", DetailZH: "同一用户的另一条消息正在发送，或剩余时间不足，稍后发送"})
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

// leftOf is how much is left of ctx; a plain process's own bound where it has no deadline.
func (s *Service) leftOf(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return s.Work
}

// toWait is how long a worker may still wait before it begins a call.
func (s *Service) toWait(ctx context.Context) time.Duration {
	return s.leftOf(ctx) - s.CallTimeout - s.LeaseMargin
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
	save, cancel := s.toRecord(ctx)
	defer cancel()
	if o.penalty != nil {
		if h, err := s.addHold(save, c.app, c.tpl.ID, *o.penalty); err != nil {
			s.Log.ErrorContext(ctx, "hold could not be recorded", "appid", c.app.Rules.AppID, "errcode", res.Code, "error", err)
			o.due = s.now().Add(backoff(begun.Attempts, time.Minute))
		} else {
			o.due = recheck(h, c.tpl.ID, s.now(), holdEnd(h, c.tpl.ID))
		}
	}
	if res.NotSent || !res.Answered {
		s.Log.WarnContext(ctx, "call to WeChat without an answer", "appid", begun.AppID, "send", begun.ID, "subscriber", s.Pseudonym(begun.OpenID), "not_sent", res.NotSent, "errcode", res.Code, "error", res.Err)
	}
	rec, was, err := s.saveOutcome(save, c.send.Version, o)
	if err != nil {
		return rec, err
	}
	final := rec.Body.(*Send)
	if err := s.noteUnsent(save, final); err != nil {
		s.Log.WarnContext(ctx, "a send that did not go out is not listed with its subscriber", "appid", final.AppID, "send", final.ID, "error", err)
	}
	if final.EventAt != 0 && o.send.State == SendSent { // the event was quicker, and has been counted: this is the answer
		s.countSend(c, o.send, 0)
	} else {
		s.countSend(c, final, rec.Due)
	}
	switch {
	case final.Credit == CreditZeroed || final.Credit == CreditReturned && rec.Due == 0: // else it would be forgotten with the send
		if err := s.tidy(save, SubscriberKey(final.AppID, final.OpenID)); err != nil {
			s.Log.WarnContext(ctx, "the balance is settled at the next write instead", "appid", final.AppID, "error", err)
		}
	case overturned(was, final):
		if err := s.takeBack(save, sub, final, final.Attempts); err != nil {
			s.Log.WarnContext(ctx, "balance is corrected by the sent event instead", "appid", final.AppID, "error", err)
		}
	}
	return rec, nil
}

// saveOutcome writes what a worker knows of a send over what is stored, as far as it prevails. was is what it replaced,
// where that had been written since the worker began.
func (s *Service) saveOutcome(ctx context.Context, version Version, o outcome) (rec Record, was *Send, err error) {
	rec = sendRecord(o.send, version, o.due)
	for try := 0; ; try++ {
		v, err := s.Store.Save(ctx, rec)
		if err == nil {
			rec.Version = v
			return rec, was, nil
		}
		for {
			if werr := again(ctx, try, err); werr != nil {
				return rec, nil, werr
			}
			loaded, lerr := s.Store.Load(ctx, rec.Key)
			if lerr != nil {
				try++
				continue
			}
			stored, _ := loaded[0].Body.(*Send)
			next := prevail(stored, o.send)
			if next == stored {
				return loaded[0], nil, nil
			}
			was = stored
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

// tidy settles what is settled of a subscriber: past leases become unknown, results are applied. It is how 43101 takes
// effect at once, and how a subscriber is put in order before it is shown.
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
			if blocking(r, stored, s.now()) && s.now() > r.Until {
				marked = true
				if err := s.mark(ctx, app, sub.OpenID, r, at); lost(err) {
					return err
				}
			}
		}
		if !marked {
			sends := bodies(named)
			next := settle(sub, sends, s.now())
			if next == sub {
				return nil
			}
			if _, err = s.Store.Save(ctx, subscriberRecord(next, recs[0].Version)); err == nil {
				return s.leaveAudiences(ctx, sub, next)
			}
		}
		if err := again(ctx, try, err); err != nil {
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

// subscriberRecord is the record of a subscriber about to be saved. It is never due: the sends and jobs that hold its
// reservations are. What an erasure leaves goes by itself, unless something has been learnt of the person since.
func subscriberRecord(sub *Subscriber, version Version) Record {
	rec := Record{Key: SubscriberKey(sub.AppID, sub.OpenID), Version: version, Body: sub}
	if sub.ErasedAt != 0 && len(sub.Subscriptions) == 0 && len(sub.Reservations) == 0 && len(sub.Topics) == 0 && sub.QuietHours == "" && sub.TimeZone == "" {
		rec.Expires = sub.ErasedAt.Add(erasedFor)
	}
	return rec
}

// sendRecord is the record of a send about to be saved. A send that waits looks again no later than its valid_until; one
// that is not due again is kept for a while: it is the memory of its idempotency key.
func sendRecord(b *Send, version Version, due Instant) Record {
	if b.State == SendQueued && b.ValidUntil != 0 {
		due = min(due, b.ValidUntil)
	}
	rec := Record{Key: SendKey(b.AppID, b.ID), Version: version, Due: due, Body: b}
	if due == 0 {
		rec.Expires = b.UpdatedAt.Add(keepFinal)
	}
	return rec
}
