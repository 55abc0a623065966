package submsg

import (
	"context"
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

// take takes a token and returns how long to wait until it counts; with wait false it takes only a token that
// is there, and reports whether it was.
func (b *bucket) take(now time.Time, wait bool) (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at.IsZero() {
		b.have = b.burst
	} else {
		b.have = min(b.burst, b.have+now.Sub(b.at).Seconds()*b.rate)
	}
	b.at = now
	if b.have >= 1 {
		b.have--
		return 0, true
	}
	if !wait {
		return 0, false
	}
	b.have--
	return time.Duration(-b.have / b.rate * float64(time.Second)), true
}

// pacers keep this process within each app's configured rate.
type pacers struct{ byApp sync.Map }

// wait holds the caller back until the app's rate lets one more call through. It reports whether it waited.
func (p *pacers) wait(ctx context.Context, app *App) (bool, error) {
	if app.Rate <= 0 {
		return false, nil
	}
	v, ok := p.byApp.Load(app)
	if !ok {
		v, _ = p.byApp.LoadOrStore(app, &bucket{rate: float64(app.Rate), burst: max(1, float64(app.Rate)/10)})
	}
	d, _ := v.(*bucket).take(time.Now(), true)
	if d <= 0 {
		return false, nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return true, ctx.Err()
	case <-t.C:
		return true, nil
	}
}
