package submsg

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const grantAt = Instant(1_790_000_000_000) // a whole second

// push and report are one decision as either feed announces it, d after grantAt by the user's clock, and arriving then.
func push(decision string, d time.Duration) Grant {
	return Grant{TemplateID: "T", Decision: decision, Source: SourcePush, Event: EventPopup, At: grantAt.Add(d.Truncate(time.Second)), Arrived: grantAt.Add(d)}
}

func report(decision string, d time.Duration) Grant {
	return Grant{TemplateID: "T", Decision: decision, Source: SourceReport, Event: "report", At: grantAt.Add(d), Arrived: grantAt.Add(d)}
}

// late is g, arriving that much later than it was decided.
func (g Grant) late(by time.Duration) Grant { g.Arrived = g.Arrived.Add(by); return g }

// clockOff is g, from a feed whose clock is off by that much.
func (g Grant) clockOff(by time.Duration) Grant { g.At = g.At.Add(by); return g }

func (g Grant) longTerm() Grant { g.LongTerm = true; return g }

// apply applies grants in their order, each with a fingerprint of its own, and returns the record and the effects.
func apply(t *testing.T, sub *Subscriber, grants ...Grant) (*Subscriber, []Effect) {
	t.Helper()
	var effects []Effect
	for i, g := range grants {
		if g.Fingerprint == 0 {
			g.Fingerprint = uint64(NewVersion())
		}
		before := sub.clone()
		next, effect := applyGrant(sub, g)
		if diff := cmp.Diff(before, sub); diff != "" {
			t.Fatalf("grant %d changed the loaded record:\n%s", i, diff)
		}
		sub = next
		effects = append(effects, effect)
	}
	return sub, effects
}

func TestWhatGrantsDoToASubscription(t *testing.T) {
	const m = time.Minute
	for _, tc := range []struct {
		name    string
		grants  []Grant
		effects []Effect
		credits int
		state   SubscriptionState
	}{
		{"one accept", []Grant{push("accept", 0)}, []Effect{EffectCredited}, 1, StateActive},
		{"accepts of one feed add up", []Grant{push("accept", 0), push("accept", m), push("accept", 2*m)}, []Effect{EffectCredited, EffectCredited, EffectCredited}, 3, StateActive},
		{"every word that begins with accept is one", []Grant{report("acceptWithAudio", 0), report("acceptWithAlert", m)}, []Effect{EffectCredited, EffectCredited}, 2, StateActive},
		{"words that are no grant", []Grant{report("filter", 0), report("cancel", m), report("", 2*m)}, []Effect{EffectIgnored, EffectIgnored, EffectIgnored}, 0, StateNone},
		{"a ban", []Grant{push("accept", 0), report("ban", m)}, []Effect{EffectCredited, EffectBanned}, 1, StateBanned},

		{"both feeds of one accept count once", []Grant{push("accept", 0), report("accept", 300*time.Millisecond)}, []Effect{EffectCredited, EffectPaired}, 1, StateActive},
		{"in the other order too", []Grant{report("accept", 0), push("accept", 2*time.Second)}, []Effect{EffectCredited, EffectPaired}, 1, StateActive},
		{"two accepts and both announcements of each", []Grant{push("accept", 0), push("accept", m), report("accept", 0).late(2 * m), report("accept", m).late(2 * m)},
			[]Effect{EffectCredited, EffectCredited, EffectPaired, EffectPaired}, 2, StateActive},
		{"a counterpart pairs once", []Grant{push("accept", 0), report("accept", 0), report("accept", m)}, []Effect{EffectCredited, EffectPaired, EffectCredited}, 2, StateActive},
		{"ten minutes apart they pair", []Grant{push("accept", 0), report("accept", 10*m)}, []Effect{EffectCredited, EffectPaired}, 1, StateActive},
		{"farther apart they are two", []Grant{push("accept", 0), report("accept", 10*m+time.Second)}, []Effect{EffectCredited, EffectCredited}, 2, StateActive},
		{"a report that was kept for hours pairs by the user's clock", []Grant{push("accept", 0), report("accept", 0).late(11 * time.Hour)}, []Effect{EffectCredited, EffectPaired}, 1, StateActive},
		{"a reporter whose clock is wrong pairs by the arrival", []Grant{push("accept", 0), report("accept", 0).clockOff(-3 * time.Hour).late(0)}, []Effect{EffectCredited, EffectPaired}, 1, StateActive},

		{"a reject voids everything", []Grant{push("accept", 0), push("accept", m), push("reject", 2*m)}, []Effect{EffectCredited, EffectCredited, EffectRevoked}, 0, StateRevoked},
		{"after it accepts count from zero", []Grant{push("accept", 0), push("reject", m), push("accept", 20*m)}, []Effect{EffectCredited, EffectRevoked, EffectCredited}, 1, StateActive},
		{"an accept from before a reject, delivered after it, is stale", []Grant{push("reject", 5*m), push("accept", 0).late(6 * m)}, []Effect{EffectRevoked, EffectStale}, 0, StateRevoked},
		{"a reject from before an accept, delivered after it, voids only what came before", []Grant{push("accept", 0), push("accept", 5*m), push("reject", m).late(6 * m)},
			[]Effect{EffectCredited, EffectCredited, EffectStale}, 1, StateActive},
		{"within one second a reject wins over what was before", []Grant{push("accept", 0), push("reject", 400*time.Millisecond)}, []Effect{EffectCredited, EffectRevoked}, 0, StateRevoked},
		{"a reject ends an accept that a fast clock puts after it", []Grant{push("accept", 0).clockOff(24 * time.Hour), report("reject", 5*time.Second)}, []Effect{EffectCredited, EffectRevoked}, 0, StateRevoked},
		{"an accept follows a reject that a fast clock puts after it", []Grant{push("reject", 0).clockOff(5 * m), report("accept", 2*m)}, []Effect{EffectRevoked, EffectCredited}, 1, StateActive},
		{"both feeds of one reject", []Grant{push("accept", 0), push("reject", m), report("reject", m)}, []Effect{EffectCredited, EffectRevoked, EffectRevoked}, 0, StateRevoked},
		{"the counterpart of a voided accept gives nothing back", []Grant{push("accept", 0), push("reject", m), report("accept", 0).late(2 * m)}, []Effect{EffectCredited, EffectRevoked, EffectPaired}, 0, StateRevoked},

		{"long-term: accepts do not add up", []Grant{push("accept", 0).longTerm(), push("accept", m).longTerm()}, []Effect{EffectActivated, EffectActivated}, 0, StateActive},
		{"long-term: off and on", []Grant{push("accept", 0).longTerm(), push("reject", m).longTerm(), push("accept", 20*m).longTerm()}, []Effect{EffectActivated, EffectRevoked, EffectActivated}, 0, StateActive},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sub, effects := apply(t, &Subscriber{AppID: "app", OpenID: "someone"}, tc.grants...)
			if diff := cmp.Diff(tc.effects, effects); diff != "" {
				t.Errorf("effects:\n%s", diff)
			}
			if s := sub.Subscription("T"); s.Credits != tc.credits || s.State != tc.state {
				t.Errorf("%d credits, %s; want %d, %s", s.Credits, s.State, tc.credits, tc.state)
			}
		})
	}
}

