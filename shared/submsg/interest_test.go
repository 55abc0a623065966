package submsg_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

func opened(t testing.TB, w *submsgtest.World, reports ...submsg.OpenReport) []submsg.OpenEffect {
	t.Helper()
	effects, err := w.Service.ReportOpens(context.Background(), appid, reports)
	if err != nil {
		t.Fatal(err)
	}
	return effects
}

// figure adds up one figure of a template, by day.
func figure(t testing.TB, w *submsgtest.World, templateID, what string) map[string]int64 {
	t.Helper()
	counters, err := w.Service.Stats(context.Background(), appid, 28)
	if err != nil {
		t.Fatal(err)
	}
	days := map[string]int64{}
	for _, c := range counters {
		if n := c.Counts[what]; c.TemplateID == templateID && n != 0 {
			days[c.Day] += n
		}
	}
	return days
}

func TestAnOpenThatNamesItsSendCountsOnce(t *testing.T) { synctest.Test(t, openOnce) }

func openOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.Granted("user", order, 2)
	a, _ := send(t, w, "order", "message")
	w.Sim.DeliverAll()
	report := submsg.OpenReport{OpenID: "user", Template: "order", SendID: a.ID}
	var mu sync.Mutex
	var effects []submsg.OpenEffect
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			got := opened(t, w, report)
			mu.Lock()
			defer mu.Unlock()
			effects = append(effects, got...)
		})
	}
	group.Wait()
	slices.Sort(effects)
	if effects[0] != submsg.OpenCounted || slices.Contains(effects[1:], submsg.OpenCounted) {
		t.Errorf("effects %v, want counted once", effects)
	}
	if got := figure(t, w, order, "opened"); len(got) != 1 || got[time.Now().In(policy.Shanghai).Format(time.DateOnly)] != 1 {
		t.Errorf("opened %v", got)
	}
	view := stateOf(t, w, a.ID)
	if view.State != submsg.SendDelivered || view.OpenedAt == 0 || view.Due != 0 {
		t.Errorf("%+v", view)
	}
	for what, r := range map[string]submsg.OpenReport{
		"an id nobody knows": {OpenID: "user", Template: "order", SendID: "nosuchsend"},
		"another subscriber": {OpenID: "other", Template: "order", SendID: a.ID},
		"another template":   {OpenID: "user", Template: "bill", SendID: a.ID},
	} {
		if got := opened(t, w, r); got[0] != submsg.OpenUnknown {
			t.Errorf("%s: %s", what, got)
		}
	}
	if got := figure(t, w, bill, "opened"); len(got) != 0 {
		t.Errorf("opened %v of the other template", got)
	}
}

func TestAnOpenReportedBeforeTheSentEventOutlivesIt(t *testing.T) {
	w := newWorld(t, nil)
	w.Granted("user", order, 1)
	a, _ := send(t, w, "order", "message")
	opened(t, w, submsg.OpenReport{OpenID: "user", Template: "order", SendID: a.ID})
	w.Sim.DeliverAll()
	if view := stateOf(t, w, a.ID); view.State != submsg.SendDelivered || view.OpenedAt == 0 {
		t.Errorf("%s, opened at %d", view.State, view.OpenedAt)
	}
	if got := opened(t, w, submsg.OpenReport{OpenID: "user", Template: "order", SendID: a.ID}); got[0] != submsg.OpenDuplicate {
		t.Errorf("reported again: %s", got)
	}
}

func TestOpensCountOnTheirDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		now := time.Now()
		effects := opened(t, w,
			submsg.OpenReport{OpenID: "a", Template: "bill"},
			submsg.OpenReport{OpenID: "a", Template: bill, At: now.Add(-time.Hour)},
			submsg.OpenReport{OpenID: "b", Template: "bill", At: now.Add(-3 * aDay)},
			submsg.OpenReport{OpenID: "c", Template: "bill", At: now.Add(-3 * aDay)},
		)
		if slices.ContainsFunc(effects, func(e submsg.OpenEffect) bool { return e != submsg.OpenCounted }) {
			t.Errorf("%v", effects)
		}
		got := figure(t, w, bill, "opened")
		if len(got) != 2 || got["2000-01-01"] != 2 || got["1999-12-29"] != 2 {
			t.Errorf("%v", got)
		}
	})
}

