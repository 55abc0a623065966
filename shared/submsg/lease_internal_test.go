package submsg

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A lease that ended before its worker would let another one judge a call that is still to be made.
func TestALeaseOutlivesItsWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Service{}
		s.init()
		for _, asked := range []time.Duration{0, time.Second, 7 * time.Second, time.Hour} {
			caller, hangUp := context.WithCancel(context.Background())
			if asked > 0 {
				var cancel context.CancelFunc
				caller, cancel = context.WithTimeout(caller, asked)
				defer cancel()
			}
			ctx, cancel := s.work(caller)
			defer cancel()
			deadline, _ := ctx.Deadline()
			if left := time.Until(deadline); left > s.Work || asked > 0 && left > asked {
				t.Errorf("asked for %s: the worker has %s", asked, left)
			}
			if got := s.leaseEnd(ctx).Sub(At(deadline)); got < s.LeaseMargin {
				t.Errorf("asked for %s: the lease ends %s after the worker, want %s", asked, got, s.LeaseMargin)
			}
			hangUp()
			if ctx.Err() != nil {
				t.Error("a caller that hangs up ended the work")
			}
		}
	})
}

// What was learnt from WeChat is written even where the worker's time is over; where there is time it is simply used.
func TestARecordingHasTheTimeOfACallAtLeast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Service{}
		s.init()
		for _, left := range []time.Duration{0, time.Second, s.CallTimeout - 1, s.CallTimeout, s.Work} {
			ctx, cancel := context.WithTimeout(context.Background(), left)
			defer cancel()
			save, done := s.toRecord(ctx)
			defer done()
			deadline, ok := save.Deadline()
			if !ok || save.Err() != nil || time.Until(deadline) < s.CallTimeout {
				t.Errorf("%s were left, %s are for the recording (%v)", left, time.Until(deadline), save.Err())
			}
		}
	})
}
