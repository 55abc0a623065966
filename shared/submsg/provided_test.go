package submsg_test

import (
	"context"
	"errors"
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

const provider = "https://bills.example.com/content"

// endpointOf is an app's own endpoint: it fails while it is told to, and notes when it was asked.
type endpointOf struct {
	now func() time.Time

	mu    sync.Mutex
	works bool
	asked []time.Time
}

func (e *endpointOf) Provide(_ context.Context, r submsg.ProviderRequest) (map[string]submsg.Provided, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, e.now())
	if !e.works {
		return nil, errors.New("the endpoint answered 500")
	}
	all := map[string]submsg.Provided{}
	for _, openid := range r.OpenIDs {
		all[openid] = submsg.Provided{Data: submsgtest.Data("provided")}
	}
	return all, nil
}

func (e *endpointOf) calls() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.asked)
}

// failing is a world whose app has an endpoint that does not work.
func failing(t testing.TB) (*submsgtest.World, *endpointOf) {
	t.Helper()
	w := newWorld(t, func(a *submsg.App) { a.CheckProvider = func(string) error { return nil } })
	e := &endpointOf{now: w.Clock.Now}
	w.Service.Provider = e
	return w, e
}

func provided(r *submsg.ScheduleRequest) {
	r.Content = submsg.Content{Provider: provider}
}

func TestJobsWhoseProviderFailsEndWithTheTimeOfTheirMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w, e := failing(t)
		var openids []string
		for i := range 5 {
			openids = append(openids, fmt.Sprint("user-", i))
			w.Granted(openids[i], bill, 1)
		}
		sch := scheduled(t, w, "daily", submsg.Recipients{Audience: &submsg.Audience{}}, provided, func(r *submsg.ScheduleRequest) { r.ValidFor = 20 * time.Minute })
		w.Clock.Advance(time.Hour)
		for range 40 { // the pauses between two tries are five minutes and a half of that at most
			w.Clock.Advance(time.Minute)
			tick(t, w)
		}
		if e.calls() == 0 {
			t.Fatal("the provider was never asked: the test shows nothing")
		}
		jobs, err := w.Base.List(ctx, submsg.JobPartition(appid, sch.ID, sch.NextAt), "", 100)
		if err != nil || len(jobs) == 0 {
			t.Fatalf("%v, %d jobs", err, len(jobs))
		}
		for _, r := range jobs {
			if j := r.Body.(*submsg.Job); !j.Done || r.Due != 0 {
				t.Errorf("shard %d: done %v, due %d, %d failures", j.Shard, j.Done, r.Due, j.Failures)
			}
		}
		for _, openid := range openids {
			if got := stateOf(t, w, submsg.OccurrenceSendID(appid, sch.ID, sch.NextAt, openid)); got.State != submsg.SendExpired || got.Reason == nil || got.Reason.Code != policy.RuleValidUntil {
				t.Errorf("the send to %s is %s, %+v", openid, got.State, got.Reason)
			}
		}
		valid := sch.NextAt.Time().Add(20 * time.Minute)
		for _, at := range e.asked {
			if at.After(valid) {
				t.Errorf("the provider was asked %s after the message was of no use any more", at.Sub(valid))
			}
		}
		past, _, err := w.Service.Occurrences(ctx, appid, sch.ID, 0)
		if err != nil || len(past) != 1 || past[0].State != "done" || past[0].Counts["expired"] != len(openids) {
			t.Errorf("%v, the occurrence reads as %+v", err, past)
		}
		asked := e.calls()
		for range 60 {
			w.Clock.Advance(time.Minute)
			tick(t, w)
		}
		if got := e.calls(); got != asked {
			t.Errorf("the provider was asked %d times more in the hour after", got-asked)
		}
	})
}

