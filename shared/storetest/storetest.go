// Package storetest is the contract of submsg.Store written as tests: every store runs the same suite,
// so that what the core was proven with in memory also holds on DynamoDB, on Redis and in a file.
//
// Beside the suite it has what tests of the core put around a store: Faulty, which fails or crashes at a
// chosen call, and Count, which tells what a use case costs.
package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// indexLag is how long a due index may take to show what the table holds already.
const indexLag = 2 * time.Second

// Clock is the time that a store under test expires records by. It stands still until it is advanced.
// It starts at the real time and should be the store's only clock; a server that removes expired
// records by its own clock is no trouble, since the suite's records live for an hour at least.
type Clock struct{ milli atomic.Int64 }

// NewClock returns a clock that stands at the present moment.
func NewClock() *Clock {
	c := new(Clock)
	c.milli.Store(time.Now().UnixMilli())
	return c
}

// Now is the clock's time, for a store's now function.
func (c *Clock) Now() time.Time { return time.UnixMilli(c.milli.Load()) }

// Advance moves the clock on by d, which may not be negative.
func (c *Clock) Advance(d time.Duration) { c.milli.Add(d.Milliseconds()) }

// Opened is a store under test with what the suite needs around it.
type Opened struct {
	Store  submsg.Store
	Clock  *Clock // the clock that Store goes by
	Reopen func() submsg.Store
	// Reopen, if not nil, says that the store claims durability: it ends Store the way a process dies, as
	// far as that can be done, and opens what is left. It reports its own failures to the test.
}

// Run tests one kind of store. It calls open once for each subtest, for an empty store that nobody else
// uses; open registers its own clean-up and reports its own failures.
func Run(t *testing.T, open func(t *testing.T) Opened) {
	groups := []struct {
		name  string
		cases []testCase
	}{
		{"records", recordCases},
		{"versions", versionCases},
		{"expiry", expiryCases},
		{"lists", listCases},
		{"due index", dueCases},
		{"concurrency", concurrencyCases},
		{"any sequence of calls", modelCases},
		{"durability", durabilityCases},
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) {
					o := open(t)
					if o.Store == nil || o.Clock == nil {
						t.Fatal("storetest: open must give a store and its clock")
					}
					c.test(t, o)
				})
			}
		})
	}
}

// testCase is one sentence of the contract.
type testCase struct {
	name string
	test func(t *testing.T, o Opened)
}

// save saves rec and fails the test if that is refused.
func save(t *testing.T, s submsg.Store, rec submsg.Record) submsg.Version {
	t.Helper()
	v, err := s.Save(t.Context(), rec)
	if err != nil {
		t.Fatalf("saving %v over version %d: %v", rec.Key, rec.Version, err)
	}
	if v == 0 || v == rec.Version {
		t.Fatalf("saving %v over version %d gave version %d: want a new one, not 0", rec.Key, rec.Version, v)
	}
	return v
}

// saveAll saves records that do not exist yet, several at a time, and returns them with their versions.
func saveAll(t *testing.T, s submsg.Store, recs []submsg.Record) []submsg.Record {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(16)
	for i := range recs {
		group.Go(func() (err error) {
			recs[i].Version, err = s.Save(ctx, recs[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatalf("saving %d records: %v", len(recs), err)
	}
	return recs
}

// load loads one record.
func load(t *testing.T, s submsg.Store, key submsg.Key) submsg.Record {
	t.Helper()
	return loadAll(t, s, key)[0]
}

// loadAll loads records and checks that there is one for each key, in the order of the keys.
func loadAll(t *testing.T, s submsg.Store, keys ...submsg.Key) []submsg.Record {
	t.Helper()
	recs, err := s.Load(t.Context(), keys...)
	if err != nil {
		t.Fatalf("loading %d keys: %v", len(keys), err)
	}
	if len(recs) != len(keys) {
		t.Fatalf("loading %d keys gave %d records", len(keys), len(recs))
	}
	for i, rec := range recs {
		if rec.Key != keys[i] {
			t.Fatalf("record %d is of key %v, want %v", i, rec.Key, keys[i])
		}
		if (rec.Version == 0) != (rec.Body == nil) {
			t.Fatalf("record %v has version %d and body %v: either both or neither", rec.Key, rec.Version, rec.Body)
		}
	}
	return recs
}

// wantAbsent fails the test unless Load finds nothing under key.
func wantAbsent(t *testing.T, s submsg.Store, key submsg.Key) {
	t.Helper()
	if rec := load(t, s, key); rec != (submsg.Record{Key: key}) {
		t.Errorf("%v is there: version %d, due %d, expires %d, body %v; want absent", key, rec.Version, rec.Due, rec.Expires, rec.Body)
	}
}

// wantConflict fails the test unless err is ErrConflict.
func wantConflict(t *testing.T, err error, doing string) {
	t.Helper()
	if !errors.Is(err, submsg.ErrConflict) {
		t.Errorf("%s gave %v, want ErrConflict", doing, err)
	}
}

// list lists a partition from after.
func list(t *testing.T, s submsg.Store, partition, after string, limit int) []submsg.Record {
	t.Helper()
	recs, err := s.List(t.Context(), partition, after, limit)
	if err != nil {
		t.Fatalf("listing %q: %v", partition, err)
	}
	return recs
}

// sorts are the sort keys of records.
func sorts(recs []submsg.Record) []string {
	var out []string
	for _, rec := range recs {
		out = append(out, rec.Key.Sort)
	}
	return out
}

// eventually calls check until it has nothing to complain of, as long as a due index may lag.
func eventually(t *testing.T, check func() (complaint string)) {
	t.Helper()
	deadline := time.Now().Add(indexLag)
	for {
		complaint := check()
		if complaint == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still after %v: %s", indexLag, complaint)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// retry loads, changes and saves one record until no other writer comes between. change gets nil for
// an absent record.
func retry(ctx context.Context, s submsg.Store, key submsg.Key, change func(submsg.Body) submsg.Body) error {
	for {
		recs, err := s.Load(ctx, key)
		if err != nil {
			return err
		}
		rec := recs[0]
		rec.Body = change(rec.Body)
		if _, err = s.Save(ctx, rec); !errors.Is(err, submsg.ErrConflict) {
			return err
		}
	}
}
