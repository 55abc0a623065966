package submsg_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

// kept takes every notice at once.
type kept struct {
	mu      sync.Mutex
	notices []submsg.Notice
}

func (k *kept) Post(_ context.Context, n submsg.Notice) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.notices = append(k.notices, n)
	return nil
}

func (k *kept) count(event string) (n int) {
	for _, x := range k.notices {
		if x.Event == event {
			n++
		}
	}
	return n
}

// watched is a world in a bubble: figures count on the day of the machine's own clock, so here it is that clock which is
// moved on, by sleeping.
func watched(t *testing.T) (*submsgtest.World, *kept) {
	w := newWorld(t, func(a *submsg.App) { a.Webhook = true })
	hook := &kept{}
	w.Service.Webhook = hook
	return w, hook
}

// turnAway lets n users accept the long-term template and change their mind.
func turnAway(t *testing.T, w *submsgtest.World, n int, name string) {
	t.Helper()
	for i := range n {
		user := fmt.Sprintf("%s-%03d", name, i)
		w.Granted(user, bill, 1)
		if err := w.Sim.ChangeReject(appid, user, bill); err != nil {
			t.Fatal(err)
		}
		w.Sim.DeliverAll()
	}
}

// hours lets n hours pass with a tick in each.
func hours(t *testing.T, w *submsgtest.World, n int) {
	t.Helper()
	for range n {
		time.Sleep(time.Hour)
		tick(t, w)
	}
}

func schedule(t *testing.T, w *submsgtest.World, template, key string) submsg.Schedule {
	t.Helper()
	sch, _, err := w.Service.CreateSchedule(context.Background(), appid, key, submsg.ScheduleRequest{
		Template: template, To: submsg.Recipients{OpenID: "somebody"}, RRule: "FREQ=YEARLY", Start: time.Now().Add(300 * aDay), Content: submsg.Content{Data: submsgtest.Data("x")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return sch
}

func scheduleState(t *testing.T, w *submsgtest.World, id string) submsg.Schedule {
	t.Helper()
	sch, err := w.Service.Schedule(context.Background(), appid, id)
	if err != nil {
		t.Fatal(err)
	}
	return sch
}

func TestASpikeOfRevocationsPausesTheSchedulesOfItsTemplate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, hook := watched(t)
		bills, orders := schedule(t, w, "bill", "bills"), schedule(t, w, "order", "orders")
		for day := range 4 {
			turnAway(t, w, 1, fmt.Sprint("day-", day))
			hours(t, w, 24)
		}
		if hook.count("cancel_spike") != 0 || scheduleState(t, w, bills.ID).State != submsg.ScheduleActive {
			t.Fatalf("one revocation a day is no spike: %+v", hook.notices)
		}
		turnAway(t, w, 12, "angry")
		hours(t, w, 2)
		got := scheduleState(t, w, bills.ID)
		if got.State != submsg.SchedulePaused || got.PauseReason == nil || got.PauseReason.Code != policy.RuleCancelSpike || got.PauseReason.Detail == "" || got.PauseReason.DetailZH == "" {
			t.Errorf("the template's schedule: %s %+v", got.State, got.PauseReason)
		}
		if got := scheduleState(t, w, orders.ID).State; got != submsg.ScheduleActive {
			t.Errorf("another template's schedule is %s", got)
		}
		if hook.count("cancel_spike") != 1 {
			t.Fatalf("notices: %+v", hook.notices)
		}
		for _, n := range hook.notices {
			if n.Event == "cancel_spike" && (n.TemplateID != bill || n.Detail["revoked_today"] != "12" || n.Detail["revoked_a_day_before"] != "1.0" || n.Detail["days_compared"] != "4") {
				t.Errorf("%+v", n)
			}
		}

		// What an operator resumes stays so for the rest of the day.
		if _, err := w.Service.ResumeSchedule(context.Background(), appid, bills.ID); err != nil {
			t.Fatal(err)
		}
		turnAway(t, w, 12, "angrier")
		hours(t, w, 12)
		if got := scheduleState(t, w, bills.ID); got.State != submsg.ScheduleActive || got.PauseReason != nil {
			t.Errorf("what the operator resumed is %s again", got.State)
		}
		if hook.count("cancel_spike") != 1 {
			t.Errorf("told %d times on one day", hook.count("cancel_spike"))
		}

		// The next day may be worse still.
		hours(t, w, 12)
		turnAway(t, w, 60, "furious")
		hours(t, w, 2)
		if got := scheduleState(t, w, bills.ID).State; got != submsg.SchedulePaused || hook.count("cancel_spike") != 2 {
			t.Errorf("on the next day the schedule is %s, %d notices", got, hook.count("cancel_spike"))
		}
	})
}

func TestRefusedPromptsAreNoRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, hook := watched(t)
		sch := schedule(t, w, "bill", "bills")
		for range 4 {
			turnAway(t, w, 1, "one")
			hours(t, w, 24)
		}
		for i := range 50 { // a prompt that most users decline: they never had the subscription
			user := fmt.Sprintf("declines-%d", i)
			if err := w.Sim.Reject(appid, user, bill); err != nil {
				t.Fatal(err)
			}
			w.Sim.DeliverAll()
			if err := w.Report(user, "bill", "reject", time.Now()); err != nil { // and the other feed tells of it too
				t.Fatal(err)
			}
		}
		hours(t, w, 2)
		if got := scheduleState(t, w, sch.ID).State; got != submsg.ScheduleActive || len(hook.notices) != 0 {
			t.Errorf("the schedule is %s, notices %+v", got, hook.notices)
		}
	})
}

func TestASpikeIsToldOnceHoweverManyInstancesWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, hook := watched(t)
		schedule(t, w, "bill", "bills")
		for range 4 {
			turnAway(t, w, 1, "one")
			hours(t, w, 24)
		}
		turnAway(t, w, 12, "angry")
		if err := w.Service.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		first := w.Service
		for range 6 {
			time.Sleep(40 * time.Minute)
			done := make(chan error)
			for range 8 {
				svc := &submsg.Service{Apps: first.Apps, Store: w.Base, WeChat: first.WeChat, Webhook: hook, Now: w.Clock.Now, Log: first.Log}
				go func() { done <- svc.Tick(context.Background()) }()
			}
			for range 8 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			tick(t, w)
		}
		if n := hook.count("cancel_spike"); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

func TestACrashAnywhereInAWatchStillPausesEverySchedule(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			died := false
			ok := t.Run(fmt.Sprintf("effect %d after=%v", n, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, hook := watched(t)
					apps := w.Service.Apps
					var all []string
					for i := range 3 {
						all = append(all, schedule(t, w, "bill", fmt.Sprint("bill-", i)).ID)
					}
					for range 4 {
						turnAway(t, w, 1, "one")
						hours(t, w, 24)
					}
					turnAway(t, w, 12, "angry")
					if err := w.Service.Flush(context.Background()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Hour)
					p := &submsgtest.Process{DieAt: n, After: after}
					w.Start(p)
					w.Service.Apps, w.Service.Webhook = apps, hook
					_ = w.Service.Tick(context.Background())
					died = p.Dead()
					w.Start(nil)
					w.Service.Apps, w.Service.Webhook = apps, hook
					hours(t, w, 3)
					for _, id := range all {
						if got := scheduleState(t, w, id).State; got != submsg.SchedulePaused {
							t.Errorf("schedule %s is %s", id, got)
						}
					}
					ids := map[string]bool{}
					for _, x := range hook.notices {
						ids[x.ID] = true
					}
					if len(ids) != 1 {
						t.Errorf("%d different notices: %+v", len(ids), hook.notices)
					}
				})
			})
			if !ok || !died {
				break
			}
			if n > 100 {
				t.Fatal("the tick never ends")
			}
		}
	}
}

