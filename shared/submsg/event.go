package submsg

import "time"

// SentEvent is WeChat's final word on one message: subscribe_msg_sent_event, or the older
// TEMPLATESENDJOBFINISH.
type SentEvent struct {
	OpenID      string
	TemplateID  string // "" in the older event
	MsgID       int64  // 0 where it is left out
	Code        int    // 0: delivered
	Status      string
	At          Instant // CreateTime, in whole seconds
	Fingerprint uint64
}

// clockSlack is how far WeChat's clock and ours may be apart when an event without msgid is matched by time.
const clockSlack = time.Minute

// candidate is a send that a sent event may mean: a recent one or an open reservation.
type candidate struct {
	sendID  string
	attempt int // 0: a recent send, whose record knows
	at      Instant
	r       *Reservation
	notSent int // a recent attempt that a verdict found "not sent"
}

// candidates lists what a sent event may mean, oldest first: the subscriber's recent sends of the template and
// its open reservations. So no second index is needed.
func candidates(sub *Subscriber, templateID string) []candidate {
	var cs []candidate
	for i := range sub.Subscriptions {
		if s := &sub.Subscriptions[i]; templateID == "" || s.TemplateID == templateID {
			for _, r := range s.Recent {
				cs = append(cs, candidate{sendID: r.SendID, at: r.At, notSent: r.NotSent})
			}
		}
	}
	for i := range sub.Reservations {
		if r := &sub.Reservations[i]; templateID == "" || r.TemplateID == templateID {
			cs = append(cs, candidate{sendID: r.SendID, attempt: r.Attempt, at: r.At, r: r})
		}
	}
	return cs
}

// matchEvent finds the send that an event means among the candidates (sends[i] is the record of cs[i], nil if
// there is none yet); -1 if no send fits. applied is true where the event was applied to it already.
//
// A msgid decides where both sides have one. Else it is the newest attempt without an event that had begun when the
// event was made: events follow their sends within seconds. Where the clocks disagree so far that none had, it is
// the oldest. An attempt that was found "not sent" is meant where no other can be, within a day: then the verdict was wrong,
// whatever became of the send since.
func matchEvent(cs []candidate, sends []*Send, ev SentEvent) (i int, applied bool) {
	for i, s := range sends {
		if c := cs[i]; s != nil && c.notSent != 0 && c.notSent != s.Attempts {
			continue // what the record says is of a later attempt
		}
		if s != nil && s.EventAt != 0 && (s.EventPrint == ev.Fingerprint || ev.MsgID != 0 && s.MsgID == ev.MsgID) {
			return i, true
		}
		if s != nil && ev.MsgID != 0 && s.MsgID == ev.MsgID {
			return i, false
		}
	}
	best := -1
	for i, c := range cs {
		if c.notSent != 0 {
			continue
		}
		s := sends[i]
		if c.at > ev.At.Add(time.Second).Add(clockSlack) {
			continue
		}
		switch {
		case s == nil || c.r != nil && s.Attempts < c.r.Attempt: // under way, or its worker died
			if c.r == nil {
				continue
			}
		case s.EventAt != 0 || ev.MsgID != 0 && s.MsgID != 0:
			continue
		case s.State != SendUnknown && s.State != SendSent && !foundNotSent(s):
			continue
		}
		before, sofar := c.at <= ev.At.Add(time.Second), best >= 0 && cs[best].at <= ev.At.Add(time.Second)
		switch {
		case best < 0, before && !sofar, before && c.at > cs[best].at, !before && !sofar && c.at < cs[best].at:
			best = i
		}
	}
	for i := len(cs) - 1; i >= 0 && best < 0; i-- {
		if c := cs[i]; c.notSent != 0 && sends[i] != nil && c.at <= ev.At.Add(time.Second).Add(clockSlack) && ev.At.Sub(c.at) <= giveUpVerdict {
			best = i
		}
	}
	return best, false
}

// applyEvent is the send after its event. It stands above every other account of the send.
func applyEvent(app string, c candidate, s *Send, ev SentEvent, now Instant) *Send {
	var next Send
	if s != nil {
		next = *s
	} else {
		next = Send{ID: c.sendID, AppID: app, OpenID: ev.OpenID, TemplateID: c.r.TemplateID, CreatedAt: c.r.At}
	}
	if c.r != nil {
		next.Attempts, next.AttemptAt = max(next.Attempts, c.r.Attempt), max(next.AttemptAt, c.r.At)
	}
	next.EventAt, next.EventPrint, next.UpdatedAt = ev.At, ev.Fingerprint, now
	if next.MsgID == 0 {
		next.MsgID = ev.MsgID
	}
	if c.notSent == 0 || c.notSent >= next.Attempts || next.Credit == CreditNone { // else it is of an attempt after it, whose reservation may be open
		next.Credit = CreditSpent
	}
	next.NotSent, next.Reason = 0, nil
	next.State = SendDelivered
	if ev.Code != 0 {
		next.State = SendFailed
		next.Reason = &Reason{Code: "delivery_failed", Detail: "WeChat accepted the message and could not deliver it: " + ev.Status, DetailZH: "微信已受理但未能送达：" + ev.Status}
		next.WeChat = &Answer{Code: ev.Code, Msg: ev.Status}
	}
	return &next
}
