package wechattest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Rules of access tokens: developers.weixin.qq.com, 获取稳定版接口调用凭据 and 获取接口调用凭据.
const (
	tokenLife      = 7200 * time.Second
	tokenOverlap   = 5 * time.Minute  // renewal starts this long before the end; a replaced plain token lives on this long
	forcePause     = 30 * time.Second // least time between two forced refreshes
	forcePerDay    = 20
	tokensKept     = 1000           // dead tokens remembered per account, to tell 42001 from 40001
	tokensKeptLong = 24 * time.Hour // and for how long after their end
)

// token is one access token. Its fields are guarded by its account's mu.
type token struct {
	value   string
	account *account
	expires time.Time
	dies    time.Time // refused with 40001 from here on; zero: never
	stuck   bool      // refused with 40001, though stable_token still hands it out
}

// state returns 0 when the token may be used at now, else the errcode of its refusal.
func (t *token) state(now time.Time) int {
	switch {
	case t.stuck, !t.dies.IsZero() && !now.Before(t.dies):
		return 40001
	case !now.Before(t.expires):
		return 42001
	}
	return 0
}

// tokenIndex finds a token, and by it the account: calls name no appid.
type tokenIndex struct {
	mu      sync.RWMutex
	byValue map[string]*token
}

func (x *tokenIndex) find(value string) *token {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.byValue[value]
}

// issue makes a token and forgets those long dead. The caller holds a.mu.
func (a *account) issue(now time.Time) *token {
	raw := make([]byte, 102) // 136 characters: clients that reserve too little fail here and not in production
	a.sim.random(raw)
	t := &token{value: "90_" + base64.RawURLEncoding.EncodeToString(raw), account: a, expires: now.Add(tokenLife)}
	index := &a.sim.tokens
	index.mu.Lock()
	defer index.mu.Unlock()
	index.byValue[t.value] = t
	a.issued = append(a.issued, t)
	drop := 0
	for ; drop < len(a.issued); drop++ {
		old := a.issued[drop]
		tooMany, tooOld := len(a.issued)-drop > tokensKept, now.Sub(old.expires) > tokensKeptLong
		if old.state(now) == 0 || (!tooMany && !tooOld) {
			break
		}
		delete(index.byValue, old.value)
	}
	a.issued = a.issued[drop:]
	return t
}

// stableToken returns the token that stable_token hands out in normal mode. The caller holds a.mu.
func (a *account) stableToken(now time.Time) *token {
	t := a.stable
	dead := t == nil || (!t.dies.IsZero() && !now.Before(t.dies))
	if dead || !now.Before(t.expires.Add(-tokenOverlap)) {
		a.stable = a.issue(now) // the old one stays valid to its own end
	}
	return a.stable
}

// replaceStable issues a stable token and kills the old one at once. The caller holds a.mu.
func (a *account) replaceStable(now time.Time) *token {
	if a.stable != nil {
		a.stable.dies = now
	}
	a.stable = a.issue(now)
	return a.stable
}

// force is stable_token with force_refresh; ok is false when the day's calls are used up. Inside the 30 seconds the
// documentation promises nothing: the simulator returns the token unchanged. The caller holds a.mu.
func (a *account) force(now time.Time) (t *token, ok bool) {
	if day := dayOf(now); day != a.forcedDay {
		a.forcedDay, a.forced = day, 0
	}
	if a.forced >= forcePerDay {
		return nil, false
	}
	if !a.forcedAt.IsZero() && now.Sub(a.forcedAt) < forcePause {
		return a.stableToken(now), true
	}
	a.forced++
	a.forcedAt = now
	return a.replaceStable(now), true
}

// rotate does what another holder of the secret would: every token in use is replaced and refused at once.
// The caller holds a.mu.
func (a *account) rotate(now time.Time) {
	if a.stable != nil {
		a.replaceStable(now)
	}
	if a.plain != nil {
		a.plain.dies = now
		a.plain = a.issue(now)
	}
}

// Token returns the account's current stable token, as stable_token would, without counting a call.
func (s *Sim) Token(appid string) (string, error) {
	a, err := s.account(appid)
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stableToken(s.cfg.Now()).value, nil
}

// RotateToken replaces the account's tokens as if another program had forced a refresh: those in use get 40001, and
// stable_token hands out the new one.
func (s *Sim) RotateToken(appid string) error {
	return s.withTokens(appid, func(a *account, now time.Time) { a.rotate(now) })
}

// ExpireTokens ends the life of all the account's tokens: they get 42001 until a new one is fetched.
func (s *Sim) ExpireTokens(appid string) error {
	return s.withTokens(appid, func(a *account, now time.Time) {
		for _, t := range a.issued {
			if t.expires.After(now) {
				t.expires = now
			}
		}
	})
}

// BreakToken makes interfaces refuse the current stable token with 40001 while stable_token in normal mode goes on
// handing it out: only a forced refresh helps.
func (s *Sim) BreakToken(appid string) error {
	return s.withTokens(appid, func(a *account, now time.Time) { a.stableToken(now).stuck = true })
}

func (s *Sim) withTokens(appid string, do func(*account, time.Time)) error {
	a, err := s.account(appid)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	do(a, s.cfg.Now())
	return nil
}

func (s *Sim) serveStableToken(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		s.stray(w, PathStableToken, 43002)
		return
	}
	var req struct {
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&req); err != nil {
		s.stray(w, PathStableToken, 47001)
		return
	}
	s.serveCredential(w, PathStableToken, req.GrantType, req.AppID, req.Secret, func(a *account, now time.Time) (*token, bool) {
		if req.ForceRefresh {
			return a.force(now)
		}
		return a.stableToken(now), true
	})
}

func (s *Sim) serveToken(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		s.stray(w, PathToken, 43001)
		return
	}
	q := r.URL.Query()
	s.serveCredential(w, PathToken, q.Get("grant_type"), q.Get("appid"), q.Get("secret"), func(a *account, now time.Time) (*token, bool) {
		if a.plain != nil {
			a.plain.dies = now.Add(tokenOverlap)
		}
		a.plain = a.issue(now)
		return a.plain, true
	})
}

// serveCredential checks appid and secret and answers with the token that give returns under the account's lock.
func (s *Sim) serveCredential(w http.ResponseWriter, path, grantType, appid, secret string, give func(*account, time.Time) (*token, bool)) {
	a := s.accounts[appid]
	switch {
	case grantType != "client_credential":
		s.stray(w, path, 40002)
		return
	case appid == "":
		s.stray(w, path, 41002)
		return
	case a == nil:
		s.stray(w, path, 40013)
		return
	}
	s.perform(&exchange{w: w, path: path, account: a}, func(now time.Time, _ *Fault) reply {
		switch secret {
		case "":
			return reply{code: 41004}
		case a.Secret:
		default:
			return reply{code: 40125}
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		t, ok := give(a, now)
		if !ok {
			return reply{code: 45009}
		}
		left := int(t.expires.Sub(now) / time.Second)
		return reply{body: fmt.Appendf(nil, `{"access_token":%q,"expires_in":%d}`, t.value, left)}
	})
}

// tokenOf reads access_token from the query without building a map: this is on the path of every send.
func tokenOf(r *http.Request) string {
	const name = "access_token="
	for rest := r.URL.RawQuery; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "&")
		if strings.HasPrefix(part, name) {
			if value := part[len(name):]; !strings.ContainsAny(value, "%+") {
				return value
			}
			return r.URL.Query().Get("access_token")
		}
	}
	return ""
}
