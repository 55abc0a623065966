package submsg_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// When WeChat says that no grant is left, every credit of before is gone, those of unknown sends too: a verdict on one of
// them gives nothing back.
func TestAVerdictRevivesNoCreditThatWeChatDenied(t *testing.T) {
	for _, tc := range []struct {
		name                   string
		verdictFirst, eventToo bool
	}{
		{"the verdict comes after the denial", false, false},
		{"the verdict comes before it", true, false},
		{"the verdict comes after the denial, then the sent event", false, true},
		{"the verdict comes before it, the sent event after both", true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			if tc.eventToo {
				w.Granted("user", order, 1)
			}
			for range 3 { // what WeChat knows nothing of
				if err := w.Report("user", "order", "accept", w.Clock.Now()); err != nil {
					t.Fatal(err)
				}
				w.Clock.Advance(15 * time.Minute) // no later accept may be one of them
			}
			first := wechattest.CutBefore()
			if tc.eventToo {
				first = wechattest.CutAfter()
			}
			w.Sim.Script(ofUser(first))
			if _, v := send(t, w, "order", "the-send"); v.State != submsg.SendUnknown {
				t.Fatalf("the send is %s", v.State)
			}
			var event []wechattest.Event
			if tc.eventToo {
				event = withhold(t, w, 1)
			}
			verdict := func() {
				evidence(t, w)
				w.Clock.Advance(submsg.DefaultUnknownAfter + time.Second)
				tick(t, w)
				if got := stateOf(t, w, theSend); got.State != submsg.SendFailed {
					t.Fatalf("no verdict: %s", got.State)
				}
			}
			if tc.verdictFirst {
				verdict()
			}
			if _, v := send(t, w, "order", "denied"); v.State != submsg.SendRejected || v.WeChat.Code != 43101 {
				t.Fatalf("%s %+v, want that WeChat denies it", v.State, v.WeChat)
			}
			holds := func(when string, want int) {
				t.Helper()
				view, err := w.Service.Subscriber(context.Background(), appid, "user", 0)
				if err != nil || view.Subscription(order).Credits != want {
					t.Errorf("%s: %v, %d credits, want %d", when, err, view.Subscription(order).Credits, want)
				}
			}
			holds("after the denial", 0)
			if !tc.verdictFirst {
				verdict()
			}
			holds("after the verdict", 0)
			w.Granted("user", order, 1)
			holds("accepted again", 1)
			for _, ev := range event {
				deliver(t, w, ev, 2) // its credit was gone with the others: the new one is not taken for it
			}
			w.Recover()
			agree(t, w)
		})
	}
}

// What is unknown for a day stays so, and costs its credit. Records end at some time; that of the send is no reason to
// begin again with its reservation.
func TestAnUnknownSendIsGivenUpOnceAndForAll(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault wechattest.Fault
		left  int // credits of three
	}{
		{"it went out and its event was lost", wechattest.CutAfter().And(wechattest.SentNever()), 2},
		{"it did not go out", wechattest.CutBefore(), 2},
	} {
		for _, write := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, the subscriber is written in between: %t", tc.name, write), func(t *testing.T) {
				w := newWorld(t, nil)
				w.Granted("user", order, 3)
				w.Sim.Script(ofUser(tc.fault))
				if _, v := send(t, w, "order", "the-send"); v.State != submsg.SendUnknown {
					t.Fatalf("the send is %s", v.State)
				}
				for range 40 {
					w.Clock.Advance(time.Hour)
					tick(t, w)
				}
				check := func(when string, credits int) {
					t.Helper()
					view, err := w.Service.Subscriber(context.Background(), appid, "user", 0)
					if err != nil || view.Subscription(order).Credits != credits || len(view.Reservations) != 0 {
						t.Errorf("%s: %v, %d credits, %d reservations; want %d and none", when, err, view.Subscription(order).Credits, len(view.Reservations), credits)
					}
				}
				got := stateOf(t, w, theSend)
				if got.State != submsg.SendUnknown || got.Credit != submsg.CreditSpent || got.Due != 0 {
					t.Errorf("after 40 hours the send is %s, credit %q, due %d; want unknown, spent and never", got.State, got.Credit, got.Due)
				}
				check("after 40 hours", tc.left)
				credits := tc.left
				if write {
					w.Granted("user", order, 1)
					credits++
					check("accepted again", credits)
				}
				evidence(t, w) // too late to tell anything of it
				for day := range 100 {
					w.Clock.Advance(aDay)
					tick(t, w)
					if day > 88 {
						evidence(t, w)
					}
				}
				check("100 days later", credits)
				w.Granted("user", order, 1)
				credits++
				check("accepted again after 100 days", credits)
				w.Clock.Advance(aDay)
				evidence(t, w)
				w.Recover()
				check("and after that", credits)
				if _, err := w.Service.Send(context.Background(), appid, theSend); !problemIs(err, submsg.CodeNotFound) {
					t.Errorf("a send that ended: %v, want that it is not found", err)
				}
			})
		}
	}
}

// An answered send keeps its reservation until the subscriber is written next, which may be long after its own record ended.
func TestASendWhoseRecordEndedStaysSettled(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault wechattest.Fault
		state submsg.SendState
	}{
		{"sent", wechattest.Fault{}, submsg.SendSent},
		{"sent, and its event was lost", wechattest.SentNever(), submsg.SendSent},
		{"refused by WeChat, its credit given back", wechattest.Refuse(47003), submsg.SendRejected},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.Granted("user", order, 3)
			w.Sim.Script(ofUser(tc.fault))
			if _, v := send(t, w, "order", "the-send"); v.State != tc.state {
				t.Fatalf("the send is %s, want %s", v.State, tc.state)
			}
			w.Sim.DeliverAll()
			w.Clock.Advance(100 * aDay)
			tick(t, w)
			if _, v := send(t, w, "order", "another"); v.State != submsg.SendSent {
				t.Errorf("100 days later another message is %s", v.State)
			}
			w.Sim.DeliverAll()
			evidence(t, w)
			w.Recover()
			agree(t, w)
			if _, err := w.Service.Send(context.Background(), appid, theSend); !problemIs(err, submsg.CodeNotFound) {
				t.Errorf("a send that ended: %v, want that it is not found", err)
			}
		})
	}
}
