package submsg

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// held is a subscriber with one credit of T left and one more that the reservation r has taken.
func held(r Reservation) *Subscriber {
	return &Subscriber{
		AppID: "app", OpenID: "someone",
		Subscriptions: []Subscription{{TemplateID: "T", State: StateActive, Credits: 1}},
		Reservations:  []Reservation{r},
	}
}

// The rule "keep": a result clears its reservation and is applied by the clearing; whatever is no result of that very
// attempt leaves both alone.
func TestAReservationIsSettledByTheResultOfItsOwnAttemptOnly(t *testing.T) {
	second := Reservation{SendID: "s", TemplateID: "T", Attempt: 2, At: 1000, Until: 9000, Credit: 1, Fingerprint: 7}
	for _, tc := range []struct {
		name     string
		send     *Send
		open     bool // the reservation stays
		blocking bool // and keeps other sends waiting
		credits  int
		recent   int
	}{
		{"no record at all: the call may be under way", nil, true, true, 1, 0},
		{"refused before the attempt began (outrank)", &Send{State: SendRefused, Attempts: 1}, true, true, 1, 0},
		{"cancelled before the attempt began (outrank)", &Send{State: SendCancelled, Attempts: 1}, true, true, 1, 0},
		{"queued again after the attempt before", &Send{State: SendQueued, Attempts: 1, Credit: CreditReturned}, true, true, 1, 0},
		{"unknown after the attempt before", &Send{State: SendUnknown, Attempts: 1}, true, true, 1, 0},
		{"unknown: it waits for its verdict and holds up nobody", &Send{State: SendUnknown, Attempts: 2}, true, false, 1, 0},
		{"sent: spent, and remembered for caps", &Send{State: SendSent, Attempts: 2, Credit: CreditSpent}, false, false, 1, 1},
		{"delivered: spent", &Send{State: SendDelivered, Attempts: 2, Credit: CreditSpent}, false, false, 1, 1},
		{"delivery failed: spent all the same", &Send{State: SendFailed, Attempts: 2, Credit: CreditSpent}, false, false, 1, 1},
		{"found not to be sent: given back", &Send{State: SendFailed, Attempts: 2, Credit: CreditReturned}, false, false, 2, 0},
		{"rejected with the grant intact: given back", &Send{State: SendRejected, Attempts: 2, Credit: CreditReturned}, false, false, 2, 0},
		{"to be tried again: given back meanwhile", &Send{State: SendQueued, Attempts: 2, Credit: CreditReturned}, false, false, 2, 0},
		{"43101: nothing is left", &Send{State: SendRejected, Attempts: 2, Credit: CreditZeroed}, false, false, 0, 0},
		{"a later attempt began, so this one was not sent: given back", &Send{State: SendSent, Attempts: 3, Credit: CreditSpent}, false, false, 2, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sub, sends := held(second), map[string]*Send{}
			if tc.send != nil {
				sends["s"] = tc.send
			}
			before := sub.clone()
			if got := blocking(second, tc.send, 0); got != tc.blocking {
				t.Errorf("blocking: %v, want %v", got, tc.blocking)
			}
			next := settle(sub, sends, 0)
			if diff := cmp.Diff(before, sub); diff != "" {
				t.Errorf("the loaded record was changed:\n%s", diff)
			}
			if open := len(next.Reservations) == 1; open != tc.open {
				t.Errorf("open: %v, want %v", open, tc.open)
			}
			if tc.open && next != sub {
				t.Error("nothing was settled, and another record came out")
			}
			s := next.Subscription("T")
			if s.Credits != tc.credits || len(s.Recent) != tc.recent {
				t.Errorf("%d credits and %d recent sends, want %d and %d", s.Credits, len(s.Recent), tc.credits, tc.recent)
			}
		})
	}
}

func TestZeroingSparesWhatWasAcceptedSinceTheAttemptBegan(t *testing.T) {
	zeroed := map[string]*Send{"s": {State: SendRejected, Attempts: 1, Credit: CreditZeroed}}
	for _, tc := range []struct {
		name    string
		r       Reservation
		credits int
		want    int
		state   SubscriptionState
	}{
		{"one-time, three believed, none since", Reservation{Credit: 1}, 3, 0, StateActive},
		{"one-time, three believed, two since", Reservation{Credit: 1, Later: 2}, 3, 2, StateActive},
		{"one-time, tried anyway, one since that was sent already", Reservation{Later: 1}, 0, 0, StateActive},
		{"long-term, none since: revoked", Reservation{LongTerm: true}, 0, 0, StateRevoked},
		{"long-term, accepted since: stays on", Reservation{LongTerm: true, Later: 1}, 0, 0, StateActive},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.r.SendID, tc.r.TemplateID, tc.r.Attempt = "s", "T", 1
			sub := held(tc.r)
			sub.Subscriptions[0].Credits = tc.credits
			s := settle(sub, zeroed, 0).Subscription("T")
			if s.Credits != tc.want || s.State != tc.state {
				t.Errorf("%d credits, %s; want %d, %s", s.Credits, s.State, tc.want, tc.state)
			}
		})
	}
}

func TestEachOfSeveralReservationsIsSettledByItsOwnSend(t *testing.T) {
	sub := &Subscriber{Subscriptions: []Subscription{{TemplateID: "A", Credits: 5}, {TemplateID: "B", State: StateActive}}}
	for i, id := range []string{"spent", "unknown", "returned", "none"} {
		sub.Reservations = append(sub.Reservations, Reservation{SendID: id, TemplateID: []string{"A", "A", "A", "B"}[i], Attempt: 1, Credit: 1, At: Instant(i)})
	}
	next := settle(sub, map[string]*Send{
		"spent": {State: SendSent, Attempts: 1, Credit: CreditSpent}, "unknown": {State: SendUnknown, Attempts: 1},
		"returned": {State: SendQueued, Attempts: 1, Credit: CreditReturned},
	}, 0)
	var open []string
	for _, r := range next.Reservations {
		open = append(open, r.SendID)
	}
	if diff := cmp.Diff([]string{"unknown", "none"}, open); diff != "" {
		t.Errorf("open afterwards:\n%s", diff)
	}
	if got := next.Subscription("A").Credits; got != 6 {
		t.Errorf("%d credits, want the five and the one that came back", got)
	}
}

func TestRecentSendsStayInOrderAndBounded(t *testing.T) {
	var s Subscription
	for _, at := range []Instant{5, 1, 3, 2, 4} { // results come in any order
		s.remember(Recent{SendID: fmt.Sprint(at), At: at * 1000})
	}
	var order string
	for _, r := range s.Recent {
		order += r.SendID
	}
	if order != "12345" {
		t.Errorf("order %s", order)
	}
	for i := range 3 * recentAtMost {
		s.remember(Recent{SendID: fmt.Sprint("n", i), At: Instant(10_000 + i)})
	}
	if n := len(s.Recent); n < recentKept || n > recentAtMost {
		t.Errorf("%d sends are remembered, want %d at most", n, recentAtMost)
	}
	last := s.Recent[len(s.Recent)-1].At
	s.remember(Recent{SendID: "much later", At: last.Add(recentDays + time.Second)})
	if n := len(s.Recent); n != recentKept {
		t.Errorf("%d sends are remembered after %s, want %d: those that a sent event may still mean", n, recentDays, recentKept)
	}
}
