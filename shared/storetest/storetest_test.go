package storetest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/memory"
	"github.com/yuexin-dev/yuexin/shared/storetest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// defectName chooses the defect that a child process runs the suite with.
const defectName = "YUEXIN_TEST_DEFECT"

// broken is a store with one method that does not keep the contract.
type broken struct {
	submsg.Store
	load   func(context.Context, ...submsg.Key) ([]submsg.Record, error)
	save   func(context.Context, submsg.Record) (submsg.Version, error)
	delete func(context.Context, submsg.Key, submsg.Version) error
	list   func(context.Context, string, string, int) ([]submsg.Record, error)
	due    func(context.Context, int, submsg.Instant, int) ([]submsg.DueItem, error)
}

func (b *broken) Load(ctx context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
	if b.load != nil {
		return b.load(ctx, keys...)
	}
	return b.Store.Load(ctx, keys...)
}

func (b *broken) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	if b.save != nil {
		return b.save(ctx, rec)
	}
	return b.Store.Save(ctx, rec)
}

func (b *broken) Delete(ctx context.Context, key submsg.Key, v submsg.Version) error {
	if b.delete != nil {
		return b.delete(ctx, key, v)
	}
	return b.Store.Delete(ctx, key, v)
}

func (b *broken) List(ctx context.Context, partition, after string, limit int) ([]submsg.Record, error) {
	if b.list != nil {
		return b.list(ctx, partition, after, limit)
	}
	return b.Store.List(ctx, partition, after, limit)
}

func (b *broken) Due(ctx context.Context, shard int, until submsg.Instant, limit int) ([]submsg.DueItem, error) {
	if b.due != nil {
		return b.due(ctx, shard, until, limit)
	}
	return b.Store.Due(ctx, shard, until, limit)
}

// current is the stored version of a record.
func (b *broken) current(key submsg.Key) submsg.Version {
	recs, err := b.Store.Load(context.Background(), key)
	if err != nil {
		return 0
	}
	return recs[0].Version
}

