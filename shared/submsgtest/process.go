package submsgtest

import (
	"context"
	"errors"
	"sync"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// errDead is what a process that has died gets from everything it tries.
var errDead = errors.New("submsgtest: the process is dead")

// Process is one life of the service: it dies at its DieAt-th effect, a store write or a call to WeChat, before or
// after having acted. From then on nothing it tries does anything. 0: it lives on.
type Process struct {
	DieAt int
	After bool

	mu   sync.Mutex
	n    int
	dead bool
}

// Effects counts the effects so far.
func (p *Process) Effects() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

// Dead reports whether the process has died.
func (p *Process) Dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// effect runs act as the next effect.
func (p *Process) effect(act func() error) error {
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		return errDead
	}
	p.n++
	dies := p.DieAt != 0 && p.n == p.DieAt
	if dies {
		p.dead = true
	}
	p.mu.Unlock()
	if dies && !p.After {
		return errDead
	}
	err := act()
	if dies || p.Dead() {
		return errDead // whoever asked is not there any more to hear the answer
	}
	return err
}

// read runs act unless the process is dead.
func (p *Process) read(act func() error) error {
	if p.Dead() {
		return errDead
	}
	if err := act(); err != nil {
		return err
	}
	if p.Dead() {
		return errDead
	}
	return nil
}

// Store is s as this process sees it.
func (p *Process) Store(s submsg.Store) submsg.Store { return &mortalStore{p, s} }

type mortalStore struct {
	p *Process
	s submsg.Store
}

func (m *mortalStore) Load(ctx context.Context, keys ...submsg.Key) (recs []submsg.Record, err error) {
	err = m.p.read(func() error { recs, err = m.s.Load(ctx, keys...); return err })
	return recs, err
}

func (m *mortalStore) Save(ctx context.Context, rec submsg.Record) (v submsg.Version, err error) {
	err = m.p.effect(func() error { v, err = m.s.Save(ctx, rec); return err })
	return v, err
}

func (m *mortalStore) Delete(ctx context.Context, k submsg.Key, v submsg.Version) error {
	return m.p.effect(func() error { return m.s.Delete(ctx, k, v) })
}

func (m *mortalStore) List(ctx context.Context, partition, after string, limit int) (recs []submsg.Record, err error) {
	err = m.p.read(func() error { recs, err = m.s.List(ctx, partition, after, limit); return err })
	return recs, err
}

func (m *mortalStore) Due(ctx context.Context, shard int, until submsg.Instant, limit int) (items []submsg.DueItem, err error) {
	err = m.p.read(func() error { items, err = m.s.Due(ctx, shard, until, limit); return err })
	return items, err
}

// WeChat is c as this process sees it.
func (p *Process) WeChat(c submsg.WeChat) submsg.WeChat { return &mortalWeChat{p, c} }

type mortalWeChat struct {
	p *Process
	c submsg.WeChat
}

func (m *mortalWeChat) Send(ctx context.Context, appid string, msg submsg.Message) (res submsg.Result) {
	if err := m.p.effect(func() error { res = m.c.Send(ctx, appid, msg); return nil }); err != nil {
		return submsg.Result{Err: err}
	}
	return res
}

func (m *mortalWeChat) Templates(ctx context.Context, appid string) ([]submsg.SyncedTemplate, error) {
	return m.c.Templates(ctx, appid)
}
