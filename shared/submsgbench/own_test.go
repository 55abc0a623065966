package submsgbench_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/memory"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

// yes is a WeChat that accepts everything at once, after a delay.
type yes struct {
	delay time.Duration
	calls atomic.Int64
}

func (y *yes) Send(ctx context.Context, _ string, _ submsg.Message) submsg.Result {
	if y.delay > 0 {
		time.Sleep(y.delay)
	}
	return submsg.Result{Answered: true, Msg: "ok", MsgID: 1988810812324364290 + y.calls.Add(1)}
}

func (y *yes) Templates(context.Context, string) ([]submsg.SyncedTemplate, error) { return nil, nil }

// bare is a service over the memory store whose WeChat costs nothing, and n subscribers of the topic.
func bare(b testing.TB, store submsg.Store, clock *submsgtest.Clock, concurrency, n int) (*submsg.Service, []string) {
	b.Helper()
	s := ledger(b, clock, concurrency)
	s.Store, s.WeChat = store, &yes{}
	now := submsg.At(clock.Now())
	openids := make([]string, n)
	for i := range openids {
		openids[i] = fmt.Sprintf("oABCDEFGHIJKLMNOPQRST%07d", i)
		for _, rec := range []submsg.Record{
			{Key: submsg.SubscriberKey(appID, openids[i]), Body: subscriber(openids[i], topic, now)},
			{Key: submsg.AudienceKey(appID, bill, topic, openids[i]), Body: &submsg.AudienceEntry{OpenID: openids[i], Generation: 1}},
		} {
			if _, err := store.Save(context.Background(), rec); err != nil {
				b.Fatal(err)
			}
		}
	}
	return s, openids
}

// BenchmarkOwn is what a send costs by itself: everything but the call to WeChat, over the memory store.
func BenchmarkOwn(b *testing.B) {
	const some = 20_000
	b.Run("send", func(b *testing.B) {
		clock := &submsgtest.Clock{}
		var s *submsg.Service
		var reqs []submsg.SendRequest
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			if n%some == 0 {
				b.StopTimer()
				var openids []string
				s, openids = bare(b, memory.New(clock.Now), clock, 1, some)
				reqs = requests(openids)
				b.StartTimer()
			}
			req := reqs[n%some]
			view, _, err := s.CreateSend(context.Background(), appID, "key-"+req.OpenID, req)
			if err != nil || view.State != submsg.SendSent {
				b.Fatalf("%v, %+v", err, view)
			}
		}
	})
	b.Run("fan-out of 1000", func(b *testing.B) {
		const some = 1000
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			clock := &submsgtest.Clock{}
			s, _ := bare(b, memory.New(clock.Now), clock, 1, some)
			scheduleNow(b, s)
			clock.Advance(2 * time.Second)
			b.StartTimer()
			if err := s.Tick(context.Background()); err != nil {
				b.Fatal(err)
			}
			if got := s.WeChat.(*yes).calls.Load(); got != some {
				b.Fatalf("%d messages were sent to an audience of %d", got, some)
			}
		}
	})
}
