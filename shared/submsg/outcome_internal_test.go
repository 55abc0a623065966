package submsg

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Every code of the table of subscribe/send (developers.weixin.qq.com, 发送订阅消息, 2026-07) and of the older tables, with
// what it means for the send, its credit and the sends that follow.
func TestEveryCodeOfWeChatIsClassified(t *testing.T) {
	const now = Instant(1_790_000_000_000)
	soon, minute := 10*time.Minute*3/2+time.Second, time.Minute+5*time.Second
	for _, tc := range []struct {
		codes  []int
		state  SendState
		credit CreditEffect
		within time.Duration // due within that of now; 0: never again
		hold   *penalty
	}{
		{[]int{0}, SendSent, CreditSpent, 0, nil},
		{[]int{-1}, SendUnknown, CreditNone, DefaultUnknownAfter, nil},
		{[]int{40001, 40014, 42001, 41001, 40164}, SendQueued, CreditReturned, soon, nil},
		{[]int{40003, 40037, 41030, 40165, 45168, 47001, 47003, 43004}, SendRejected, CreditReturned, 0, nil},
		{[]int{43100, 43102, 43103, 43104, 43105, 43106}, SendRejected, CreditReturned, 0, nil},
		{[]int{43101}, SendRejected, CreditZeroed, 0, nil},
		{[]int{43107}, SendQueued, CreditReturned, 1, &penalty{template: true}},
		{[]int{43108}, SendQueued, CreditReturned, 2 * time.Second, nil},
		{[]int{45009}, SendQueued, CreditReturned, 1, &penalty{day: true}},
		{[]int{45011}, SendQueued, CreditReturned, minute, nil},
		{[]int{48001, 48004, 50002, 61007}, SendQueued, CreditReturned, 1, &penalty{}},
		{[]int{-2, 1, 40013, 99999}, SendRejected, CreditReturned, 0, nil}, // not listed anywhere: a definite refusal of this message
	} {
		for _, code := range tc.codes {
			t.Run(fmt.Sprint(code), func(t *testing.T) {
				begun := &Send{ID: "s", State: SendSending, Attempts: 1, AttemptAt: now, Credit: CreditNone, Data: map[string]string{"thing1": "x"}}
				before := *begun
				o := conclude(begun, Result{Answered: true, Code: code, Msg: "text rid: 1-2", RID: "1-2", MsgID: 77}, now, DefaultUnknownAfter)
				if diff := cmp.Diff(&before, begun); diff != "" {
					t.Errorf("the send that was begun was changed:\n%s", diff)
				}
				s := o.send
				if s.State != tc.state || s.Credit != tc.credit {
					t.Errorf("%s, credit %q; want %s, %q", s.State, s.Credit, tc.state, tc.credit)
				}
				if s.UpdatedAt != now || s.Attempts != 1 {
					t.Errorf("updated at %d after %d attempts", s.UpdatedAt, s.Attempts)
				}
				if s.WeChat == nil || s.WeChat.Code != code || s.WeChat.RID != "1-2" {
					t.Errorf("WeChat's answer is kept as %+v", s.WeChat)
				}
				if (s.Reason == nil) != (code == 0) {
					t.Errorf("reason %+v", s.Reason)
				}
				if (s.MsgID != 0) != (code == 0) {
					t.Errorf("msgid %d", s.MsgID)
				}
				switch {
				case tc.within == 0 && o.due != 0:
					t.Errorf("due again in %s, want never", o.due.Sub(now))
				case tc.within != 0 && (o.due < now || o.due.Sub(now) > tc.within):
					t.Errorf("due in %s, want within %s", o.due.Sub(now), tc.within)
				}
				if (o.penalty == nil) != (tc.hold == nil) || o.penalty != nil && (o.penalty.template != tc.hold.template || o.penalty.day != tc.hold.day || o.penalty.code != code) {
					t.Errorf("hold %+v, want %+v", o.penalty, tc.hold)
				}
			})
		}
	}
}

func TestACallWithoutAnAnswerIsUnknownAndOneThatWasNotMadeIsTriedAgain(t *testing.T) {
	const now = Instant(1_790_000_000_000)
	begun := &Send{ID: "s", State: SendSending, Attempts: 1, AttemptAt: now - 5000}
	lost := conclude(begun, Result{Err: errors.New("the connection was closed without an answer")}, now, DefaultUnknownAfter)
	if s := lost.send; s.State != SendUnknown || s.Credit != CreditNone || s.WeChat != nil || lost.due != begun.AttemptAt.Add(DefaultUnknownAfter) {
		t.Errorf("no answer: %s, credit %q, due %s after the attempt", s.State, s.Credit, lost.due.Sub(begun.AttemptAt))
	}
	unsent := conclude(begun, Result{NotSent: true, Err: errors.New("connection refused")}, now, DefaultUnknownAfter)
	if s := unsent.send; s.State != SendQueued || s.Credit != CreditReturned || s.Reason.Code != "wechat_unreachable" || unsent.due <= now {
		t.Errorf("not sent: %+v, due %d", s, unsent.due)
	}
	// No token: the code tells the operator which secret or address is wrong.
	barred := conclude(begun, Result{NotSent: true, Code: 40164, Msg: "invalid ip", Err: errors.New("no token")}, now, DefaultUnknownAfter)
	if s := barred.send; s.State != SendQueued || s.Reason.Code != "wechat_40164" || s.WeChat == nil || s.WeChat.Code != 40164 {
		t.Errorf("no token: %+v", s)
	}
}

