package submsg

import "testing"

func TestAnEventTakesACreditBackOnlyForTheAttemptItIsOf(t *testing.T) {
	attempt := func(n int) candidate {
		return candidate{sendID: "s", attempt: n, at: 5_000, r: &Reservation{SendID: "s", TemplateID: "t", Attempt: n, At: 5_000}}
	}
	ev := SentEvent{TemplateID: "t", At: 6_000, Fingerprint: 1}
	for _, tc := range []struct {
		name string
		was  *Send
		c    candidate
		want bool
	}{
		{"the attempt was judged not sent, and its event comes late", &Send{ID: "s", State: SendFailed, Attempts: 1, AttemptAt: 5_000, Credit: CreditReturned}, attempt(1), true},
		{"an earlier attempt was refused and gave its credit back", &Send{ID: "s", State: SendQueued, Attempts: 1, AttemptAt: 1_000, Credit: CreditReturned}, attempt(2), false},
		{"nothing had been given back", &Send{ID: "s", State: SendSent, Attempts: 1, AttemptAt: 5_000, Credit: CreditSpent}, attempt(1), false},
		{"there was no record yet", nil, attempt(1), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := overturned(tc.was, applyEvent("app", tc.c, tc.was, ev, 7_000)); got != tc.want {
				t.Errorf("overturned: %v, want %v", got, tc.want)
			}
		})
	}
}
