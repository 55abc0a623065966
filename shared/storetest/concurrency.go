package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

var concurrencyCases = []testCase{
	{"64 writers of one record lose no update", func(t *testing.T, o Opened) {
		const writers, each = 64, 2
		key := entryKey("contended")
		group, ctx := errgroup.WithContext(t.Context())
		for range writers {
			group.Go(func() error {
				for range each {
					if err := retry(ctx, o.Store, key, func(b submsg.Body) submsg.Body { return note(max(noted(b), 0) + 1) }); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if n := noted(load(t, o.Store, key).Body); n != writers*each {
			t.Errorf("%d updates are left of %d", n, writers*each)
		}
	}},
	{"of many that create one key, one wins and its content stays", func(t *testing.T, o Opened) {
		for round := range 5 {
			key := entryKey(entryName(round))
			var wins, winner atomic.Int64
			var won atomic.Uint64
			group, ctx := errgroup.WithContext(t.Context())
			for n := range 32 {
				group.Go(func() error {
					v, err := o.Store.Save(ctx, submsg.Record{Key: key, Body: note(n)})
					if errors.Is(err, submsg.ErrConflict) {
						return nil
					}
					wins.Add(1)
					winner.Store(int64(n))
					won.Store(uint64(v))
					return err
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			got := load(t, o.Store, key)
			if wins.Load() != 1 || noted(got.Body) != int(winner.Load()) || got.Version != submsg.Version(won.Load()) {
				t.Errorf("%d won; stored is note %d version %d, the winner said %d and %d",
					wins.Load(), noted(got.Body), got.Version, winner.Load(), won.Load())
			}
		}
	}},
	{"of a save and a delete of one version, one wins", func(t *testing.T, o Opened) {
		for round := range 20 {
			key := entryKey(entryName(round))
			v := save(t, o.Store, submsg.Record{Key: key, Due: moment, Body: note(1)})
			var saveErr, deleteErr error
			var group errgroup.Group
			group.Go(func() error {
				_, saveErr = o.Store.Save(t.Context(), submsg.Record{Key: key, Version: v, Due: moment, Body: note(2)})
				return nil
			})
			group.Go(func() error { deleteErr = o.Store.Delete(t.Context(), key, v); return nil })
			_ = group.Wait() // neither goroutine returns an error
			switch rec := load(t, o.Store, key); {
			case saveErr == nil && errors.Is(deleteErr, submsg.ErrConflict) && noted(rec.Body) == 2:
			case deleteErr == nil && errors.Is(saveErr, submsg.ErrConflict) && rec.Body == nil:
			default:
				t.Fatalf("save said %v, delete said %v, stored is note %d", saveErr, deleteErr, noted(rec.Body))
			}
		}
	}},
	{"writers of different records do not conflict", func(t *testing.T, o Opened) {
		group, ctx := errgroup.WithContext(t.Context())
		for w := range 16 {
			group.Go(func() error {
				rec := submsg.Record{Key: submsg.Key{Partition: "audience#shared", Sort: entryName(w)}}
				for n := range 10 {
					rec.Body, rec.Due = note(n), moment+submsg.Instant(n)
					v, err := o.Store.Save(ctx, rec)
					if err != nil {
						return fmt.Errorf("writer %d, write %d: %w", w, n, err)
					}
					rec.Version = v
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		for _, rec := range list(t, o.Store, "audience#shared", "", 100) {
			if noted(rec.Body) != 9 || rec.Due != moment+9 {
				t.Errorf("%v ended as note %d due %d, want 9 and %d", rec.Key, noted(rec.Body), rec.Due, moment+9)
			}
		}
	}},
	{"a call whose context has ended fails and is no conflict", func(t *testing.T, o Opened) {
		rec := submsg.Record{Key: entryKey("cancelled"), Due: moment, Body: note(1)}
		rec.Version = save(t, o.Store, rec)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		calls := map[string]func() error{
			"Load": func() error { _, err := o.Store.Load(ctx, rec.Key); return err },
			"List": func() error { _, err := o.Store.List(ctx, rec.Key.Partition, "", 1); return err },
			"Due":  func() error { _, err := o.Store.Due(ctx, rec.Key.Shard(), moment, 1); return err },
			"Save": func() error {
				_, err := o.Store.Save(ctx, submsg.Record{Key: entryKey("never"), Body: note(2)})
				return err
			},
			"Delete": func() error { return o.Store.Delete(ctx, entryKey("never"), 1) },
		}
		for method, call := range calls {
			if err := call(); err == nil || errors.Is(err, submsg.ErrConflict) {
				t.Errorf("%s under a cancelled context gave %v, want an error that is not ErrConflict", method, err)
			}
		}
		wantUnchanged(t, o.Store, rec)
	}},
	{"a save whose context ends in the middle happened as a whole or not at all", func(t *testing.T, o Opened) {
		const writers, each = 8, 15
		key := entryKey("interrupted")
		var said, unsure atomic.Int64
		group, ctx := errgroup.WithContext(t.Context())
		for range writers {
			group.Go(func() error {
				for range each {
					patience, cancel := context.WithTimeout(ctx, rand.N(2*time.Millisecond))
					err := retry(patience, o.Store, key, func(b submsg.Body) submsg.Body { return note(max(noted(b), 0) + 1) })
					cancel()
					if err == nil {
						said.Add(1)
					} else {
						unsure.Add(1)
					}
				}
				return ctx.Err()
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		n := int64(max(noted(load(t, o.Store, key).Body), 0))
		if n < said.Load() || n > said.Load()+unsure.Load() {
			t.Errorf("%d updates are stored; %d were acknowledged and %d left open", n, said.Load(), unsure.Load())
		}
		// The record can still be written, though a save that nobody waits for any more may come in between.
		if err := retry(t.Context(), o.Store, key, func(submsg.Body) submsg.Body { return note(0) }); err != nil {
			t.Error(err)
		}
	}},
}
