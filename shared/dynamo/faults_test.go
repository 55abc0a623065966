package dynamo_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/dynamo"
	"github.com/yuexin-dev/yuexin/shared/dynamotest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

const openid = "oABCD-efgh_1234567890ijklmn"

var key = submsg.AudienceKey("wx0123456789abcdef", "tpl", "", openid)

func entry(n int) *submsg.AudienceEntry {
	return &submsg.AudienceEntry{OpenID: openid, Generation: n}
}

// once is a script that meets the first request of an operation with each fault in turn, and passes the
// rest on.
func once(operation string, faults ...dynamotest.Fault) func(dynamotest.Request) dynamotest.Fault {
	return func(r dynamotest.Request) dynamotest.Fault {
		if r.Operation != operation || len(faults) == 0 {
			return dynamotest.Fault{}
		}
		fault := faults[0]
		faults = faults[1:]
		return fault
	}
}

// bench is a store behind a proxy, and one past it.
type bench struct {
	proxy  *dynamotest.Proxy
	store  *dynamo.Store
	direct *dynamo.Store
}

func newBench(t *testing.T, server *dynamotest.Server) bench {
	proxy := dynamotest.NewProxy(t, server.Endpoint, nil)
	c := dynamo.Config{Table: server.Table(), AttemptTimeout: time.Second}
	return bench{proxy, dynamotest.Open(t, proxy.Endpoint, c), dynamotest.Open(t, server.Endpoint, c)}
}

func stored(t *testing.T, s submsg.Store) submsg.Record {
	t.Helper()
	recs, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return recs[0]
}

func TestAWriteWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	server := dynamotest.Start(t)
	fault := func(a dynamotest.Action) dynamotest.Fault { return dynamotest.Fault{Do: a} }
	late := dynamotest.Fault{After: 1300 * time.Millisecond}
	for _, c := range []struct {
		name   string
		faults []dynamotest.Fault
		asked  int // reads that it may take to know
	}{
		{"the connection breaks after the server acted", []dynamotest.Fault{fault(dynamotest.DropReply)}, 1},
		{"the server acted and answered 500", []dynamotest.Fault{fault(dynamotest.FailAfter)}, 1},
		{"the server acted and its answer comes too late", []dynamotest.Fault{late}, 1},
		{"the answers to two attempts are lost", []dynamotest.Fault{fault(dynamotest.DropReply), fault(dynamotest.DropReply)}, 1},
		{"the server answered 500 and had not acted", []dynamotest.Fault{fault(dynamotest.Fail)}, 0},
		{"the server was throttled", []dynamotest.Fault{fault(dynamotest.Throttle), fault(dynamotest.Throttle)}, 0},
		{"the connection broke before the server heard of it", []dynamotest.Fault{fault(dynamotest.Drop)}, 0},
	} {
		t.Run("save: "+c.name, func(t *testing.T) {
			b := newBench(t, server)
			b.proxy.Script(once("PutItem", c.faults...))
			version, err := b.store.Save(t.Context(), submsg.Record{Key: key, Body: entry(1)})
			if err != nil {
				t.Fatalf("the write took place, but Save said: %v", err)
			}
			if rec := stored(t, b.direct); rec.Version != version {
				t.Errorf("Save returned version %d, stored is %d", version, rec.Version)
			}
			if asked := b.proxy.Counts()["GetItem"]; asked != c.asked {
				t.Errorf("it took %d reads to know, want %d", asked, c.asked)
			}
		})
		t.Run("delete: "+c.name, func(t *testing.T) {
			b := newBench(t, server)
			version, err := b.direct.Save(t.Context(), submsg.Record{Key: key, Body: entry(1)})
			if err != nil {
				t.Fatal(err)
			}
			b.proxy.Script(once("DeleteItem", c.faults...))
			if err := b.store.Delete(t.Context(), key, version); err != nil {
				t.Fatalf("the record was deleted, but Delete said: %v", err)
			}
			if rec := stored(t, b.direct); rec.Version != 0 {
				t.Error("Delete succeeded and the record is there")
			}
		})
	}
}

