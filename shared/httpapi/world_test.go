package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/fields"
	"github.com/yuexin-dev/yuexin/shared/memory"
	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// The app and the subscribers that every world has.
const (
	appid = "wx0123456789abcdef"
	other = "wxfedcba9876543210"
	alice = "oALICE-1d_efGHIjkLMnopQRstUVwx"
	bob   = "oBOB-1d_efGHIjkLMnopQRstUVwxyz"

	order = "OrderTemplateOneTime0000000000000000000000a"
	bill  = "BillTemplateLongTerm0000000000000000000000b"
	loose = "UnnamedTemplateWithoutName00000000000000000c"
)

// The keys that callers present.
const (
	fullKey  = "full-key-of-the-back-end"
	anyKey   = "key-for-every-app"
	readKey  = "key-that-only-reads"
	sendKey  = "key-that-only-sends"
	grantKey = "key-that-only-reports"
	otherKey = "key-of-another-app"
)

// world is the API over an empty store in memory, with a WeChat that says what the test wants.
type world struct {
	t       testing.TB
	api     http.Handler
	service *submsg.Service
	wechat  *fakeWeChat
	store   *fakeStore
	log     *lockedBuffer
	clock   atomic.Int64
	ids     atomic.Int64
}

// morning is when worlds begin: ten o'clock in Shanghai, far from quiet hours.
var morning = time.Date(2026, 12, 1, 2, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, wechat: &fakeWeChat{}, log: &lockedBuffer{}}
	w.clock.Store(morning.UnixNano())
	w.store = &fakeStore{Store: memory.New(w.now)}
	catalog, err := submsg.NewCatalog([]*submsg.App{w.app(appid), w.app(other)})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(w.log, nil))
	pseudonym := func(openid string) string { return fmt.Sprintf("p%x", sha256.Sum256([]byte("pepper"+openid)))[:12] }
	w.service = &submsg.Service{Apps: catalog, Store: w.store, WeChat: w.wechat, Now: w.now, Log: log, Pseudonym: pseudonym, Provider: noProvider{}}
	c := Config{Service: w.service, Log: log, Pseudonym: pseudonym, Keys: []Key{
		keyOf("back-end", fullKey, []string{appid}, "grants", "sends", "schedules", "read"),
		keyOf("any", anyKey, []string{"*"}, "grants", "sends", "schedules", "read"),
		keyOf("reader", readKey, []string{appid}, "read"),
		keyOf("sender", sendKey, []string{appid}, "sends"),
		keyOf("reporter", grantKey, []string{appid}, "grants"),
		keyOf("other", otherKey, []string{other}, "grants", "sends", "schedules", "read"),
	}}
	for _, ch := range change {
		ch(&c)
	}
	w.api = All(c)
	return w
}

func keyOf(name, presented string, apps []string, scopes ...string) Key {
	return Key{Name: name, SHA256: sha256.Sum256([]byte(presented)), Scopes: scopes, Apps: apps}
}

func (w *world) app(id string) *submsg.App {
	const content = "订单:{{character_string1.DATA}}\n说明:{{thing2.DATA}}"
	layout, err := fields.Parse(content)
	if err != nil {
		w.t.Fatal(err)
	}
	return &submsg.App{
		Rules: policy.App{AppID: id, AccountKind: policy.MiniProgram, Zone: policy.Shanghai, Categories: []string{"finance"}, Limits: &policy.Limits{}},
		Templates: []submsg.Template{
			{Template: policy.Template{ID: order, Name: "order", Kind: policy.OneTime, Title: "订单状态通知", Content: content, Scenes: []string{"pay"}, Page: "pages/order"}, Layout: layout},
			{Template: policy.Template{ID: bill, Name: "monthly_bill", Kind: policy.LongTerm, Title: "账单通知", Content: content, Scenes: []string{"bills"}}, Layout: layout},
			{Template: policy.Template{ID: loose, Kind: policy.OneTime, Title: "预约提醒", Content: content, Scenes: []string{"visit"}}, Layout: layout},
		},
		CheckProvider: func(address string) error {
			if strings.HasPrefix(address, "https://bills.example.com/") {
				return nil
			}
			return errors.New("the host is not on the app's allow list")
		},
	}
}

func (w *world) now() time.Time          { return time.Unix(0, w.clock.Load()) }
func (w *world) advance(d time.Duration) { w.clock.Add(int64(d)) }

// reply is one answer, with its body decoded where it is JSON.
type reply struct {
	*httptest.ResponseRecorder
	t    testing.TB
	json map[string]any
}

// call makes one call with the key of the back end; path is below /v1/apps/{appid}. body is JSON text, or what is
// marshalled. headers are names and values by turns.
func (w *world) call(method, path string, body any, headers ...string) *reply {
	w.t.Helper()
	return w.as(fullKey, method, "/v1/apps/"+appid+path, body, headers...)
}

