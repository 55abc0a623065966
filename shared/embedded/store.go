// Package embedded keeps records in one file of the machine: the store of the standalone server. Every
// acknowledged write is on the disk, whatever happens to the process; writes that wait for the disk at
// the same time go there together (see commit.go). The file belongs to one process at a time.
//
// docs/adr/0002-embedded-store.md tells why the file is a bbolt database and what was measured.
package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

var _ submsg.Store = (*Store)(nil)

// The errors that tell one cause from another; texts say which file and what to do.
var (
	// ErrLocked is returned by Open while another process, or another Store of this one, has the file open.
	ErrLocked = errors.New("the file is in use by another process: stop that one first, or use another file")

	// ErrCorrupt is returned by Open for a file that is damaged, is something else than a store, or was
	// written in a layout that this program does not know; Open leaves it as it is, byte by byte. Other
	// methods return it when damage shows later.
	ErrCorrupt = errors.New("the file cannot be used as a store")

	// ErrClosed is returned by every method after Close.
	ErrClosed = errors.New("embedded: the store is closed")
)

// Options are the choices of Open. The zero value is ready for use.
type Options struct {
	Now        func() time.Time // by which records expire; nil: time.Now
	SweepEvery time.Duration    // between two looks for expired records; 0: one second

	maxSize  int  // of the file, for tests of a full disk; 0: no limit
	maxBatch int  // of writes in one transaction, to measure what that is worth; 0: maxBatch
	noSync   bool // for tests that lose no power: the disk of a busy machine takes its time
}

// Store is a submsg.Store in a file. Make one with Open and Close it.
type Store struct {
	path string
	db   *bolt.DB
	now  func() time.Time

	maxBatch  int
	writes    chan *write
	closing   chan struct{} // closed by Close
	stopped   chan struct{} // closed when the last write is on the disk
	closeOnce sync.Once
	closeErr  error
	workers   sync.WaitGroup
	swept     []byte // where the sweep goes on; used by its goroutine alone
}

// Close waits for the writes under way, then lets go of the file. Calls made meanwhile end in ErrClosed.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		s.workers.Wait()
		if err := s.guard(s.db.Close); err != nil {
			s.closeErr = fmt.Errorf("embedded: closing %s: %w", s.path, err)
		}
	})
	return s.closeErr
}

// Load implements submsg.Store. All records are of one moment. Besides the context's error it may fail
// with ErrCorrupt or ErrClosed.
func (s *Store) Load(ctx context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
	recs := make([]submsg.Record, 0, len(keys))
	err := s.view(ctx, "load", func(tx *bolt.Tx) error {
		records, now := tx.Bucket(recordsBucket), submsg.At(s.now())
		for _, key := range keys {
			b, err := recordKey(key)
			if err != nil {
				return err
			}
			rec, err := decodeRecord(key, b, records.Get(b), now)
			if err != nil {
				return err
			}
			recs = append(recs, rec)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return recs, nil
}

// List implements submsg.Store; its errors are those of Load.
func (s *Store) List(ctx context.Context, partition, after string, limit int) ([]submsg.Record, error) {
	var recs []submsg.Record
	err := s.view(ctx, "list", func(tx *bolt.Tx) error {
		prefix, now := partitionPrefix(partition), submsg.At(s.now())
		from := append(bytes.Clone(prefix), after...)
		cursor := tx.Bucket(recordsBucket).Cursor()
		k, v := cursor.Seek(from)
		if bytes.Equal(k, from) {
			k, v = cursor.Next()
		}
		for ; bytes.HasPrefix(k, prefix) && len(recs) < limit; k, v = cursor.Next() {
			key, err := splitKey(k)
			if err != nil {
				return err
			}
			rec, err := decodeRecord(key, k, v, now)
			if err != nil {
				return err
			}
			if rec.Body != nil {
				recs = append(recs, rec)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return recs, nil
}

// Due implements submsg.Store; the index never lags. Its errors are those of Load, and one for a shard
// that does not exist.
func (s *Store) Due(ctx context.Context, shard int, until submsg.Instant, limit int) ([]submsg.DueItem, error) {
	if shard < 0 || shard >= submsg.DueShards {
		return nil, fmt.Errorf("embedded: due: shard %d does not exist: shards are 0 to %d", shard, submsg.DueShards-1)
	}
	var items []submsg.DueItem
	err := s.view(ctx, "due", func(tx *bolt.Tx) error {
		now := submsg.At(s.now())
		prefix := []byte{byte(shard)}
		cursor := tx.Bucket(dueBucket).Cursor()
		for k, v := cursor.Seek(prefix); bytes.HasPrefix(k, prefix) && len(items) < limit; k, v = cursor.Next() {
			item, expires, err := decodeDue(k, v)
			if err != nil {
				return err
			}
			if item.Due > until {
				return nil
			}
			if (head{expires: expires}).live(now) {
				items = append(items, item)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// Save implements submsg.Store. It returns when the record is on the disk. Besides ErrConflict it may
// fail with the context's error, after which the write may still take place, with ErrCorrupt, ErrClosed,
// or an error of the disk.
func (s *Store) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	key, err := recordKey(rec.Key)
	if err != nil {
		return 0, fmt.Errorf("embedded: save: %w", err)
	}
	w := &write{key: key, shard: rec.Key.Shard(), over: rec.Version, due: rec.Due, expires: rec.Expires}
	rec.Version = submsg.NewVersion()
	if w.value, err = encodeRecord(key, rec); err != nil {
		return 0, fmt.Errorf("embedded: save: %w", err)
	}
	if err := s.write(ctx, "save", w); err != nil {
		return 0, err
	}
	return rec.Version, nil
}

// Delete implements submsg.Store; its errors are those of Save.
func (s *Store) Delete(ctx context.Context, key submsg.Key, version submsg.Version) error {
	b, err := recordKey(key)
	if err != nil {
		return fmt.Errorf("embedded: delete: %w", err)
	}
	return s.write(ctx, "delete", &write{key: b, shard: key.Shard(), over: version})
}

// view runs read in a transaction of its own. It waits for no writer, and no writer waits for it.
func (s *Store) view(ctx context.Context, doing string, read func(*bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("embedded: %s: %w", doing, err)
	}
	err := s.guard(func() error { return s.db.View(read) })
	return s.explain(doing, err)
}

// guard runs what reads the file. bbolt trusts its pages: damaged ones make it panic, or touch memory
// outside the file. Either becomes ErrCorrupt here instead of the end of the process.
func (s *Store) guard(act func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: its pages are damaged: %v", ErrCorrupt, r)
		}
	}()
	return act()
}

// explain adds to an error what was being done, with which file, and what to do about damage.
func (s *Store) explain(doing string, err error) error {
	switch {
	case err == nil, errors.Is(err, submsg.ErrConflict), errors.Is(err, ErrClosed):
		return err
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return ErrClosed
	case errors.Is(err, errDamaged):
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("embedded: %s: %s: %w; %s", doing, s.path, err, recovery)
	}
	return fmt.Errorf("embedded: %s: %s: %w", doing, s.path, err)
}

// recovery is what to do about a file that is damaged.
const recovery = "stop the server, keep a copy of the file, and restore it from a backup or move it away to start empty"
