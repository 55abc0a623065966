package submsg

import (
	"slices"
	"strings"
	"time"
)

// Bounds of the subscriber's lists and windows.
const (
	// PairingWindow is how far apart the two feeds may put one accept. Mispairing inside it can only
	// undercount.
	PairingWindow = 10 * time.Minute

	// acceptsKept is how long an accept waits for its other announcement: a report that the mini program kept
	// until its next start may come that late.
	acceptsKept = reportPast + PairingWindow

	maxSeen = 12 // grant events remembered; older ones are looked up in the history
	// reportRepeatable is how long after the first time a report that has no time of its own may be repeated.
	reportRepeatable = 24 * time.Hour
	maxAccepts       = 16 // accepts remembered, per subscription
	maxTopics        = 20 // topics a subscriber follows
	maxReservations  = 16 // open reservations, nearly all of them unknown sends
)

// Grant is one decision of a user on one template, as one of the feeds announced it.
type Grant struct {
	TemplateID  string
	LongTerm    bool
	Decision    string // as WeChat spells it: accept, acceptWithAudio, reject, ban, filter …
	Source      Source
	Event       string  // the event's name, or "report"
	At          Instant // when the user decided, by the feed's clock; not after Arrived, for the ledger
	Arrived     Instant
	Fingerprint uint64 // of the content; the same for every delivery of one event
	Scene       string
	Topics      []string
	Replayed    bool // the history already holds this fingerprint
}

// Effect says what a grant did to the subscription; the history keeps it.
type Effect string

// The effects of a grant.
const (
	EffectCredited  Effect = "credited"  // a one-time accept: one more credit
	EffectActivated Effect = "activated" // a long-term accept
	EffectPaired    Effect = "paired"    // the other feed announced this accept already
	EffectDuplicate Effect = "duplicate" // this very event was applied already
	EffectStale     Effect = "stale"     // a newer decision of the user is known
	EffectRevoked   Effect = "revoked"   // a reject: nothing may be sent any more
	EffectBanned    Effect = "banned"
	EffectIgnored   Effect = "ignored" // filter, and words WeChat may invent: no grant
)

// Accepted reports whether WeChat's word for a decision means yes: accept, acceptWithAudio,
// acceptWithAlert and what may follow (developers.weixin.qq.com, wx.requestSubscribeMessage, wx.getSetting).
func Accepted(decision string) bool { return strings.HasPrefix(decision, "accept") }

// applyGrant is the ledger's first half: what a decision of the user does to the record. It returns the
// next record (or sub itself where nothing changes) and the effect.
func applyGrant(sub *Subscriber, g Grant) (*Subscriber, Effect) {
	if g.Replayed || slices.Contains(sub.Seen, g.Fingerprint) {
		return sub, EffectDuplicate
	}
	if sub.beforeErasure(g) {
		return sub, EffectStale
	}
	g.At = min(g.At, g.Arrived) // a clock that is fast must not outlast the user's next decision
	next := sub.clone()
	next.Seen = append(next.Seen, g.Fingerprint)
	if n := len(next.Seen); n > maxSeen {
		next.Seen = next.Seen[n-maxSeen:]
	}
	next.ActiveAt = max(next.ActiveAt, g.Arrived)
	s := next.subscription(g.TemplateID)
	s.Accepts = slices.DeleteFunc(s.Accepts, func(a Accept) bool { return g.Arrived.Sub(a.Arrived) > acceptsKept })
	switch {
	case Accepted(g.Decision):
		next.addTopics(g.Topics)
		return next, next.accept(s, g)
	case g.Decision == "reject":
		return next, next.reject(s, g)
	case g.Decision == "ban":
		s.State, s.UpdatedAt = StateBanned, g.Arrived
		return next, EffectBanned
	default:
		return next, EffectIgnored
	}
}

