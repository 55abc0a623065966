package submsgtest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// Asked is one send that a history asked for, and what it was told.
type Asked struct {
	Key      string // idempotency key; also the send's data, by which its message is recognised
	OpenID   string
	Template string
	ID       string // of the answer, "" where there was none
	Accepted bool   // a 2xx was given
}

// Rounds of a recovery, each a tick 40 seconds after the last: in so many every lease has ended and every verdict is
// given, unless work was put off because the store was away. More than the most means that something never ends.
const (
	recoveryRounds     = 8
	mostRecoveryRounds = 200

	// longestBackoff is more than any work waits after a failure. What is due later waits for something else: the end of
	// a hold, or an operator.
	longestBackoff = 6 * time.Minute
)

// Recover runs a fresh process until nothing is under way: leases end, what is due is done, every push arrives.
func (w *World) Recover() {
	w.T.Helper()
	w.Sim.Script(nil)
	w.Start(nil)
	for round, all := 0, 0; round < recoveryRounds || w.underWay(); all++ {
		if all == mostRecoveryRounds {
			w.T.Fatalf("work is still under way after %d ticks", all)
		}
		failed := w.failures()
		w.Sim.DeliverAll()
		w.Clock.Advance(40 * time.Second)
		if err := w.asks(func() error { return w.Service.Tick(context.Background()) }); err != nil {
			w.T.Fatalf("tick after recovery: %v", err)
		}
		if w.failures() == failed { // else something that was due may have been put off
			round++
		}
	}
	w.Sim.DeliverAll()
}

// underWay reports whether a job or a send still waits for a worker. An unknown send waits for its verdict, which may
// never come; a schedule for its next occurrence, which is not this recovery's.
func (w *World) underWay() bool {
	w.T.Helper()
	ctx := context.Background()
	for shard := range submsg.DueShards {
		var recs []submsg.Record
		if err := w.asks(func() error {
			items, err := w.Base.Due(ctx, shard, submsg.At(w.Clock.Now().Add(longestBackoff)), 1000)
			if err != nil || len(items) == 0 {
				return err
			}
			keys := make([]submsg.Key, len(items))
			for i, it := range items {
				keys[i] = it.Key
			}
			recs, err = w.Base.Load(ctx, keys...)
			return err
		}); err != nil {
			w.T.Fatalf("what is due after recovery: %v", err)
		}
		for _, rec := range recs {
			switch b := rec.Body.(type) {
			case *submsg.Job:
				if !b.Done {
					return true
				}
			case *submsg.Send:
				if b.State == submsg.SendQueued || b.State == submsg.SendSending {
					return true
				}
			}
		}
	}
	return false
}

