package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// maxBatch bounds how many writes go to the disk together, and with it how long the first of them waits.
const maxBatch = 256

// sweepBatch bounds how many records one sweep looks at.
const sweepBatch = 2000

// errNothingToWrite ends a transaction in which every write was refused: it need not reach the disk.
var errNothingToWrite = errors.New("nothing to write")

// write is one conditional change of one record.
type write struct {
	key          []byte // as recordKey spells it
	shard        int
	over         submsg.Version // what has to be stored; 0: nothing live
	value        []byte         // nil: remove the record
	due, expires submsg.Instant // of the new state, as in value

	ifExpired bool // remove the record if it has expired, whatever its version: the sweep

	ctx     context.Context
	outcome chan error // holds one
}

// write hands w to the committing goroutine and waits until it is on the disk or refused.
func (s *Store) write(ctx context.Context, doing string, w *write) error {
	err := s.submit(ctx, w)
	if err == nil {
		err = s.await(w)
	}
	return s.explain(doing, err)
}

// submit hands w over.
func (s *Store) submit(ctx context.Context, w *write) error {
	w.ctx, w.outcome = ctx, make(chan error, 1)
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	select {
	case s.writes <- w:
		return nil
	case <-s.stopped:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await returns what became of a write that was handed over.
func (s *Store) await(w *write) error {
	select {
	case err := <-w.outcome:
		return err
	case <-w.ctx.Done():
		return fmt.Errorf("whether the write takes place is not known: %w", w.ctx.Err())
	case <-s.stopped:
		select {
		case err := <-w.outcome:
			return err
		default:
			return ErrClosed // it came too late to be taken up
		}
	}
}

// commitLoop commits what is waiting, as one transaction, again and again: while one batch is on its way
// to the disk the next gathers. A single writer waits for nobody; many share the price of one sync.
func (s *Store) commitLoop() {
	defer close(s.stopped)
	batch := make([]*write, 0, maxBatch)
	var broken error
	for {
		select {
		case w := <-s.writes:
			batch = append(batch[:0], w)
		case <-s.closing:
			select {
			case w := <-s.writes:
				batch = append(batch[:0], w)
			default:
				return
			}
		}
	gather:
		for len(batch) < s.maxBatch {
			select {
			case w := <-s.writes:
				batch = append(batch, w)
			default:
				break gather
			}
		}
		// After a panic inside bbolt its state in memory is not to be trusted with another write.
		if broken == nil {
			if err := s.commit(batch); errors.Is(err, ErrCorrupt) {
				broken = err
			}
		} else {
			answer(batch, broken)
		}
		clear(batch) // lets go of the values while waiting for the next
	}
}

// commit makes one transaction of the batch and answers each of its writes. The error is that of the
// transaction as a whole.
func (s *Store) commit(batch []*write) error {
	outcomes := make([]error, len(batch))
	err := s.guard(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			accepted := 0
			for i, w := range batch {
				var err error
				if outcomes[i], err = s.apply(tx, w); err != nil {
					return err
				}
				if outcomes[i] == nil {
					accepted++
				}
			}
			if accepted == 0 {
				return errNothingToWrite
			}
			return nil
		})
	})
	if err != nil && !errors.Is(err, errNothingToWrite) {
		answer(batch, err)
		return err
	}
	for i, w := range batch {
		w.outcome <- outcomes[i]
	}
	return nil
}

// answer gives every write of the batch the same outcome.
func answer(batch []*write, outcome error) {
	for _, w := range batch {
		w.outcome <- outcome
	}
}

// apply decides one write on what the transaction holds, the writes before it in the batch included. A
// refused write has changed nothing; failure ends the whole transaction.
func (s *Store) apply(tx *bolt.Tx, w *write) (refusal, failure error) {
	if err := w.ctx.Err(); err != nil {
		return err, nil // nobody waits for it any more
	}
	records, due := tx.Bucket(recordsBucket), tx.Bucket(dueBucket)
	var old head
	stored := records.Get(w.key)
	if stored != nil {
		var err error
		if old, err = decodeHead(w.key, stored); err != nil {
			return err, nil
		}
	}
	live := stored != nil && old.live(submsg.At(s.now()))
	switch {
	case w.ifExpired:
		if live || stored == nil {
			return submsg.ErrConflict, nil
		}
	case w.value == nil && !live, live && w.over != old.version, !live && w.over != 0:
		return submsg.ErrConflict, nil
	}

	if old.due != 0 && (w.value == nil || w.due != old.due) {
		if err := due.Delete(dueKey(w.shard, old.due, w.key)); err != nil {
			return nil, err
		}
	}
	if w.value == nil {
		return nil, records.Delete(w.key)
	}
	if w.due != 0 && (w.due != old.due || w.expires != old.expires) {
		k := dueKey(w.shard, w.due, w.key)
		if err := due.Put(k, dueValue(k, w.expires)); err != nil {
			return nil, err
		}
	}
	return nil, records.Put(w.key, w.value)
}

// sweepLoop clears expired records away, a few at a time: they count as absent anyway, so all that is
// at stake is the size of the file.
func (s *Store) sweepLoop(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-ticker.C:
			// An error shows again, and to somebody, when the record is asked for.
			_ = s.sweep(context.Background())
		}
	}
}

// sweep looks at the records that follow those it looked at last time, and removes the expired ones.
func (s *Store) sweep(ctx context.Context) error {
	var expired []*write
	err := s.view(ctx, "sweep", func(tx *bolt.Tx) error {
		now := submsg.At(s.now())
		cursor := tx.Bucket(recordsBucket).Cursor()
		k, v := cursor.Seek(s.swept)
		for range sweepBatch {
			if k == nil {
				break
			}
			h, err := decodeHead(k, v)
			if err == nil && !h.live(now) {
				key, err := splitKey(k)
				if err != nil {
					return err
				}
				expired = append(expired, &write{key: append([]byte(nil), k...), shard: key.Shard(), ifExpired: true})
			}
			k, v = cursor.Next()
		}
		s.swept = append(s.swept[:0], k...) // nil at the end: from the start again
		return nil
	})
	if err != nil {
		return err
	}
	// All are handed over before the first is waited for, so that they share batches.
	for i, w := range expired {
		if err := s.submit(ctx, w); err != nil {
			expired = expired[:i]
			break
		}
	}
	for _, w := range expired {
		if err := s.await(w); err != nil && !errors.Is(err, submsg.ErrConflict) {
			return s.explain("sweep", err)
		}
	}
	return nil
}
