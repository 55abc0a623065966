// Package memory keeps records in the memory of the process: the store of tests, of the sandbox and of
// the tour, where nothing has to survive and nothing should have to be installed. It holds the very
// bodies it was given, so it costs no encoding; that they are never changed is the contract of submsg.Body.
package memory

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

var _ submsg.Store = (*Store)(nil)

// sweepPerWrite bounds how many expired records one write clears away. More than one, so that
// clearing keeps up with writes that all make records that expire.
const sweepPerWrite = 2

// Store is a submsg.Store in memory. Its shards are those of the due index, so that a record and its
// entry in the index change under one lock.
type Store struct {
	now    func() time.Time
	shards [submsg.DueShards]shard
}

// shard holds the partitions that hash to one shard of the due index.
type shard struct {
	mu         sync.Mutex
	partitions map[string]partition
	due        ordered[byTime] // records with Due
	expiry     ordered[byTime] // records with Expires
}

// bySort places a record in its partition.
type bySort struct {
	sort string
	rec  *submsg.Record
}

func (a bySort) compare(b bySort) int { return cmp.Compare(a.sort, b.sort) }

// byTime places a record in the due index or in the order of expiry; the key breaks ties.
type byTime struct {
	at  submsg.Instant
	rec *submsg.Record
}

func (a byTime) compare(b byTime) int {
	if c := cmp.Compare(a.at, b.at); c != 0 {
		return c
	}
	if c := cmp.Compare(a.rec.Key.Partition, b.rec.Key.Partition); c != 0 {
		return c
	}
	return cmp.Compare(a.rec.Key.Sort, b.rec.Key.Sort)
}

// New returns an empty store, which expires records by the clock now.
func New(now func() time.Time) *Store {
	s := &Store{now: now}
	for i := range s.shards {
		s.shards[i].partitions = make(map[string]partition)
	}
	return s
}

// Load implements submsg.Store. It fails only if ctx has ended.
func (s *Store) Load(ctx context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory: load: %w", err)
	}
	now := submsg.At(s.now())
	recs := make([]submsg.Record, len(keys))
	for i, key := range keys {
		sh := &s.shards[key.Shard()]
		sh.mu.Lock()
		if rec := sh.find(key); live(rec, now) {
			recs[i] = *rec
		} else {
			recs[i].Key = key
		}
		sh.mu.Unlock()
	}
	return recs, nil
}

// Save implements submsg.Store. Besides ErrConflict it fails only if ctx has ended or the record has no
// body, and then nothing was written.
func (s *Store) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("memory: save: %w", err)
	}
	if rec.Body == nil {
		return 0, fmt.Errorf("memory: save: the record has no body: use Delete to remove it")
	}
	now := submsg.At(s.now())
	sh := &s.shards[rec.Key.Shard()]
	sh.mu.Lock()
	defer sh.mu.Unlock()

	old := sh.find(rec.Key)
	var stored submsg.Version
	if live(old, now) {
		stored = old.Version
	}
	if stored != rec.Version {
		return 0, submsg.ErrConflict
	}
	rec.Version = submsg.NewVersion()
	if old == nil {
		old = &submsg.Record{Key: rec.Key}
		sh.insert(old)
	}
	sh.update(old, rec)
	sh.sweep(now)
	return rec.Version, nil
}

// Delete implements submsg.Store. Besides ErrConflict it fails only if ctx has ended.
func (s *Store) Delete(ctx context.Context, key submsg.Key, version submsg.Version) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memory: delete: %w", err)
	}
	now := submsg.At(s.now())
	sh := &s.shards[key.Shard()]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	rec := sh.find(key)
	if !live(rec, now) || rec.Version != version {
		return submsg.ErrConflict
	}
	sh.remove(rec)
	sh.sweep(now)
	return nil
}

// List implements submsg.Store. It fails only if ctx has ended.
func (s *Store) List(ctx context.Context, partition, after string, limit int) ([]submsg.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory: list: %w", err)
	}
	now := submsg.At(s.now())
	sh := &s.shards[submsg.Key{Partition: partition}.Shard()]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var recs []submsg.Record
	if limit > 0 {
		for rec := range sh.partitions[partition].after(after) {
			if !live(rec, now) {
				continue
			}
			if recs = append(recs, *rec); len(recs) == limit {
				break
			}
		}
	}
	return recs, nil
}

// Due implements submsg.Store; the index never lags. It fails only if ctx has ended or there is no
// such shard.
func (s *Store) Due(ctx context.Context, shard int, until submsg.Instant, limit int) ([]submsg.DueItem, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory: due: %w", err)
	}
	if shard < 0 || shard >= len(s.shards) {
		return nil, fmt.Errorf("memory: due: shard %d does not exist: shards are 0 to %d", shard, len(s.shards)-1)
	}
	now := submsg.At(s.now())
	sh := &s.shards[shard]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var items []submsg.DueItem
	for e := range sh.due.all() {
		if e.at > until || len(items) >= limit {
			break
		}
		if live(e.rec, now) {
			items = append(items, submsg.DueItem{Key: e.rec.Key, Due: e.at})
		}
	}
	return items, nil
}

// live reports whether the record counts as stored at now.
func live(rec *submsg.Record, now submsg.Instant) bool {
	return rec != nil && (rec.Expires == 0 || rec.Expires > now)
}

// find returns the record that is physically there, expired or not, or nil.
func (sh *shard) find(key submsg.Key) *submsg.Record {
	return sh.partitions[key.Partition].find(key.Sort)
}

// insert puts a record that has no times yet into its partition.
func (sh *shard) insert(rec *submsg.Record) {
	sh.partitions[rec.Key.Partition] = sh.partitions[rec.Key.Partition].with(rec)
}

// update overwrites the record and moves its entries in the two indexes.
func (sh *shard) update(rec *submsg.Record, to submsg.Record) {
	move(&sh.due, rec, rec.Due, to.Due)
	move(&sh.expiry, rec, rec.Expires, to.Expires)
	*rec = to
}

// remove takes the record out of its partition and of both indexes.
func (sh *shard) remove(rec *submsg.Record) {
	move(&sh.due, rec, rec.Due, 0)
	move(&sh.expiry, rec, rec.Expires, 0)
	if p := sh.partitions[rec.Key.Partition].without(rec.Key.Sort); p.empty() {
		delete(sh.partitions, rec.Key.Partition)
	} else {
		sh.partitions[rec.Key.Partition] = p
	}
}

// sweep clears away a few records that have expired, soonest first.
func (sh *shard) sweep(now submsg.Instant) {
	for range sweepPerWrite {
		e, ok := sh.expiry.first()
		if !ok || live(e.rec, now) {
			return
		}
		sh.remove(e.rec)
	}
}

// move takes the record's entry in an index from one instant to another; 0 stands for "not in it".
func move(index *ordered[byTime], rec *submsg.Record, from, to submsg.Instant) {
	if from == to {
		return
	}
	if from != 0 {
		index.remove(byTime{from, rec})
	}
	if to != 0 {
		index.insert(byTime{to, rec})
	}
}
