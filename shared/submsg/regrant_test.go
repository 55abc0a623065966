package submsg_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

// report reports accepts under a key and returns what they did.
func report(w *submsgtest.World, key string, reports ...submsg.GrantReport) ([]submsg.Effect, error) {
	out, err := w.Service.ReportGrants(context.Background(), appid, key, reports)
	effects := make([]submsg.Effect, len(out))
	for i, r := range out {
		effects[i] = r.Effect
	}
	return effects, err
}

func accepted(template string, at time.Time) submsg.GrantReport {
	return submsg.GrantReport{OpenID: "user", Template: template, Decision: "accept", OccurredAt: at}
}

// credits are those of the one-time template.
func credits(t *testing.T, w *submsgtest.World) int {
	t.Helper()
	view, err := w.Service.Subscriber(context.Background(), appid, "user", 0)
	if err != nil {
		t.Fatal(err)
	}
	return view.Subscription(order).Credits
}

// A subscriber remembers its last dozen grants; what came before them is in its history.
func TestARepeatedReportCountsOnceHoweverManyGrantsCameSince(t *testing.T) {
	for _, first := range []struct {
		name  string
		timed bool
		key   string
	}{{"with its time", true, ""}, {"under a key", false, "report-key"}, {"with both", true, "report-key"}} {
		for _, others := range []struct {
			name string
			come func(t *testing.T, w *submsgtest.World)
		}{
			{"20 events of another template", func(_ *testing.T, w *submsgtest.World) { w.Granted("user", bill, 20) }},
			{"20 reports of the same one", func(t *testing.T, w *submsgtest.World) {
				for range 20 {
					w.Clock.Advance(time.Minute)
					if _, err := report(w, "", accepted("order", w.Clock.Now())); err != nil {
						t.Fatal(err)
					}
				}
			}},
			{"150 reports within a day", func(t *testing.T, w *submsgtest.World) { // more than one page of the history
				for range 150 {
					w.Clock.Advance(4 * time.Minute)
					if _, err := report(w, "", accepted("order", w.Clock.Now())); err != nil {
						t.Fatal(err)
					}
				}
			}},
		} {
			t.Run("a report "+first.name+", then "+others.name, func(t *testing.T) {
				w := newWorld(t, nil)
				r := accepted("order", time.Time{})
				if first.timed {
					r.OccurredAt = w.Clock.Now()
				}
				if effects, err := report(w, first.key, r); err != nil || effects[0] != submsg.EffectCredited {
					t.Fatalf("%v %v", err, effects)
				}
				others.come(t, w)
				before := credits(t, w)
				for range 2 {
					if effects, err := report(w, first.key, r); err != nil || effects[0] != submsg.EffectDuplicate {
						t.Errorf("repeated: %v %v, want %s", err, effects, submsg.EffectDuplicate)
					}
				}
				if got := credits(t, w); got != before {
					t.Errorf("%d credits, %d before the report was repeated", got, before)
				}
			})
		}
	}
}

// A caller who got no answer asks again with the same request. However far the first had got, each report counts once.
func TestManyReportsInOneRequestCountOnceThoughTheProcessDies(t *testing.T) {
	const n = 60
	for _, tc := range []struct {
		name  string
		timed bool
		key   string
	}{{"with their times", true, ""}, {"under a key", false, "all-of-them"}} {
		request := func(w *submsgtest.World) []submsg.GrantReport {
			all := make([]submsg.GrantReport, n)
			for i := range all {
				all[i] = accepted("order", time.Time{})
				if tc.timed {
					all[i].OccurredAt = w.Clock.Now().Add(time.Duration(i-n) * time.Second)
				}
			}
			return all
		}
		effects := 0
		for at := 0; at == 0 || at <= effects; at += 5 {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, dies at effect %d, after=%t", tc.name, at, after), func(t *testing.T) {
					w := newWorld(t, nil)
					process := &submsgtest.Process{DieAt: at, After: after}
					w.Start(process)
					all := request(w)
					_, err := report(w, tc.key, all...)
					for tries := 0; err != nil; tries++ {
						if tries == 5 {
							t.Fatalf("asked again and again: %v", err)
						}
						w.Start(nil)
						w.Clock.Advance(10 * time.Second)
						_, err = report(w, tc.key, all...)
					}
					if at == 0 {
						effects = process.Effects()
					}
					if got := credits(t, w); got != n {
						t.Errorf("%d credits of %d reports", got, n)
					}
					if _, err = report(w, tc.key, all...); err != nil || credits(t, w) != n {
						t.Errorf("once more: %v, %d credits of %d reports", err, credits(t, w), n)
					}
				})
			}
		}
		if effects < n {
			t.Errorf("%s: the request has %d effects: the test shows nothing", tc.name, effects)
		}
	}
}

