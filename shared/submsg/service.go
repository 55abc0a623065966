package submsg

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Service is the ledger, the send path and the schedules over one store: every function of the bundle is a
// door to it. Fields are set once, before the first call; methods may be called concurrently.
type Service struct {
	Apps     *Catalog
	Store    Store
	WeChat   WeChat
	Waker    Waker    // nil: the tick finds everything
	Provider Provider // nil: schedules with a provider are refused
	Webhook  Webhook  // nil: notices are only logged
	Metrics  Metrics  // nil: nothing is counted
	Log      *slog.Logger
	Now      func() time.Time
	// Pseudonym is what logs show for an openid: a keyed hash. nil shows nothing at all.
	Pseudonym func(openid string) string

	// CallTimeout bounds one call to WeChat. Work bounds one request's or message's work where the platform
	// sets no deadline of its own; a reservation's lease outlives it by LeaseMargin.
	CallTimeout time.Duration
	Work        time.Duration
	LeaseMargin time.Duration
	// TickEvery is how often a tick is expected: an occurrence later than two ticks counts as missed.
	TickEvery time.Duration
	// Concurrency bounds the calls to WeChat that one job makes at a time.
	Concurrency int

	once       sync.Once
	health     cache[*Health]
	layouts    cache[map[string]SyncedTemplate]
	pace       buckets
	counters   counters
	evidence   buckets
	littleMore buckets
}

// Defaults for the durations of Service. WeChat itself promises nothing; five seconds is what it grants to
// others when it pushes.
const (
	DefaultCallTimeout = 5 * time.Second
	DefaultWork        = 20 * time.Second
	DefaultLeaseMargin = 2 * time.Second
	DefaultTickEvery   = time.Minute
	DefaultConcurrency = 64

	// keepFinal is how long a finished send, and so its idempotency key, is remembered.
	keepFinal = 90 * 24 * time.Hour

	// patience bounds how long a send waits inline for another send to the same subscriber.
	patience = 2 * time.Second
)

func (s *Service) init() {
	s.once.Do(func() {
		if s.Log == nil {
			s.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
		}
		if s.Now == nil {
			s.Now = time.Now
		}
		if s.Metrics == nil {
			s.Metrics = nowhere{}
		}
		if s.Pseudonym == nil {
			s.Pseudonym = func(string) string { return "-" }
		}
		for _, d := range []struct {
			to  *time.Duration
			def time.Duration
		}{{&s.CallTimeout, DefaultCallTimeout}, {&s.Work, DefaultWork}, {&s.LeaseMargin, DefaultLeaseMargin}, {&s.TickEvery, DefaultTickEvery}} {
			if *d.to == 0 {
				*d.to = d.def
			}
		}
		if s.Concurrency == 0 {
			s.Concurrency = DefaultConcurrency
		}
	})
}

func (s *Service) now() Instant { return At(s.Now()) }

// work gives ctx the deadline of one piece of work where the platform set none, cut loose from a caller that
// hangs up: what was begun is recorded.
func (s *Service) work(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if most := time.Now().Add(s.Work); !ok || deadline.After(most) {
		deadline = most
	}
	return context.WithDeadline(context.WithoutCancel(ctx), deadline)
}

// toRecord is the time in which a result is written. The answer must not be lost because the worker's deadline came, so
// it has a time of its own where that is near; every worker's ctx is cut loose from its caller already.
func (s *Service) toRecord(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil && !s.shortOf(ctx, s.CallTimeout) {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), s.CallTimeout)
}

// leaseEnd is where a lease made now ends: after the worker's own deadline.
func (s *Service) leaseEnd(ctx context.Context) Instant {
	return At(s.Now().Add(s.leftOf(ctx) + s.LeaseMargin))
}

// derive makes an id out of what it must be the same for.
func derive(parts ...string) string {
	sum := sumOf(parts)
	return idEncoding.EncodeToString(sum[:16])
}

// IsID reports whether s has the form of the ids that sends and schedules are given. Nothing is stored under any other, and stores
// differ in what they take as a key: they are not asked for one.
func IsID(s string) bool {
	b, err := idEncoding.DecodeString(s)
	return len(s) == 26 && err == nil && len(b) == 16
}

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// digest is the hash by which a replay is told from another request under the same key.
func digest(parts ...string) uint64 {
	sum := sumOf(parts)
	return binary.BigEndian.Uint64(sum[:])>>1 | 1
}

// sumOf hashes the parts, each behind its length, so that no two lists of parts are the same to it.
func sumOf(parts []string) [sha256.Size]byte {
	var space [512]byte // enough for what a send is made of: nothing is allocated
	b := space[:0]
	for _, p := range parts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	return sha256.Sum256(b)
}

// maxTries bounds how often one piece of work starts over when records change under it.
const maxTries = 40

// again waits a moment before the n-th new start, longer each time and never the same for two workers. cause is what kept
// the last write from success, if there was one. When it has been tried often enough, or the time is over, it answers the
// store's own error where cause is one, else CodeBusy or the context's error.
func again(ctx context.Context, n int, cause error) error {
	over := ctx.Err()
	if over == nil && n < maxTries {
		over = pause(ctx, rand.N(min(time.Millisecond<<min(n, 6), 50*time.Millisecond)+1))
		if over == nil {
			return nil
		}
	}
	switch {
	case lost(cause):
		return cause
	case over != nil:
		return over
	}
	return problem(CodeBusy, "", "too many requests change this record at once; try again in a moment")
}

// pause waits, and answers the context's error if that ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// lost reports whether err, of a write, leaves open whether the write took place: whoever wrote loads and looks.
func lost(err error) bool { return err != nil && !errors.Is(err, ErrConflict) }

// offer saves a record as it was loaded, or a new one. Where somebody else has written it meanwhile, theirs stands.
func (s *Service) offer(ctx context.Context, rec Record) error {
	if _, err := s.Store.Save(ctx, rec); lost(err) {
		return err
	}
	return nil
}

type nowhere struct{}

func (nowhere) Count(string, string, string, int) {}
func (nowhere) Observe(string, string, float64)   {}
