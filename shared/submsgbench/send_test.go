package submsgbench_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// rounds alternates laps of sends and of plain posts, n of each, and reports their medians and the median of their
// ratios.
func rounds(b *testing.B, n int, prepare func() (send, post func())) {
	var sends, posts []lap
	for b.Loop() {
		b.StopTimer()
		send, post := prepare()
		b.StartTimer()
		sends = append(sends, measure(send))
		posts = append(posts, measure(post))
	}
	per := func(laps []lap, of func(lap) float64) float64 {
		all := make([]float64, len(laps))
		for i, l := range laps {
			all[i] = of(l)
		}
		return median(all)
	}
	rate := func(l lap) float64 { return float64(n) / l.wall.Seconds() }
	cpu := func(l lap) float64 { return float64(l.cpu.Microseconds()) / float64(n) }
	mallocs := func(l lap) float64 { return float64(l.mallocs) / float64(n) }
	ratios := make([]float64, len(sends))
	for i := range sends {
		ratios[i] = posts[i].wall.Seconds() / sends[i].wall.Seconds()
	}
	b.ReportMetric(0, "ns/op") // of a round: it means nothing
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(per(sends, rate), "sends/s")
	b.ReportMetric(per(posts, rate), "posts/s")
	b.ReportMetric(per(sends, cpu), "cpu-µs/send")
	b.ReportMetric(per(posts, cpu), "cpu-µs/post")
	b.ReportMetric(per(sends, mallocs), "allocs/send")
	b.ReportMetric(per(posts, mallocs), "allocs/post")
}

func median(of []float64) float64 {
	slices.Sort(of)
	return (of[(len(of)-1)/2] + of[len(of)/2]) / 2
}

// inARound is how many messages a round has: enough for a tenth of a second at least.
func inARound(workers int) int { return min(1000+200*workers, 8000) }

// BenchmarkSend is the synchronous call of a mini program's back end, each to a subscriber of its own, who has a credit.
func BenchmarkSend(b *testing.B) {
	for _, store := range stores {
		for _, workers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/workers=%d", store.name, workers), func(b *testing.B) {
				w, n := newWorld(b), inARound(workers)
				rounds(b, n, func() (send, post func()) {
					w.begin(b, store.open, store.others, workers)
					openids := w.crowd(b, n, "")
					reqs := requests(openids)
					return func() { each(workers, n, func(i int) { w.send(b, reqs[i]) }) },
						func() { each(workers, n, func(i int) { w.plainPost(b, openids[i]) }) }
				})
			})
		}
	}
}

// BenchmarkFanOut is the occurrence of a schedule for an audience: the tick, sixteen jobs, their pages. Service.Concurrency
// bounds the jobs under way, and the calls of each: workers is its square.
func BenchmarkFanOut(b *testing.B) {
	for _, store := range stores {
		for _, concurrency := range []int{1, 4, 8} {
			workers := concurrency * concurrency
			b.Run(fmt.Sprintf("%s/workers=%d", store.name, workers), func(b *testing.B) {
				w, n := newWorld(b), inARound(workers)
				rounds(b, n, func() (send, post func()) {
					w.begin(b, store.open, store.others, concurrency)
					openids := w.crowd(b, n, topic)
					before := w.sim.Totals(appID).Accepted
					scheduleNow(b, w.service)
					w.clock.Advance(2 * time.Second)
					return func() {
							if err := w.service.Tick(context.Background()); err != nil {
								b.Error(err)
							}
							if got := w.sim.Totals(appID).Accepted - before; got != int64(n) {
								b.Errorf("%d messages were sent to an audience of %d", got, n)
							}
						},
						func() { each(workers, n, func(i int) { w.plainPost(b, openids[i]) }) }
				})
			})
		}
	}
}

// topic is what the audience of every schedule here follows.
const topic = "line-42"

// scheduleNow makes a schedule for the audience of the topic that fires once, in a second or two.
func scheduleNow(b testing.TB, s *submsg.Service) {
	b.Helper()
	_, _, err := s.CreateSchedule(context.Background(), appID, "schedule", submsg.ScheduleRequest{
		Template: "bill", To: submsg.Recipients{Audience: &submsg.Audience{Topic: topic}}, RRule: "FREQ=DAILY;COUNT=1",
		Start:   s.Now().Add(1999 * time.Millisecond).Truncate(time.Second),
		Content: submsg.Content{Data: data(0)},
	})
	if err != nil {
		b.Fatal(err)
	}
}