func TestAnEventThatWasSeenChangesNothing(t *testing.T) {
	g := push("accept", 0)
	g.Fingerprint = 5
	sub, _ := apply(t, &Subscriber{}, g)
	if next, effect := applyGrant(sub, g); next != sub || effect != EffectDuplicate {
		t.Errorf("a second delivery: %s, or a new record", effect)
	}
	g.Fingerprint, g.Replayed = 6, true // too old to be remembered here, and found in the history
	if next, effect := applyGrant(sub, g); next != sub || effect != EffectDuplicate {
		t.Errorf("a replay: %s, or a new record", effect)
	}
}

func TestGrantsOfOneTemplateLeaveTheOthersAlone(t *testing.T) {
	other := push("accept", time.Minute)
	other.TemplateID = "A"
	sub, _ := apply(t, &Subscriber{}, push("accept", 0), other, push("reject", 2*time.Minute))
	if a, b := sub.Subscription("A"), sub.Subscription("T"); a.Credits != 1 || a.State != StateActive || b.Credits != 0 || b.State != StateRevoked {
		t.Errorf("A: %d credits, %s; T: %d credits, %s", a.Credits, a.State, b.Credits, b.State)
	}
	if sub.Subscriptions[0].TemplateID != "A" {
		t.Error("subscriptions are not ordered by template")
	}
}

func TestGrantsReachTheReservationsThatAreOpen(t *testing.T) {
	open := func() *Subscriber {
		return &Subscriber{Subscriptions: []Subscription{{TemplateID: "T", State: StateActive, Credits: 1}}, Reservations: []Reservation{
			{SendID: "a", TemplateID: "T", Attempt: 1, Credit: 1}, {SendID: "b", TemplateID: "other", Attempt: 1, Credit: 1}}}
	}
	accepted, _ := apply(t, open(), push("accept", 0))
	if r := accepted.Reservations; r[0].Later != 1 || r[1].Later != 0 {
		t.Errorf("accepts since the attempt began: %d and %d of the other template, want 1 and 0", r[0].Later, r[1].Later)
	}
	rejected, _ := apply(t, accepted, push("reject", time.Minute))
	if r := rejected.Reservations; r[0].Credit != 0 || r[0].Later != 0 || r[1].Credit != 1 {
		t.Errorf("after a reject %+v: nothing may come back from the call under way", r)
	}
}

// A generation ties an audience entry to one activation: a late removal must not undo a new accept.
func TestEachActivationBeginsAGeneration(t *testing.T) {
	sub := &Subscriber{}
	var generations []int
	for _, g := range []Grant{push("accept", 0), push("accept", time.Minute), push("reject", 2*time.Minute), push("accept", 20*time.Minute)} {
		sub, _ = apply(t, sub, g.longTerm())
		generations = append(generations, sub.Subscription("T").Generation)
	}
	if diff := cmp.Diff([]int{1, 1, 1, 2}, generations); diff != "" {
		t.Errorf("generations:\n%s", diff)
	}
}

func TestTheListsOfASubscriberAreBounded(t *testing.T) {
	sub := &Subscriber{}
	for i := range 5 * maxAccepts {
		g := push("accept", time.Duration(i)*time.Second)
		g.Topics = []string{string(rune('a' + i%26)), "both"}
		sub, _ = apply(t, sub, g)
	}
	if s := sub.Subscription("T"); len(sub.Seen) > maxSeen || len(s.Accepts) > maxAccepts || len(sub.Topics) > maxTopics || s.Credits != 5*maxAccepts {
		t.Errorf("%d fingerprints, %d accepts, %d topics, %d credits", len(sub.Seen), len(s.Accepts), len(sub.Topics), s.Credits)
	}
	sub, _ = apply(t, sub, push("accept", 2*acceptsKept))
	if n := len(sub.Subscription("T").Accepts); n != 1 {
		t.Errorf("%d accepts are remembered after %s, want the new one: their counterparts cannot come any more", n, acceptsKept)
	}
}
