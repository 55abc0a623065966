package submsgtest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// Unsteady is a store that is away now and then: its server is killed, or the network loses answers. In a world over
// one, callers ask again when they got no answer, as they do, and a recovery lasts until the store has been there all
// the time. What is asserted in the end is the same.
type Unsteady struct {
	Store  submsg.Store
	Before func() // called before each call, if not nil
	failed atomic.Int64
}

var _ submsg.Store = (*Unsteady)(nil)

// Failed is how many calls have failed, conflicts not counted.
func (u *Unsteady) Failed() int64 { return u.failed.Load() }

func (u *Unsteady) before() {
	if u.Before != nil {
		u.Before()
	}
}

func (u *Unsteady) note(err error) {
	if err != nil && !errors.Is(err, submsg.ErrConflict) {
		u.failed.Add(1)
	}
}

// Load implements submsg.Store.
func (u *Unsteady) Load(ctx context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
	u.before()
	recs, err := u.Store.Load(ctx, keys...)
	u.note(err)
	return recs, err
}

// Save implements submsg.Store.
func (u *Unsteady) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	u.before()
	v, err := u.Store.Save(ctx, rec)
	u.note(err)
	return v, err
}

// Delete implements submsg.Store.
func (u *Unsteady) Delete(ctx context.Context, k submsg.Key, v submsg.Version) error {
	u.before()
	err := u.Store.Delete(ctx, k, v)
	u.note(err)
	return err
}

// List implements submsg.Store.
func (u *Unsteady) List(ctx context.Context, partition, after string, limit int) ([]submsg.Record, error) {
	u.before()
	recs, err := u.Store.List(ctx, partition, after, limit)
	u.note(err)
	return recs, err
}

// Due implements submsg.Store.
func (u *Unsteady) Due(ctx context.Context, shard int, until submsg.Instant, limit int) ([]submsg.DueItem, error) {
	u.before()
	items, err := u.Store.Due(ctx, shard, until, limit)
	u.note(err)
	return items, err
}

const (
	// outage is the longest that a store is away; a caller who gets no answer gives up only after it.
	outage = 30 * time.Second
	// askAgain is how long a caller waits before it asks again.
	askAgain = 50 * time.Millisecond
)

// failures is how many calls to the store have failed so far; always 0 over a steady one.
func (w *World) failures() int64 {
	if w.unsteady == nil {
		return 0
	}
	return w.unsteady.Failed()
}

// asks makes a request: once over a steady store, and again until there is an answer over an unsteady one. A refusal is an
// answer; a process that has died gives none, ever.
func (w *World) asks(request func() error) error {
	err := request()
	for began := time.Now(); err != nil && w.unsteady != nil && submsg.AsProblem(err) == nil && !w.Process.Dead() && time.Since(began) < outage; {
		time.Sleep(askAgain)
		err = request()
	}
	return err
}

// cutOff reports whether err says that an earlier try of the same request got no answer from an unsteady store and has
// left a reservation behind. What became of it shows after the recovery.
func (w *World) cutOff(err error) bool {
	return w.unsteady != nil && problemIs(err, submsg.CodeInProgress)
}

// putOff reports whether a send was accepted and is to go later, since an unsteady store was away.
func (w *World) putOff(view submsg.SendView) bool {
	return w.unsteady != nil && view.State == submsg.SendQueued
}

// await returns when an unsteady store is there.
func (w *World) await() {
	if w.unsteady == nil {
		return
	}
	for began := time.Now(); time.Since(began) < outage; time.Sleep(askAgain) {
		if _, err := w.Base.Load(context.Background(), submsg.HealthKey(AppID)); err == nil {
			return
		}
	}
}