// as makes one call with a key, "" for none. Every answer is held against the OpenAPI document, and so is every
// request that was not refused.
func (w *world) as(key, method, path string, body any, headers ...string) *reply {
	w.t.Helper()
	raw, ok := body.(string)
	if !ok && body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		raw = string(b)
	}
	r := httptest.NewRequest(method, path, strings.NewReader(raw))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return w.serve(r, []byte(raw))
}

func (w *world) serve(r *http.Request, body []byte) *reply {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	holdToDocument(w.t, r, body, rec)
	rep := &reply{ResponseRecorder: rec, t: w.t}
	if strings.HasSuffix(rec.Header().Get("Content-Type"), "json") {
		dec := json.NewDecoder(bytes.NewReader(rec.Body.Bytes()))
		dec.UseNumber()
		if err := dec.Decode(&rep.json); err != nil {
			w.t.Fatalf("%s %s answered no JSON: %v\n%s", r.Method, r.URL.Path, err, rec.Body)
		}
	}
	return rep
}

// newKey is an idempotency key header that was not used before.
func (w *world) newKey() []string {
	return []string{"Idempotency-Key", fmt.Sprintf("key-%d", w.ids.Add(1))}
}

// want checks the status, and for problems the code.
func (r *reply) want(status int, code ...string) *reply {
	r.t.Helper()
	if r.Code != status {
		r.t.Fatalf("status %d, want %d\n%s", r.Code, status, r.Body)
	}
	if len(code) > 0 && r.text("code") != code[0] {
		r.t.Fatalf("code %q, want %q\n%s", r.text("code"), code[0], r.Body)
	}
	return r
}

// at reads a value deep in the answer: names of members, and numbers of items.
func (r *reply) at(path ...any) any {
	r.t.Helper()
	var v any = r.json
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				r.t.Fatalf("%v: no object at %v\n%s", path, p, r.Body)
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || p >= len(l) {
				r.t.Fatalf("%v: no item %d\n%s", path, p, r.Body)
			}
			v = l[p]
		}
	}
	return v
}

func (r *reply) text(path ...any) string {
	r.t.Helper()
	v := r.at(path...)
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func (r *reply) len(path ...any) int {
	r.t.Helper()
	l, ok := r.at(path...).([]any)
	if !ok {
		r.t.Fatalf("%v is no list\n%s", path, r.Body)
	}
	return len(l)
}

// accept reports n accepts of a template.
func (w *world) accept(openid, template string, n int) {
	w.t.Helper()
	for range n {
		w.call("POST", "/grants", map[string]any{"grants": []any{map[string]any{"openid": openid, "template": template, "decision": "accept"}}}).want(200)
	}
}

// message is a send's body; n tells one from another.
func message(openid, template, n string) map[string]any {
	return map[string]any{"openid": openid, "template": template, "data": map[string]string{"character_string1": n, "thing2": "预计明日送达"}}
}

// stored counts the records of the store.
func (w *world) stored() int { return int(w.store.saves.Load()) }

// fakeWeChat answers every call as the test says; it accepts by default.
type fakeWeChat struct {
	mu     sync.Mutex
	calls  int
	answer func(submsg.Message) submsg.Result
	listed []submsg.SyncedTemplate
	err    error
}

func (f *fakeWeChat) Send(_ context.Context, _ string, m submsg.Message) submsg.Result {
	f.mu.Lock()
	f.calls++
	n, reply := f.calls, f.answer
	f.mu.Unlock()
	if reply != nil {
		return reply(m)
	}
	return submsg.Result{Answered: true, Msg: "ok", MsgID: 3_012_345_678_901_234_000 + int64(n)}
}

func (f *fakeWeChat) Templates(context.Context, string) ([]submsg.SyncedTemplate, error) {
	return f.listed, f.err
}

// fakeStore is a store that can fail, takes no zero byte in a key, as the embedded one, and counts what is written.
type fakeStore struct {
	submsg.Store
	saves atomic.Int64
	fail  atomic.Pointer[error]
}

func (s *fakeStore) Load(ctx context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
	if err := s.fail.Load(); err != nil {
		return nil, fmt.Errorf("loading %s: %w", keys[0].Partition, *err)
	}
	for _, k := range keys {
		if strings.ContainsRune(k.Partition, 0) {
			return nil, errors.New("the key holds a zero byte")
		}
	}
	return s.Store.Load(ctx, keys...)
}

func (s *fakeStore) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	s.saves.Add(1)
	return s.Store.Save(ctx, rec)
}

type noProvider struct{}

func (noProvider) Provide(context.Context, submsg.ProviderRequest) (map[string]submsg.Provided, error) {
	return nil, errors.New("nobody asks it in these tests")
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func contains(s, part string) bool { return strings.Contains(s, part) }
