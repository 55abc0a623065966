package submsg_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

// asked is how many accepts of a template the prompt plan wants now, 0 where it is left out, and the plan's reason.
func asked(t testing.TB, w *submsgtest.World, openid, templateID string) (missing int, why policy.Reason) {
	t.Helper()
	plan, err := w.Service.Prompts(context.Background(), appid, openid, "bills")
	if err != nil {
		t.Fatal(err)
	}
	of := func(c policy.PromptChoice) bool { return c.Template.ID == templateID }
	if i := slices.IndexFunc(plan.Ask, of); i >= 0 {
		return plan.Ask[i].Missing, plan.Ask[i].Reason
	}
	if i := slices.IndexFunc(plan.LeftOut, of); i >= 0 {
		return 0, plan.LeftOut[i].Reason
	}
	t.Fatalf("the plan says nothing of %s", templateID)
	return 0, why
}

// onlyOneTime takes the long-term template out, which a prompt would not mix with.
func onlyOneTime(a *submsg.App) { a.Templates = a.Templates[:1] }

// Twelve monthly bills on one-time grants: the user comes by a few days before each, and is asked exactly when the
// stock does not last.
func TestTwelveMonthlyBillsOnOneTimeGrants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onlyOneTime)
		first := time.Date(2000, 1, 5, 9, 0, 0, 0, policy.Shanghai)
		sch, _, err := w.Service.CreateSchedule(context.Background(), appid, "bills", submsg.ScheduleRequest{
			Template: "order", To: submsg.Recipients{OpenID: "user"}, RRule: "FREQ=MONTHLY;COUNT=12", Start: first,
			Content: submsg.Content{Data: map[string]string{"character_string1": "{{date}}", "thing2": "本月账单"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		prompts := 0
		for month := range 12 {
			due := first.AddDate(0, month, 0)
			time.Sleep(time.Until(due.Add(-3 * aDay)))
			for visit := range 3 { // once a day
				missing, why := asked(t, w, "user", order)
				if want := 1; visit == 0 && month%2 == 0 {
					if missing != want || why.Code != policy.RuleOneTimeCredit {
						t.Fatalf("before bill %d: %d missing (%s), want %d", month+1, missing, why.Detail, want)
					}
					prompts++
					w.Granted("user", order, 2) // ticked twice: one for the next month too
				} else if missing != 0 || why.Code != policy.RuleOneTimeCredit {
					t.Fatalf("before bill %d, visit %d: %d missing (%s), want none", month+1, visit+1, missing, why.Detail)
				}
				time.Sleep(aDay - time.Minute)
			}
			time.Sleep(time.Until(due.Add(time.Minute)))
			tick(t, w)
			w.Sim.DeliverAll()
			if got := len(w.Sim.Received(appid, "user")); got != month+1 {
				t.Fatalf("after bill %d: %d received", month+1, got)
			}
		}
		if prompts != 6 {
			t.Errorf("asked %d times, want 6", prompts)
		}
		if got, err := w.Service.Schedule(context.Background(), appid, sch.ID); err != nil || got.State != submsg.ScheduleEnded {
			t.Errorf("%v %s", err, got.State)
		}
	})
}

func TestThePlanCountsWhatTheNextMonthNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onlyOneTime)
		start := time.Date(2000, 1, 7, 17, 0, 0, 0, policy.Shanghai) // a Friday
		if _, _, err := w.Service.CreateSchedule(context.Background(), appid, "classes", submsg.ScheduleRequest{
			Template: "order", To: submsg.Recipients{OpenID: "pupil"}, RRule: "FREQ=WEEKLY;COUNT=8", Start: start,
			Content: submsg.Content{Data: submsgtest.Data("class")},
		}); err != nil {
			t.Fatal(err)
		}
		for have, want := range []int{4, 3, 2, 1, 0} { // on the 7th, 14th, 21st and 28th of January
			if missing, why := asked(t, w, "pupil", order); missing != want {
				t.Errorf("with %d credits: %d missing, want %d (%s)", have, missing, want, why.Detail)
			}
			w.Granted("pupil", order, 1)
		}
		// The stock of five covers four weeks; then the plan asks again before the sixth class.
		for week := range 5 {
			time.Sleep(time.Until(start.AddDate(0, 0, 7*week).Add(time.Minute)))
			tick(t, w)
			w.Sim.DeliverAll()
		}
		if got := len(w.Sim.Received(appid, "pupil")); got != 5 {
			t.Fatalf("%d received", got)
		}
		if missing, why := asked(t, w, "pupil", order); missing != 3 {
			t.Errorf("before the last three classes: %d missing (%s)", missing, why.Detail)
		}
		if missing, _ := asked(t, w, "stranger", order); missing != 1 {
			t.Errorf("of somebody without a schedule: %d missing, want 1", missing)
		}
	})
}

func TestAPausedScheduleNeedsNoCredits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onlyOneTime)
		sch, _, err := w.Service.CreateSchedule(context.Background(), appid, "daily", submsg.ScheduleRequest{
			Template: "order", To: submsg.Recipients{OpenID: "user"}, RRule: "FREQ=DAILY;COUNT=10", Start: time.Now().Add(time.Hour),
			Content: submsg.Content{Data: submsgtest.Data("day")},
		})
		if err != nil {
			t.Fatal(err)
		}
		if missing, _ := asked(t, w, "user", order); missing != 10 {
			t.Errorf("%d missing, want 10", missing)
		}
		if _, err := w.Service.PauseSchedule(context.Background(), appid, sch.ID); err != nil {
			t.Fatal(err)
		}
		if missing, _ := asked(t, w, "user", order); missing != 1 {
			t.Errorf("paused: %d missing, want the one that any template wants", missing)
		}
	})
}

func TestATemplateThatWasRefusedIsNotAskedForAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onlyOneTime)
		for refusal, wait := range []time.Duration{aDay, 2 * aDay, 4 * aDay} {
			if err := w.Sim.Reject(appid, "user", order); err != nil {
				t.Fatal(err)
			}
			w.Sim.DeliverAll()
			if missing, why := asked(t, w, "user", order); missing != 0 || why.Code != policy.RulePromptNoNagging {
				t.Fatalf("right after refusal %d: %d missing, %s", refusal+1, missing, why.Code)
			}
			time.Sleep(wait - time.Minute)
			if _, why := asked(t, w, "user", order); why.Code != policy.RulePromptNoNagging {
				t.Errorf("a minute before %s are over: %s", wait, why.Code)
			}
			time.Sleep(2 * time.Minute)
			if missing, why := asked(t, w, "user", order); missing != 1 {
				t.Errorf("after %s: %d missing, %s", wait, missing, fmt.Sprint(why))
			}
		}
	})
}
