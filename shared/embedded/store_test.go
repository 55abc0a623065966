package embedded

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/yuexin-dev/yuexin/shared/storetest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// opened opens the store at path for the length of the test.
func opened(tb testing.TB, path string, o Options) *Store {
	tb.Helper()
	s, err := Open(path, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func TestStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Opened {
		clock := storetest.NewClock()
		path := filepath.Join(t.TempDir(), "yuexin.db")
		o := Options{Now: clock.Now, SweepEvery: 10 * time.Millisecond, noSync: true}
		s := opened(t, path, o)
		return storetest.Opened{Store: s, Clock: clock, Reopen: func() submsg.Store {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			return opened(t, path, o)
		}}
	})
}

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(b *testing.B) storetest.Opened {
		clock := storetest.NewClock()
		return storetest.Opened{Store: opened(b, filepath.Join(b.TempDir(), "yuexin.db"), Options{Now: clock.Now}), Clock: clock}
	})
}

// BenchmarkCommit shows what it is worth that writes go to the disk together.
func BenchmarkCommit(b *testing.B) {
	for _, c := range []struct {
		name     string
		maxBatch int
		writers  int
	}{
		{"one by one, 1 writer", 1, 1},
		{"one by one, 32 writers", 1, 32},
		{"together, 1 writer", 0, 1},
		{"together, 32 writers", 0, 32},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := opened(b, filepath.Join(b.TempDir(), "yuexin.db"), Options{maxBatch: c.maxBatch})
			body := &submsg.Subscriber{Topics: []string{strings.Repeat("x", 1000)}}
			took := make([][]time.Duration, c.writers)
			var left atomic.Int64
			left.Store(int64(b.N))
			var group errgroup.Group
			for w := range c.writers {
				group.Go(func() error {
					recs := make([]submsg.Record, 600) // of all writers together, 20 MB
					for n := range recs {
						recs[n] = submsg.Record{Key: submsg.SubscriberKey("wx", fmt.Sprint(w, "-", n)), Body: body}
					}
					for n := 0; left.Add(-1) >= 0; n++ {
						rec := &recs[n*7919%len(recs)]
						begun := time.Now()
						v, err := s.Save(b.Context(), *rec)
						if err != nil {
							return err
						}
						rec.Version = v
						took[w] = append(took[w], time.Since(begun))
					}
					return nil
				})
			}
			if err := group.Wait(); err != nil {
				b.Fatal(err)
			}
			all := slices.Sorted(slices.Values(slices.Concat(took...)))
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// entry is a small record.
func entry(name string, n int) submsg.Record {
	return submsg.Record{Key: submsg.Key{Partition: "audience#wx#t#0#", Sort: name}, Body: &submsg.AudienceEntry{OpenID: name, Generation: n}}
}

func mustSave(t *testing.T, s *Store, rec submsg.Record) submsg.Version {
	t.Helper()
	v, err := s.Save(t.Context(), rec)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestExpiredRecordsLeaveTheFile(t *testing.T) {
	clock := storetest.NewClock()
	s := opened(t, filepath.Join(t.TempDir(), "yuexin.db"), Options{Now: clock.Now, SweepEvery: time.Hour})
	recs := smallRecords(300)
	for n := range recs {
		recs[n].Due = 1
		if n%3 != 0 {
			recs[n].Expires = submsg.At(clock.Now()).Add(time.Hour)
		}
	}
	s.fill(t, recs)
	want := func(records int) {
		t.Helper()
		if got := s.sizes(t); got != [2]int{records, records} {
			t.Errorf("the file holds %d records and %d entries of the due index, want %d of each", got[0], got[1], records)
		}
	}
	if err := s.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(300)
	clock.Advance(2 * time.Hour)
	if err := s.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(100)
}

func TestSweepGoesOnWhereItEnded(t *testing.T) {
	clock := storetest.NewClock()
	s := opened(t, filepath.Join(t.TempDir(), "yuexin.db"), Options{Now: clock.Now, SweepEvery: time.Hour})
	const records = 2*sweepBatch + 10
	recs := smallRecords(records)
	for n := range recs {
		recs[n].Expires = submsg.At(clock.Now()).Add(time.Hour)
	}
	s.fill(t, recs)
	clock.Advance(2 * time.Hour)
	for _, left := range []int{records - sweepBatch, 10, 0, 0} {
		if err := s.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.sizes(t); got[0] != left {
			t.Errorf("%d records are left, want %d", got[0], left)
		}
	}
}

func TestAFullDiskRefusesWritesAndLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "yuexin.db")
	s := opened(t, path, Options{maxSize: 20 << 20})
	big := &submsg.Subscriber{Topics: []string{strings.Repeat("约", 1<<20)}}
	var kept []submsg.Record
	var failure error
	for n := 0; failure == nil && n < 20; n++ {
		rec := submsg.Record{Key: submsg.SubscriberKey("wx", fmt.Sprint(n)), Body: big}
		if rec.Version, failure = s.Save(t.Context(), rec); failure == nil {
			kept = append(kept, rec)
		}
	}
	if failure == nil || errors.Is(failure, ErrCorrupt) || errors.Is(failure, submsg.ErrConflict) {
		t.Fatalf("filling the disk gave %v, want an error of its own", failure)
	}
	// The space that a deleted record gives back serves the next.
	last := kept[len(kept)-1]
	if err := s.Delete(t.Context(), last.Key, last.Version); err != nil {
		t.Fatalf("deleting with a full disk: %v", err)
	}
	mustSave(t, s, entry("after", 1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := opened(t, path, Options{})
	for _, rec := range kept[:len(kept)-1] {
		if got, err := again.Load(t.Context(), rec.Key); err != nil || got[0].Version != rec.Version {
			t.Errorf("a record that was acknowledged before the disk was full: %v, version %d, want %d", err, got[0].Version, rec.Version)
		}
	}
}

func TestCloseFlushesAndThenRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "yuexin.db")
	s := opened(t, path, Options{})
	outcomes := make(chan error, 200)
	for n := range cap(outcomes) {
		go func() {
			_, err := s.Save(t.Context(), entry(fmt.Sprintf("o%03d", n), n))
			outcomes <- err
		}()
	}
	first := <-outcomes
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	saved := 0
	for n := range cap(outcomes) {
		if n > 0 {
			first = <-outcomes
		}
		switch {
		case first == nil:
			saved++
		case !errors.Is(first, ErrClosed):
			t.Errorf("a save during Close gave %v, want nil or ErrClosed", first)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing again gave %v", err)
	}
	_, loadErr := s.Load(t.Context(), entry("o000", 0).Key)
	_, listErr := s.List(t.Context(), "audience#wx#t#0#", "", 1)
	_, dueErr := s.Due(t.Context(), 0, 1, 1)
	_, saveErr := s.Save(t.Context(), entry("late", 0))
	deleteErr := s.Delete(t.Context(), entry("o000", 0).Key, 1)
	for method, err := range map[string]error{"Load": loadErr, "List": listErr, "Due": dueErr, "Save": saveErr, "Delete": deleteErr} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close gave %v, want ErrClosed", method, err)
		}
	}
	again := opened(t, path, Options{})
	if got := again.sizes(t)[0]; got != saved {
		t.Errorf("%d records are in the file, %d were acknowledged", got, saved)
	}
}

