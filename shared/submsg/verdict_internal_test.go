package submsg

import (
	"testing"
	"time"
)

func TestTheVerdictOnAnUnknownSend(t *testing.T) {
	const began = Instant(1_790_000_000_000)
	data := map[string]string{"thing1": "x"}
	for _, tc := range []struct {
		name     string
		send     Send
		evidence Instant
		after    time.Duration // since the attempt
		state    SendState
		credit   CreditEffect
		again    bool
	}{
		{"no later event came: it stays unknown and is looked at again", Send{OnUnknown: OnUnknownResend, Data: data}, began, 2 * time.Minute, SendUnknown, CreditNone, true},
		{"evidence of an earlier attempt is none", Send{OnUnknown: OnUnknownResend, Data: data}, began - 1, time.Hour, SendUnknown, CreditNone, true},
		{"a day without evidence: it stays unknown, visibly, for good, and its credit spent", Send{}, 0, 24 * time.Hour, SendUnknown, CreditSpent, false},
		{"a later event came, fail: failed, given back", Send{Data: data}, began + 1, 2 * time.Minute, SendFailed, CreditReturned, false},
		{"a later event came, fail by name", Send{OnUnknown: OnUnknownFail, Data: data}, began + 1, 2 * time.Minute, SendFailed, CreditReturned, false},
		{"a later event came, resend: queued at once", Send{OnUnknown: OnUnknownResend, Data: data}, began + 1, 2 * time.Minute, SendQueued, CreditReturned, true},
		{"resend while it is of use", Send{OnUnknown: OnUnknownResend, Data: data, ValidUntil: began + 120_001}, began + 1, 2 * time.Minute, SendQueued, CreditReturned, true},
		{"resend too late", Send{OnUnknown: OnUnknownResend, Data: data, ValidUntil: began + 120_000}, began + 1, 2 * time.Minute, SendFailed, CreditReturned, false},
		{"resend, but only the reservation was left and its data are gone", Send{OnUnknown: OnUnknownResend}, began + 1, 2 * time.Minute, SendFailed, CreditReturned, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := tc.send
			s.ID, s.State, s.Attempts, s.AttemptAt = "s", SendUnknown, 1, began
			now := began.Add(tc.after)
			o := judge(&s, tc.evidence, now, DefaultUnknownAfter)
			if o.send.State != tc.state || o.send.Credit != tc.credit || (o.due != 0) != tc.again {
				t.Errorf("%s, credit %q, due %d; want %s, %q, again %v", o.send.State, o.send.Credit, o.due, tc.state, tc.credit, tc.again)
			}
			if tc.state == SendUnknown && tc.again && o.due.Sub(now) < DefaultUnknownAfter/4 {
				t.Errorf("looked at again after %s already", o.due.Sub(now))
			}
			if tc.state != SendUnknown && (o.send.Reason == nil || o.send.Reason.Code != "not_sent") {
				t.Errorf("reason %+v", o.send.Reason)
			}
			if s.State != SendUnknown || s.UpdatedAt != 0 {
				t.Error("the stored send was changed")
			}
		})
	}
}

// The rule "outrank": an attempt past its lease that left no answer is unknown, whatever an earlier record says.
func TestAnAbandonedAttemptIsUnknownWhateverWasRecordedBefore(t *testing.T) {
	const now = Instant(1_790_000_060_000)
	r := Reservation{SendID: "s", TemplateID: "T", Attempt: 2, At: now - 60_000, Until: now - 1}
	for _, stored := range []*Send{
		nil,
		{ID: "s", AppID: "app", OpenID: "someone", TemplateID: "T", State: SendRefused, Attempts: 1, Reason: &Reason{Code: "quiet_hours"}, RequestHash: 4, CreatedAt: 5},
		{ID: "s", AppID: "app", OpenID: "someone", TemplateID: "T", State: SendCancelled, Attempts: 1, RequestHash: 4, CreatedAt: 5},
		{ID: "s", AppID: "app", OpenID: "someone", TemplateID: "T", State: SendQueued, Attempts: 1, WeChat: &Answer{Code: 45011}, Credit: CreditReturned, RequestHash: 4, CreatedAt: 5},
	} {
		name := "no record"
		if stored != nil {
			name = string(stored.State)
		}
		t.Run(name, func(t *testing.T) {
			o := markUnknown("app", "someone", r, stored, now, DefaultUnknownAfter)
			s := o.send
			if s.State != SendUnknown || s.Credit != CreditNone || s.Attempts != 2 || s.AttemptAt != r.At || s.WeChat != nil {
				t.Errorf("%+v", s)
			}
			if s.ID != "s" || s.AppID != "app" || s.OpenID != "someone" || s.TemplateID != "T" || stored != nil && s.RequestHash != 4 {
				t.Errorf("the record does not say whose it is: %+v", s)
			}
			if o.due < now.Add(MinUnknownAfter) {
				t.Errorf("judged %s from now, before any event can have come", o.due.Sub(now))
			}
			// And so it holds its reservation without holding up others.
			if _, done := settled(r, s, now); done || blocking(r, s, now) {
				t.Error("the reservation is settled, or blocks")
			}
		})
	}
}
