package submsg_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// ofUser scripts what goes wrong with the user's first calls, one after the other; nobody else's calls fail.
func ofUser(faults ...wechattest.Fault) func(wechattest.Call) wechattest.Fault {
	rules := make([]wechattest.Rule, len(faults))
	for i, f := range faults {
		rules[i] = wechattest.Rule{OpenID: "user", Nth: i + 1, Fault: f}
	}
	return wechattest.Rules(rules...)
}

// withhold takes the events that wait away from WeChat, to be delivered later.
func withhold(t *testing.T, w *submsgtest.World, n int) []wechattest.Event {
	t.Helper()
	var events []wechattest.Event
	for _, d := range w.Sim.Pending() {
		events = append(events, d.Event)
	}
	if w.Sim.Discard(len(events)); len(events) != n {
		t.Fatalf("%d events wait, want %d", len(events), n)
	}
	return events
}

// deliver pushes an event until it is taken, as WeChat does, and then again: n times in all.
func deliver(t *testing.T, w *submsgtest.World, ev wechattest.Event, n int) {
	t.Helper()
	for taken, tries := 0, 0; taken < n; tries++ {
		req, err := w.Sim.Push(ev, nil)
		if err != nil || tries > 3*n {
			t.Fatalf("after %d tries: %v", tries, err)
		}
		rec := httptest.NewRecorder()
		if w.ServeHTTP(rec, req); rec.Code == 200 {
			taken++
		}
	}
}

// evidence is another user's later message and its event.
func evidence(t *testing.T, w *submsgtest.World) {
	t.Helper()
	w.Clock.Advance(time.Second)
	w.Granted("other", order, 1)
	if _, v, err := w.Send("other", "order", fmt.Sprint("evidence-", w.Clock.Now().Unix())); err != nil || v.State != submsg.SendSent {
		t.Fatalf("evidence: %v, %s %+v", err, v.State, v.Reason)
	}
	w.Sim.DeliverAll()
}

// judgedNotSent is a world in which the user had three credits, one message went out without an answer, and the verdict was
// that it did not. Its sent event is still to come.
func judgedNotSent(t *testing.T, then submsg.OnUnknown, before func(w *submsgtest.World), later ...wechattest.Fault) (*submsgtest.World, wechattest.Event) {
	t.Helper()
	w := newWorld(t, nil)
	w.Granted("user", order, 3)
	w.Sim.Script(ofUser(append([]wechattest.Fault{wechattest.CutAfter()}, later...)...))
	_, v, err := w.Send("user", "order", "the-send", func(r *submsg.SendRequest) { r.OnUnknown = then })
	if err != nil || v.State != submsg.SendUnknown {
		t.Fatalf("%v, %s; want unknown", err, v.State)
	}
	ev := withhold(t, w, 1)[0]
	evidence(t, w)
	before(w)
	w.Clock.Advance(submsg.DefaultUnknownAfter + time.Second)
	tick(t, w)
	if got := stateOf(t, w, theSend); got.State == submsg.SendUnknown && got.Attempts == 1 {
		t.Fatalf("no verdict: the send is %s %+v", got.State, got.Reason)
	}
	return w, ev
}

var theSend = submsg.SendID(appid, "the-send")

func nothing(*submsgtest.World) {}

// agree holds the ledger's balance against WeChat's.
func agree(t *testing.T, w *submsgtest.World) {
	t.Helper()
	view, err := w.Service.Subscriber(context.Background(), appid, "user", 0)
	if want := w.Sim.Standing(appid, "user", order).Credits; err != nil || view.Subscription(order).Credits != want || len(view.Reservations) != 0 {
		t.Errorf("%v, %d credits and %d reservations; WeChat holds %d credits", err, view.Subscription(order).Credits, len(view.Reservations), want)
	}
}