// beforeErasure reports whether a grant is of before the person was erased, delivered late.
func (sub *Subscriber) beforeErasure(g Grant) bool { return second(g.At) < second(sub.ErasedAt) }

func (sub *Subscriber) accept(s *Subscription, g Grant) Effect {
	if a := s.counterpart(g); a != nil {
		a.Paired = true
		return EffectPaired
	}
	if s.wasDropped(g) {
		return EffectPaired
	}
	stale := second(s.RejectedAt) > second(g.At)
	if len(s.Accepts) == maxAccepts { // those that have met their counterpart are the first to go
		i := max(slices.IndexFunc(s.Accepts, func(a Accept) bool { return a.Paired }), 0)
		if a := s.Accepts[i]; !a.Paired {
			s.drop(a)
		}
		s.Accepts = slices.Delete(s.Accepts, i, i+1)
	}
	s.Accepts = append(s.Accepts, Accept{Source: g.Source, At: g.At, Arrived: g.Arrived, Credited: !stale})
	if stale {
		return EffectStale
	}
	active := s.State == StateActive
	s.State, s.Refusals, s.UpdatedAt = StateActive, 0, g.Arrived
	s.AcceptedAt = max(s.AcceptedAt, g.At)
	for i := range sub.Reservations {
		if r := &sub.Reservations[i]; r.TemplateID == g.TemplateID {
			r.Later++
		}
	}
	if g.LongTerm {
		if !active { // after an erasure the count goes on above any that was reached before
			s.Generation = max(s.Generation, int(sub.ErasedAt/1000)) + 1
		}
		return EffectActivated
	}
	s.Credits++
	return EffectCredited
}

// counterpart finds the accept of the other feed that g announces again: the one nearest by the user's clock, else
// one that arrived at about the same time, since a reporter's clock may be wrong.
func (s *Subscription) counterpart(g Grant) *Accept {
	var best *Accept
	for i := range s.Accepts {
		a := &s.Accepts[i]
		if a.Source == g.Source || a.Paired {
			continue
		}
		if !a.Credited && g.Source == SourcePush && s.PushedNo != 0 && second(g.At) > second(s.PushedNo) {
			continue // WeChat told of a reject between them: this is another decision
		}
		switch {
		case near(a.At, g.At):
			if best == nil || !near(best.At, g.At) || apart(a.At, g.At) < apart(best.At, g.At) {
				best = a
			}
		case near(a.Arrived, g.Arrived) && best == nil:
			best = a
		}
	}
	return best
}

// drop counts an accept that is forgotten unpaired.
func (s *Subscription) drop(a Accept) {
	i := slices.IndexFunc(s.Dropped, func(d Dropped) bool { return d.Source == a.Source })
	if i < 0 {
		i, s.Dropped = len(s.Dropped), append(s.Dropped, Dropped{Source: a.Source})
	}
	d := &s.Dropped[i]
	d.N, d.At, d.Arrived = d.N+1, max(d.At, a.At), max(d.Arrived, a.Arrived)
}

// wasDropped reports whether g may announce an accept again that was forgotten unpaired, and counts it as paired. In doubt
// it does: that can only undercount.
func (s *Subscription) wasDropped(g Grant) bool {
	s.Dropped = slices.DeleteFunc(s.Dropped, func(d Dropped) bool { return g.Arrived.Sub(d.Arrived) > acceptsKept })
	for i := range s.Dropped {
		d := &s.Dropped[i]
		if d.Source == g.Source || g.At.Sub(d.At) > PairingWindow && !near(d.Arrived, g.Arrived) {
			continue
		}
		if d.N--; d.N == 0 {
			s.Dropped = slices.Delete(s.Dropped, i, i+1)
		}
		return true
	}
	return false
}

