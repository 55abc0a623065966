package submsg

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Tick finds what is due and hands it to workers: schedules of audiences become jobs here, everything else is
// announced through the Waker, or done at once where there is none. It may come late, early, twice or not
// for an hour: what is due stays due.
func (s *Service) Tick(ctx context.Context) error {
	s.init()
	began := time.Now()
	var errs []error
	for handed := map[Key]bool{}; ; {
		full, err := s.takeUp(ctx, handed)
		errs = append(errs, err)
		// What is beyond the first batches waits for no further tick: it is taken up as those before it are done.
		if !full || err != nil || time.Since(began) > s.TickEvery*3/4 || s.shortOf(ctx, s.CallTimeout+backlogPause) {
			break
		}
		if s.Waker != nil && pause(ctx, backlogPause) != nil {
			break
		}
	}
	if err := s.flush(ctx, flushEvery); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, s.watch(ctx)) // last: what is due does not wait for it
	return errors.Join(errs...)
}

const (
	tickBatch    = 1000            // due records of one shard that are taken up at a time
	backlogPause = 2 * time.Second // between two looks at a backlog that workers are busy with
)

// takeUp hands on what is due and has not been handed on by this tick. full tells that a shard may hold more.
func (s *Service) takeUp(ctx context.Context, handed map[Key]bool) (full bool, err error) {
	first := len(handed) == 0
	now := s.now()
	oldest := now
	var errs []error
	var wake, schedules []Key
	for i, from := 0, rand.IntN(DueShards); i < DueShards; i++ {
		items, err := s.Store.Due(ctx, (from+i)%DueShards, now, tickBatch)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		full = full || len(items) == tickBatch
		for _, it := range items {
			oldest = min(oldest, it.Due)
			switch {
			case handed[it.Key]:
			case kindOf(it.Key) == KindSchedule:
				schedules = append(schedules, it.Key)
			default:
				wake = append(wake, it.Key)
			}
			handed[it.Key] = true
		}
	}
	if first && len(errs) == 0 { // an age that could not be read is not 0
		s.Metrics.Observe("", "oldest_due_seconds", now.Sub(oldest).Seconds())
	}
	wake = append(wake, s.fireAudiences(ctx, schedules)...)
	if s.Waker != nil {
		s.wake(ctx, wake...)
	} else {
		s.Deliver(ctx, wake)
	}
	return full, errors.Join(errs...)
}
