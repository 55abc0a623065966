package submsg

import (
	"sync"
	"time"
)

// bucket is a token bucket: rate tokens a second, at most burst at once.
type bucket struct {
	mu    sync.Mutex
	rate  float64
	burst float64
	have  float64
	at    time.Time
}

// take takes a token and returns how long to wait until it counts. Where that is longer than most it takes none: ok is
// false, and the wait is a fair guess at when to come again.
func (b *bucket) take(now time.Time, most time.Duration) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at.IsZero() {
		b.have = b.burst
	} else {
		b.have = min(b.burst, b.have+now.Sub(b.at).Seconds()*b.rate)
	}
	b.at = now
	if b.have < 1 {
		wait = time.Duration((1 - b.have) / b.rate * float64(time.Second))
	}
	if wait > max(most, 0) {
		return wait, false
	}
	b.have--
	return wait, true
}

// buckets are one bucket for each app in this process.
type buckets struct{ byApp sync.Map }

// of is the app's bucket; the first caller says what it is like.
func (p *buckets) of(appid string, rate, burst float64) *bucket {
	v, ok := p.byApp.Load(appid)
	if !ok {
		v, _ = p.byApp.LoadOrStore(appid, &bucket{rate: rate, burst: burst})
	}
	return v.(*bucket)
}

// turn keeps this process within the app's configured rate: it takes the next turn for a call, as bucket.take does.
func (s *Service) turn(app *App, most time.Duration) (wait time.Duration, ok bool) {
	if app.Rate <= 0 {
		return 0, true
	}
	return s.pace.of(app.Rules.AppID, float64(app.Rate), max(1, float64(app.Rate)/10)).take(time.Now(), most)
}