func (sub *Subscriber) reject(s *Subscription, g Grant) Effect {
	refusedAt := s.RejectedAt
	s.RejectedAt = max(s.RejectedAt, g.At)
	if g.Source == SourcePush {
		s.PushedNo = max(s.PushedNo, g.At)
	}
	for i := range s.Recent { // what came back is void like the rest: a late event has nothing to take
		s.Recent[i].Returned = 0
	}
	if second(s.AcceptedAt) > second(g.At) { // delivered late: only what was accepted before it is void
		later := 0
		for i := range s.Accepts {
			if a := &s.Accepts[i]; second(a.At) > second(g.At) && a.Credited {
				later++
			} else {
				a.Credited = false
			}
		}
		s.Credits = min(s.Credits, later)
		return EffectStale
	}
	if refusedAt == 0 || !near(refusedAt, g.At) || second(s.AcceptedAt) > second(refusedAt) {
		s.Refusals++ // both feeds announce one refusal; it counts once
	}
	s.State, s.Credits, s.UpdatedAt = StateRevoked, 0, g.Arrived
	for i := range s.Accepts {
		s.Accepts[i].Credited = false
	}
	for i := range sub.Reservations {
		if r := &sub.Reservations[i]; r.TemplateID == g.TemplateID {
			r.Credit, r.Later = 0, 0 // a call under way cannot be stopped, but nothing comes back from it
		}
	}
	return EffectRevoked
}

// near reports whether two instants can belong to one decision of the user.
func near(a, b Instant) bool { return apart(a, b) <= PairingWindow }

func apart(a, b Instant) time.Duration { return max(a, b).Sub(min(a, b)) }

// second is the resolution in which WeChat tells the time of an event, and so the finest one in which the
// two feeds' clocks can be compared.
func second(i Instant) Instant { return i / 1000 }

// subscription finds or makes the subscription to a template in a record that is being built.
func (sub *Subscriber) subscription(templateID string) *Subscription {
	i, found := slices.BinarySearchFunc(sub.Subscriptions, templateID, func(s Subscription, id string) int { return strings.Compare(s.TemplateID, id) })
	if !found {
		sub.Subscriptions = slices.Insert(sub.Subscriptions, i, Subscription{TemplateID: templateID, State: StateNone})
	}
	return &sub.Subscriptions[i]
}

// Subscription reads the subscription to a template; the zero subscription, in StateNone, if there is none.
func (sub *Subscriber) Subscription(templateID string) Subscription {
	for i := range sub.Subscriptions {
		if sub.Subscriptions[i].TemplateID == templateID {
			return sub.Subscriptions[i]
		}
	}
	return Subscription{TemplateID: templateID, State: StateNone}
}

// addTopics follows more topics, as far as there is room: those that are followed stay.
func (sub *Subscriber) addTopics(topics []string) {
	all := slices.Clone(sub.Topics)
	for _, t := range topics {
		if len(all) < maxTopics && !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	sub.setTopics(all)
}

// setTopics replaces the topics the subscriber follows, at most maxTopics. A change begins a new generation of every
// subscription, so that the removal of an old topic's entry cannot hit one that was written since.
func (sub *Subscriber) setTopics(topics []string) {
	topics = slices.Compact(slices.Sorted(slices.Values(topics)))
	if slices.Equal(topics, sub.Topics) {
		return
	}
	sub.Topics = topics
	for i := range sub.Subscriptions {
		if s := &sub.Subscriptions[i]; s.Generation > 0 {
			s.Generation++
		}
	}
}

// clone copies the record as deep as decisions change it.
func (sub *Subscriber) clone() *Subscriber {
	next := *sub
	next.Subscriptions = slices.Clone(sub.Subscriptions)
	for i := range next.Subscriptions {
		s := &next.Subscriptions[i]
		s.Accepts, s.Recent, s.Dropped = slices.Clone(s.Accepts), slices.Clone(s.Recent), slices.Clone(s.Dropped)
	}
	next.Reservations = slices.Clone(sub.Reservations)
	next.Seen = slices.Clone(sub.Seen)
	next.Topics = slices.Clone(sub.Topics)
	return &next
}
