package policy

import (
	"fmt"
	"time"
)

// holdRecheck is when a hold without an end is looked at again.
const holdRecheck = 24 * time.Hour

// Decide answers what becomes of a message. It stops at nothing: every rule
// that applies is among the reasons, in a fixed order, whatever the outcome. A
// moment that has passed outranks a refusal, a refusal outranks a deferral.
//
// Decide keeps nothing and changes nothing; it may be called from any number
// of goroutines.
func (e *Engine) Decide(r Request) Decision {
	if r.App == nil || r.Template == nil {
		return Decision{Outcome: Refuse, Due: r.Now, Reasons: []Reason{{
			Code:     RuleConsent,
			Detail:   "The app or the template is not known, so nobody can have agreed to it; add it to the configuration.",
			DetailZH: "应用或模板未配置，无法认定用户同意；请先在配置中添加。",
		}}}
	}

	var reasons []Reason
	expired := !r.ValidUntil.IsZero() && !r.Now.Before(r.ValidUntil)
	if expired {
		reasons = append(reasons, reasonExpired(&r))
	}
	before := len(reasons)
	reasons = appendConsent(reasons, &r)
	reasons = appendPreference(reasons, &r)
	reasons = appendBurst(reasons, &r)
	reasons = appendPeriod(reasons, &r)
	reasons = e.appendWords(reasons, r.App, r.Template, r.Data)
	reasons = append(reasons, r.Problems...)
	refused := len(reasons) > before

	plan := r.firstAllowed()
	reasons = append(reasons, plan.reasons...)

	switch {
	case expired:
		return Decision{Outcome: Expire, Due: r.Now, Reasons: reasons}
	case refused || plan.tooLate:
		return Decision{Outcome: Refuse, Due: r.Now, Reasons: reasons}
	case plan.held || plan.due.After(r.Now):
		return Decision{Outcome: Defer, Due: plan.due, Held: plan.held, Reasons: reasons}
	default:
		return Decision{Outcome: Send, Due: r.Now}
	}
}

// timing is when caps, quiet hours and holds let a message go.
type timing struct {
	due     time.Time
	held    bool // a hold decides due
	tooLate bool // caps or quiet hours reach beyond valid_until
	reasons []Reason
}

// firstAllowed finds the first moment that every rule of time allows. Caps and
// holds only ever end, and quiet hours come back daily: so it is the end of the
// quiet hours around the latest end of caps and holds, and no search is needed.
func (r *Request) firstAllowed() timing {
	capped, reasons := r.capEnd(nil)
	holdEnd, endless, reasons := r.holdEnd(reasons)
	held := endless || holdEnd.After(r.Now)

	quiet := r.quietHours()
	if r.Template.urgent() {
		quiet = Window{}
	}
	zone := r.zone()

	// The moment without holds tells whether the message can go in time at all:
	// a hold alone refuses nothing, an operator may end it in a minute.
	free := latest(r.Now, capped)
	freeDue := quiet.End(free, zone)
	base := latest(free, holdEnd)
	due := quiet.End(base, zone)

	if due.After(base) || freeDue.After(free) {
		from, until := base, due
		if !due.After(base) {
			from, until = free, freeDue
		}
		reasons = append(reasons, reasonQuiet(r, quiet, from, until))
	}
	if !r.ValidUntil.IsZero() && !freeDue.Before(r.ValidUntil) {
		for i := range reasons {
			if reasons[i].Code == RuleFrequencyCap || reasons[i].Code == RuleQuietHours {
				reasons[i] = tooLate(reasons[i], r)
			}
		}
		return timing{due: r.Now, tooLate: true, reasons: reasons}
	}
	if due.After(base) {
		due = r.jitter(due, quiet)
	}
	if endless {
		due = latest(due, r.Now.Add(holdRecheck))
	}
	if held && !r.ValidUntil.IsZero() && due.After(r.ValidUntil) {
		due = r.ValidUntil
	}
	return timing{due: due, held: held, reasons: reasons}
}

// holdEnd is when the last of the standing holds ends; endless is true where
// one has no end.
func (r *Request) holdEnd(reasons []Reason) (end time.Time, endless bool, _ []Reason) {
	for _, h := range r.Suspended {
		if !h.active(r.Now) {
			continue
		}
		if h.Until.IsZero() {
			endless = true
		}
		end = latest(end, h.Until)
		reasons = append(reasons, reasonHold(r, h))
	}
	return end, endless, reasons
}

func reasonHold(r *Request, h Hold) Reason {
	until, untilZH := "until an operator resumes", "直至管理员恢复"
	if !h.Until.IsZero() {
		at := r.clock(h.Until)
		until, untilZH = "until "+at+", or an operator resumes", "至 "+at+"，或由管理员提前恢复"
	}
	code := ""
	if h.Code != 0 {
		code = fmt.Sprintf(" (errcode %d)", h.Code)
	}
	reason := Reason{Code: h.Rule, Until: h.Until}
	if h.Rule == RuleDailyQuota {
		reason.Detail = fmt.Sprintf("The app's daily quota at WeChat is spent%s; the message waits %s.", code, until)
		reason.DetailZH = fmt.Sprintf("应用当日的微信接口额度已用完%s；消息等待%s。", code, untilZH)
		return reason
	}
	reason.Code = RuleSuspended
	what, whatZH := "the template", "模板"
	if h.Scope == ScopeApp {
		what, whatZH = "the app", "应用"
	}
	reason.Detail = fmt.Sprintf("WeChat has blocked %s%s, strike %d; the message waits %s.", what, code, max(h.Strikes, 1), until)
	reason.DetailZH = fmt.Sprintf("微信已封禁%s的发送能力%s，第 %d 次处罚；消息等待%s。", whatZH, code, max(h.Strikes, 1), untilZH)
	return reason
}

func reasonQuiet(r *Request, quiet Window, from, until time.Time) Reason {
	when, whenZH := "It is", "当前"
	if from.After(r.Now) {
		when, whenZH = "The earliest moment falls", "最早可发时刻"
	}
	at := r.clock(until)
	return Reason{
		Code: RuleQuietHours,
		Detail: fmt.Sprintf("%s in the quiet hours %s of %s; routine messages go from %s.",
			when, quiet, r.zone(), at),
		DetailZH: fmt.Sprintf("%s处于免打扰时段 %s（%s）；常规消息自 %s 起发送。",
			whenZH, quiet, r.zone(), at),
		Until: until,
	}
}

func reasonExpired(r *Request) Reason {
	at := r.clock(r.ValidUntil)
	return Reason{
		Code:     RuleValidUntil,
		Detail:   fmt.Sprintf("The message was of use until %s; that moment has passed, so it is not sent.", at),
		DetailZH: fmt.Sprintf("消息的有效期至 %s，现已过期，不再发送。", at),
	}
}

// tooLate marks a rule of time that reaches beyond valid_until.
func tooLate(reason Reason, r *Request) Reason {
	at := r.clock(r.ValidUntil)
	reason.Detail += fmt.Sprintf(" That is not before its valid_until, %s, so it is refused.", at)
	reason.DetailZH += fmt.Sprintf("该时刻不早于有效期 %s，因此拒绝发送。", at)
	return reason
}

// clock writes a moment as the reader's wall shows it.
func (r *Request) clock(t time.Time) string { return clock(t, r.zone()) }

func clock(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02 15:04:05 -07:00")
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