func holdTheApp(t *testing.T) func(w *submsgtest.World) {
	return func(w *submsgtest.World) {
		w.Granted("third", order, 1)
		script := wechattest.Rules(wechattest.Rule{OpenID: "third", Fault: wechattest.Refuse(48001)})
		w.Sim.Script(script)
		if _, v, err := w.Send("third", "order", "held"); err != nil || v.State != submsg.SendQueued {
			t.Fatalf("%v, %s", err, v.State)
		}
	}
}

func TestAnEventThatComesAfterTheVerdictTakesTheCreditBackOnce(t *testing.T) {
	for _, write := range []struct {
		name string
		do   func(w *submsgtest.World)
	}{
		{"nothing was written since", nothing},
		{"another message has gone since", func(w *submsgtest.World) { send(t, w, "order", "another") }},
		{"the user has accepted again since", func(w *submsgtest.World) { w.Granted("user", order, 1) }},
		{"the user has accepted another template since", func(w *submsgtest.World) { w.Granted("user", bill, 1) }},
	} {
		t.Run(write.name, func(t *testing.T) {
			w, ev := judgedNotSent(t, submsg.OnUnknownFail, nothing)
			write.do(w)
			deliver(t, w, ev, 3)
			if got := stateOf(t, w, theSend).State; got != submsg.SendDelivered {
				t.Errorf("the send is %s", got)
			}
			agree(t, w)
			w.Recover()
			agree(t, w)
		})
		// The send is written first and the balance after it. Whoever dies between them has not acknowledged the event.
		for at := 1; at <= 4; at++ {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, and the process dies at effect %d, after=%t", write.name, at, after), func(t *testing.T) {
					w, ev := judgedNotSent(t, submsg.OnUnknownFail, nothing)
					write.do(w)
					w.Start(&submsgtest.Process{DieAt: at, After: after})
					deliver(t, w, ev, 1)
					w.Start(nil)
					if got := stateOf(t, w, theSend).State; got != submsg.SendDelivered {
						t.Errorf("the send is %s", got)
					}
					agree(t, w)
					w.Recover()
					agree(t, w)
				})
			}
		}
	}
}

// The answer may come late instead of the event: the worker that has it was paused.
func TestAnAnswerThatComesAfterTheVerdictTakesTheCreditBack(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(w *submsgtest.World)
	}{
		{"nothing was written since", nothing},
		{"the user has accepted again since", func(w *submsgtest.World) { w.Granted("user", order, 1) }},
		{"another message has gone since", func(w *submsgtest.World) { send(t, w, "order", "another") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.Granted("user", order, 3)
			w.Sim.Script(ofUser(wechattest.SentNever()))
			w.Service.Store = &pausing{Store: w.Service.Store, answered: func() {
				w.Start(nil)
				w.Clock.Advance(time.Minute)
				tick(t, w)
				evidence(t, w)
				w.Clock.Advance(submsg.DefaultUnknownAfter)
				tick(t, w)
				if got := stateOf(t, w, theSend); got.State != submsg.SendFailed {
					t.Errorf("during the pause the send is %s: the test shows nothing", got.State)
				}
				tc.do(w)
			}}
			if _, v := send(t, w, "order", "the-send"); v.State != submsg.SendSent {
				t.Errorf("the send is %s", v.State)
			}
			agree(t, w)
			w.Recover()
			agree(t, w)
		})
	}
}

func TestAnEventThatComesWhileTheResendWaitsEndsIt(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(w *submsgtest.World)
		was  submsg.SendState
	}{
		{"under a hold", nothing, submsg.SendQueued},
		{"under a hold, and the credit was given back", func(w *submsgtest.World) { w.Granted("user", order, 1) }, submsg.SendQueued},
		{"and was cancelled", cancelled(t), submsg.SendCancelled},
		{"and was cancelled, and the credit was given back", func(w *submsgtest.World) { cancelled(t)(w); w.Granted("user", order, 1) }, submsg.SendCancelled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, ev := judgedNotSent(t, submsg.OnUnknownResend, holdTheApp(t))
			tc.do(w)
			if got := stateOf(t, w, theSend).State; got != tc.was {
				t.Fatalf("before the event the send is %s, want %s", got, tc.was)
			}
			deliver(t, w, ev, 2)
			w.Clock.Advance(8 * aDay) // the hold ends
			tick(t, w)
			w.Recover()
			if got := stateOf(t, w, theSend); got.State != submsg.SendDelivered || got.Attempts != 1 || got.Credit != submsg.CreditSpent {
				t.Errorf("the send is %s after %d attempts, credit %s", got.State, got.Attempts, got.Credit)
			}
			if got := len(w.Sim.Received(appid, "user")); got != 1 {
				t.Errorf("%d messages, want 1", got)
			}
			agree(t, w)
		})
	}
}

