package submsg

import (
	"context"
	"errors"
	"math/rand/v2"
)

// Tick finds what is due and hands it to workers: schedules of audiences become jobs here, everything else is
// announced through the Waker, or done at once where there is none. It may come late, early, twice or not
// for an hour: what is due stays due.
func (s *Service) Tick(ctx context.Context) error {
	s.init()
	began := s.now()
	oldest := began
	var errs []error
	var keys []Key
	for i, from := 0, rand.IntN(DueShards); i < DueShards; i++ {
		items, err := s.Store.Due(ctx, (from+i)%DueShards, s.now(), tickBatch)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, it := range items {
			oldest = min(oldest, it.Due)
			keys = append(keys, it.Key)
		}
	}
	var wake, schedules []Key
	for _, k := range keys {
		if kindOf(k) == KindSchedule {
			schedules = append(schedules, k)
		} else {
			wake = append(wake, k)
		}
	}
	wake = append(wake, s.fireAudiences(ctx, schedules)...)
	s.Metrics.Observe("", "oldest_due_seconds", began.Sub(oldest).Seconds())
	if s.Waker != nil {
		s.wake(ctx, wake...)
	} else {
		s.Deliver(ctx, wake)
	}
	if err := s.flush(ctx, flushEvery); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, s.watch(ctx)) // last: what is due does not wait for it
	return errors.Join(errs...)
}

// tickBatch is how many due records of one shard a tick takes up.
const tickBatch = 1000