func TestAConflictIsCertain(t *testing.T) {
	t.Parallel()
	server := dynamotest.Start(t)

	t.Run("a stale version costs no further request", func(t *testing.T) {
		b := newBench(t, server)
		_, err := b.store.Save(t.Context(), submsg.Record{Key: key, Version: 7, Body: entry(1)})
		if !errors.Is(err, submsg.ErrConflict) {
			t.Fatalf("got %v, want ErrConflict", err)
		}
		if counts := b.proxy.Counts(); counts["PutItem"] != 1 || counts["GetItem"] != 0 {
			t.Errorf("requests were %v, want one PutItem", counts)
		}
	})

	t.Run("a throttled attempt before it leaves no doubt", func(t *testing.T) {
		b := newBench(t, server)
		b.proxy.Script(once("PutItem", dynamotest.Fault{Do: dynamotest.Throttle}))
		_, err := b.store.Save(t.Context(), submsg.Record{Key: key, Version: 7, Body: entry(1)})
		if !errors.Is(err, submsg.ErrConflict) {
			t.Fatalf("got %v, want ErrConflict", err)
		}
		if asked := b.proxy.Counts()["GetItem"]; asked != 0 {
			t.Errorf("%d reads were made to know it, want none", asked)
		}
	})

	t.Run("an attempt that may have acted, and was overtaken, is called neither conflict nor success", func(t *testing.T) {
		b := newBench(t, server)
		first := true
		b.proxy.Script(func(r dynamotest.Request) dynamotest.Fault {
			if r.Operation != "PutItem" {
				return dynamotest.Fault{}
			}
			if first {
				first = false
				return dynamotest.Fault{Do: dynamotest.DropReply}
			}
			rec := stored(t, b.direct) // the first attempt acted; somebody builds on it before the second
			rec.Body = entry(2)
			if _, err := b.direct.Save(t.Context(), rec); err != nil {
				t.Error(err)
			}
			return dynamotest.Fault{}
		})
		_, err := b.store.Save(t.Context(), submsg.Record{Key: key, Body: entry(1)})
		if err == nil || errors.Is(err, submsg.ErrConflict) {
			t.Fatalf("got %v, want an error that is not ErrConflict", err)
		}
		if strings.Contains(err.Error(), openid) {
			t.Errorf("the error names the openid: %v", err)
		}
	})
}

func TestTheCallersDeadlineHolds(t *testing.T) {
	t.Parallel()
	server := dynamotest.Start(t)

	t.Run("time is kept to ask what became of a write", func(t *testing.T) {
		b := newBench(t, server)
		b.proxy.Script(once("PutItem", dynamotest.Fault{After: 3 * time.Second}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.store.Save(ctx, submsg.Record{Key: key, Body: entry(1)}); err != nil {
			t.Errorf("the write took place, and there was time to find out: %v", err)
		}
	})

	t.Run("a server that answers nothing ends no later than the deadline", func(t *testing.T) {
		b := newBench(t, server)
		b.proxy.Script(func(dynamotest.Request) dynamotest.Fault {
			return dynamotest.Fault{Before: 5 * time.Second, Do: dynamotest.Drop}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := b.store.Save(ctx, submsg.Record{Key: key, Body: entry(1)})
		if err == nil || errors.Is(err, submsg.ErrConflict) {
			t.Errorf("got %v, want an error that is not ErrConflict", err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it took %v against a deadline of 400 ms", took)
		}
	})
}

// Every writer adds one to the same record, over and over. What is stored in the end is the number of
// writes that were acknowledged, and at most those more that ended in doubt: a "conflict" that had in
// fact been written would show as too many.
func TestNoAcknowledgedWriteIsLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		disturb func(server *dynamotest.Server, b bench, progress func())
	}{
		{"while replies are dropped and requests fail", func(_ *dynamotest.Server, b bench, progress func()) {
			faults := []dynamotest.Action{dynamotest.DropReply, dynamotest.FailAfter, dynamotest.Fail, dynamotest.Drop}
			b.proxy.Script(func(r dynamotest.Request) dynamotest.Fault {
				if r.N%5 != 0 {
					return dynamotest.Fault{}
				}
				return dynamotest.Fault{Do: faults[r.N/5%len(faults)]}
			})
			for range 4 {
				progress()
			}
		}},
		{"while the server is killed and started again", func(server *dynamotest.Server, _ bench, progress func()) {
			for range 3 {
				progress()
				server.Kill()
				server.Restart()
			}
			progress()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := dynamotest.Start(t)
			b := newBench(t, server)
			ctx, stop := context.WithCancel(t.Context())
			var acknowledged, inDoubt atomic.Int64
			var workers sync.WaitGroup
			for range 8 {
				workers.Go(func() {
					for ctx.Err() == nil {
						wctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
						recs, err := b.store.Load(wctx, key)
						if err == nil {
							rec := recs[0]
							n := 0
							if e, ok := rec.Body.(*submsg.AudienceEntry); ok {
								n = e.Generation
							}
							rec.Body = entry(n + 1)
							switch _, err := b.store.Save(wctx, rec); {
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
			c.disturb(server, b, func() {
				now := acknowledged.Load()
				for deadline := time.Now().Add(30 * time.Second); acknowledged.Load() < now+10; time.Sleep(5 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatal("not ten writes were acknowledged within 30 seconds")
					}
				}
			})
			stop()
			workers.Wait()
			got := int64(stored(t, b.direct).Body.(*submsg.AudienceEntry).Generation)
			low, high := acknowledged.Load(), acknowledged.Load()+inDoubt.Load()
			t.Logf("stored %d, acknowledged %d, in doubt %d", got, low, inDoubt.Load())
			if got < low || got > high {
				t.Errorf("stored %d increments, want %d to %d", got, low, high)
			}
		})
	}
}
