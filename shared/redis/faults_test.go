package redis_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/redis"
	"github.com/yuexin-dev/yuexin/shared/redistest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

const openid = "oABCD-efgh_1234567890ijklmn"

var key = submsg.AudienceKey("wx0123456789abcdef", "tpl", "", openid)

func entry(n int) *submsg.AudienceEntry {
	return &submsg.AudienceEntry{OpenID: openid, Generation: n}
}

func stored(t *testing.T, s submsg.Store) submsg.Record {
	t.Helper()
	recs, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return recs[0]
}

// bench is a store behind a proxy, and one past it, on a server of which nothing is stored under key.
type bench struct {
	proxy  *redistest.Proxy
	store  *redis.Store
	direct *redis.Store
}

func newBench(t *testing.T, server *redistest.Server, options string) bench {
	server.Do("FLUSHALL")
	proxy := redistest.NewProxy(t, server.Addr)
	b := bench{proxy, open(t, redis.Config{URL: "redis://" + proxy.Addr + "?read_timeout=300ms" + options}), open(t, redis.Config{URL: server.URL()})}
	// Connections and scripts are there before the faults begin.
	if _, err := b.store.Save(t.Context(), submsg.Record{Key: submsg.TokenKey("warm"), Body: &submsg.AccessToken{}}); err != nil {
		t.Fatal(err)
	}
	_ = b.store.Delete(t.Context(), submsg.TokenKey("warm"), 1)
	return b
}

func TestAWriteWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for name, fate := range map[string]redistest.Fate{
		"the connection breaks after the server acted":            redistest.DropReply,
		"the answer never comes":                                  redistest.Swallow,
		"the connection breaks before the server has heard of it": redistest.Cut,
	} {
		t.Run("save: "+name, func(t *testing.T) {
			b := newBench(t, server, "")
			b.proxy.Script(redistest.Once("evalsha", fate, nil))
			version, err := b.store.Save(t.Context(), submsg.Record{Key: key, Body: entry(1)})
			if err != nil {
				t.Fatalf("the write took place, but Save said: %v", err)
			}
			if rec := stored(t, b.direct); rec.Version != version {
				t.Errorf("Save returned version %d, stored is %d", version, rec.Version)
			}
		})
		t.Run("delete: "+name, func(t *testing.T) {
			b := newBench(t, server, "")
			version, err := b.direct.Save(t.Context(), submsg.Record{Key: key, Body: entry(1)})
			if err != nil {
				t.Fatal(err)
			}
			b.proxy.Script(redistest.Once("evalsha", fate, nil))
			if err := b.store.Delete(t.Context(), key, version); err != nil {
				t.Fatalf("the record was deleted, but Delete said: %v", err)
			}
			if rec := stored(t, b.direct); rec.Version != 0 {
				t.Error("Delete succeeded and the record is there")
			}
		})
	}

	t.Run("a write that was overtaken meanwhile is called neither conflict nor success", func(t *testing.T) {
		b := newBench(t, server, "")
		first := true
		b.proxy.Script(func(request string) redistest.Fate {
			if !strings.Contains(request, "evalsha") {
				return redistest.Pass
			}
			if first {
				first = false
				return redistest.DropReply
			}
			rec := stored(t, b.direct) // the first attempt acted; somebody builds on it before the second
			rec.Body = entry(2)
			if _, err := b.direct.Save(t.Context(), rec); err != nil {
				t.Error(err)
			}
			return redistest.Pass
		})
		_, err := b.store.Save(t.Context(), submsg.Record{Key: key, Body: entry(1)})
		if err == nil || errors.Is(err, submsg.ErrConflict) || strings.Contains(err.Error(), openid) {
			t.Errorf("got %v, want an error that is not ErrConflict and names no openid", err)
		}
	})

	t.Run("a server that answers nothing ends no later than the caller's deadline", func(t *testing.T) {
		b := newBench(t, server, "")
		b.proxy.Script(func(string) redistest.Fate { return redistest.Swallow })
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := b.store.Save(ctx, submsg.Record{Key: key, Body: entry(1)})
		if err == nil || errors.Is(err, submsg.ErrConflict) || !strings.Contains(err.Error(), "whether it took place is not known") {
			t.Errorf("got %v, want that the outcome is not known", err)
		}
		if took := time.Since(began); took > 1800*time.Millisecond {
			t.Errorf("it took %v against a deadline of 400 ms", took)
		}
	})
}

func TestEachCallIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := newBench(t, server, "")
	ctx := t.Context()
	var version submsg.Version
	for _, c := range []struct {
		name string
		call func() error
	}{
		{"Save", func() (err error) {
			version, err = b.store.Save(ctx, submsg.Record{Key: key, Due: 5, Body: entry(1)})
			return err
		}},
		{"Save that conflicts", func() error {
			if _, err := b.store.Save(ctx, submsg.Record{Key: key, Version: 7, Body: entry(1)}); !errors.Is(err, submsg.ErrConflict) {
				t.Errorf("got %v, want ErrConflict", err)
			}
			return nil
		}},
		{"Load of two", func() error { _, err := b.store.Load(ctx, key, submsg.TokenKey("wx1")); return err }},
		{"List", func() error { _, err := b.store.List(ctx, key.Partition, "", 100); return err }},
		{"Due", func() error { _, err := b.store.Due(ctx, key.Shard(), 10, 100); return err }},
		{"Delete", func() error { return b.store.Delete(ctx, key, version) }},
	} {
		if err := c.call(); err != nil { // the server learns the script
			t.Fatal(err)
		}
		if c.name == "Save" || c.name == "Delete" {
			continue // they cannot be repeated; the next ones show their scripts
		}
		before := b.proxy.Requests()
		if err := c.call(); err != nil {
			t.Fatal(err)
		}
		if trips := b.proxy.Requests() - before; trips != 1 {
			t.Errorf("%s took %d round trips, want 1", c.name, trips)
		}
	}
}

// increment adds one to the record's counter over and over until ctx ends, in eight workers, and counts what
// was acknowledged and what ended in doubt.
func increment(ctx context.Context, s submsg.Store, key submsg.Key, patience time.Duration) (acknowledged, inDoubt *atomic.Int64, wait func()) {
	acknowledged, inDoubt = new(atomic.Int64), new(atomic.Int64)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for ctx.Err() == nil {
				wctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
				if recs, err := s.Load(wctx, key); err == nil {
					rec := recs[0]
					rec.Body = entry(counted(rec.Body) + 1)
					switch _, err := s.Save(wctx, rec); {
					case err == nil:
						acknowledged.Add(1)
					case !errors.Is(err, submsg.ErrConflict):
						inDoubt.Add(1)
					}
				}
				cancel()
			}
		})
	}
	return acknowledged, inDoubt, workers.Wait
}

// counted is the counter in a body.
func counted(b submsg.Body) int {
	if e, ok := b.(*submsg.AudienceEntry); ok {
		return e.Generation
	}
	return 0
}

// What is stored in the end is the number of writes that were acknowledged, and at most those more that
// ended in doubt: a "conflict" that had in fact been written would show as too many.
func TestNoAcknowledgedWriteIsLostWhenAServerIsKilled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		kills int // a master of a cluster takes two seconds to be believed again
		start func(t *testing.T) (url string, victim *redistest.Server)
	}{
		{"alone", 5, func(t *testing.T) (string, *redistest.Server) {
			server := redistest.Start(t)
			return server.URL(), server
		}},
		{"in a cluster", 2, func(t *testing.T) (string, *redistest.Server) {
			cluster := redistest.StartCluster(t, 3, false)
			return cluster.URL(), cluster.Masters[key.Shard()*3/submsg.DueShards]
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url, victim := c.start(t)
			store := open(t, redis.Config{URL: url})
			ctx, stop := context.WithCancel(t.Context())
			acknowledged, inDoubt, wait := increment(ctx, store, key, 5*time.Second)
			for range c.kills {
				now := acknowledged.Load()
				until(t, func() bool { return acknowledged.Load() > now+50 })
				victim.Kill()
				victim.Restart()
			}
			now := acknowledged.Load()
			until(t, func() bool { return acknowledged.Load() > now+50 })
			stop()
			wait()
			got, low, high := int64(counted(stored(t, store).Body)), acknowledged.Load(), acknowledged.Load()+inDoubt.Load()
			t.Logf("stored %d, acknowledged %d, in doubt %d", got, low, inDoubt.Load())
			if got < low || got > high {
				t.Errorf("stored %d increments, want %d to %d", got, low, high)
			}
		})
	}
}

// until polls for a condition that must come about.
func until(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come about within 30 seconds")
		}
	}
}
