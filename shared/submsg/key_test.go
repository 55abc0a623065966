package submsg_test

import (
	"context"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/fields"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// around is a store that tells of each write before and after it.
type around struct {
	submsg.Store
	before, after func(submsg.Record)
}

func (a *around) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	if a.before != nil {
		a.before(rec)
	}
	v, err := a.Store.Save(ctx, rec)
	if a.after != nil {
		a.after(rec)
	}
	return v, err
}

func async(r *submsg.SendRequest) { r.Async = true }

// Two subscribers have no record in common but the send of the key: it decides whose the key is, before anything is held.
func TestOneKeyForTwoSubscribersAtOnceIsOneMessage(t *testing.T) {
	ofSend := func(rec submsg.Record) bool { _, ok := rec.Body.(*submsg.Send); return ok }
	moments := []struct {
		name   string
		arm    func(w *submsgtest.World, rival func())
		second bool // the rival was there first
		called bool // only a request that calls WeChat gets there
	}{
		{"before the first is stored", func(w *submsgtest.World, rival func()) {
			w.Service.Store = &around{Store: w.Service.Store, before: func(rec submsg.Record) {
				if ofSend(rec) {
					once(&rival)
				}
			}}
		}, true, false},
		{"when the first is stored", func(w *submsgtest.World, rival func()) {
			w.Service.Store = &around{Store: w.Service.Store, after: func(rec submsg.Record) {
				if ofSend(rec) {
					once(&rival)
				}
			}}
		}, false, false},
		{"when the first has its reservation", func(w *submsgtest.World, rival func()) {
			w.Service.Store = &around{Store: w.Service.Store, after: func(rec submsg.Record) {
				if sub, ok := rec.Body.(*submsg.Subscriber); ok && sub.OpenID == "first" {
					once(&rival)
				}
			}}
		}, false, true},
		{"before the first's outcome is stored", func(w *submsgtest.World, rival func()) {
			w.Service.Store = &around{Store: w.Service.Store, before: func(rec submsg.Record) {
				if b, ok := rec.Body.(*submsg.Send); ok && b.OpenID == "first" && b.Attempts > 0 {
					once(&rival)
				}
			}}
		}, false, true},
	}
	for _, answer := range []struct {
		name           string
		fault          wechattest.Fault
		credits, calls int // what the winner keeps of one credit; messages
	}{{"sent", wechattest.Fault{}, 0, 1}, {"refused with 47003", wechattest.Refuse(47003), 1, 0}, {"refused with 43101", wechattest.Refuse(43101), 0, 0}} {
		for _, m := range moments {
			for _, how := range []struct {
				name          string
				first, second bool // async
			}{{"both wait", false, false}, {"the first is async", true, false}, {"the second is async", false, true}, {"both are async", true, true}} {
				if m.called && how.first {
					continue
				}
				t.Run(answer.name+", the second comes "+m.name+", "+how.name, func(t *testing.T) {
					w := newWorld(t, nil)
					w.Granted("first", order, 1)
					w.Granted("second", order, 1)
					w.Sim.Script(wechattest.Rules(wechattest.Rule{Times: 1, Fault: answer.fault}))
					plain := w.Service.Store
					came := false
					var rivalErr error
					m.arm(w, func() {
						came = true
						_, _, rivalErr = w.Send("second", "order", "the-key", func(r *submsg.SendRequest) { r.Async = how.second })
					})
					_, _, err := w.Send("first", "order", "the-key", func(r *submsg.SendRequest) { r.Async = how.first })
					w.Service.Store = plain
					if !came {
						t.Fatal("the second never came: the test shows nothing")
					}
					winner, loser, won, lost := "first", "second", err, rivalErr
					if m.second {
						winner, loser, won, lost = "second", "first", rivalErr, err
					}
					if won != nil || !problemIs(lost, submsg.CodeKeyReused) {
						t.Errorf("the key's owner: %v; the other: %v, want %s", won, lost, submsg.CodeKeyReused)
					}
					tick(t, w) // what is async goes now
					w.Recover()
					for openid, want := range map[string]int{winner: answer.credits, loser: 1} {
						view, err := w.Service.Subscriber(context.Background(), appid, openid, 0)
						if err != nil || view.Subscription(order).Credits != want || len(view.Reservations) != 0 {
							t.Errorf("%s: %v, %d credits, %d reservations; want %d and none", openid, err, view.Subscription(order).Credits, len(view.Reservations), want)
						}
					}
					if got, none := len(w.Sim.Received(appid, winner)), len(w.Sim.Received(appid, loser)); got != answer.calls || none != 0 {
						t.Errorf("%d messages to the key's owner and %d to the other, want %d and 0", got, none, answer.calls)
					}
				})
			}
		}
	}
}