func TestALostReplyInAWatchPausesOnce(t *testing.T) {
	for n := 1; ; n++ {
		lost := ""
		synctest.Test(t, func(t *testing.T) {
			w, hook := watched(t)
			sch := schedule(t, w, "bill", "bills")
			for range 4 {
				turnAway(t, w, 1, "one")
				hours(t, w, 24)
			}
			turnAway(t, w, 12, "angry")
			if err := w.Service.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
			lossy := &lossyStore{Store: w.Base, at: n}
			w.Service.Store = lossy
			paused := 0
			for range 6 { // a claim whose reply is lost counts for its hour
				time.Sleep(time.Hour)
				_ = w.Service.Tick(context.Background())
				if scheduleState(t, w, sch.ID).State == submsg.SchedulePaused {
					paused++
					if _, err := w.Service.ResumeSchedule(context.Background(), appid, sch.ID); err != nil {
						t.Fatal(err)
					}
				}
			}
			lost = lossy.lost
			if paused != 1 {
				t.Errorf("reply %d (%s) lost: paused %d times", n, lost, paused)
			}
			if got := hook.count("cancel_spike"); got != 1 {
				t.Errorf("reply %d (%s) lost: told %d times", n, lost, got)
			}
		})
		if lost == "" {
			if n < 5 {
				t.Errorf("only %d writes were made", n-1)
			}
			return
		}
	}
}

// listings counts what is read of the figures. The first together readers of an app's health wait for each other.
type listings struct {
	submsg.Store
	mu       sync.Mutex
	n        int
	together int
	arrived  chan struct{}
}

func (l *listings) Load(ctx context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
	recs, err := l.Store.Load(ctx, keys...)
	if keys[0] != submsg.HealthKey(appid) {
		return recs, err
	}
	l.mu.Lock()
	gated := l.together > 0
	if l.together--; l.together == 0 {
		close(l.arrived)
	}
	l.mu.Unlock()
	if gated {
		<-l.arrived
	}
	return recs, err
}

func (l *listings) List(ctx context.Context, partition, after string, limit int) ([]submsg.Record, error) {
	if strings.HasPrefix(partition, "counter#") {
		l.mu.Lock()
		l.n++
		l.mu.Unlock()
	}
	return l.Store.List(ctx, partition, after, limit)
}

func TestFiguresAreLookedAtOnceAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := watched(t)
		counting := &listings{Store: w.Base}
		w.Service.Store = counting
		tick(t, w)
		first := counting.n
		if first == 0 {
			t.Fatal("the first tick looks at nothing")
		}
		for range 59 {
			time.Sleep(time.Minute)
			tick(t, w)
		}
		if counting.n != first {
			t.Errorf("%d listings within the hour, %d at its beginning", counting.n-first, first)
		}
		time.Sleep(time.Minute)
		tick(t, w)
		if counting.n != 2*first {
			t.Errorf("%d listings after the hour, want %d", counting.n-first, first)
		}

		time.Sleep(time.Hour)
		const instances = 8
		counting.together, counting.arrived = instances, make(chan struct{})
		var group sync.WaitGroup
		for range instances {
			svc := &submsg.Service{Apps: w.Service.Apps, Store: counting, WeChat: w.Service.WeChat, Now: w.Clock.Now}
			group.Go(func() {
				if err := svc.Tick(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if counting.n != 3*first {
			t.Errorf("eight instances made %d listings, want those of one: %d", counting.n-2*first, first)
		}
	})
}

func TestPausingGoesThroughManySchedules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := watched(t)
		var all []string
		for i := range 450 {
			all = append(all, schedule(t, w, []string{"bill", "order"}[i%2], fmt.Sprint("s-", i)).ID)
		}
		for range 4 {
			turnAway(t, w, 1, "one")
			hours(t, w, 24)
		}
		turnAway(t, w, 12, "angry")
		hours(t, w, 2)
		for i, id := range all {
			want := []submsg.ScheduleState{submsg.SchedulePaused, submsg.ScheduleActive}[i%2]
			if got := scheduleState(t, w, id).State; got != want {
				t.Fatalf("schedule %d is %s, want %s", i, got, want)
			}
		}
		recs, err := w.Base.Load(context.Background(), submsg.HealthKey(appid))
		if err != nil || len(recs[0].Body.(*submsg.Health).Pausing) != 0 {
			t.Errorf("%v %+v", err, recs[0].Body)
		}
	})
}
