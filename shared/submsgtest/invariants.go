package submsgtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// Invariants runs the seven invariants over a store. Each is a named test that tries to break it.
func Invariants(t *testing.T, run func(t *testing.T, test func(t *testing.T, open Open))) {
	for _, tc := range []struct {
		name string
		test func(t *testing.T, open Open)
	}{
		{"1 never more than agreed: 64 senders on one subscriber with ten credits", neverMore},
		{"1 never more than agreed: duplicate and shuffled events count once", shuffledEvents},
		{"1 never more than agreed: after a reject no new send starts", afterReject},
		{"2 once per key: 64 callers with one key send once", oncePerKey},
		{"2 once per key: another body under the same key is refused", otherBody},
		{"2 once per key: two subscribers' requests under one key at once send one message", keyForTwo},
		{"3 once per occurrence: ticks and deliveries repeated and side by side", oncePerOccurrence},
		{"4 nothing accepted is lost: a crash at every effect of on-demand sends", crashSends},
		{"4 nothing accepted is lost: a crash at every effect of an audience schedule", crashSchedule},
		{"4 nothing accepted is lost: a crash at every effect of a grant", crashGrants},
		{"5 every outcome is known or called unknown", outcomes},
		{"6 every refusal has a reason", reasons},
		{"7 secrets and openids never reach a log", quietLog},
	} {
		t.Run(tc.name, func(t *testing.T) { run(t, tc.test) })
	}
}

func neverMore(t *testing.T, open Open) {
	w := NewWorld(t, open)
	w.Granted("user", Order, 10)
	var mu sync.Mutex
	var asked []Asked
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			a, _, err := w.Send("user", "order", fmt.Sprintf("many-%d", i))
			if err != nil && !problemIs(err, submsg.CodeBusy) && !w.cutOff(err) {
				t.Errorf("send %d: %v", i, err)
			}
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, a)
		})
	}
	group.Wait()
	w.Recover()
	w.Judge(asked, "user")
	st := w.Sim.Standing(AppID, "user", Order)
	if st.Received > 10 || st.Refused != 0 {
		t.Errorf("received %d messages on 10 grants, and WeChat had to refuse %d; want 10 and 0", st.Received, st.Refused)
	}
	if st.Received < 10 && w.unsteady == nil { // else callers may have been told to come again, or a reservation have run out
		t.Errorf("received %d messages on 10 grants, and more were asked for", st.Received)
	}
}

func shuffledEvents(t *testing.T, open Open) {
	w := NewWorld(t, open)
	for seed := range 8 {
		user := fmt.Sprintf("user%d", seed)
		for range 3 {
			if err := w.Sim.Accept(AppID, user, Order); err != nil {
				t.Fatal(err)
			}
			at := w.Clock.Now()
			for range 3 { // the report of the same accept, repeated
				if err := w.Report(user, "order", "accept", at); err != nil {
					t.Fatal(err)
				}
			}
			w.Clock.Advance(2 * time.Second)
		}
		w.Sim.Shuffle()
		pending := w.Sim.Pending()
		w.Sim.DeliverAll()
		for range 2 { // WeChat delivers up to three times
			for _, d := range pending {
				req, err := w.Sim.Push(d.Event, nil)
				if err != nil {
					t.Fatal(err)
				}
				w.deliver(req)
			}
		}
		view := w.subscriber(user)
		if got := view.Subscription(Order).Credits; got != 3 {
			t.Errorf("three accepts, announced by both feeds, three times each, in another order: %d credits", got)
		}
	}
}

func afterReject(t *testing.T, open Open) {
	w := NewWorld(t, open)
	w.Granted("user", Order, 5)
	if err := w.Sim.Reject(AppID, "user", Order); err != nil {
		t.Fatal(err)
	}
	w.Sim.DeliverAll()
	before := w.Sim.Totals(AppID).Calls[wechattest.PathSend]
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			_, view, err := w.Send("user", "order", fmt.Sprintf("late-%d", i))
			if err != nil || view.State != submsg.SendRefused || view.Reason == nil || view.Reason.Code != "one_time_credit" {
				t.Errorf("after a reject: %v %+v", err, view.Send)
			}
		})
	}
	group.Wait()
	if after := w.Sim.Totals(AppID).Calls[wechattest.PathSend]; len(after) != len(before) {
		t.Errorf("WeChat was called after the reject: %v", after)
	}
}