func TestTheSameRequestDuringTheCallIsInProgress(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*submsg.SendRequest)
	}{{"and waits too", func(*submsg.SendRequest) {}}, {"and is async", async}} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.Granted("user", order, 2)
			var during error
			ask := func() { _, _, during = w.Send("user", "order", "the-send", tc.change) }
			w.Sim.Script(func(wechattest.Call) wechattest.Fault { once(&ask); return wechattest.Fault{} })
			asked, view := send(t, w, "order", "the-send")
			if !problemIs(during, submsg.CodeInProgress) {
				t.Errorf("asked during the call: %v, want %s", during, submsg.CodeInProgress)
			}
			if view.State != submsg.SendSent {
				t.Errorf("the send is %s", view.State)
			}
			w.Recover()
			w.Judge([]submsgtest.Asked{asked}, "user")
			if got := len(w.Sim.Received(appid, "user")); got != 1 {
				t.Errorf("%d messages", got)
			}
		})
	}
}

// A process that dies between storing a send and holding anything for it leaves a send that falls due when its lease ends.
func TestASendWhoseProcessDiedWhenItWasStoredIsCarriedOn(t *testing.T) {
	request := submsg.SendRequest{OpenID: "user", Template: "order", Data: submsgtest.Data("the-send")}
	for _, tc := range []struct {
		name string
		on   func(t *testing.T, w *submsgtest.World)
	}{
		{"by the caller who asks again", func(t *testing.T, w *submsgtest.World) {
			view, replayed, err := w.Service.CreateSend(context.Background(), appid, "the-send", request)
			if err != nil || !replayed || view.State != submsg.SendSent {
				t.Errorf("asked again: %v, replayed %t, %s; want a replay that is sent", err, replayed, view.State)
			}
		}},
		{"by the tick", func(t *testing.T, w *submsgtest.World) { tick(t, w) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.Granted("user", order, 1)
			w.Start(&submsgtest.Process{DieAt: 1, After: true})
			if _, _, err := w.Send("user", "order", "the-send"); err == nil {
				t.Fatal("the process did not die: the test shows nothing")
			}
			w.Start(nil)
			id := submsg.SendID(appid, "the-send")
			if got := stateOf(t, w, id); got.State != submsg.SendSending || got.Attempts != 0 {
				t.Errorf("what it left is %s after %d attempts, want a send that a worker holds", got.State, got.Attempts)
			}
			if _, _, err := w.Send("user", "order", "the-send"); !problemIs(err, submsg.CodeInProgress) {
				t.Errorf("asked again within the lease: %v, want %s", err, submsg.CodeInProgress)
			}
			w.Clock.Advance(submsg.DefaultWork + submsg.DefaultLeaseMargin + time.Second)
			tc.on(t, w)
			if got := stateOf(t, w, id); got.State != submsg.SendSent || got.Attempts != 1 {
				t.Errorf("carried on it is %s after %d attempts, want sent after one", got.State, got.Attempts)
			}
			w.Recover()
			w.Judge([]submsgtest.Asked{{Key: "the-send", OpenID: "user", Template: "order", Accepted: true}}, "user")
			if got := len(w.Sim.Received(appid, "user")); got != 1 {
				t.Errorf("%d messages, want 1", got)
			}
		})
	}
}