func TestAPersonalSchedulesFailingProviderIsAskedEverMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		w, e := failing(t)
		w.Granted("anna", bill, 1)
		sch := scheduled(t, w, "own", submsg.Recipients{OpenID: "anna"}, provided)
		w.Clock.Advance(time.Hour)
		for range 600 {
			w.Clock.Advance(time.Second)
			tick(t, w)
		}
		// 1, 2, 4 … 256 seconds, each half as long or half as long again.
		if n := e.calls(); n < 5 || n > 15 {
			t.Fatalf("in ten minutes the provider was asked %d times", n)
		}
		first, last := e.asked[1].Sub(e.asked[0]), e.asked[len(e.asked)-1].Sub(e.asked[len(e.asked)-2])
		if last < 10*first || last < 30*time.Second {
			t.Errorf("it was asked again after %s at first and after %s in the end", first, last)
		}
		past, next, err := w.Service.Occurrences(ctx, appid, sch.ID, 1)
		if err != nil || len(past) != 1 || past[0].At != sch.NextAt || past[0].State != "running" || !strings.Contains(past[0].Detail, "answered 500") {
			t.Errorf("%v, the occurrence reads as %+v; want that it is running and why it gets no further", err, past)
		}
		if len(next) != 1 || next[0].At != sch.NextAt.Add(aDay) {
			t.Errorf("the next occurrence is %+v; want that the schedule has moved on", next)
		}
		e.works = true
		for range 600 {
			w.Clock.Advance(time.Second)
			tick(t, w)
		}
		if n := receivedOf(w, "anna", "provided"); n != 1 {
			t.Errorf("since the provider works, %d messages were received, want 1", n)
		}
		past, _, err = w.Service.Occurrences(ctx, appid, sch.ID, 0)
		if err != nil || len(past) != 1 || past[0].State != "done" || past[0].Counts["sent"] != 1 || past[0].Detail != "" {
			t.Errorf("%v, in the end the occurrence reads as %+v", err, past)
		}
		n := e.calls()
		w.Clock.Advance(aDay - 20*time.Minute)
		for range 2 { // one makes the job, the next does it
			w.Clock.Advance(time.Second)
			tick(t, w)
		}
		if got := receivedOf(w, "anna", "provided"); got != 2 || e.calls() != n+1 {
			t.Errorf("the next day: %d messages, asked %d times", got, e.calls()-n)
		}
	})
}

// A worker that comes after a crash finds sends that were recorded. It counts each as what it is by then.
func TestASendThatACrashedWorkerRecordedIsCountedByItsState(t *testing.T) {
	ctx := context.Background()
	states := map[string]bool{"skipped": true}
	for _, s := range []submsg.SendState{submsg.SendQueued, submsg.SendSent, submsg.SendDelivered, submsg.SendFailed, submsg.SendRejected, submsg.SendUnknown, submsg.SendRefused, submsg.SendExpired} {
		states[string(s)] = true
	}
	openids := []string{"anna", "bo", "chen", "dai"}
	effects, found := 0, 0
	for _, after := range []bool{false, true} {
		for n := 0; n <= effects; n++ { // the first run dies nowhere and counts
			t.Run(fmt.Sprintf("effect %d after=%v", n, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, nil)
					for _, openid := range openids {
						w.Granted(openid, bill, 1)
					}
					sch := scheduled(t, w, "daily", submsg.Recipients{Audience: &submsg.Audience{}})
					w.Clock.Advance(time.Hour + time.Second)
					w.Start(&submsgtest.Process{DieAt: n, After: after})
					w.Service.Concurrency = 1
					_ = w.Service.Tick(ctx)
					if n == 0 {
						effects = w.Process.Effects()
					}
					recorded := 0
					for _, openid := range openids {
						if stored(t, w, submsg.SendKey(appid, submsg.OccurrenceSendID(appid, sch.ID, sch.NextAt, openid))) != nil {
							recorded++
						}
					}
					if recorded > 0 && w.Process.Dead() {
						found++
					}
					w.Recover()
					past, _, err := w.Service.Occurrences(ctx, appid, sch.ID, 0)
					if err != nil || len(past) != 1 || past[0].State != "done" {
						t.Fatalf("%v, the occurrence reads as %+v", err, past)
					}
					all := 0
					for what, n := range past[0].Counts {
						if all += n; !states[what] {
							t.Errorf("%d are counted as %q", n, what)
						}
					}
					if all != len(openids) {
						t.Errorf("the counts %v are of %d sends, want %d", past[0].Counts, all, len(openids))
					}
				})
			})
		}
	}
	if found < 3 {
		t.Errorf("only in %d runs a send was recorded before the crash: the test shows nothing", found)
	}
}