func oncePerKey(t *testing.T, open Open) {
	w := NewWorld(t, open)
	w.Granted("user", Order, 5)
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			_, view, err := w.Send("user", "order", "one-key")
			if err != nil && !problemIs(err, submsg.CodeInProgress) && !problemIs(err, submsg.CodeBusy) {
				t.Errorf("replay: %v", err)
			}
			if err == nil && view.State != submsg.SendSent && (w.unsteady == nil || view.State != submsg.SendQueued) { // it may wait for a store that was away
				t.Errorf("replay answered %s", view.State)
			}
		})
	}
	group.Wait()
	w.Recover()
	w.Judge([]Asked{{Key: "one-key", OpenID: "user", Template: "order", Accepted: true}}, "user")
	n := len(w.Sim.Received(AppID, "user"))
	if n == 0 && w.unsteady != nil && w.state(submsg.SendID(AppID, "one-key")) == submsg.SendUnknown {
		return // the one who held the key got no answer to its reservation, and made no call
	}
	if n != 1 {
		t.Errorf("one key, %d messages", n)
	}
}

func keyForTwo(t *testing.T, open Open) {
	w := NewWorld(t, open)
	const rounds = 6
	both := []string{"buyer", "seller"}
	for round := range rounds {
		key := fmt.Sprintf("paid-%d", round)
		var group sync.WaitGroup
		for _, u := range both {
			w.Granted(u, Order, 1)
			group.Go(func() {
				if _, _, err := w.Send(u, "order", key); err != nil && !problemIs(err, submsg.CodeKeyReused) && !w.cutOff(err) {
					t.Errorf("%s: %v", u, err)
				}
			})
		}
		group.Wait()
	}
	w.Recover()
	received := map[string]int{}
	for _, u := range both {
		for _, m := range w.Sim.Received(AppID, u) {
			received[m.Data["character_string1"]]++
		}
		st, view := w.Sim.Standing(AppID, u, Order), w.subscriber(u)
		unknown := len(view.Reservations)
		if left := view.Subscription(Order).Credits; left > st.Credits || left+unknown < st.Credits {
			t.Errorf("%s: the ledger holds %d credits and %d unknown sends, WeChat holds %d", u, left, unknown, st.Credits)
		}
	}
	for round := range rounds {
		if n := received[fmt.Sprintf("paid-%d", round)]; n > 1 || n == 0 && w.unsteady == nil {
			t.Errorf("key %d led to %d messages, want 1", round, n)
		}
	}
}

func otherBody(t *testing.T, open Open) {
	w := NewWorld(t, open)
	w.Granted("user", Order, 5)
	_, view, err := w.Send("user", "order", "key")
	cut := w.cutOff(err) || w.putOff(view)
	if err != nil && !cut {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*submsg.SendRequest){
		"another openid": func(r *submsg.SendRequest) { r.OpenID = "other" },
		"other data":     func(r *submsg.SendRequest) { r.Data["thing2"] = "别的" },
		"another page":   func(r *submsg.SendRequest) { r.Page = "pages/x" },
	} {
		if _, _, err := w.Send("user", "order", "key", change); !problemIs(err, submsg.CodeKeyReused) {
			t.Errorf("%s under the same key: %v", what, err)
		}
	}
	if n := len(w.Sim.Received(AppID, "user")); n > 1 || n == 0 && !cut {
		t.Errorf("%d messages", n)
	}
}

// monthly makes the schedule that the fan-out tests use, due a minute from now, and the audience for it.
func (w *World) monthly(key string, openids ...string) (submsg.Schedule, error) {
	at := w.Clock.Now().Add(time.Minute).Truncate(time.Second)
	var sch submsg.Schedule
	err := w.asks(func() (err error) {
		sch, _, err = w.Service.CreateSchedule(context.Background(), AppID, key, submsg.ScheduleRequest{
			Template: "bill", To: submsg.Recipients{Audience: &submsg.Audience{}}, RRule: "FREQ=MONTHLY", Start: at,
			Content: submsg.Content{Data: map[string]string{"character_string1": "{{date}}", "thing2": "账单"}}, CatchUp: 24 * time.Hour,
		})
		return err
	})
	return sch, err
}