func TestWhatDoesNotChangeAMessageDoesNotChangeTheRequest(t *testing.T) {
	fail := func(r *submsg.SendRequest) { r.OnUnknown = submsg.OnUnknownFail }
	resend := func(r *submsg.SendRequest) { r.OnUnknown = submsg.OnUnknownResend }
	nothing := func(*submsg.SendRequest) {}
	for _, tc := range []struct {
		name          string
		first, second func(*submsg.SendRequest)
		reused        bool
	}{
		{"on_unknown left out, then fail", nothing, fail, false},
		{"on_unknown fail, then left out", fail, nothing, false},
		{"on_unknown left out, then resend", nothing, resend, true},
		{"on_unknown resend, then fail", resend, fail, true},
		{"async, then not", async, nothing, false},
		{"not async, then async", nothing, async, false},
		{"async, then not and on_unknown fail", async, fail, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.Granted("user", order, 2)
			if _, _, err := w.Send("user", "order", "the-key", tc.first); err != nil {
				t.Fatal(err)
			}
			req := submsg.SendRequest{OpenID: "user", Template: "order", Data: submsgtest.Data("the-key")}
			tc.second(&req)
			view, replayed, err := w.Service.CreateSend(context.Background(), appid, "the-key", req)
			switch {
			case tc.reused && !problemIs(err, submsg.CodeKeyReused):
				t.Errorf("%v, want %s", err, submsg.CodeKeyReused)
			case !tc.reused && (err != nil || !replayed || view.State != submsg.SendSent):
				t.Errorf("%v, replayed %t, %s; want a replay that is sent", err, replayed, view.State)
			}
			w.Recover()
			if got := len(w.Sim.Received(appid, "user")); got != 1 {
				t.Errorf("%d messages, want 1", got)
			}
		})
	}
}

// A caller who repeats a request asks what became of it. That the request could not be made any more is no answer to that.
func TestAKeyIsRememberedThoughItsTemplateHasChanged(t *testing.T) {
	const amount = "金额:{{amount1.DATA}}"
	layout, err := fields.Parse(amount)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name    string
		change  func(*submsg.App)
		problem submsg.Code // what a new key gets
	}{
		{"the template is gone", func(a *submsg.App) { a.Templates = a.Templates[1:] }, submsg.CodeUnknownTemplate},
		{"its content asks for other data", func(a *submsg.App) { a.Templates[0].Content, a.Templates[0].Layout = amount, layout }, submsg.CodeInvalidFields},
	} {
		for _, template := range []string{order, "order"} { // callers name it either way
			t.Run(tc.name+", named "+template, func(t *testing.T) {
				w := newWorld(t, nil)
				w.Granted("user", order, 2)
				ask := func(key string, change func(*submsg.SendRequest)) (submsg.SendView, bool, error) {
					req := submsg.SendRequest{OpenID: "user", Template: template, Data: submsgtest.Data("content")}
					change(&req)
					return w.Service.CreateSend(context.Background(), appid, key, req)
				}
				same := func(*submsg.SendRequest) {}
				first, _, err := ask("the-key", same)
				if err != nil || first.State != submsg.SendSent {
					t.Fatalf("%v, %s", err, first.State)
				}
				w.Service.Apps = catalog(t, tc.change)
				if _, _, err := ask("new-key", same); !problemIs(err, tc.problem) {
					t.Errorf("under a new key: %v, want %s", err, tc.problem)
				}
				view, replayed, err := ask("the-key", same)
				if err != nil || !replayed || view.ID != first.ID || view.State != submsg.SendSent {
					t.Errorf("under its own key: %v, replayed %t, %s; want the send that it made", err, replayed, view.State)
				}
				for name, change := range map[string]func(*submsg.SendRequest){
					"other data":     func(r *submsg.SendRequest) { r.Data["thing2"] = "别的" },
					"another openid": func(r *submsg.SendRequest) { r.OpenID = "other" },
				} {
					if _, _, err := ask("the-key", change); !problemIs(err, submsg.CodeKeyReused) {
						t.Errorf("%s under the key: %v, want %s", name, err, submsg.CodeKeyReused)
					}
				}
			})
		}
	}
}
