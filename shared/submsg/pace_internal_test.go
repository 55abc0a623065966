package submsg

import (
	"testing"
	"time"
)

// Whoever cannot wait takes no turn: turns that are taken and not used would be missing from those who can.
func TestABucketGivesNothingToWhoCannotWait(t *testing.T) {
	now := time.UnixMilli(1_790_000_000_000)
	b := bucket{rate: 1, burst: 2}
	type asked struct {
		after, most time.Duration
		wait        time.Duration
		ok          bool
	}
	for i, a := range []asked{
		{0, 0, 0, true}, // the burst
		{0, 0, 0, true},
		{0, 0, time.Second, false},
		{0, time.Second - 1, time.Second, false},
		{0, -time.Hour, time.Second, false}, // a worker whose time is over
		{0, time.Second, time.Second, true}, // the refusals before it have cost nothing
		{0, time.Minute, 2 * time.Second, true},
		{0, 2 * time.Second, 3 * time.Second, false},
		{time.Second, 2 * time.Second, 2 * time.Second, true},
		{3 * time.Second, 0, 0, true},
		{0, 0, time.Second, false},
		{time.Hour, 0, 0, true}, // no more than the burst was saved up
		{0, 0, 0, true},
		{0, 0, time.Second, false},
	} {
		now = now.Add(a.after)
		if wait, ok := b.take(now, a.most); wait != a.wait || ok != a.ok {
			t.Errorf("request %d, with %s to wait: %s, %t; want %s, %t", i+1, a.most, wait, ok, a.wait, a.ok)
		}
	}
	for range 1000 {
		if _, ok := b.take(now, 0); ok {
			t.Fatal("it gave more than it had")
		}
	}
	if wait, ok := b.take(now, time.Second); wait != time.Second || !ok {
		t.Errorf("after a thousand refusals: %s, %t; want one second and a turn", wait, ok)
	}
}
