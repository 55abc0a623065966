package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

type number int

func (a number) compare(b number) int { return cmp.Compare(a, b) }

// TestOrderedIsASortedSet makes random changes, in runs long enough to split and to empty chunks, and holds
// the set against a sorted slice.
func TestOrderedIsASortedSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var set ordered[number]
		var want []number
		for range rapid.IntRange(1, 8).Draw(t, "runs") {
			from, n := rapid.IntRange(0, 1500).Draw(t, "from"), rapid.IntRange(1, 700).Draw(t, "length")
			step, remove := rapid.SampledFrom([]int{-1, 1, 3}).Draw(t, "step"), rapid.Bool().Draw(t, "remove")
			for i := range n {
				x := number(from + i*step)
				at, found := slices.BinarySearch(want, x)
				switch {
				case remove:
					if set.remove(x); found {
						want = slices.Delete(want, at, at+1)
					}
				default:
					if set.insert(x); !found {
						want = slices.Insert(want, at, x)
					}
				}
			}
			if got := slices.Collect(set.all()); !slices.Equal(got, want) {
				t.Fatalf("the set holds %d elements, want %d; or another order", len(got), len(want))
			}
		}
		for _, c := range set.chunks {
			if len(c) == 0 || len(c) > chunkSize {
				t.Fatalf("a chunk of %d elements, want 1 to %d", len(c), chunkSize)
			}
		}
		x := number(rapid.IntRange(-10, 2500).Draw(t, "x"))
		at, found := slices.BinarySearch(want, x)
		if _, got := set.get(x); got != found {
			t.Fatalf("%d is in the set: %t, want %t", x, got, found)
		}
		if found {
			at++
		}
		if got := slices.Collect(set.after(x)); !slices.Equal(got, want[at:]) {
			t.Fatalf("%d elements after %d, want %d", len(got), x, len(want)-at)
		}
		first, ok := set.first()
		if ok != (len(want) > 0) || ok && first != want[0] {
			t.Fatalf("the first is %d, %t", first, ok)
		}
	})
}

// TestExpiredRecordsAreClearedAway keeps a store whose records all expire from growing for ever.
func TestExpiredRecordsAreClearedAway(t *testing.T) {
	now := time.UnixMilli(1_790_000_000_000)
	s := New(func() time.Time { return now })
	const records = 5000
	for n := range records {
		now = now.Add(time.Second)
		rec := submsg.Record{Key: submsg.SendKey("wx", fmt.Sprint(n)), Due: submsg.At(now), Expires: submsg.At(now).Add(time.Minute), Body: new(submsg.Send)}
		if _, err := s.Save(context.Background(), rec); err != nil {
			t.Fatal(err)
		}
	}
	kept, due := 0, 0
	for i := range s.shards {
		kept += len(s.shards[i].partitions)
		due += len(slices.Collect(s.shards[i].due.all()))
	}
	// 60 are live. Each shard clears away as it is written to, so it may hold a few that expired since.
	if kept < 60 || kept > 60+3*submsg.DueShards || due != kept {
		t.Errorf("%d records and %d entries of the due index are held, of %d that were saved", kept, due, records)
	}
}
