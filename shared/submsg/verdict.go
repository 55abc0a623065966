package submsg

import "time"

// DefaultUnknownAfter is how long a sent event is waited for before evidence decides on an unknown send.
const (
	DefaultUnknownAfter = 2 * time.Minute
	MinUnknownAfter     = 30 * time.Second

	// giveUpVerdict is when an unknown send stops being looked at: it stays unknown, visibly, and its credit spent. Its
	// reservation ends with it, or the send's own end would make it anew.
	giveUpVerdict = 24 * time.Hour
)

// markUnknown is the account of an attempt whose worker left nothing but its reservation: past its lease, with
// no answer, it is unknown, whatever an earlier record says (the rule "outrank"). stored may be nil.
func markUnknown(app, openid string, r Reservation, stored *Send, now Instant, after time.Duration) outcome {
	next := Send{ID: r.SendID, AppID: app, OpenID: openid, TemplateID: r.TemplateID, CreatedAt: r.At}
	if stored != nil {
		next = *stored
	}
	if next.wentOut() {
		return outcome{send: next.stands(&Send{Attempts: r.Attempt, AttemptAt: r.At, UpdatedAt: now})}
	}
	next.Attempts, next.AttemptAt, next.UpdatedAt, next.WeChat = r.Attempt, r.At, now, nil
	o := unknown(&next, now, after, Reason{Code: "no_answer", Detail: "the worker that made the call left no answer; whether the message went out is not known yet", DetailZH: "执行进程中断，消息是否发出暂不可知"})
	o.due = max(o.due, now.Add(MinUnknownAfter))
	return o
}

// judge gives the verdict on an unknown send that is due: evidence is the latest attempt of the app whose
// sent event has arrived. Where events of later attempts came and this one's did not, it was not sent.
func judge(s *Send, evidence, now Instant, after time.Duration) outcome {
	next := *s
	next.UpdatedAt = now
	if evidence <= s.AttemptAt {
		age := now.Sub(s.AttemptAt)
		if age >= giveUpVerdict {
			next.Credit = CreditSpent
			return outcome{send: &next}
		}
		return outcome{send: &next, due: now.Add(max(after/4, age/2))}
	}
	next.Credit, next.NotSent = CreditReturned, next.Attempts
	if s.OnUnknown == OnUnknownResend && s.Data != nil && (s.ValidUntil == 0 || now < s.ValidUntil) {
		next.State = SendQueued
		next.Reason = &Reason{Code: notSent, Detail: "no sent event came while later sends' did: it was not sent, and goes again", DetailZH: "后续消息均有送达回执而此条没有，判定未发出，重新发送"}
		return outcome{send: &next, due: now}
	}
	next.State = SendFailed
	next.Reason = &Reason{Code: notSent, Detail: "no sent event came while later sends' did: it was not sent, and its credit was given back", DetailZH: "后续消息均有送达回执而此条没有，判定未发出，额度已退回"}
	return outcome{send: &next}
}

// notSent is the code of the reason that a verdict leaves.
const notSent = "not_sent"

// foundNotSent reports whether the last attempt of a send was found "not sent" by a verdict, whatever became of the send
// since.
func foundNotSent(s *Send) bool { return s.NotSent != 0 && s.NotSent == s.Attempts }

// overturned reports whether next, a send that went out, contradicts a credit that was given back for the very same
// attempt: it had been found "not sent". What an earlier attempt gave back stays given back.
func overturned(was, next *Send) bool {
	return was != nil && was.Credit == CreditReturned && next.Credit == CreditSpent && was.Attempts == next.Attempts
}