func users(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("user-%03d", i)
	}
	return all
}

func oncePerOccurrence(t *testing.T, open Open) {
	w := NewWorld(t, open)
	all := users(60)
	for _, u := range all {
		if err := w.Sim.Accept(AppID, u, Bill); err != nil {
			t.Fatal(err)
		}
	}
	w.Sim.DeliverAll()
	sch, err := w.monthly("schedule")
	if err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(61 * time.Second)
	ctx := context.Background()
	var keys []submsg.Key
	for shard := range submsg.DueShards {
		var items []submsg.DueItem
		if err := w.asks(func() (err error) {
			items, err = w.Base.Due(ctx, shard, submsg.At(w.Clock.Now()), 100)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			keys = append(keys, it.Key)
		}
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := w.asks(func() error { return w.Service.Tick(ctx) }); err != nil {
				t.Error(err)
			}
		})
		group.Go(func() { w.Service.Deliver(ctx, append(keys, keys...)) })
	}
	group.Wait()
	w.Recover()
	for _, u := range all {
		switch n := len(w.Sim.Received(AppID, u)); {
		case n == 0 && w.unsteady != nil:
			// A reservation may run out before the store is back. Then the call was not made, and the send says so.
			if state := w.state(submsg.OccurrenceSendID(AppID, sch.ID, sch.Start, u)); state != submsg.SendFailed && state != submsg.SendUnknown {
				t.Errorf("%s received no message of an occurrence, and the send is %q", u, state)
			}
		case n != 1:
			t.Errorf("%s received %d messages of one occurrence", u, n)
		}
	}
}

// everywhere runs a history again and again, side by side, each time with a process that dies at its next effect, before
// and after acting. A first run in which nobody dies counts the effects. Over an unsteady store, where no two runs are
// alike, every fourth effect will do.
func everywhere(t *testing.T, open Open, history func(w *World) []Asked, judge func(w *World, asked []Asked)) {
	effects, stride := 0, 1
	t.Run("nobody dies", func(t *testing.T) {
		w := NewWorld(t, open)
		if w.unsteady != nil {
			stride = 4
		}
		process := &Process{}
		w.Start(process)
		asked := history(w)
		effects = process.Effects()
		w.Recover()
		judge(w, asked)
	})
	if effects == 0 || effects > 400 {
		t.Fatalf("the history has %d effects", effects)
	}
	for i, after := range []bool{false, true} {
		for n := 1 + i*stride/2; n <= effects; n += stride {
			t.Run(fmt.Sprintf("effect %d after=%v", n, after), func(t *testing.T) {
				t.Parallel()
				w := NewWorld(t, open)
				w.Start(&Process{DieAt: n, After: after})
				asked := history(w)
				w.Recover()
				judge(w, asked)
			})
		}
	}
}

func crashSends(t *testing.T, open Open) {
	everywhere(t, open, func(w *World) []Asked {
		process := w.Process
		w.Start(nil)
		w.Granted("user", Order, 3)
		w.Start(process)
		var asked []Asked
		for i, change := range []func(*submsg.SendRequest){
			func(*submsg.SendRequest) {},
			func(r *submsg.SendRequest) { r.Async = true },
			func(r *submsg.SendRequest) { r.SendAt = w.Clock.Now().Add(30 * time.Second) },
			func(*submsg.SendRequest) {}, // the fourth finds no credit
		} {
			a, _, _ := w.Send("user", "order", fmt.Sprintf("send-%d", i), change)
			asked = append(asked, a)
		}
		_ = w.Service.Tick(context.Background())
		return asked
	}, func(w *World, asked []Asked) { w.Judge(asked, "user") })
}

