package submsg_test

import (
	"context"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

// One instance that is still of before a deployment must not cost an occurrence.
func TestATemplateThatIsMissingForAMinuteCostsNoOccurrence(t *testing.T) {
	w := newWorld(t, nil)
	w.Granted("anna", bill, 1)
	scheduled(t, w, "own", submsg.Recipients{OpenID: "anna"})
	whole := w.Service.Apps
	w.Service.Apps = catalog(t, func(a *submsg.App) { a.Templates = a.Templates[:1] })
	w.Clock.Advance(time.Hour + 30*time.Second)
	tick(t, w)
	w.Service.Apps = whole
	for range 130 {
		w.Clock.Advance(time.Minute)
		tick(t, w)
	}
	if n := receivedOf(w, "anna", "own"); n != 1 {
		t.Errorf("received %d messages of the occurrence", n)
	}
}

// The newest of several missed occurrences is the one that is caught up, and not the one that the schedule stands at.
func TestAWorkerThatDiesOverACaughtUpOccurrenceLeavesATrail(t *testing.T) {
	ctx := context.Background()
	for die := 1; die <= 4; die++ {
		w := newWorld(t, nil)
		w.Granted("anna", bill, 1)
		sch, _, err := w.Service.CreateSchedule(ctx, appid, "own", submsg.ScheduleRequest{
			Template: "bill", To: submsg.Recipients{OpenID: "anna"}, RRule: "FREQ=DAILY;COUNT=2;BYHOUR=9,21;BYMINUTE=0;BYSECOND=0", Start: w.Clock.Now().Add(time.Hour),
			CatchUp: 23 * time.Hour, Content: submsg.Content{Data: submsgtest.Data("own")}})
		if err != nil {
			t.Fatal(err)
		}
		_, next, err := w.Service.Occurrences(ctx, appid, sch.ID, 5)
		if err != nil {
			t.Fatal(err)
		}
		second := next[1].At
		w.Clock.Advance(second.Time().Sub(w.Clock.Now()) + time.Hour)
		w.Start(&submsgtest.Process{DieAt: die, After: true})
		_ = w.Service.Tick(ctx)
		w.Start(nil)
		w.Clock.Advance(48 * time.Hour)
		for range 3 {
			tick(t, w)
			w.Clock.Advance(time.Hour)
		}
		id := submsg.OccurrenceSendID(appid, sch.ID, second, "anna")
		if holds(t, w, "anna", id) && stored(t, w, submsg.SendKey(appid, id)) == nil {
			t.Errorf("dead at effect %d: a reservation without a record; %d received", die, receivedOf(w, "anna", "own"))
		}
	}
}

func TestWhatAnErasureLeavesGoesByItself(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, nil)
	w.Granted("anna", order, 1)
	if err := w.Service.Erase(ctx, appid, "anna"); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(time.Second)
	v, _, err := w.Service.CreateSend(ctx, appid, "later", submsg.SendRequest{OpenID: "anna", Template: "order", Data: submsgtest.Data("1"), SendAt: w.Clock.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.Cancel(ctx, appid, v.ID); err != nil { // writes the subscriber
		t.Fatal(err)
	}
	recs, err := w.Base.Load(ctx, submsg.SubscriberKey(appid, "anna"))
	if err != nil || recs[0].Body != nil && recs[0].Expires == 0 {
		t.Errorf("%v, %+v never expires", err, recs[0].Body)
	}
}

func TestAnErasureReachesAnOccurrenceThatWaitsForItsProvider(t *testing.T) {
	ctx := context.Background()
	w, endpoint := failing(t)
	w.Granted("anna", bill, 1)
	sch := scheduled(t, w, "own", submsg.Recipients{OpenID: "anna"}, provided)
	w.Clock.Advance(time.Hour + time.Second)
	tick(t, w)
	if err := w.Service.Erase(ctx, appid, "anna"); err != nil {
		t.Fatal(err)
	}
	endpoint.mu.Lock()
	endpoint.works = true
	endpoint.mu.Unlock()
	for range 10 {
		w.Clock.Advance(10 * time.Minute)
		tick(t, w)
	}
	jobs, err := w.Base.List(ctx, submsg.JobPartition(appid, sch.ID, sch.NextAt), "", 10)
	if err != nil || len(jobs) != 0 {
		t.Errorf("%v, %d jobs name the person", err, len(jobs))
	}
	if stored(t, w, submsg.SendKey(appid, submsg.OccurrenceSendID(appid, sch.ID, sch.NextAt, "anna"))) != nil {
		t.Error("a send of after the erasure names the person")
	}
}

func TestADeletedScheduleLeavesNothingWithItsSubscriber(t *testing.T) {
	w := newWorld(t, nil)
	sch := scheduled(t, w, "own", submsg.Recipients{OpenID: "anna"})
	if err := w.Service.DeleteSchedule(context.Background(), appid, sch.ID); err != nil {
		t.Fatal(err)
	}
	plans, err := w.Base.List(context.Background(), submsg.PlanPartition(appid, "anna"), "", 10)
	if err != nil || len(plans) != 0 {
		t.Errorf("%v, %d entries lead to a schedule that is gone", err, len(plans))
	}
}