func cancelled(t *testing.T) func(w *submsgtest.World) {
	return func(w *submsgtest.World) {
		if _, err := w.Service.Cancel(context.Background(), appid, theSend); err != nil {
			t.Error(err)
		}
	}
}

// Two attempts of one send were made, and the first went out, or the second, or both: an event is of the attempt whose msgid
// or time it has.
func TestEventsOfTwoAttemptsSpendACreditForEachThatWentOut(t *testing.T) {
	for _, second := range []struct {
		name  string
		fault wechattest.Fault
	}{
		{"was answered", wechattest.Fault{}}, {"was answered without msgid", wechattest.NoMsgID()}, {"had its event before the answer", wechattest.SentEarly()},
		{"got no answer", wechattest.CutAfter()}, {"was refused", wechattest.Refuse(47003)},
	} {
		for _, events := range []string{"1", "111", "12", "21", "111222", "222111", "121212", "2221", "1112"} {
			for _, write := range []bool{false, true} {
				t.Run(fmt.Sprintf("the second %s, events %s, the subscriber is written before them: %t", second.name, events, write), func(t *testing.T) {
					w, first := judgedNotSent(t, submsg.OnUnknownResend, nothing, second.fault)
					made := []wechattest.Event{first}
					for _, d := range w.Sim.Pending() {
						made = append(made, d.Event)
					}
					w.Sim.Discard(len(made))
					if write {
						w.Granted("user", order, 1)
					}
					for _, which := range events {
						if n := int(which - '1'); n < len(made) { // else it has come already, or there is none
							deliver(t, w, made[n], 1)
						}
					}
					if got := stateOf(t, w, theSend); got.Attempts != 2 || got.State != submsg.SendSent && got.State != submsg.SendDelivered {
						t.Errorf("the send is %s after %d attempts", got.State, got.Attempts)
					}
					agree(t, w)
					w.Recover()
					agree(t, w)
				})
			}
		}
	}
	for _, noID := range []bool{false, true} {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprintf("only the second went out, events without msgid %t, early %t", noID, early), func(t *testing.T) {
				w := newWorld(t, nil)
				w.Granted("user", order, 3)
				w.Sim.Script(ofUser(wechattest.CutBefore()))
				if _, _, err := w.Send("user", "order", "the-send", func(r *submsg.SendRequest) { r.OnUnknown = submsg.OnUnknownResend }); err != nil {
					t.Fatal(err)
				}
				evidence(t, w)
				var ev wechattest.Event
				come := func() {
					if ev = withhold(t, w, 1)[0]; noID {
						ev.Items[0].MsgID = 0
					}
					deliver(t, w, ev, 1)
				}
				if early { // before the worker has written down what WeChat answered
					w.Service.Store = &around{Store: w.Service.Store, before: func(rec submsg.Record) {
						if b, ok := rec.Body.(*submsg.Send); ok && b.Attempts == 2 {
							once(&come)
						}
					}}
				}
				w.Clock.Advance(submsg.DefaultUnknownAfter + time.Second)
				tick(t, w)
				once(&come)
				deliver(t, w, ev, 3)
				agree(t, w)
				w.Granted("user", order, 1)
				deliver(t, w, ev, 1)
				w.Recover()
				agree(t, w)
			})
		}
	}
}
