package submsg

import (
	"slices"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// facts gathers what the rules need to know about one send to one subscriber. sub is settled already. The
// send's own earlier attempts are not part of its history.
func facts(now time.Time, app *App, t *Template, sub *Subscriber, s *Send, health *Health) policy.Request {
	agreed := sub.Subscription(t.ID)
	req := policy.Request{
		Now: now, App: &app.Rules, Template: &t.Template,
		Credits: credits(&agreed, app, At(now)), Active: agreed.State == StateActive,
		Revoked: agreed.State == StateRevoked, Banned: agreed.State == StateBanned,
		TryAnyway: s.TryAnyway, Scheduled: s.Schedule != "", Muted: agreed.Muted,
		Zone: zoneOf(sub), QuietHours: quietOf(sub),
		History: history(sub, s.ID), Data: s.Data,
		Fingerprint: policy.Fingerprint(t.ID, s.Data), Trigger: policy.HashKey(s.Trigger), PeriodKey: periodKey(t, s.Data),
		ValidUntil: s.ValidUntil.Time(), JitterSeed: policy.HashKey(s.ID),
	}
	if health != nil {
		for _, h := range health.Holds {
			if h.TemplateID == "" || h.TemplateID == t.ID {
				req.Suspended = append(req.Suspended, h.rule())
			}
		}
	}
	return req
}

// credits are those that count now: an app may give one-time credits a shelf life of its own.
func credits(s *Subscription, app *App, now Instant) int {
	if life := app.Rules.ShelfLife; life > 0 && now.Sub(s.AcceptedAt) > life {
		return 0
	}
	return s.Credits
}

func periodKey(t *Template, data map[string]string) uint64 {
	if t.Kind != policy.LongTermLimited {
		return 0
	}
	if t.KeyField == "" {
		return policy.HashKey(t.ID)
	}
	return policy.HashKey(strings.TrimSpace(data[t.KeyField]))
}

// history is every earlier send that still counts, open reservations included, newest last.
func history(sub *Subscriber, except string) []policy.Sent {
	n := len(sub.Reservations)
	for i := range sub.Subscriptions {
		n += len(sub.Subscriptions[i].Recent)
	}
	if n == 0 {
		return nil
	}
	sent := make([]policy.Sent, 0, n)
	for i := range sub.Subscriptions {
		for _, r := range sub.Subscriptions[i].Recent {
			if r.SendID != except && r.NotSent == 0 {
				sent = append(sent, policy.Sent{TemplateID: sub.Subscriptions[i].TemplateID, At: r.At.Time(), Fingerprint: r.Fingerprint, Trigger: r.Trigger, PeriodKey: r.PeriodKey, Urgent: r.Urgent})
			}
		}
	}
	for _, r := range sub.Reservations {
		if r.SendID != except {
			sent = append(sent, policy.Sent{TemplateID: r.TemplateID, At: r.At.Time(), Fingerprint: r.Fingerprint, Trigger: r.Trigger, PeriodKey: r.PeriodKey, Urgent: r.Urgent})
		}
	}
	slices.SortStableFunc(sent, func(a, b policy.Sent) int { return a.At.Compare(b.At) })
	return sent
}

func quietOf(sub *Subscriber) *policy.Window {
	if sub.QuietHours == "" {
		return nil
	}
	w, err := policy.ParseWindow(sub.QuietHours)
	if err != nil {
		return nil // it was validated when it was set; a record from elsewhere falls back to the app's
	}
	return &w
}

func zoneOf(sub *Subscriber) *time.Location {
	if sub.TimeZone == "" {
		return nil
	}
	z, err := time.LoadLocation(sub.TimeZone)
	if err != nil {
		return nil
	}
	return z
}

// rule is the hold as the rules see it.
func (h Hold) rule() policy.Hold {
	p := policy.Hold{Rule: h.Rule, Until: h.Until.Time(), Scope: policy.ScopeApp, Code: h.Code, Strikes: h.Strike}
	if h.TemplateID != "" {
		p.Scope = policy.ScopeTemplate
	}
	return p
}

// reasonOf is the first, decisive reason of a decision as a send stores it.
func reasonOf(d policy.Decision) *Reason {
	if len(d.Reasons) == 0 {
		return nil
	}
	return stored(d.Reasons[0])
}

// besides are the other reasons of a refusal.
func besides(d policy.Decision) []Reason {
	var more []Reason
	for i := 1; i < len(d.Reasons); i++ {
		more = append(more, *stored(d.Reasons[i]))
	}
	return more
}

func stored(r policy.Reason) *Reason {
	return &Reason{Code: r.Code, Detail: r.Detail, DetailZH: r.DetailZH, Field: r.Field, Word: r.Word, Until: At(r.Until)}
}