// Judge compares the ledger with the simulator's truth, for the given subscribers and the sends that were asked for.
func (w *World) Judge(asked []Asked, openids ...string) {
	w.T.Helper()
	for _, openid := range openids {
		view := w.subscriber(openid)
		user := w.Sim.User(AppID, openid)
		unknown := map[string]int{}
		for _, r := range view.Reservations {
			s := view.Open[r.SendID]
			if s == nil || s.State != submsg.SendUnknown {
				w.T.Errorf("%s: reservation of send %s is open after recovery and not called unknown (%+v)", openid, r.SendID, s)
			}
			unknown[r.TemplateID]++
		}
		for _, st := range user.Standings {
			if st.Kind != wechattest.OneTime {
				continue
			}
			if st.Accepted > st.Grants {
				w.T.Errorf("%s: %d messages of a one-time template were accepted on %d grants", openid, st.Accepted, st.Grants)
			}
			if left := view.Subscription(st.TemplateID).Credits; st.Rejects == 0 && (left > st.Credits || left+unknown[st.TemplateID] < st.Credits) {
				w.T.Errorf("%s: the ledger holds %d credits and %d unknown sends, WeChat holds %d credits", openid, left, unknown[st.TemplateID], st.Credits)
			}
		}
		seen := map[string]int{}
		for _, m := range user.Messages {
			seen[m.Data["character_string1"]]++
		}
		for key, n := range seen {
			if n > 1 {
				w.T.Errorf("%s: message %s was received %d times", openid, key, n)
			}
			if strings.HasPrefix(key, scheduled) {
				continue
			}
			i := slices.IndexFunc(asked, func(a Asked) bool { return a.Key == key && a.OpenID == openid })
			if i < 0 {
				w.T.Errorf("%s: message %s was never asked for", openid, key)
			}
		}
		for _, a := range asked {
			if a.OpenID != openid {
				continue
			}
			state := w.state(submsg.SendID(AppID, a.Key))
			received := seen[a.Key] > 0
			switch {
			case state == "" && a.Accepted:
				w.T.Errorf("%s: send %s was accepted and is gone", openid, a.Key)
			case state == "" && received:
				w.T.Errorf("%s: message %s was received and the ledger knows nothing of it", openid, a.Key)
			case received && state != submsg.SendSent && state != submsg.SendDelivered && state != submsg.SendUnknown && state != submsg.SendFailed:
				w.T.Errorf("%s: message %s was received and its send is %s", openid, a.Key, state)
			case !received && (state == submsg.SendSent || state == submsg.SendDelivered):
				w.T.Errorf("%s: send %s is %s and nothing was received", openid, a.Key, state)
			case state == submsg.SendSending || a.Accepted && state == submsg.SendQueued:
				w.T.Errorf("%s: send %s is still %s after recovery", openid, a.Key, state)
			}
		}
	}
}

// state reads a send's state; "" where there is none.
func (w *World) state(id string) submsg.SendState {
	w.T.Helper()
	var view submsg.SendView
	err := w.asks(func() (err error) {
		view, err = w.Service.Send(context.Background(), AppID, id)
		return err
	})
	if p := submsg.AsProblem(err); p != nil && p.Code == submsg.CodeNotFound {
		return ""
	}
	if err != nil {
		w.T.Fatalf("send %s: %v", id, err)
	}
	if view.State == submsg.SendQueued && view.Due == 0 {
		w.T.Errorf("send %s is queued and never due", id)
	}
	return view.State
}

// subscriber reads what the ledger has of a subscriber.
func (w *World) subscriber(openid string) (view submsg.SubscriberView) {
	w.T.Helper()
	if err := w.asks(func() (err error) {
		view, err = w.Service.Subscriber(context.Background(), AppID, openid, 100)
		return err
	}); err != nil {
		w.T.Fatalf("subscriber %s: %v", openid, err)
	}
	return view
}

// Send asks for a send and notes what it was told.
func (w *World) Send(openid, template, key string, change ...func(*submsg.SendRequest)) (Asked, submsg.SendView, error) {
	req := submsg.SendRequest{OpenID: openid, Template: template, Data: Data(key)}
	for _, f := range change {
		f(&req)
	}
	var view submsg.SendView
	err := w.asks(func() (err error) {
		view, _, err = w.Service.CreateSend(context.Background(), AppID, key, req)
		return err
	})
	return Asked{Key: key, OpenID: openid, Template: template, ID: view.ID, Accepted: err == nil}, view, err
}

// Report reports an accept as the mini program's back end does.
func (w *World) Report(openid, template, decision string, at time.Time) error {
	return w.asks(func() error {
		_, err := w.Service.ReportGrants(context.Background(), AppID, "", []submsg.GrantReport{{OpenID: openid, Template: template, Decision: decision, OccurredAt: at}})
		return err
	})
}

// Granted lets the user accept n times, with the events delivered.
func (w *World) Granted(openid, template string, n int) {
	w.T.Helper()
	for range n {
		if err := w.Sim.Accept(AppID, openid, template); err != nil {
			w.T.Fatal(err)
		}
		w.Sim.DeliverAll()
		w.Clock.Advance(time.Second) // WeChat tells the time of an event in whole seconds
	}
}

// problemIs reports whether err is a problem with that code.
func problemIs(err error, code submsg.Code) bool {
	p := submsg.AsProblem(err)
	return p != nil && p.Code == code
}
