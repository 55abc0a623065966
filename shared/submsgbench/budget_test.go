package submsgbench_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/memory"
	"github.com/yuexin-dev/yuexin/shared/redistest"
	"github.com/yuexin-dev/yuexin/shared/storetest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

// The budget of design: two write units for a scheduled message, three with its delivery event, averaged over a batch.
// The tolerance is for jobs, schedules, figures and evidence, which a batch shares.
const (
	writesPerMessage = 2.05
	writesWithEvent  = 3.05
	writesOnDemand   = 3.05 // the send is stored before anything is held for it
)

// told is a WeChat that accepts everything and remembers which msgid it gave to whom.
type told struct {
	yes
	mu  sync.Mutex
	ids map[string]int64
}

func (w *told) Send(ctx context.Context, appid string, m submsg.Message) submsg.Result {
	r := w.yes.Send(ctx, appid, m)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ids == nil {
		w.ids = make(map[string]int64)
	}
	w.ids[m.OpenID] = r.MsgID
	return r
}

// counted is a service over a store that counts, and n subscribers who are not counted.
func counted(t *testing.T, n int) (*submsg.Service, *storetest.Counts, *told, *submsgtest.Clock, []string) {
	t.Helper()
	clock := &submsgtest.Clock{}
	counts := storetest.Count(memory.New(clock.Now))
	s, openids := bare(t, counts, clock, 8, n)
	w := &told{}
	s.WeChat = w
	counts.Reset()
	return s, counts, w, clock, openids
}

// deliver tells of every message's delivery, as WeChat does a moment later.
func (w *told) deliver(t *testing.T, s *submsg.Service, template string, openids []string) {
	t.Helper()
	for i, openid := range openids {
		err := s.Push(context.Background(), appID, submsg.PushEvent{
			Name: submsg.EventSent, OpenID: openid, At: submsg.At(s.Now()) / 1000 * 1000, Fingerprint: uint64(i + 1),
			Items: []submsg.PushItem{{TemplateID: template, Status: "success", MsgID: w.ids[openid]}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestBudgetOfAScheduledMessage(t *testing.T) {
	const audience = 10_000
	s, counts, w, clock, openids := counted(t, audience)
	scheduleNow(t, s)
	clock.Advance(2 * time.Second)
	if err := s.Tick(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := w.calls.Load(); got != audience {
		t.Fatalf("%d messages were sent to an audience of %d", got, audience)
	}
	hold(t, counts, audience, "scheduled", writesPerMessage)
	clock.Advance(3 * time.Second)
	w.deliver(t, s, bill, openids)
	if got := counts.Of("Save", submsg.KindSend).Calls; got != 2*audience {
		t.Errorf("%d writes of sends, want one for the result and one for the event of each of %d", got, audience)
	}
	hold(t, counts, audience, "scheduled, with its delivery event", writesWithEvent)
}

func TestBudgetOfAMessageOnDemand(t *testing.T) {
	const messages = 1000
	s, counts, _, _, openids := counted(t, messages)
	for _, req := range requests(openids) {
		view, _, err := s.CreateSend(context.Background(), appID, "key-"+req.OpenID, req)
		if err != nil || view.State != submsg.SendSent {
			t.Fatalf("%v, %+v", err, view)
		}
	}
	if err := s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	hold(t, counts, messages, "on demand", writesOnDemand)
	if trips := float64(counts.RoundTrips()) / messages; trips > 4.05 {
		t.Errorf("%.3f round trips for each message on demand, want 4: load, claim, reserve, record", trips)
	}
}

// A request that is accepted for later costs one write more: the send is stored before it is answered.
func TestBudgetOfAMessageForLater(t *testing.T) {
	const messages = 1000
	s, counts, w, _, openids := counted(t, messages)
	for _, req := range requests(openids) {
		req.Async = true
		view, _, err := s.CreateSend(context.Background(), appID, "key-"+req.OpenID, req)
		if err != nil || view.State != submsg.SendQueued {
			t.Fatalf("%v, %+v", err, view)
		}
	}
	if err := s.Tick(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := w.calls.Load(); got != messages {
		t.Fatalf("%d of %d messages were sent", got, messages)
	}
	hold(t, counts, messages, "accepted, then sent by a worker", 3.05)
}

// What the client of Redis really asks over its connections is what the port's calls say, and nothing besides.
func TestRoundTripsOverRedis(t *testing.T) {
	if testing.Short() {
		t.Skip("the server is not what the race detector looks at")
	}
	const n = 1000
	clock := &submsgtest.Clock{}
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr)
	s, openids := bare(t, redisAt(t, "redis://"+proxy.Addr, clock.Now), clock, 8, n)
	w := &told{}
	s.WeChat = w
	begun := proxy.Requests()
	spent := func(what string, budget float64) {
		t.Helper()
		if err := s.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := w.calls.Swap(0); got != n {
			t.Fatalf("%s: %d of %d messages were sent", what, got, n)
		}
		now := proxy.Requests()
		trips := float64(now-begun) / n
		begun = now
		t.Logf("%s: %.3f round trips for each of %d messages", what, trips, n)
		if trips > budget {
			t.Errorf("%s: %.3f round trips for each message, the budget is %.2f", what, trips, budget)
		}
	}
	onDemand := func(text string) {
		for _, req := range requests(openids) {
			req.Data["thing4"] = text
			if view, _, err := s.CreateSend(context.Background(), appID, text+req.OpenID, req); err != nil || view.State != submsg.SendSent {
				t.Fatalf("%v, %+v", err, view)
			}
		}
	}
	onDemand("first")
	spent("on demand, the subscriber's first", 4.05)
	scheduleNow(t, s)
	clock.Advance(2 * time.Second)
	if err := s.Tick(context.Background()); err != nil {
		t.Fatal(err)
	}
	spent("scheduled", 2.35) // pages are read together, so that each message pays a part only
	onDemand("later")
	spent("on demand, after another send whose result is still to be applied", 5.05)
}

// hold compares what was written for each message with its budget.
func hold(t *testing.T, counts *storetest.Counts, n int, what string, budget float64) {
	t.Helper()
	per := func(n, of int) string { return fmt.Sprintf("%.4f", float64(n)/float64(of)) }
	reads := counts.Of("Load", "").Keys + counts.Of("List", "").Keys
	t.Logf("%s: %s writes, %s records read, %s round trips for each of %d messages\n%s", what, per(counts.Writes(), n), per(reads, n), per(counts.RoundTrips(), n), n, counts)
	if got := float64(counts.Writes()) / float64(n); got > budget {
		t.Errorf("%s: %.4f writes for each message, the budget is %.2f\n%s", what, got, budget, counts)
	}
}