// defects are mistakes that a store could make, each on top of a correct one.
var defects = map[string]func(*broken){
	"saves over any version": func(b *broken) {
		b.save = func(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
			rec.Version = b.current(rec.Key)
			return b.Store.Save(ctx, rec)
		}
	},
	"overwrites for version 0": func(b *broken) {
		b.save = func(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
			if rec.Version == 0 {
				rec.Version = b.current(rec.Key)
			}
			return b.Store.Save(ctx, rec)
		}
	},
	"creates for any version": func(b *broken) {
		b.save = func(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
			if b.current(rec.Key) == 0 {
				rec.Version = 0
			}
			return b.Store.Save(ctx, rec)
		}
	},
	"deletes any version": func(b *broken) {
		b.delete = func(ctx context.Context, key submsg.Key, _ submsg.Version) error {
			return b.Store.Delete(ctx, key, b.current(key))
		}
	},
	"deletes what is absent": func(b *broken) {
		b.delete = func(ctx context.Context, key submsg.Key, v submsg.Version) error {
			if b.current(key) == 0 {
				return nil
			}
			return b.Store.Delete(ctx, key, v)
		}
	},
	"forgets due": func(b *broken) {
		b.save = func(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
			rec.Due = 0
			return b.Store.Save(ctx, rec)
		}
	},
	"never expires": func(b *broken) {
		b.save = func(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
			rec.Expires = 0
			return b.Store.Save(ctx, rec)
		}
	},
	"expires a millisecond late": func(b *broken) {
		b.save = func(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
			if rec.Expires != 0 {
				rec.Expires++
			}
			return b.Store.Save(ctx, rec)
		}
	},
	"keeps an integer as a float": func(b *broken) {
		b.save = func(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
			if s, ok := rec.Body.(*submsg.Subscriber); ok {
				rounded := *s
				rounded.Seen = nil
				for _, n := range s.Seen {
					rounded.Seen = append(rounded.Seen, uint64(float64(n)))
				}
				rec.Body = &rounded
			}
			return b.Store.Save(ctx, rec)
		}
	},
	"loads absent keys not at all": func(b *broken) {
		b.load = func(ctx context.Context, keys ...submsg.Key) (found []submsg.Record, err error) {
			recs, err := b.Store.Load(ctx, keys...)
			for _, rec := range recs {
				if rec.Body != nil {
					found = append(found, rec)
				}
			}
			return found, err
		}
	},
	"loads 100 keys at most": func(b *broken) {
		b.load = func(ctx context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
			recs, err := b.Store.Load(ctx, keys[:min(len(keys), 100)]...)
			for _, key := range keys[len(recs):] {
				recs = append(recs, submsg.Record{Key: key})
			}
			return recs, err
		}
	},
	"lists from after on": func(b *broken) {
		b.list = func(ctx context.Context, partition, after string, limit int) ([]submsg.Record, error) {
			if after != "" {
				after = after[:len(after)-1] + string(after[len(after)-1]-1)
			}
			return b.Store.List(ctx, partition, after, limit)
		}
	},
	"lists 100 records at most": func(b *broken) {
		b.list = func(ctx context.Context, partition, after string, limit int) ([]submsg.Record, error) {
			recs, err := b.Store.List(ctx, partition, after, limit)
			return recs[:min(len(recs), 100)], err
		}
	},
	"due excludes until": func(b *broken) {
		b.due = func(ctx context.Context, shard int, until submsg.Instant, limit int) ([]submsg.DueItem, error) {
			return b.Store.Due(ctx, shard, until-1, limit)
		}
	},
	"due lists the latest first": func(b *broken) {
		b.due = func(ctx context.Context, shard int, until submsg.Instant, limit int) ([]submsg.DueItem, error) {
			items, err := b.Store.Due(ctx, shard, until, limit)
			for i := range len(items) / 2 {
				items[i], items[len(items)-1-i] = items[len(items)-1-i], items[i]
			}
			return items, err
		}
	},
	"due ignores the shard": func(b *broken) {
		b.due = func(ctx context.Context, _ int, until submsg.Instant, limit int) (all []submsg.DueItem, err error) {
			for shard := range submsg.DueShards {
				items, err := b.Store.Due(ctx, shard, until, limit)
				if err != nil {
					return nil, err
				}
				all = append(all, items...)
			}
			return all[:min(len(all), limit)], nil
		}
	},
	"checks the version and saves in two steps": func(b *broken) {
		b.save = func(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
			for current := b.current(rec.Key); current == rec.Version; {
				time.Sleep(10 * time.Microsecond)
				rec.Version = b.current(rec.Key)
				v, err := b.Store.Save(ctx, rec)
				if !errors.Is(err, submsg.ErrConflict) {
					return v, err
				}
			}
			return 0, submsg.ErrConflict
		}
	},
	"ignores the context": func(b *broken) {
		b.save = func(_ context.Context, rec submsg.Record) (submsg.Version, error) {
			return b.Store.Save(context.Background(), rec)
		}
	},
	"answers a conflict when the context has ended": func(b *broken) {
		b.save = func(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
			if ctx.Err() != nil {
				return 0, submsg.ErrConflict
			}
			return b.Store.Save(ctx, rec)
		}
	},
	"draws versions by counting from 1": func(b *broken) {
		// The outer versions of each life of a record are 1, 2, 3, …
		var mu sync.Mutex
		inner := make(map[submsg.Key][2]submsg.Version) // outer and inner
		b.load = func(ctx context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
			mu.Lock()
			defer mu.Unlock()
			recs, err := b.Store.Load(ctx, keys...)
			for i, rec := range recs {
				if rec.Version != 0 {
					recs[i].Version = inner[rec.Key][0]
				}
			}
			return recs, err
		}
		b.save = func(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
			mu.Lock()
			defer mu.Unlock()
			outer := rec.Version
			if was := inner[rec.Key]; outer != 0 && outer == was[0] {
				rec.Version = was[1]
			}
			v, err := b.Store.Save(ctx, rec)
			if err != nil {
				return 0, err
			}
			inner[rec.Key] = [2]submsg.Version{outer + 1, v}
			return outer + 1, nil
		}
		b.delete = func(ctx context.Context, key submsg.Key, v submsg.Version) error {
			mu.Lock()
			defer mu.Unlock()
			if was := inner[key]; v == was[0] {
				v = was[1]
			}
			return b.Store.Delete(ctx, key, v)
		}
	},
	"changes the body it is given": func(b *broken) {
		b.save = func(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
			v, err := b.Store.Save(ctx, rec)
			if s, ok := rec.Body.(*submsg.Subscriber); ok && err == nil {
				s.OpenID = strings.ToUpper(s.OpenID)
			}
			return v, err
		}
	},
	"forgets everything when it is opened again": nil, // see TestSuite
}

// TestSuite runs the suite on a store with the defect that the environment names; without one it is
// the suite's own test on a correct store.
func TestSuite(t *testing.T) {
	name := os.Getenv(defectName)
	storetest.Run(t, func(t *testing.T) storetest.Opened {
		clock := storetest.NewClock()
		store := memory.New(clock.Now)
		opened := storetest.Opened{Store: store, Clock: clock, Reopen: func() submsg.Store { return store }}
		switch apply, ok := defects[name]; {
		case apply != nil:
			b := &broken{Store: store}
			apply(b)
			opened.Store = b
		case ok:
			opened.Reopen = func() submsg.Store { return memory.New(clock.Now) }
		case name != "":
			t.Fatalf("there is no defect %q", name)
		}
		return opened
	})
}

// TestSuiteFindsEveryDefect runs the suite in a process of its own for each defect: it has to fail there.
func TestSuiteFindsEveryDefect(t *testing.T) {
	if os.Getenv(defectName) != "" {
		t.Fatal("a child must not have children")
	}
	for name := range defects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSuite$", "-test.failfast", "-test.timeout=30s", "-rapid.nofailfile")
			child.Env = append(os.Environ(), defectName+"="+name)
			output, err := child.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(output), "--- FAIL: TestSuite/") {
				t.Errorf("the suite ended with %v, want a failed test\n%s", err, output)
			}
		})
	}
}
