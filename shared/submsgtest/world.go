// Package submsgtest holds what must always hold of the ledger, as tests that try to break it over any store: concurrency,
// crashes at every effect, lost replies, duplicate and reordered input. The judge is the simulator of WeChat,
// which keeps a truth of its own: the ledger is right when nobody received more than agreed and nobody less than
// promised.
package submsgtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/fields"
	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/wechat"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// The app and the templates that every world has.
const (
	AppID   = "wx0123456789abcdef"
	Order   = "OrderTemplateOneTime0000000000000000000000a" // one-time
	Bill    = "BillTemplateLongTerm0000000000000000000000b" // long-term
	content = "订单:{{character_string1.DATA}}\n说明:{{thing2.DATA}}"
)

// Clock is a clock that can be moved on: real time (or a synctest bubble's) and an offset.
type Clock struct{ offset atomic.Int64 }

// Now is the clock's time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) { c.offset.Add(int64(d)) }

// World is a service over a store, with a WeChat of its own.
type World struct {
	T       testing.TB
	Clock   *Clock
	Base    submsg.Store // what survives a crash
	Sim     *wechattest.Sim
	Service *submsg.Service // of the current process
	Log     *bytes.Buffer
	Process *Process

	mu       sync.Mutex
	push     *wechat.Push
	catalog  *submsg.Catalog
	unsteady *Unsteady // Base, where it is away now and then
}

// Open makes the store that a test runs over; now is the clock for its expiry.
type Open func(t testing.TB, now func() time.Time) submsg.Store

// NewWorld makes a world in which nothing has happened yet.
func NewWorld(t testing.TB, open Open) *World {
	t.Helper()
	w := &World{T: t, Clock: &Clock{}, Log: &bytes.Buffer{}}
	sim, err := wechattest.New(wechattest.Config{
		Now: w.Clock.Now, ManualPushes: true, Seed: 1,
		Accounts: []wechattest.Account{{
			AppID: AppID, Secret: "a-secret-of-the-app", Templates: []wechattest.Template{
				{ID: Order, Title: "订单通知", Kind: wechattest.OneTime, Content: content},
				{ID: Bill, Title: "账单通知", Kind: wechattest.LongTerm, Content: content},
			},
			Callback: wechattest.Callback{URL: "http://callback.test/wechat/" + AppID, Handler: w, Token: "push-token", Encoding: wechattest.Encoding{Format: wechattest.JSON}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	w.Sim = sim
	if w.push, err = wechat.NewPush(wechat.PushConfig{AppID: AppID, Token: "push-token", Mode: wechat.PushPlain}); err != nil {
		t.Fatal(err)
	}
	layout, err := fields.Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	none, err := policy.ParseWindow("")
	if err != nil {
		t.Fatal(err)
	}
	free := &policy.Limits{}
	w.catalog, err = submsg.NewCatalog([]*submsg.App{{
		Rules: policy.App{AppID: AppID, AccountKind: policy.MiniProgram, Zone: policy.Shanghai, Categories: []string{"finance"}, Limits: free, TemplateLimits: free, QuietHours: none},
		Templates: []submsg.Template{
			{Template: policy.Template{ID: Order, Name: "order", Kind: policy.OneTime, Title: "订单通知", Content: content}, Layout: layout},
			{Template: policy.Template{ID: Bill, Name: "bill", Kind: policy.LongTerm, Title: "账单通知", Content: content}, Layout: layout},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.Base = open(t, w.Clock.Now)
	w.unsteady, _ = w.Base.(*Unsteady)
	w.Start(nil)
	return w
}

// Start begins a new process over the store; p says when it dies (nil: never).
func (w *World) Start(p *Process) {
	if p == nil {
		p = &Process{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Process = p
	w.Service = &submsg.Service{
		Apps: w.catalog, Store: p.Store(w.Base), WeChat: p.WeChat(&simWeChat{sim: w.Sim}), Now: w.Clock.Now, TickEvery: time.Minute,
		Log:       slog.New(slog.NewJSONHandler(&locked{w: w.Log}, nil)),
		Pseudonym: func(string) string { return "someone" }, Concurrency: 8,
	}
}

type locked struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// ServeHTTP takes the simulator's pushes, as the grant function does.
func (w *World) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil {
		http.Error(rw, "", http.StatusBadRequest)
		return
	}
	ev, err := w.push.Decode(wechat.ParsePushQuery(r.URL.RawQuery), body.Bytes())
	if err != nil {
		w.T.Errorf("push was not read: %v", err)
		http.Error(rw, "", http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	svc := w.Service
	w.mu.Unlock()
	if err := svc.Push(r.Context(), AppID, ev.PushEvent()); err != nil {
		w.await() // WeChat lets some time go by before it tries again
		http.Error(rw, "", http.StatusServiceUnavailable)
		if w.Process.Dead() {
			w.Start(nil) // WeChat delivers again, and the platform has begun another process by then
		}
		return
	}
	fmt.Fprint(rw, "success")
}

// simWeChat is the shortest way to the simulator: no network, one token.
type simWeChat struct{ sim *wechattest.Sim }

func (c *simWeChat) Send(ctx context.Context, appid string, m submsg.Message) submsg.Result {
	token, err := c.sim.Token(appid)
	if err != nil {
		return submsg.Result{NotSent: true, Err: err}
	}
	data := make(map[string]map[string]string, len(m.Data))
	for k, v := range m.Data {
		data[k] = map[string]string{"value": v}
	}
	body, _ := json.Marshal(map[string]any{"touser": m.OpenID, "template_id": m.TemplateID, "page": m.Page, "data": data, "miniprogram_state": "formal", "lang": "zh_CN"})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://sim.test"+wechattest.PathSend+"?access_token="+url.QueryEscape(token), bytes.NewReader(body))
	if err != nil {
		return submsg.Result{NotSent: true, Err: err}
	}
	resp, err := c.sim.Transport().RoundTrip(req)
	if err != nil {
		return submsg.Result{Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Code  *int        `json:"errcode"`
		Msg   string      `json:"errmsg"`
		MsgID json.Number `json:"msgid"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK || answer.Code == nil {
		return submsg.Result{Err: errors.Join(fmt.Errorf("HTTP %d holds no answer", resp.StatusCode), err)}
	}
	id, _ := strconv.ParseInt(answer.MsgID.String(), 10, 64)
	return submsg.Result{Answered: true, Code: *answer.Code, Msg: answer.Msg, MsgID: id}
}

func (c *simWeChat) Templates(context.Context, string) ([]submsg.SyncedTemplate, error) {
	return nil, nil
}

// Data is the content of the n-th message: no two are alike, so that each can be recognised where it arrives.
func Data(n string) map[string]string {
	return map[string]string{"character_string1": n, "thing2": "内容"}
}

// deliver posts one push to the service, as WeChat does.
func (w *World) deliver(r *http.Request) int {
	rec := &status{header: http.Header{}}
	w.ServeHTTP(rec, r)
	return rec.code
}

type status struct {
	header http.Header
	code   int
}

func (s *status) Header() http.Header         { return s.header }
func (s *status) WriteHeader(code int)        { s.code = code }
func (s *status) Write(b []byte) (int, error) { return len(b), nil }
