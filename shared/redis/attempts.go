package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// A write that got no answer may have taken place. It is tried again only because it is conditional: the
// script knows its own version and says "done" to it. If the second attempt is refused, somebody has written
// meanwhile, over our write or without it; that is neither success nor a conflict, and is said so.

const (
	// attemptsAtMost and backoffAtMost leave room for a restart of the server, about three seconds; the
	// caller's deadline ends the attempts earlier.
	attemptsAtMost = 9
	firstBackoff   = 15 * time.Millisecond
	backoffAtMost  = time.Second
)

// attempts is what is known of the commands of one write.
type attempts struct {
	unsure atomic.Bool // one of them may have acted though it failed
}

// attemptsKey finds the attempts of a write in its context.
type attemptsKey struct{}

// watcher is a hook around every command that goes to one node. It notes whether a failed one may have
// acted, inside the redirections that the cluster client makes by itself.
type watcher struct{}

func (watcher) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (watcher) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		err := next(ctx, cmd)
		note(ctx, err)
		return err
	}
}

func (watcher) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		err := next(ctx, cmds)
		note(ctx, err)
		return err
	}
}

// note records in the context's attempts, if it has any, that err may have followed an act.
func note(ctx context.Context, err error) {
	if a, ok := ctx.Value(attemptsKey{}).(*attempts); ok && mayHaveActed(err) {
		a.unsure.Store(true)
	}
}

// mayHaveActed reports whether a failed command may have changed something. It did not if the server
// refused it, or it was never sent.
func mayHaveActed(err error) bool {
	if err == nil || isReply(err) || errors.Is(err, goredis.ErrPoolTimeout) || errors.Is(err, goredis.ErrClosed) {
		return false
	}
	var op *net.OpError
	return !errors.As(err, &op) || op.Op != "dial"
}

// isReply reports whether err is what the server said, rather than what happened on the way.
func isReply(err error) bool {
	var reply goredis.Error
	return errors.As(err, &reply)
}

// errNoAnswer is for commands that seem to have succeeded and brought nothing.
var errNoAnswer = errors.New("the server's answer is missing")

// ErrNotReplicated is returned where wait_replicas is set and the replicas did not confirm a write in time.
// The write took place on the master, and may be lost if that fails now.
var ErrNotReplicated = errors.New("fewer replicas than wait_replicas confirmed the write in time")

// write runs a script that changes one record. nil, submsg.ErrConflict, or an error after which the caller
// must load the record to know.
func (s *Store) write(ctx context.Context, doing string, script *goredis.Script, key submsg.Key, args ...any) error {
	keys := []string{s.keys.record(key), s.keys.list(key.Partition), s.keys.due(key.Shard())}
	a := new(attempts)
	var result int64
	err := s.retry(context.WithValue(ctx, attemptsKey{}, a), func(ctx context.Context) (err error) {
		if s.waitReplicas > 0 {
			if result, err = s.runAndWait(ctx, script, keys, args); errors.Is(err, ErrNotReplicated) {
				a.unsure.Store(true)
			}
		} else {
			result, err = script.Run(ctx, s.client, keys, args...).Int64()
		}
		return err
	})
	unsure := a.unsure.Load()
	switch {
	case err != nil && unsure:
		return fmt.Errorf("%w; whether it took place is not known: load the record", explain(doing, err))
	case err != nil:
		return explain(doing, err)
	case result == done, result == absent && unsure:
		return nil
	case unsure:
		return fmt.Errorf("redis: %s: somebody else wrote the record after an attempt that got no answer; whether that took place is not known: load the record", doing)
	default:
		return submsg.ErrConflict
	}
}

// runAndWait runs a script and waits for replicas, in one round trip on one connection: WAIT is about the writes
// of its own connection.
func (s *Store) runAndWait(ctx context.Context, script *goredis.Script, keys []string, args []any) (int64, error) {
	node := s.single
	if s.cluster != nil {
		var err error
		if node, err = s.cluster.MasterForKey(ctx, keys[0]); err != nil {
			return 0, err
		}
	}
	run := func(eval func(goredis.Pipeliner) *goredis.Cmd) (ran, waited *goredis.Cmd) {
		pipe := node.Pipeline()
		ran = eval(pipe)
		waited = pipe.Do(ctx, "WAIT", s.waitReplicas, s.waitTimeout.Milliseconds())
		if _, err := pipe.Exec(ctx); err != nil && ran.Err() == nil && ran.Val() == nil {
			ran.SetErr(err) // the commands were never sent, and do not say so themselves
		}
		return ran, waited
	}
	ran, waited := run(func(p goredis.Pipeliner) *goredis.Cmd { return script.EvalSha(ctx, p, keys, args...) })
	if goredis.HasErrorPrefix(ran.Err(), "NOSCRIPT") {
		ran, waited = run(func(p goredis.Pipeliner) *goredis.Cmd { return script.Eval(ctx, p, keys, args...) })
	}
	result, err := ran.Int64()
	if err != nil || result != done {
		return result, err
	}
	replicas, err := waited.Int64()
	if err == nil && replicas < int64(s.waitReplicas) {
		err = ErrNotReplicated
	}
	return result, err
}

