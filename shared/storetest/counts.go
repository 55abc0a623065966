package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

var _ submsg.Store = (*Counts)(nil)

// Call names what is counted: a method, and the kind of record it was called for, as the part of the
// partition before the first '#'. A Load counts once for its first key; Due has no kind.
type Call struct{ Method, Kind string }

// Tally is what was counted of one Call. Each call is one round trip.
type Tally struct {
	Calls     int
	Keys      int // keys asked for by Load; records returned by List and Due; 1 for each write
	Conflicts int // calls that ended in ErrConflict; they cost a write all the same
	Errors    int // calls that failed otherwise
}

// Counts is a store that counts the calls made of it. Put it inside a Faulty store to count what reached
// the store, outside to count what was tried.
type Counts struct {
	store submsg.Store

	mu    sync.Mutex
	tally map[Call]Tally
}

// Count returns a store that makes its calls on store and counts them.
func Count(store submsg.Store) *Counts { return &Counts{store: store, tally: make(map[Call]Tally)} }

// Reset forgets what was counted so far.
func (c *Counts) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.tally)
}

// Of returns what was counted of a method, and of one kind if kind is not "".
func (c *Counts) Of(method, kind string) Tally {
	return c.sum(func(call Call) bool { return call.Method == method && (kind == "" || call.Kind == kind) })
}

// Writes is the number of Saves and Deletes, whatever came of them.
func (c *Counts) Writes() int {
	return c.sum(func(call Call) bool { return call.Method == "Save" || call.Method == "Delete" }).Calls
}

// RoundTrips is the number of all calls.
func (c *Counts) RoundTrips() int { return c.sum(func(Call) bool { return true }).Calls }

// String lists what was counted, one line for each method and kind, for the message of a failed test.
func (c *Counts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	byName := func(a, b Call) int { return strings.Compare(a.Method+a.Kind, b.Method+b.Kind) }
	for _, call := range slices.SortedFunc(maps.Keys(c.tally), byName) {
		t := c.tally[call]
		fmt.Fprintf(&b, "%-6s %-10s calls %d, keys %d, conflicts %d, errors %d\n", call.Method, call.Kind, t.Calls, t.Keys, t.Conflicts, t.Errors)
	}
	return b.String()
}

// sum adds up the tallies that match.
func (c *Counts) sum(match func(Call) bool) Tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sum Tally
	for call, t := range c.tally {
		if match(call) {
			sum.Calls += t.Calls
			sum.Keys += t.Keys
			sum.Conflicts += t.Conflicts
			sum.Errors += t.Errors
		}
	}
	return sum
}

// count adds one call.
func (c *Counts) count(method, partition string, keys int, err error) {
	kind, _, _ := strings.Cut(partition, "#")
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tally[Call{method, kind}]
	t.Calls++
	t.Keys += keys
	switch {
	case errors.Is(err, submsg.ErrConflict):
		t.Conflicts++
	case err != nil:
		t.Errors++
	}
	c.tally[Call{method, kind}] = t
}

// Load implements submsg.Store.
func (c *Counts) Load(ctx context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
	recs, err := c.store.Load(ctx, keys...)
	partition := ""
	if len(keys) > 0 {
		partition = keys[0].Partition
	}
	c.count("Load", partition, len(keys), err)
	return recs, err
}

// Save implements submsg.Store.
func (c *Counts) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	v, err := c.store.Save(ctx, rec)
	c.count("Save", rec.Key.Partition, 1, err)
	return v, err
}

// Delete implements submsg.Store.
func (c *Counts) Delete(ctx context.Context, key submsg.Key, version submsg.Version) error {
	err := c.store.Delete(ctx, key, version)
	c.count("Delete", key.Partition, 1, err)
	return err
}

// List implements submsg.Store.
func (c *Counts) List(ctx context.Context, partition, after string, limit int) ([]submsg.Record, error) {
	recs, err := c.store.List(ctx, partition, after, limit)
	c.count("List", partition, len(recs), err)
	return recs, err
}

// Due implements submsg.Store.
func (c *Counts) Due(ctx context.Context, shard int, until submsg.Instant, limit int) ([]submsg.DueItem, error) {
	items, err := c.store.Due(ctx, shard, until, limit)
	c.count("Due", "", len(items), err)
	return items, err
}