// "Later" is believed a number of times only; a token that is refused, or an address, waits for an operator however long.
func TestLaterIsNotBelievedForEver(t *testing.T) {
	for code, want := range map[int]SendState{43108: SendRejected, 45011: SendRejected, 40001: SendQueued} {
		o := conclude(&Send{Attempts: maxAttempts}, Result{Answered: true, Code: code}, 1, DefaultUnknownAfter)
		if o.send.State != want {
			t.Errorf("%d at attempt %d: %s, want %s", code, maxAttempts, o.send.State, want)
		}
		if o.send.Credit != CreditReturned {
			t.Errorf("%d: credit %q; WeChat sent nothing", code, o.send.Credit)
		}
	}
}

func TestMinuteFrequencyWaitsForTheNextMinute(t *testing.T) {
	const minute = 60_000
	for _, at := range []Instant{0, 1, 30_000, 59_999} {
		now := Instant(1_790_000_000_000/minute*minute) + at
		o := conclude(&Send{Attempts: 1}, Result{Answered: true, Code: 45011}, now, DefaultUnknownAfter)
		if o.due/minute != now/minute+1 || o.due%minute > 5000 {
			t.Errorf("%d ms into the minute: due %d ms into the minute %d later", at, o.due%minute, o.due/minute-now/minute)
		}
	}
}

func TestBackoffDoublesUpToItsBoundAndNeverOverflows(t *testing.T) {
	for attempts, base := range map[int]time.Duration{-1: time.Second, 0: time.Second, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 40: time.Minute, 1 << 40: time.Minute} {
		for range 50 {
			if d := backoff(attempts, time.Minute); d < base/2 || d > base*3/2 {
				t.Fatalf("attempt %d: %s, want %s to %s", attempts, d, base/2, base*3/2)
			}
		}
	}
}

// The rule "answer", both ways: which of two accounts of one send stands.
func TestWhichAccountOfASendPrevails(t *testing.T) {
	send := func(state SendState, attempts int) *Send { return &Send{ID: "s", State: state, Attempts: attempts} }
	notSent := func(attempts int) *Send {
		s := send(SendFailed, attempts)
		s.Reason, s.Credit = &Reason{Code: "not_sent"}, CreditReturned
		return s
	}
	for _, tc := range []struct {
		name            string
		stored, brought *Send
		stays           bool
	}{
		{"nothing is stored", nil, send(SendSent, 1), false},
		{"an answer replaces queued", send(SendQueued, 0), send(SendSent, 1), false},
		{"an answer replaces refused", send(SendRefused, 0), send(SendSent, 1), false},
		{"an answer replaces cancelled", send(SendCancelled, 0), send(SendSent, 1), false},
		{"an answer replaces expired", send(SendExpired, 0), send(SendRejected, 1), false},
		{"an answer replaces unknown", send(SendUnknown, 1), send(SendSent, 1), false},
		{"a refusal of WeChat replaces unknown", send(SendUnknown, 1), send(SendRejected, 1), false},
		{"a definite not sent replaces unknown", send(SendUnknown, 1), send(SendQueued, 1), false},
		{"an answer replaces the verdict that it was not sent", notSent(1), send(SendSent, 1), false},
		{"a refusal does not replace that verdict, which says the same", notSent(1), send(SendRejected, 1), true},
		{"an answer stays against unknown", send(SendSent, 1), send(SendUnknown, 1), true},
		{"an answer stays against queued", send(SendRejected, 1), send(SendQueued, 1), true},
		{"an answer stays against the same again", send(SendSent, 1), send(SendSent, 1), true},
		{"an answer stays against an answer of before", send(SendSent, 2), send(SendRejected, 1), true},
		{"a later attempt's state stays against a late unknown", send(SendQueued, 2), send(SendUnknown, 1), true},
		{"a late success is a success, whatever was begun since", send(SendQueued, 2), send(SendSent, 1), false},
		{"a later attempt's answer replaces an answer of before", send(SendRejected, 1), send(SendSent, 2), false},
		{"delivered stays", send(SendDelivered, 1), send(SendSent, 1), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, want := prevail(tc.stored, tc.brought), tc.brought
			if tc.stays {
				want = tc.stored
			}
			if got != want {
				t.Errorf("%+v prevails", got)
			}
		})
	}
}

func TestTheSentEventStandsAndTheAnswerAddsWhatItCannotKnow(t *testing.T) {
	// The event found nothing but a reservation, and made the record.
	stored := &Send{ID: "s", State: SendFailed, Attempts: 1, Credit: CreditSpent, EventAt: 5000, EventPrint: 9, CreatedAt: 3000}
	brought := &Send{ID: "s", State: SendSent, Attempts: 1, Credit: CreditSpent, MsgID: 77, WeChat: &Answer{Msg: "ok"},
		Data: map[string]string{"thing1": "x"}, Page: "p", RequestHash: 4, CreatedAt: 2000}
	got := prevail(stored, brought)
	want := &Send{ID: "s", State: SendFailed, Attempts: 1, Credit: CreditSpent, EventAt: 5000, EventPrint: 9, MsgID: 77, WeChat: &Answer{Msg: "ok"},
		Data: map[string]string{"thing1": "x"}, Page: "p", RequestHash: 4, CreatedAt: 2000}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after the event:\n%s", diff)
	}
	brought.State, brought.MsgID, brought.WeChat = SendUnknown, 0, nil
	if got := prevail(stored, brought); got.State != SendFailed || got.EventAt != 5000 || got.Data == nil {
		t.Errorf("an unknown over an event: %+v", got)
	}
}
