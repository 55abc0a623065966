package submsg

import (
	"slices"
	"time"
)

// How long and how many earlier sends a subscription remembers: caps look back seven days, limited-period
// templates a month, and a sent event may mean any of the last few.
const (
	recentDays   = 7 * 24 * time.Hour
	periodDays   = 31 * 24 * time.Hour
	recentKept   = 4
	recentAtMost = 64
)

// settled says what became of the attempt that a reservation holds, if the send (nil: no record) tells.
//
// The number of the attempt is the fence: a record that was written before the attempt began (a
// refusal, a cancellation, a queued send) says nothing about it, whatever its state. No record of it any more, after the
// time that ended sends are kept, means that it has ended: what its credit was is forgotten, and so it is spent.
func settled(r Reservation, s *Send, now Instant) (CreditEffect, bool) {
	switch {
	case s == nil && now.Sub(r.At) >= keepFinal:
		return CreditSpent, true
	case s == nil || s.Attempts < r.Attempt || s.State == SendUnknown && s.Credit == CreditNone && s.Attempts == r.Attempt:
		return CreditNone, false
	case s.Attempts > r.Attempt:
		return CreditReturned, true // another attempt was begun, and that only follows a definite "not sent"
	default:
		return s.Credit, true
	}
}

// blocking reports whether the reservation keeps other sends to the subscriber waiting. An unknown send keeps
// its reservation until its verdict, and blocks nobody.
func blocking(r Reservation, s *Send, now Instant) bool {
	_, done := settled(r, s, now)
	return !done && (s == nil || s.State != SendUnknown || s.Attempts < r.Attempt)
}

// settle clears the reservations whose sends have a settled result and applies what they did: the rule
// "keep". sends holds the record of every open reservation's send that has one. The result is sub itself
// where nothing is settled.
func settle(sub *Subscriber, sends map[string]*Send, now Instant) *Subscriber {
	if !slices.ContainsFunc(sub.Reservations, func(r Reservation) bool { _, ok := settled(r, sends[r.SendID], now); return ok }) {
		return sub
	}
	next := sub.clone()
	next.Reservations = next.Reservations[:0]
	for _, r := range sub.Reservations {
		effect, ok := settled(r, sends[r.SendID], now)
		if !ok {
			next.Reservations = append(next.Reservations, r)
			continue
		}
		s := next.subscription(r.TemplateID)
		switch effect {
		case CreditReturned:
			s.Credits += r.Credit
			if o := sends[r.SendID]; o.Attempts == r.Attempt && foundNotSent(o) {
				s.remember(Recent{SendID: r.SendID, At: r.At, NotSent: r.Attempt, Returned: r.Credit})
			}
		case CreditZeroed: // 43101: nothing was left, save what was accepted since the attempt began
			if r.LongTerm && r.Later == 0 && s.State == StateActive {
				s.State = StateRevoked
			}
			s.Credits = min(s.Credits, r.Later)
			next.forget(r)
		default:
			s.remember(Recent{SendID: r.SendID, At: r.At, Fingerprint: r.Fingerprint, Trigger: r.Trigger, PeriodKey: r.PeriodKey, Urgent: r.Urgent})
		}
	}
	return next
}

// forget voids what may still be given back for attempts of before r, which found that WeChat knows of no grant: nothing
// of the balance of then is left.
func (sub *Subscriber) forget(r Reservation) {
	for i := range sub.Reservations {
		if o := &sub.Reservations[i]; o.TemplateID == r.TemplateID && o.At <= r.At {
			o.Credit = 0
		}
	}
	s := sub.subscription(r.TemplateID)
	for i := range s.Recent {
		s.Recent[i].Returned = 0
	}
}

// correct takes back what was given back for an attempt that had been found "not sent" and went out after all. The result
// is sub itself where nothing is to be taken.
func correct(sub *Subscriber, sendID string, attempt int) *Subscriber {
	for i := range sub.Subscriptions {
		j := slices.IndexFunc(sub.Subscriptions[i].Recent, func(r Recent) bool { return r.SendID == sendID && r.NotSent == attempt })
		if j < 0 || attempt == 0 {
			continue
		}
		next := sub.clone()
		s := &next.Subscriptions[i]
		s.Credits = max(0, s.Credits-s.Recent[j].Returned)
		s.Recent[j].NotSent, s.Recent[j].Returned = 0, 0
		return next
	}
	return sub
}

// remember adds a send to the recent ones and forgets those that no rule and no event can ask for any more.
func (s *Subscription) remember(r Recent) {
	i, _ := slices.BinarySearchFunc(s.Recent, r.At, func(x Recent, at Instant) int { return int(x.At - at) })
	s.Recent = slices.Insert(s.Recent, i, r)
	newest, n := s.Recent[len(s.Recent)-1].At, len(s.Recent)
	kept := s.Recent[:0]
	for i, x := range s.Recent {
		age := newest.Sub(x.At)
		if i >= n-recentKept || i >= n-recentAtMost && (age < recentDays || x.PeriodKey != 0 && age < periodDays) {
			kept = append(kept, x)
		}
	}
	s.Recent = kept
}
