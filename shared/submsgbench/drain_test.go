package submsgbench_test

import (
	"context"
	"flag"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/memory"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

var (
	audience = flag.Int("audience", 10_000, "subscribers of BenchmarkDrain")
	latency  = flag.Duration("latency", 40*time.Millisecond, "how long WeChat takes to answer in BenchmarkDrain")
)

// BenchmarkDrain sends one occurrence to an audience while WeChat takes its time. Sixteen jobs run at a time, one for
// each shard, with so many calls each under way; the ideal is workers ÷ latency. WeChat is a sleep in the process:
// what is measured is whether the fan-out keeps all its workers busy.
func BenchmarkDrain(b *testing.B) {
	for _, concurrency := range []int{16, 32} {
		workers := concurrency * 16
		b.Run(map[int]string{16: "workers=256", 32: "workers=512"}[concurrency], func(b *testing.B) {
			var share, most, kept []float64
			for b.Loop() {
				b.StopTimer()
				clock := &submsgtest.Clock{}
				s, _ := bare(b, memory.New(clock.Now), clock, concurrency, *audience)
				w := &yes{delay: *latency}
				s.WeChat = w
				s.Work = 10 * time.Minute // a plain process sets no deadline; a function hands its jobs on
				scheduleNow(b, s)
				clock.Advance(2 * time.Second)
				runtime.GC()
				before := heap()
				peak := watchHeap()
				b.StartTimer()
				began := time.Now()
				if err := s.Tick(context.Background()); err != nil {
					b.Fatal(err)
				}
				took := time.Since(began)
				b.StopTimer()
				if got := w.calls.Load(); got != int64(*audience) {
					b.Fatalf("%d messages were sent to an audience of %d", got, *audience)
				}
				ideal := time.Duration(*audience) * *latency / time.Duration(workers)
				share = append(share, ideal.Seconds()/took.Seconds())
				most = append(most, float64(peak()-before)/(1<<20))
				runtime.GC()
				kept = append(kept, float64(heap()-before)/(1<<20))
				runtime.KeepAlive(s)
				b.StartTimer()
			}
			b.ReportMetric(median(share), "of-ideal")
			b.ReportMetric(median(most), "peak-MB")
			b.ReportMetric(median(kept), "recorded-MB")
		})
	}
}

// heap is the number of bytes of heap objects, dead ones that were not collected yet included.
func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// watchHeap looks at the heap every few milliseconds until the returned function is called, which tells the most it saw.
func watchHeap() func() uint64 {
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		var peak uint64
		for {
			select {
			case <-tick.C:
				peak = max(peak, heap())
			case <-stop:
				most <- max(peak, heap())
				return
			}
		}
	}()
	return func() uint64 { close(stop); return <-most }
}
