package httpapi

import (
	"math"
	"strconv"
	"time"

	"golang.org/x/time/rate"
)

// limits keeps one process from taking on more than it can finish.
type limits struct {
	slots   chan struct{}            // nil: no bound
	perKey  map[string]*rate.Limiter // by the key's name; nil: no limit
	granted rate.Limit
}

func newLimits(c Config) *limits {
	l := &limits{granted: rate.Limit(c.RatePerKey)}
	if c.MaxConcurrent > 0 {
		l.slots = make(chan struct{}, c.MaxConcurrent)
	}
	if c.RatePerKey > 0 {
		l.perKey = make(map[string]*rate.Limiter, len(c.Keys))
		for _, k := range c.Keys {
			l.perKey[k.Name] = rate.NewLimiter(l.granted, max(c.RateBurst, 1))
		}
	}
	return l
}

// enter takes a place among the requests that are worked on; leave gives it back.
func (l *limits) enter() (leave func(), err error) {
	if l.slots == nil {
		return func() {}, nil
	}
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots }, nil
	default:
		return nil, fail(CodeTooManyRequests, "", "more requests are under way than this process takes on at a time; try again in a moment")
	}
}

// spend takes one request off what the key may do now.
func (l *limits) spend(k *Key) error {
	limiter := l.perKey[k.Name]
	if limiter == nil || limiter.AllowN(time.Now(), 1) {
		return nil
	}
	wait := int(math.Ceil(1 / float64(l.granted)))
	return fail(CodeTooManyRequests, "", "this API key makes more requests than its rate allows").set("Retry-After", strconv.Itoa(max(wait, 1)))
}
