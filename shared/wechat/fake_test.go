package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

const (
	testApp    = "wx0123456789abcdef"
	testSecret = "s3cretS3cretS3cret"
	testOpenID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
)

var testMessage = submsg.Message{
	OpenID: testOpenID, TemplateID: "hD-ixGOhYmUfjOnI8MCzQMPshzGVeux_2vzyvQu7O68", Page: "pages/order/index?id=7",
	Data: map[string]string{"thing1": "拿铁 大杯", "amount2": "28.00元", "character_string3": "A2025112107"},
}

// tokenStore is a submsg.Store of one record that can be put out of order.
type tokenStore struct {
	submsg.Store // panics on what the client has no business with

	mu     sync.Mutex
	rec    submsg.Record
	broken bool
	hangs  bool
	before func() // runs ahead of each Save, without the lock: another instance's turn
}

func (s *tokenStore) fails(ctx context.Context) error {
	if s.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if s.broken {
		return errors.New("table is out of order")
	}
	return nil
}

func (s *tokenStore) Load(ctx context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
	if err := s.fails(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := s.rec
	rec.Key = keys[0]
	return []submsg.Record{rec}, nil
}

func (s *tokenStore) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	if err := s.fails(ctx); err != nil {
		return 0, err
	}
	if s.before != nil {
		s.before()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if rec.Version != s.rec.Version {
		return 0, submsg.ErrConflict
	}
	rec.Version = submsg.NewVersion()
	s.rec = rec
	return rec.Version, nil
}

func (s *tokenStore) token() submsg.AccessToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return stored(s.rec)
}

// fakeWeChat answers stable_token by WeChat's rules and everything else by a handler of the test's.
type fakeWeChat struct {
	mu      sync.Mutex
	now     func() time.Time
	secret  string
	serial  int
	token   string // what stable_token hands out
	refused string // a token that the APIs refuse although stable_token hands it out
	expires time.Time
	ahead   time.Duration // how long before its end a token is replaced by a new one
	refuse  string        // answer of stable_token instead of a token
	calls   map[string]int
	forced  int
	sent    []string // bodies of sends with a good token
	answer  http.HandlerFunc
	paths   []string
}

func newFakeWeChat(now func() time.Time) *fakeWeChat {
	return &fakeWeChat{now: now, secret: testSecret, ahead: 5 * time.Minute, calls: map[string]int{}}
}

func (f *fakeWeChat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[r.URL.Path]++
	f.paths = append(f.paths, r.Method+" "+r.URL.Path)
	if r.URL.Path == "/cgi-bin/stable_token" {
		f.stableToken(w, body)
		return
	}
	token := r.URL.Query().Get("access_token")
	switch {
	case token != f.token || token == f.refused:
		fmt.Fprintf(w, `{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest rid: 6789-%s"}`, token)
	case f.answer != nil:
		f.sent = append(f.sent, string(body))
		f.answer(w, r)
	default:
		f.sent = append(f.sent, string(body))
		io.WriteString(w, `{"errcode":0,"errmsg":"ok","msgid":1988810812324364291}`)
	}
}

func (f *fakeWeChat) stableToken(w http.ResponseWriter, body []byte) {
	var q struct {
		GrantType string `json:"grant_type"`
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
		Force     bool   `json:"force_refresh"`
	}
	now := f.now()
	switch err := json.Unmarshal(body, &q); {
	case err != nil || q.GrantType != "client_credential" || q.AppID != testApp:
		io.WriteString(w, `{"errcode":40013,"errmsg":"invalid appid rid: 1"}`)
		return
	case f.refuse != "":
		io.WriteString(w, f.refuse)
		return
	case q.Secret != f.secret:
		io.WriteString(w, `{"errcode":40125,"errmsg":"invalid appsecret rid: 1"}`)
		return
	case q.Force:
		f.forced++
		f.renew(now)
	case f.token == "" || f.expires.Sub(now) <= f.ahead:
		f.renew(now)
	}
	fmt.Fprintf(w, `{"access_token":%q,"expires_in":%d}`, f.token, int(f.expires.Sub(now).Seconds()))
}

func (f *fakeWeChat) renew(now time.Time) {
	f.serial++
	f.token, f.expires = fmt.Sprintf("TOKEN-%d-%s", f.serial, strings.Repeat("x", 100)), now.Add(2*time.Hour)
}

func (f *fakeWeChat) count(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[path]
}

func (f *fakeWeChat) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// clock is a hand-set clock.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2025, 11, 21, 8, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) pass(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

// lab is one client, or several, on one fake WeChat, one table and one clock.
type lab struct {
	t      *testing.T
	clock  *clock
	wechat *fakeWeChat
	server *httptest.Server
	store  *tokenStore
	log    *syncBuffer
	secret SecretFunc
}

// syncBuffer collects what all clients log.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

func newLab(t *testing.T) *lab {
	l := &lab{t: t, clock: newClock(), store: &tokenStore{}, log: &syncBuffer{}}
	l.secret = func(context.Context, bool) (string, error) { return testSecret, nil }
	l.wechat = newFakeWeChat(l.clock.now)
	l.server = httptest.NewServer(l.wechat)
	t.Cleanup(l.server.Close)
	t.Cleanup(func() { l.mustKeepSecrets(l.log.String()) })
	return l
}

func (l *lab) client(change ...func(*Config)) *Client {
	l.t.Helper()
	cfg := Config{
		Apps:    []App{{AppID: testApp, BaseURL: l.server.URL, Secret: l.secret}},
		Store:   l.store,
		Now:     l.clock.now,
		Timeout: 5 * time.Second,
		Log:     slog.New(slog.NewJSONHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(c.Close)
	return c
}

// mustKeepSecrets fails if a text that people see holds a token, a secret or an openid.
func (l *lab) mustKeepSecrets(text string) {
	l.t.Helper()
	for _, s := range []string{"TOKEN-", testSecret, "rotatedSecret", testOpenID, "access_token="} {
		if strings.Contains(text, s) {
			l.t.Errorf("%q stands in: %s", s, text)
		}
	}
}

// send sends the test message and checks what holds for every result.
func (l *lab) send(c *Client) submsg.Result {
	l.t.Helper()
	r := c.Send(context.Background(), testApp, testMessage)
	if r.Answered && r.NotSent || !r.Answered && r.Err == nil || r.Answered && r.Err != nil {
		l.t.Errorf("result is not one of three: %+v", r)
	}
	l.mustKeepSecrets(fmt.Sprintf("%+v", r))
	return r
}

// mustSend expects an accepted message.
func (l *lab) mustSend(c *Client) {
	l.t.Helper()
	if r := l.send(c); !r.Answered || r.Code != 0 {
		l.t.Fatalf("not accepted: %+v", r)
	}
}
