package submsg

import (
	"context"
	"errors"
	"math/rand/v2"
)

// DueShards is the number of shards of the due index. It is part of the data layout: changing it
// orphans what is due, so it never changes.
const DueShards = 16

// ErrConflict is returned by Store.Save and Store.Delete when the stored version is not the one the
// caller loaded. Nothing was written; load again and decide again.
var ErrConflict = errors.New("submsg: the record changed since it was loaded")

// Key names one record. Records of one Partition can be listed together, ordered by Sort.
// Keys are made by the functions in keys.go only.
type Key struct{ Partition, Sort string }

// Shard is the shard of the due index that the key's record appears in: a function of the
// partition, so that a store can keep a record and its index entry in one place.
func (k Key) Shard() int { return shardOf(k.Partition, DueShards) }

// Version identifies one stored state of a record. It is drawn at random by each write, so a record
// that was deleted and created again never carries a version it had before. 0 means "not stored".
type Version uint64

// NewVersion draws the version of a state about to be written: never 0, below 2^63.
func NewVersion() Version { return Version(rand.Uint64()>>1 | 1) }

// Record is one stored item as the stores see it.
type Record struct {
	Key     Key
	Version Version // as loaded; 0: not stored
	Due     Instant // 0: absent from the due index
	Expires Instant // 0: kept until deleted. From this moment on the record counts as absent
	Body    Body    // nil: absent
}

// Body is the content of a record: *Subscriber, *Send and the other types of records.go. A Body
// that was handed to a store or came from one is never changed afterwards; decisions make new ones.
type Body interface{ Kind() string }

// DueItem is one entry of the due index.
type DueItem struct {
	Key Key
	Due Instant
}

// Store keeps records. Every method may be called concurrently. Each is one round trip in the common
// case. An error other than ErrConflict from Save or Delete says nothing about whether the write
// took place; stores resolve what they can of that by the version they drew, callers the rest by
// loading again.
type Store interface {
	// Load reads records with strong consistency, in the order of the keys. An absent or expired record
	// has Version 0 and a nil Body.
	Load(ctx context.Context, keys ...Key) ([]Record, error)

	// Save writes rec if the stored version is still rec.Version (0: nothing live is stored), together
	// with its entry in the due index, atomically. It returns the version it drew, or ErrConflict.
	Save(ctx context.Context, rec Record) (Version, error)

	// Delete removes the record if its stored version is still version, else ErrConflict.
	// Deleting what is absent is ErrConflict too.
	Delete(ctx context.Context, key Key, version Version) error

	// List reads at most limit live records of a partition with Sort > after, in ascending byte order of
	// Sort, with strong consistency. Fewer than limit means the end was reached.
	List(ctx context.Context, partition, after string, limit int) ([]Record, error)

	// Due reads at most limit entries of one shard of the due index with Due <= until, soonest first.
	// The index may lag behind the table by a moment; a caller loads what it means to work on.
	Due(ctx context.Context, shard int, until Instant, limit int) ([]DueItem, error)
}