func crashSchedule(t *testing.T, open Open) {
	all := users(3)
	everywhere(t, open, func(w *World) []Asked {
		process := w.Process
		w.Start(nil)
		for _, u := range all {
			if err := w.Sim.Accept(AppID, u, Bill); err != nil {
				w.T.Fatal(err)
			}
		}
		w.Sim.DeliverAll()
		w.Start(process)
		_, err := w.monthly("schedule")
		if err != nil { // the caller asks again, as everyone does who got no answer
			w.Start(nil)
			if _, err := w.monthly("schedule"); err != nil && !problemIs(err, submsg.CodeKeyReused) {
				w.T.Fatal(err)
			}
		}
		w.Clock.Advance(61 * time.Second)
		for range 3 {
			_ = w.Service.Tick(context.Background())
		}
		return nil
	}, func(w *World, _ []Asked) {
		for _, u := range all {
			messages := w.Sim.Received(AppID, u)
			if len(messages) > 1 {
				w.T.Errorf("%s received %d messages of one occurrence", u, len(messages))
			}
			view := w.subscriber(u)
			if len(messages) == 0 && len(view.Reservations) == 0 {
				// Nothing received: then its outcome must be one that says so.
				for _, r := range view.Subscription(Bill).Recent {
					if r.NotSent == 0 {
						w.T.Errorf("%s: the ledger counts send %s, which was never received", u, r.SendID)
					}
				}
			}
			for _, r := range view.Reservations {
				if s := view.Open[r.SendID]; s == nil || s.State == submsg.SendSending {
					w.T.Errorf("%s: reservation without an outcome", u)
				}
			}
		}
	})
}

func crashGrants(t *testing.T, open Open) {
	everywhere(t, open, func(w *World) []Asked {
		for i := range 2 {
			if err := w.Sim.Accept(AppID, "user", Order, Bill); err == nil {
				w.Sim.DeliverAll() // three attempts each, as WeChat makes them
			}
			w.Clock.Advance(time.Second)
			if i == 0 && w.Process.Dead() {
				break
			}
		}
		return nil
	}, func(w *World, _ []Asked) {
		view := w.subscriber("user")
		st := w.Sim.Standing(AppID, "user", Order)
		if got := view.Subscription(Order).Credits; got > st.Grants {
			w.T.Errorf("%d credits of %d accepts", got, st.Grants)
		}
		if view.Subscription(Bill).State == submsg.StateActive {
			var recs []submsg.Record
			if err := w.asks(func() (err error) {
				recs, err = w.Base.Load(context.Background(), submsg.AudienceKey(AppID, Bill, "", "user"))
				return err
			}); err != nil {
				w.T.Fatal(err)
			}
			if recs[0].Body == nil {
				w.T.Error("an active subscription without its place in the audience")
			}
		}
	})
}

func outcomes(t *testing.T, open Open) {
	for _, tc := range []struct {
		name     string
		fault    wechattest.Fault
		resend   bool
		evidence bool // a later send and its event
		want     submsg.SendState
		received int
	}{
		{"cut before acting, with evidence", wechattest.CutBefore(), false, true, submsg.SendFailed, 0},
		{"cut before acting, with evidence, resend", wechattest.CutBefore(), true, true, submsg.SendDelivered, 1},
		{"cut before acting, without evidence", wechattest.CutBefore(), true, false, submsg.SendUnknown, 0},
		{"cut after acting", wechattest.CutAfter(), true, true, submsg.SendDelivered, 1},
		{"cut after acting, and the event never comes", wechattest.CutAfter().And(wechattest.SentNever()), false, false, submsg.SendUnknown, 1},
		{"minus one before acting", wechattest.BusyBefore(), false, true, submsg.SendFailed, 0},
		{"minus one after acting", wechattest.BusyAfter(), true, true, submsg.SendDelivered, 1},
		{"bad gateway after acting", wechattest.BadGatewayAfter(), true, true, submsg.SendDelivered, 1},
		{"not JSON before acting", wechattest.NotJSONBefore(), false, true, submsg.SendFailed, 0},
		{"event before the answer", wechattest.SentEarly(), false, false, submsg.SendDelivered, 1},
		{"event twice", wechattest.SentTwice(), false, false, submsg.SendDelivered, 1},
		{"no msgid", wechattest.NoMsgID(), false, false, submsg.SendDelivered, 1},
		{"delivery failed", wechattest.SentFailed(1, "failed:user block"), false, false, submsg.SendFailed, 0},
		{"refused for this recipient", wechattest.Refuse(40003), false, false, submsg.SendRejected, 0},
		{"too many at once, then through", wechattest.Refuse(43108), false, false, submsg.SendDelivered, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := NewWorld(t, open)
			w.Granted("user", Order, 1)
			w.Granted("other", Order, 1)
			var first sync.Once
			w.Sim.Script(func(c wechattest.Call) (f wechattest.Fault) {
				if c.OpenID == "user" {
					first.Do(func() { f = tc.fault })
				}
				return f
			})
			policy := submsg.OnUnknownFail
			if tc.resend {
				policy = submsg.OnUnknownResend
			}
			a, view, err := w.Send("user", "order", "the-send", func(r *submsg.SendRequest) { r.OnUnknown = policy })
			cut := w.cutOff(err) || w.putOff(view)
			if err != nil && !cut {
				t.Fatal(err)
			}
			asked := []Asked{a}
			w.Clock.Advance(time.Second)
			if tc.evidence {
				b, view, err := w.Send("other", "order", "evidence")
				if cut = cut || w.cutOff(err) || w.putOff(view); err != nil && !cut {
					t.Fatal(err)
				}
				asked = append(asked, b)
			}
			w.Recover()
			w.Judge(asked, "user", "other")
			if cut {
				return // whether WeChat was called at all, and when, is not known
			}
			got, received := w.state(a.ID), len(w.Sim.Received(AppID, "user"))
			if got == submsg.SendUnknown && w.unsteady != nil && strings.Contains(w.Log.String(), "evidence of a sent event could not be kept") {
				tc.want, tc.received = got, min(tc.received, received) // without evidence there is no verdict
			}
			if got != tc.want {
				t.Errorf("the send is %s, want %s", got, tc.want)
			}
			if received != tc.received {
				t.Errorf("%d messages received, want %d", received, tc.received)
			}
		})
	}
}