func TestAnInvalidReportOfOpensCountsNothing(t *testing.T) {
	w := newWorld(t, nil)
	good := submsg.OpenReport{OpenID: "user", Template: "bill"}
	for _, tc := range []struct {
		name  string
		bad   submsg.OpenReport
		code  submsg.Code
		field string
	}{
		{"no openid", submsg.OpenReport{Template: "bill"}, submsg.CodeInvalidRequest, "opens[1].openid"},
		{"a template that is not configured", submsg.OpenReport{OpenID: "user", Template: "nosuch"}, submsg.CodeUnknownTemplate, "opens[1].template"},
		{"opened in the future", submsg.OpenReport{OpenID: "user", Template: "bill", At: time.Now().Add(time.Hour)}, submsg.CodeClockSkew, "opens[1].at"},
		{"opened before anybody remembers", submsg.OpenReport{OpenID: "user", Template: "bill", At: time.Now().Add(-40 * aDay)}, submsg.CodeClockSkew, "opens[1].at"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := w.Service.ReportOpens(context.Background(), appid, []submsg.OpenReport{good, tc.bad})
			if p := submsg.AsProblem(err); p == nil || p.Code != tc.code || p.Field != tc.field {
				t.Errorf("%v", err)
			}
		})
	}
	for _, n := range []int{0, 101} {
		if _, err := w.Service.ReportOpens(context.Background(), appid, make([]submsg.OpenReport, n)); !problemIs(err, submsg.CodeTooMany) {
			t.Errorf("%d reports: %v", n, err)
		}
	}
	if got := figure(t, w, bill, "opened"); len(got) != 0 {
		t.Errorf("counted %v", got)
	}
}

func TestATemplateThatHardlyAnybodyOpensIsFlagged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, hook := watched(t)
		deliver := func(n int, from string) {
			for i := range n {
				user := fmt.Sprintf("%s-%d", from, i)
				w.Granted(user, bill, 1)
				if _, v, err := w.Send(user, "bill", user); err != nil || v.State != submsg.SendSent {
					t.Fatalf("%v %s", err, v.State)
				}
			}
			w.Sim.DeliverAll()
		}
		flags := func() []string {
			t.Helper()
			all, err := w.Service.Flags(context.Background(), appid)
			if err != nil {
				t.Fatal(err)
			}
			if len(all[order]) != 0 {
				t.Errorf("the other template is flagged: %v", all)
			}
			return all[bill]
		}
		deliver(100, "first")
		hours(t, w, 2)
		if got := flags(); len(got) != 0 || len(hook.notices) != 0 {
			t.Errorf("an app that reports no opens is flagged: %v %+v", got, hook.notices)
		}
		for i := range 4 {
			opened(t, w, submsg.OpenReport{OpenID: fmt.Sprint("first-", i), Template: "bill"})
		}
		if got := flags(); !slices.Equal(got, []string{policy.RuleLowInterest}) {
			t.Errorf("4 of 100 opened: %v", got)
		}
		hours(t, w, 8)
		if hook.count("low_interest") != 1 {
			t.Errorf("notices %+v", hook.notices)
		}
		n := hook.notices[0]
		if n.TemplateID != bill || n.Detail["delivered"] != "100" || n.Detail["opened"] != "4" {
			t.Errorf("%+v", n)
		}
		hours(t, w, 24)
		if hook.count("low_interest") != 2 {
			t.Errorf("a day later %d notices, want one more", hook.count("low_interest"))
		}
		opened(t, w, submsg.OpenReport{OpenID: "first-9", Template: "bill"})
		if got := flags(); len(got) != 0 {
			t.Errorf("5 of 100 opened: %v", got)
		}
		// Deliveries of more than four weeks ago say nothing any more.
		for range 30 {
			hours(t, w, 24)
		}
		deliver(60, "second")
		if got := flags(); len(got) != 0 {
			t.Errorf("60 deliveries in four weeks: %v", got)
		}
	})
}
