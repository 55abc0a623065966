package wechat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// Times of the access token (developers.weixin.qq.com, 获取稳定版接口调用凭据).
const (
	// renewMargin is how long before its end a token is replaced. WeChat hands out a new one only in the last
	// five minutes, so instances renew at some point of the minute after that mark, not all at once.
	renewMargin = 5 * time.Minute
	renewJitter = time.Minute

	// renewPause is the time between two tries to replace a token that is still good: when a try failed, or
	// WeChat returned the old token once more.
	renewPause = 20 * time.Second

	// Without any token, failures are remembered this long: each send would ask again, and WeChat allows 10,000
	// token calls a minute. A refusal other than "busy" waits for an operator, so it is asked less often.
	failurePause = 2 * time.Second
	refusedPause = 15 * time.Second
	codeBusy     = -1

	// storeTimeout bounds each access to the table. A slow table must not hold up sends: without it the
	// token is fetched, which in WeChat's normal mode returns the same token to everyone.
	storeTimeout = time.Second
)

// tokenSource keeps one app's access token: in this process, and in the table for all instances.
type tokenSource struct {
	client  *Client
	account *account
	store   submsg.Store
	log     *slog.Logger

	current atomic.Pointer[token]
	failure atomic.Pointer[tokenFailure]
	flights singleflight.Group // one renewal at a time, whoever waits for it
}

// token is an access token with what depends on it. It never changes.
type token struct {
	value   string
	expires time.Time
	renewAt time.Time
	sendURL *url.URL // holds the token: never part of an error or a log
}

// String keeps a token that is printed by mistake out of logs.
func (*token) String() string { return "[access token]" }

type tokenFailure struct {
	err   error
	until time.Time
}

func newTokenSource(c *Client, a *account, store submsg.Store, log *slog.Logger) *tokenSource {
	return &tokenSource{client: c, account: a, store: store, log: log.With("appid", a.AppID)}
}

// get returns a token that was good when last heard of.
func (s *tokenSource) get(ctx context.Context) (*token, error) {
	if t := s.current.Load(); t != nil && s.client.now().Before(t.renewAt) {
		return t, nil
	}
	return s.share(ctx, "get", s.refresh)
}

// share runs f once for all who ask under the same name at the same time. f has a context of its own, since the
// one who came first may leave first. Where the wait has used up the caller's time it returns an error: a call
// that the deadline would cut off is worse than none.
func (s *tokenSource) share(ctx context.Context, name string, f func(context.Context) (*token, error)) (*token, error) {
	deadline, limited := ctx.Deadline()
	before := time.Until(deadline)
	done := s.flights.DoChan(name, func() (any, error) {
		shared, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*s.client.timeout)
		defer cancel()
		return f(shared)
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		if left := time.Until(deadline); limited && left < s.client.timeout/5 && left < before/2 {
			return nil, fmt.Errorf("wechat: app %s: only %s are left after waiting for an access token", s.account.AppID, left)
		}
		return r.Val.(*token), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wechat: app %s: waiting for an access token: %w", s.account.AppID, ctx.Err())
	}
}

// refresh replaces a token that is absent or near its end: from the table, else from WeChat.
func (s *tokenSource) refresh(ctx context.Context) (*token, error) {
	now := s.client.now()
	old := s.current.Load()
	if old != nil && now.Before(old.renewAt) {
		return old, nil // renewed by the flight before this one
	}
	if f := s.failure.Load(); f != nil && now.Before(f.until) {
		return nil, f.err
	}
	rec, stored := s.load(ctx)
	if t := s.fromRecord(rec); t != nil {
		if now.Before(t.renewAt) {
			return s.use(t), nil
		}
		if old == nil || t.expires.After(old.expires) {
			old = t
		}
	}
	t, err := s.fetch(ctx, false)
	if err != nil {
		if old != nil && now.Before(old.expires) {
			s.log.Warn("access token could not be renewed; the old one is used until it ends", "error", err, "expires", old.expires)
			return s.use(old.pause(now)), nil
		}
		return nil, s.fail(err)
	}
	if !now.Before(t.renewAt) { // WeChat returned the old token again
		t = t.pause(now)
	}
	if stored {
		s.save(ctx, rec, t)
	}
	return s.use(t), nil
}

// use makes t the process's token.
func (s *tokenSource) use(t *token) *token {
	s.failure.Store(nil)
	s.current.Store(t)
	return t
}

// fail remembers that no token can be had, for a while.
func (s *tokenSource) fail(err error) error {
	pause := failurePause
	var refused *APIError
	if errors.As(err, &refused) && refused.Code != codeBusy {
		pause = refusedPause
	}
	s.failure.Store(&tokenFailure{err: err, until: s.client.now().Add(pause)})
	s.current.Store(nil)
	s.log.Error("no access token can be had; sends wait", "error", err, "for", pause)
	return err
}

// newToken builds a token that ends at the given time.
func (s *tokenSource) newToken(value string, expires time.Time) *token {
	send := *s.account.send
	send.RawQuery = "access_token=" + url.QueryEscape(value)
	return &token{
		value:   value,
		expires: expires,
		renewAt: expires.Add(-renewMargin + rand.N(renewJitter)),
		sendURL: &send,
	}
}

// pause is the same token, to be replaced a little later, if it lives that long.
func (t *token) pause(now time.Time) *token {
	next := *t
	next.renewAt = now.Add(renewPause)
	if end := t.expires.Add(-5 * time.Second); next.renewAt.After(end) {
		next.renewAt = end
	}
	return &next
}

// load reads the app's record, and tells whether the table answered.
func (s *tokenSource) load(ctx context.Context) (submsg.Record, bool) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	key := submsg.TokenKey(s.account.AppID)
	recs, err := s.store.Load(ctx, key)
	if err != nil || len(recs) != 1 {
		s.log.Warn("the table's access token could not be read; asking WeChat", "error", err)
		return submsg.Record{Key: key}, false
	}
	return recs[0], true
}

// fromRecord is the token in the record, or nil.
func (s *tokenSource) fromRecord(rec submsg.Record) *token {
	body := stored(rec)
	if body.Token == "" {
		return nil
	}
	return s.newToken(body.Token, body.ExpiresAt.Time())
}

// stored is the body of the app's record; the zero body where there is none yet.
func stored(rec submsg.Record) submsg.AccessToken {
	if body, ok := rec.Body.(*submsg.AccessToken); ok {
		return *body
	}
	return submsg.AccessToken{}
}

// save shares t with the other instances. Losing the race against one of them is no loss: both fetched in
// normal mode, which gives the same token to both.
func (s *tokenSource) save(ctx context.Context, rec submsg.Record, t *token) {
	body := stored(rec)
	body.AppID, body.Token, body.ExpiresAt = s.account.AppID, t.value, submsg.At(t.expires)
	if _, err := s.write(ctx, rec, body); err != nil && !errors.Is(err, submsg.ErrConflict) {
		s.log.Warn("the access token could not be saved for other instances", "error", err)
	}
}

// write saves body in place of rec, if rec is still what the table holds.
func (s *tokenSource) write(ctx context.Context, rec submsg.Record, body submsg.AccessToken) (submsg.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	next := submsg.Record{Key: rec.Key, Version: rec.Version, Body: &body}
	version, err := s.store.Save(ctx, next)
	next.Version = version
	return next, err
}
