package submsg

import (
	"slices"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// step is what a worker does next about a send.
type step int

const (
	stepLeave   step = iota // nothing to do: final, not due yet, or waiting for its verdict
	stepForget              // the person was erased: delete the send
	stepBusy                // another worker holds it, until decision.due
	stepMark                // an attempt past its lease left no answer: record decision.mark as unknown, then decide again
	stepWait                // another send to this subscriber is under way, until decision.due
	stepRecord              // save decision.send as it is, due at decision.due (0: never again)
	stepReserve             // save decision.sub, then call WeChat for decision.send
	stepCall                // decision.sub holds our reservation already: call WeChat for decision.send
)

// decision is what to do about one send: the step and the records it leads to.
type decision struct {
	step step
	due  Instant
	mark Reservation
	sub  *Subscriber
	send *Send
}

// situation is all that a decision on one send rests on.
type situation struct {
	now    time.Time
	app    *App
	tpl    *Template
	sub    *Subscriber      // as loaded, or an empty one
	send   *Send            // as loaded, or as requested where stored is false
	stored bool             // the send has a record
	due    Instant          // its due, where stored
	others map[string]*Send // the records of the sends that hold open reservations, send's own included where stored
	health *Health

	holder uint64  // drawn by this worker for this send
	until  Instant // where a reservation's lease would end
}

// decide is the ledger's second half: what happens to a send now. It changes nothing; the worker carries
// it out and asks again when a record changed meanwhile.
func decide(in situation) decision {
	now, send := At(in.now), in.send
	for _, r := range in.sub.Reservations {
		if r.SendID != send.ID {
			continue
		}
		if _, done := settled(r, in.others[r.SendID], now); done {
			continue
		}
		switch o := in.others[r.SendID]; {
		case r.Holder == in.holder:
			return decision{step: stepCall, sub: in.sub, send: begun(send, r)}
		case !blocking(r, o, now):
			return decision{step: stepLeave} // unknown: its verdict comes by itself
		case now <= r.Until:
			return decision{step: stepBusy, due: r.Until}
		default:
			return decision{step: stepMark, mark: r}
		}
	}
	if in.stored && (send.State != SendQueued || in.due > now) {
		return decision{step: stepLeave}
	}
	if erased(in.sub, send) {
		return decision{step: stepForget}
	}
	if send.ValidUntil != 0 && now >= send.ValidUntil {
		return record(send, SendExpired, now, 0, &Reason{Code: policy.RuleValidUntil, Detail: "its valid_until passed before it could go", DetailZH: "已过有效期，不再发送"})
	}
	if send.SendAt > now {
		return record(send, SendQueued, now, send.SendAt, nil)
	}
	sub := settle(in.sub, in.others, now)
	var wait Instant
	for _, r := range sub.Reservations {
		if !blocking(r, in.others[r.SendID], now) {
			continue
		}
		if now > r.Until {
			return decision{step: stepMark, mark: r}
		}
		wait = max(wait, r.Until)
	}
	if wait != 0 {
		return decision{step: stepWait, due: wait}
	}
	if len(sub.Reservations) >= maxReservations {
		return record(send, SendQueued, now, now.Add(time.Minute), &Reason{Code: "too_many_unknown", Detail: "too many earlier sends to this subscriber are unknown; it waits for their verdicts", DetailZH: "该用户有过多结果未知的消息，等待判定"})
	}
	req := facts(in.now, in.app, in.tpl, sub, send, in.health)
	switch d := in.app.engine.Decide(req); d.Outcome {
	case policy.Refuse:
		refused := record(send, SendRefused, now, 0, reasonOf(d))
		refused.send.Besides = besides(d)
		return refused
	case policy.Expire:
		return record(send, SendExpired, now, 0, reasonOf(d))
	case policy.Defer:
		due := At(d.Due)
		if d.Held {
			due = recheck(in.health, in.tpl.ID, now, due)
		}
		return record(send, SendQueued, now, max(due, now+1), reasonOf(d))
	}
	if send.Data == nil { // a provider was not asked for whom nothing was to be sent then, or only a trail was left
		return record(send, SendRefused, now, 0, &Reason{Code: policy.RuleFields, Detail: "its content is not known", DetailZH: "消息内容未知"})
	}
	return reserve(in, sub, &req)
}

// reserve takes the credit and holds the subscriber for one call.
func reserve(in situation, sub *Subscriber, req *policy.Request) decision {
	r := Reservation{
		SendID: in.send.ID, TemplateID: in.tpl.ID, Attempt: in.send.Attempts + 1, Holder: in.holder, At: At(req.Now), Until: in.until,
		LongTerm:    in.tpl.LongTerm(),
		Fingerprint: req.Fingerprint, Trigger: req.Trigger, PeriodKey: req.PeriodKey, Urgent: in.tpl.Class == policy.Urgent,
	}
	next := *sub // what does not change is shared with the record that was loaded
	next.Subscriptions = slices.Clone(sub.Subscriptions)
	s := next.subscription(in.tpl.ID)
	if in.tpl.Kind == policy.OneTime && s.Credits > 0 {
		s.Credits--
		r.Credit = 1
	}
	next.Reservations = append(slices.Clip(sub.Reservations), r)
	return decision{step: stepReserve, sub: &next, send: begun(in.send, r)}
}

// begun is the send with the call that r allows begun.
func begun(s *Send, r Reservation) *Send {
	next := *s
	next.State, next.Attempts, next.AttemptAt, next.Credit, next.Claim = SendSending, r.Attempt, r.At, CreditNone, 0
	return &next
}

func record(s *Send, state SendState, now, due Instant, why *Reason) decision {
	next := *s
	next.State, next.Reason, next.Besides, next.UpdatedAt, next.Claim = state, why, nil, now, 0
	return decision{step: stepRecord, send: &next, due: due}
}

// longestHold is how long a send under a hold goes without looking whether the hold still stands.
const longestHold = 6 * time.Hour

// recheck is when a send under a hold looks again. A suspension may be ended by an operator at any time, so it asks
// soon at first and ever more seldom, but every longestHold, and never later than the suspension's end; a spent quota lasts
// until the day ends.
func recheck(h *Health, templateID string, now, end Instant) Instant {
	since, suspended := now, false
	if h != nil {
		for _, x := range h.Holds {
			if (x.TemplateID == "" || x.TemplateID == templateID) && (x.Until == 0 || x.Until > now) && x.Rule != policy.RuleDailyQuota {
				since, suspended = min(since, x.Since), true
			}
		}
	}
	if !suspended && end > now {
		return end
	}
	again := now.Add(min(max(now.Sub(since), 30*time.Second), longestHold))
	if end > now {
		again = min(again, end)
	}
	return again
}

// sendsNamed is the set of sends whose records a decision on sub needs.
func sendsNamed(sub *Subscriber, except string) []string {
	var ids []string
	for _, r := range sub.Reservations {
		if r.SendID != except && !slices.Contains(ids, r.SendID) {
			ids = append(ids, r.SendID)
		}
	}
	return ids
}
