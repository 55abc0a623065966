package submsg_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Not every sent event is written down as evidence, but the last of a burst is, or one that is hardly older: after it there
// may be silence for a day, and unknown sends of its end wait for a verdict.
func TestTheEvidenceOfABurstReachesToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		const users, apart = 100, 3 * time.Millisecond
		for i := range users {
			w.Granted(fmt.Sprint("user-", i), order, 1)
		}
		for i := range users {
			if _, _, err := w.Send(fmt.Sprint("user-", i), "order", fmt.Sprint("n", i)); err != nil {
				t.Fatal(err)
			}
			w.Clock.Advance(apart)
		}
		end := w.Clock.Now()
		w.Sim.DeliverAll()
		h, err := w.Service.Holds(context.Background(), appid)
		if err != nil {
			t.Fatal(err)
		}
		if late := end.Sub(h.Evidence.Time()); late > 100*time.Millisecond+apart {
			t.Errorf("the evidence ends %s before the burst", late)
		}
	})
}