func TestKeysThatCannotBeStoredAreRefused(t *testing.T) {
	s := opened(t, filepath.Join(t.TempDir(), "yuexin.db"), Options{})
	body := &submsg.AudienceEntry{}
	for name, rec := range map[string]submsg.Record{
		"a zero byte in the partition": {Key: submsg.Key{Partition: "audience#a\x00b", Sort: "c"}, Body: body},
		"a key of 32 KB":               {Key: submsg.Key{Partition: "audience#a", Sort: strings.Repeat("x", 32<<10)}, Body: body},
		"no body":                      {Key: submsg.Key{Partition: "audience#a", Sort: "b"}},
	} {
		if _, err := s.Save(t.Context(), rec); err == nil || errors.Is(err, submsg.ErrConflict) {
			t.Errorf("saving a record with %s gave %v, want an error that says so", name, err)
		}
	}
	long := submsg.Record{Key: submsg.Key{Partition: "audience#a", Sort: strings.Repeat("x", maxKey-len("audience#a")-1)}, Due: 1, Body: body}
	v := mustSave(t, s, long)
	if err := s.Delete(t.Context(), long.Key, v); err != nil {
		t.Errorf("deleting the record with the longest key: %v", err)
	}
}

func TestAReaderDoesNotBlockWriters(t *testing.T) {
	s := opened(t, filepath.Join(t.TempDir(), "yuexin.db"), Options{})
	mustSave(t, s, entry("o1", 1))
	tx, err := s.db.Begin(false)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for n := range 50 { // 20 MB: the file grows meanwhile
		mustSave(t, s, submsg.Record{Key: submsg.SubscriberKey("wx", fmt.Sprint(n)), Body: &submsg.Subscriber{Topics: []string{strings.Repeat("x", 400<<10)}}})
	}
	if n := tx.Bucket(recordsBucket).Stats().KeyN; n != 1 {
		t.Errorf("the reader sees %d records, want the 1 of its beginning", n)
	}
}
