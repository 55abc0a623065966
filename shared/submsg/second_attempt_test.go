package submsg_test

import (
	"context"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// onCall is a WeChat that asks a test how each call goes.
type onCall struct {
	submsg.WeChat
	hook func(m submsg.Message, real func() submsg.Result) submsg.Result
}

func (c *onCall) Send(ctx context.Context, appid string, m submsg.Message) submsg.Result {
	return c.hook(m, func() submsg.Result { return c.WeChat.Send(ctx, appid, m) })
}

// resent is a world whose "the-send" went out and got no answer, was found "not sent", and is due again; and the event of
// its first attempt, which is still on its way.
func resent(t *testing.T) (*submsgtest.World, wechattest.Event) {
	t.Helper()
	w := newWorld(t, nil)
	w.Granted("user", order, 3)
	w.Sim.Script(ofUser(wechattest.CutAfter()))
	_, v, err := w.Send("user", "order", "the-send", func(r *submsg.SendRequest) { r.OnUnknown = submsg.OnUnknownResend })
	if err != nil || v.State != submsg.SendUnknown {
		t.Fatalf("%v, %s; want unknown", err, v.State)
	}
	ev := withhold(t, w, 1)[0]
	evidence(t, w)
	return w, ev
}

// The rule "answer": whatever a further attempt brings, a message that is known to have arrived is not sent again.
func TestAMessageThatArrivedIsNotSentAgainWhateverTheSecondAttemptBrings(t *testing.T) {
	for name, res := range map[string]submsg.Result{
		"a moment later": {Answered: true, Code: 43108}, "the call could not be made": {NotSent: true}, "refused": {Answered: true, Code: 47003}, "no answer": {},
	} {
		t.Run(name, func(t *testing.T) {
			w, ev := resent(t)
			n := 0
			w.Service.WeChat = &onCall{w.Service.WeChat, func(m submsg.Message, real func() submsg.Result) submsg.Result {
				if m.OpenID != "user" {
					return real()
				}
				if n++; n == 1 {
					deliver(t, w, ev, 1) // while the second call is under way
					return res
				}
				t.Error("a third call is made")
				return real()
			}}
			w.Clock.Advance(submsg.DefaultUnknownAfter + time.Second)
			tick(t, w)
			for range 5 {
				w.Clock.Advance(5 * time.Minute)
				evidence(t, w)
				tick(t, w)
			}
			if got := stateOf(t, w, theSend); got.State != submsg.SendDelivered {
				t.Errorf("in the end the send is %s", got.State)
			}
			if name != "no answer" { // then the second attempt may have gone out too, and counts as if it had
				agree(t, w)
			}
		})
	}
	t.Run("its worker dies", func(t *testing.T) {
		w, ev := resent(t)
		w.Clock.Advance(submsg.DefaultUnknownAfter + time.Second)
		for n, held := 1, false; n < 12 && !held; n++ {
			w.Start(&submsgtest.Process{DieAt: 1, After: true})
			_ = w.Service.Tick(context.Background())
			sub := stored(t, w, submsg.SubscriberKey(appid, "user")).(*submsg.Subscriber)
			held = len(sub.Reservations) == 1 && sub.Reservations[0].Attempt == 2
		}
		w.Start(nil)
		deliver(t, w, ev, 1)
		for range 5 {
			w.Clock.Advance(5 * time.Minute)
			evidence(t, w)
			tick(t, w)
			send(t, w, "bill", "another")
		}
		if n := receivedOf(w, "user", "the-send"); n != 1 {
			t.Errorf("%d messages were received", n)
		}
	})
}

func TestTheLateEventOfAFirstAttemptIsNoEvidenceAboutTheTimeOfTheSecond(t *testing.T) {
	w := newWorld(t, nil)
	w.Granted("user", order, 3)
	w.Granted("yan", order, 3)
	w.Sim.Script(wechattest.Rules(wechattest.Rule{OpenID: "user", Nth: 1, Fault: wechattest.CutAfter()}, wechattest.Rule{OpenID: "user", Nth: 2, Fault: wechattest.CutBefore()},
		wechattest.Rule{OpenID: "yan", Nth: 1, Fault: wechattest.CutAfter()}))
	if _, v, err := w.Send("user", "order", "the-send", func(r *submsg.SendRequest) { r.OnUnknown = submsg.OnUnknownResend }); err != nil || v.State != submsg.SendUnknown {
		t.Fatalf("%v, %s; want unknown", err, v.State)
	}
	first := withhold(t, w, 1)[0]
	evidence(t, w)
	w.Clock.Advance(submsg.DefaultUnknownAfter - time.Second)
	_, yans, err := w.Send("yan", "order", "yans") // it goes out, nobody answers, and its event is not there yet
	if err != nil || yans.State != submsg.SendUnknown {
		t.Fatalf("%v, %s; want unknown", err, yans.State)
	}
	withhold(t, w, 1)
	w.Clock.Advance(2 * time.Second)
	tick(t, w) // the verdict on the user's, whose second attempt gets no answer either
	w.Clock.Advance(10 * time.Second)
	deliver(t, w, first, 1)
	for range 4 {
		w.Clock.Advance(2 * time.Minute)
		tick(t, w)
	}
	if got := stateOf(t, w, yans.ID); got.State != submsg.SendUnknown {
		t.Errorf("a send that went out is %s %+v, though no event of a later attempt has come", got.State, got.Reason)
	}
}

func TestALateEventTakesNoCreditThatWasGivenAfterAReject(t *testing.T) {
	w, ev := judgedNotSent(t, submsg.OnUnknownFail, func(*submsgtest.World) {})
	for _, decision := range []string{"reject", "accept"} {
		w.Clock.Advance(time.Hour)
		if err := w.Report("user", "order", decision, w.Clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	credits := func() int {
		v, err := w.Service.Subscriber(context.Background(), appid, "user", 0)
		if err != nil {
			t.Fatal(err)
		}
		return v.Subscription(order).Credits
	}
	before := credits()
	deliver(t, w, ev, 1)
	if after := credits(); before != 1 || after != 1 {
		t.Errorf("%d credits before the event and %d after it, want the one of the new accept", before, after)
	}
}

func TestAnEventThatOvertakesTheAnswerLeavesWhereTheSendCameFrom(t *testing.T) {
	w := newWorld(t, nil)
	w.Granted("anna", bill, 1)
	sch := scheduled(t, w, "own", submsg.Recipients{OpenID: "anna"})
	w.Service.WeChat = &onCall{w.Service.WeChat, func(_ submsg.Message, real func() submsg.Result) submsg.Result {
		r := real()
		w.Sim.DeliverAll()
		return r
	}}
	w.Clock.Advance(time.Hour + time.Second)
	tick(t, w)
	got := stateOf(t, w, submsg.OccurrenceSendID(appid, sch.ID, sch.NextAt, "anna"))
	if got.State != submsg.SendDelivered || got.Schedule != sch.ID || got.Occurrence == 0 || got.ValidUntil == 0 || got.MsgID == 0 || got.WeChat == nil {
		t.Errorf("%+v", got.Send)
	}
}