func reasons(t *testing.T, open Open) {
	w := NewWorld(t, open)
	w.Granted("user", Order, 2)
	_, none, err := w.Send("stranger", "order", "no-credit")
	if err != nil || none.State != submsg.SendRefused || none.Reason == nil || none.Reason.Code != "one_time_credit" || none.Reason.Detail == "" {
		t.Errorf("without credit: %v %+v", err, none)
	}
	_, late, err := w.Send("user", "order", "late", func(r *submsg.SendRequest) { r.ValidUntil = w.Clock.Now().Add(-time.Minute) })
	if err != nil || late.State != submsg.SendExpired || late.Reason == nil || late.Reason.Code != "valid_until" {
		t.Errorf("out of date: %v %+v", err, late)
	}
	w.Sim.Script(func(wechattest.Call) wechattest.Fault { return wechattest.Refuse(47003) })
	_, refused, err := w.Send("user", "order", "refused")
	if w.cutOff(err) || w.putOff(refused) {
		return
	}
	if err != nil || refused.State != submsg.SendRejected || refused.WeChat == nil || refused.WeChat.Code != 47003 || refused.WeChat.Msg == "" || refused.Reason == nil {
		t.Errorf("WeChat said no: %v %+v", err, refused)
	}
	for id, want := range map[string]submsg.SendState{none.ID: submsg.SendRefused, late.ID: submsg.SendExpired, refused.ID: submsg.SendRejected} {
		var view submsg.SendView
		err := w.asks(func() (err error) {
			view, err = w.Service.Send(context.Background(), AppID, id)
			return err
		})
		if err != nil || view.State != want || view.Reason == nil || view.Reason.Code == "" {
			t.Errorf("stored: %v %+v", err, view)
		}
	}
}

func quietLog(t *testing.T, open Open) {
	w := NewWorld(t, open)
	const openid = "oSecretPersonWhoMustNotBeNamed"
	w.Granted(openid, Order, 3)
	w.Granted(openid, Bill, 1)
	i := 0
	faults := []wechattest.Fault{wechattest.CutBefore(), wechattest.Refuse(43101), wechattest.Refuse(48001), wechattest.BusyAfter()}
	w.Sim.Script(func(wechattest.Call) wechattest.Fault { i++; return faults[i%len(faults)] })
	for n := range 6 {
		_, _, _ = w.Send(openid, "order", fmt.Sprintf("n%d", n))
		_, _, _ = w.Send(openid, "bill", fmt.Sprintf("b%d", n))
	}
	w.Recover()
	if w.Log.Len() == 0 && w.unsteady == nil {
		t.Error("nothing was logged at all: the test shows nothing")
	}
	token, err := w.Sim.Token(AppID)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{openid, "a-secret-of-the-app", "push-token", token} {
		if strings.Contains(w.Log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}
