package dynamotest

import (
	"context"
	"errors"
	"sync"

	"github.com/yuexin-dev/yuexin/shared/dynamo"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// Units are capacity units as DynamoDB bills them.
type Units struct {
	Read  float64 // of 4 KB, consistent
	Write float64 // of 1 KB, to the table
	Index float64 // write units of the due index; billed as writes, too
}

// Meter is a store that counts what its calls would cost on DynamoDB, whatever store does the work. It
// exists because dynalite's ConsumedCapacity says too little: a Chinese character counts there as one byte
// instead of three, and the due index not at all.
//
// It must see every write of the records it counts, since a write is billed by the larger of the old
// and the new item.
type Meter struct {
	submsg.Store

	mu    sync.Mutex
	seen  map[submsg.Key]entry
	units Units
}

// entry is what the bill of the next write depends on.
type entry struct {
	size         int
	due, expires submsg.Instant
}

// NewMeter wraps a store that is still empty.
func NewMeter(store submsg.Store) *Meter {
	return &Meter{Store: store, seen: make(map[submsg.Key]entry)}
}

// Units returns what has been counted so far.
func (m *Meter) Units() Units {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.units
}

// Load implements submsg.Store. An absent record costs as much as a small one.
func (m *Meter) Load(ctx context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
	recs, err := m.Store.Load(ctx, keys...)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		m.units.Read += units(m.seen[key].size, 4096)
	}
	return recs, err
}

// List implements submsg.Store. A page is billed as a whole.
func (m *Meter) List(ctx context.Context, partition, after string, limit int) ([]submsg.Record, error) {
	recs, err := m.Store.List(ctx, partition, after, limit)
	m.mu.Lock()
	defer m.mu.Unlock()
	size := 0
	for _, rec := range recs {
		size += m.seen[rec.Key].size
	}
	m.units.Read += units(size, 4096)
	return recs, err
}

// Due implements submsg.Store. An index is read at half the price; an entry is its keys and some 60 bytes.
func (m *Meter) Due(ctx context.Context, shard int, until submsg.Instant, limit int) ([]submsg.DueItem, error) {
	items, err := m.Store.Due(ctx, shard, until, limit)
	m.mu.Lock()
	defer m.mu.Unlock()
	size := 0
	for _, item := range items {
		size += len(item.Key.Partition) + len(item.Key.Sort) + 60
	}
	m.units.Read += units(size, 4096) / 2
	return items, err
}

// Save implements submsg.Store. A refused condition costs as much as the write would have.
func (m *Meter) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	size, err := dynamo.ItemSize(rec)
	if err != nil {
		return 0, err
	}
	version, err := m.Store.Save(ctx, rec)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.write(rec.Key, entry{size, rec.Due, rec.Expires}, err)
	return version, err
}

// Delete implements submsg.Store.
func (m *Meter) Delete(ctx context.Context, key submsg.Key, version submsg.Version) error {
	err := m.Store.Delete(ctx, key, version)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.write(key, entry{}, err)
	return err
}

// write bills one write.
func (m *Meter) write(key submsg.Key, now entry, err error) {
	old := m.seen[key]
	m.units.Write += units(max(old.size, now.size), 1024)
	if err != nil {
		if !errors.Is(err, submsg.ErrConflict) {
			delete(m.seen, key) // it may have taken place or not
		}
		return
	}
	switch {
	case old.due == now.due && old.expires == now.expires, old.due == 0 && now.due == 0:
	case old.due != 0 && now.due != 0 && old.due != now.due:
		m.units.Index += 2 // the old entry is deleted and a new one put
	default:
		m.units.Index++
	}
	m.seen[key] = now
}

// units is how many units of a size an item takes: at least one.
func units(size, of int) float64 { return float64(max(1, (size+of-1)/of)) }