// Each accept is announced twice. More of them than a subscription remembers are still paired.
func TestManyAcceptsAnnouncedByBothFeedsCountOnce(t *testing.T) {
	const n = 20
	for _, apart := range []time.Duration{time.Second, 20 * time.Second, 2 * time.Minute} {
		for _, tc := range []struct {
			name              string
			eventsFirst, back bool
		}{{"events, then reports", true, false}, {"reports, then events", false, false}, {"events, then reports backwards", true, true}} {
			t.Run(fmt.Sprintf("%s, %s apart", tc.name, apart), func(t *testing.T) {
				w := newWorld(t, nil)
				var all []submsg.GrantReport
				for range n {
					if err := w.Sim.Accept(appid, "user", order); err != nil {
						t.Fatal(err)
					}
					all = append(all, accepted("order", w.Clock.Now()))
					w.Clock.Advance(apart)
				}
				if tc.back {
					slices.Reverse(all)
				}
				reports := func() {
					for _, r := range all {
						if _, err := report(w, "", r); err != nil {
							t.Fatal(err)
						}
					}
				}
				if tc.eventsFirst {
					w.Sim.DeliverAll()
					reports()
				} else {
					reports()
					w.Sim.DeliverAll()
				}
				if got := credits(t, w); got != n {
					t.Errorf("%d credits of %d accepts", got, n)
				}
			})
		}
	}
}

// A reject that WeChat tells of parts what was accepted before it from what is accepted after it, however soon.
func TestAnAcceptAfterARejectIsADecisionOfItsOwn(t *testing.T) {
	for _, tc := range []struct {
		name     string
		template string
		history  func(t *testing.T, w *submsgtest.World)
	}{
		{"reported accept, reject, accept", order, reportedAcceptRejectAccept(order, false)},
		{"reported accept, reject, accept, which is reported later", order, reportedAcceptRejectAccept(order, true)},
		{"reported long-term accept, reject, accept", bill, reportedAcceptRejectAccept(bill, false)},
		{"reported long-term accept, reject, accept, which is reported later", bill, reportedAcceptRejectAccept(bill, true)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			tc.history(t, w)
			view, err := w.Service.Subscriber(context.Background(), appid, "user", 0)
			if err != nil {
				t.Fatal(err)
			}
			got, want := view.Subscription(tc.template), w.Sim.Standing(appid, "user", tc.template)
			if got.State != submsg.StateActive || got.Credits != want.Credits {
				t.Errorf("%s with %d credits; want active with %d", got.State, got.Credits, want.Credits)
			}
			if _, v := send(t, w, tc.template, "the-send"); v.State != submsg.SendSent {
				t.Errorf("a message on it is %s %+v", v.State, v.Reason)
			}
		})
	}
}

func reportedAcceptRejectAccept(template string, again bool) func(t *testing.T, w *submsgtest.World) {
	return func(t *testing.T, w *submsgtest.World) {
		step := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			w.Sim.DeliverAll()
			w.Clock.Advance(30 * time.Second)
		}
		step(w.Sim.SilentAccept(appid, "user", template)) // no event tells of it
		step(w.Report("user", template, "accept", w.Clock.Now()))
		step(w.Sim.Reject(appid, "user", template))
		at := w.Clock.Now()
		step(w.Sim.Accept(appid, "user", template))
		if again {
			step(w.Report("user", template, "accept", at))
		}
	}
}

func TestAReportThatNamesATopicEndsNone(t *testing.T) {
	topics := make([]string, 22)
	for i := range topics {
		topics[i] = fmt.Sprintf("topic-%02d", 99-i) // later ones sort before
	}
	for _, tc := range []struct {
		name        string
		first, more int // topics followed, and named by the next report
		want        int // topics followed then
	}{{"20 and one more", 20, 1, 20}, {"19 and two more", 19, 2, 20}, {"19 and one more", 19, 1, 20}} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			for _, named := range [][]string{topics[:tc.first], topics[tc.first : tc.first+tc.more]} {
				r := accepted("bill", w.Clock.Now())
				r.Topics = named
				if _, err := report(w, "", r); err != nil {
					t.Fatal(err)
				}
				w.Clock.Advance(time.Hour)
			}
			view, err := w.Service.Subscriber(context.Background(), appid, "user", 0)
			if err != nil || len(view.Topics) != tc.want {
				t.Errorf("%v, %d topics, want %d", err, len(view.Topics), tc.want)
			}
			for _, topic := range topics[:tc.first] {
				if !slices.Contains(view.Topics, topic) {
					t.Errorf("topic %s is not followed any more", topic)
				}
			}
		})
	}
}