// read runs a script that returns a list of texts.
func (s *Store) read(ctx context.Context, doing string, script *goredis.Script, keys []string, args ...any) (texts []string, err error) {
	err = s.retry(ctx, func(ctx context.Context) error {
		texts, err = script.Run(ctx, s.client, keys, args...).StringSlice()
		return err
	})
	if err == nil && len(texts) == 0 {
		err = errors.New("the script returned nothing")
	}
	if err != nil {
		return nil, explain(doing, err)
	}
	return texts, nil
}

// retry makes attempts at something that may be repeated, until one succeeds, fails for good, or the
// caller's time is up. An attempt gets two thirds of the time left, so that there is always time for one more.
func (s *Store) retry(ctx context.Context, attempt func(context.Context) error) error {
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		actx, cancel := ctx, context.CancelFunc(func() {})
		if deadline, ok := ctx.Deadline(); ok {
			actx, cancel = context.WithTimeout(ctx, time.Until(deadline)*2/3)
		}
		err := attempt(actx)
		cancel()
		if err == nil || n+1 == attemptsAtMost || !worthRepeating(err) {
			return err
		}
		if s.cluster != nil {
			s.cluster.ReloadState(ctx) // a replica may have taken over; by itself the client would notice in a minute
		}
		pause := min(firstBackoff<<n, backoffAtMost)
		if sleep(ctx, pause/2+rand.N(pause/2)) != nil {
			return err // it says more than that time is up
		}
	}
}

// passing are the replies that the same command may not get a moment later.
var passing = []string{
	"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "BUSY", "MOVED", "ASK", "max number of clients",
}

// says reports whether a reply begins with a word, behind "ERR" or not. Redis up to 6.2 tells of what failed inside a
// script at the end of a text of its own: "ERR Error running script (call to f_…): @user_script:3: @user_script: 3:
// -READONLY You can't write …"; Redis 7 begins with it there too.
func says(err error, word string) bool {
	var reply goredis.Error
	if !errors.As(err, &reply) {
		return false
	}
	text := reply.Error()
	if _, inner, found := strings.Cut(text, ": -"); found && strings.HasPrefix(text, "ERR Error running script") {
		text = inner
	}
	return strings.HasPrefix(strings.TrimPrefix(text, "ERR "), word)
}

// worthRepeating reports whether an attempt failed for a reason that may pass.
func worthRepeating(err error) bool {
	if errors.Is(err, goredis.ErrClosed) || errors.Is(err, ErrNotReplicated) {
		return false
	}
	if !isReply(err) {
		var certificate *tls.CertificateVerificationError
		return !errors.As(err, &certificate)
	}
	for _, prefix := range passing {
		if says(err, prefix) {
			return true
		}
	}
	return false
}

// explain makes an error for the person who must act. doing names kinds of records, never keys: those
// may hold an openid. The server's NOPERM names keys, so only its first word is shown.
func explain(doing string, err error) error {
	advice := ""
	switch {
	case says(err, "NOPERM"):
		return fmt.Errorf("redis: %s: NOPERM: the user of store.url may not do this: docs/stores.md lists what it needs", doing)
	case says(err, "WRONGPASS"), says(err, "NOAUTH"):
		advice = " (the user or password in store.url)"
	case says(err, "OOM"):
		advice = " (the server's memory is full: give it more; docs/stores.md says how much a subscriber takes)"
	case says(err, "MISCONF"):
		advice = " (the server cannot save to its disk, and refuses writes until it can)"
	case says(err, "NOREPLICAS"):
		advice = " (fewer replicas than min-replicas-to-write are up: the server refuses writes until they are back)"
	case says(err, "READONLY"):
		advice = " (store.url leads to a replica)"
	case says(err, "MOVED"), says(err, "CROSSSLOT"):
		advice = " (a node of a cluster: write redis+cluster:// in store.url)"
	}
	return fmt.Errorf("redis: %s: %w%s", doing, err, advice)
}

// sleep waits for d, or less if ctx ends, and says so then.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
