package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// ErrInjected is the error of a call that a fault made fail. Like the error of a lost connection it does
// not tell whether the call was acted on.
var ErrInjected = errors.New("storetest: injected failure")

// ErrCrashed is the error of every call since the process "died": a use case that sees it has no way to
// do anything more, whatever it tries.
var ErrCrashed = errors.New("storetest: the process has crashed")

// Op is a call that is about to be made of a faulty store.
type Op struct {
	N      int        // for Save and Delete: its ordinal among them, from 1; for reads 0
	Method string     // "Load", "Save", "Delete", "List" or "Due"
	Key    submsg.Key // of Load the first key; of List the partition and after; of Due none
}

// Fault says what happens to a call.
type Fault int

// The faults. A crash leaves the wrapped store as it was at that moment: wrap it anew to start the next
// process on it.
const (
	FaultNone        Fault = iota
	FaultFailBefore        // the call is not acted on, and fails with ErrInjected
	FaultFailAfter         // the call is acted on, and its answer is lost: ErrInjected
	FaultCrashBefore       // the process dies before the call
	FaultCrashAfter        // the process dies when the call has been acted on, before it sees the answer
)

// Faulty returns a store that makes the calls of its caller on store, except as hook decides. Calls may
// be concurrent; hook is asked about one at a time, in the order of N.
func Faulty(store submsg.Store, hook func(Op) Fault) submsg.Store {
	return &faulty{store: store, hook: hook}
}

type faulty struct {
	store submsg.Store

	mu      sync.Mutex
	hook    func(Op) Fault
	writes  int
	crashed bool
}

// call makes one call under the fault that hook chooses for it.
func (f *faulty) call(method string, key submsg.Key, act func() error) error {
	fault, err := f.choose(method, key)
	if err != nil {
		return err
	}
	switch fault {
	case FaultNone:
		return act()
	case FaultFailAfter, FaultCrashAfter:
		_ = act() // nobody learns what came of it
	}
	if fault == FaultCrashBefore || fault == FaultCrashAfter {
		f.mu.Lock()
		f.crashed = true
		f.mu.Unlock()
		return fmt.Errorf("%s: %w", method, ErrCrashed)
	}
	return fmt.Errorf("%s: %w", method, ErrInjected)
}

// choose numbers the call and asks the hook about it.
func (f *faulty) choose(method string, key submsg.Key) (Fault, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return FaultNone, fmt.Errorf("%s: %w", method, ErrCrashed)
	}
	op := Op{Method: method, Key: key}
	if method == "Save" || method == "Delete" {
		f.writes++
		op.N = f.writes
	}
	return f.hook(op), nil
}

func (f *faulty) Load(ctx context.Context, keys ...submsg.Key) (recs []submsg.Record, err error) {
	var first submsg.Key
	if len(keys) > 0 {
		first = keys[0]
	}
	err = f.call("Load", first, func() error { recs, err = f.store.Load(ctx, keys...); return err })
	return answered(recs, err)
}

func (f *faulty) Save(ctx context.Context, rec submsg.Record) (v submsg.Version, err error) {
	err = f.call("Save", rec.Key, func() error { v, err = f.store.Save(ctx, rec); return err })
	return answered(v, err)
}

func (f *faulty) Delete(ctx context.Context, key submsg.Key, version submsg.Version) error {
	return f.call("Delete", key, func() error { return f.store.Delete(ctx, key, version) })
}

func (f *faulty) List(ctx context.Context, partition, after string, limit int) (recs []submsg.Record, err error) {
	key := submsg.Key{Partition: partition, Sort: after}
	err = f.call("List", key, func() error { recs, err = f.store.List(ctx, partition, after, limit); return err })
	return answered(recs, err)
}

func (f *faulty) Due(ctx context.Context, shard int, until submsg.Instant, limit int) (items []submsg.DueItem, err error) {
	err = f.call("Due", submsg.Key{}, func() error { items, err = f.store.Due(ctx, shard, until, limit); return err })
	return answered(items, err)
}

// answered withholds an answer that was lost with an error.
func answered[T any](v T, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return v, nil
}
