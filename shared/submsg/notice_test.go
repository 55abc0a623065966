package submsg_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/endpoint"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

const webhookKey = "the-key-both-sides-know"

// webhook is an app's own endpoint: it checks signatures as a receiver should, and fails as often as it is told.
type webhook struct {
	t      testing.TB
	now    func() time.Time
	fail   int // so many times first
	server *httptest.Server

	mu       sync.Mutex
	attempts int
	taken    []received
}

type received struct {
	ID         string            `json:"id"`
	AppID      string            `json:"appid"`
	Event      string            `json:"event"`
	TemplateID string            `json:"template_id"`
	At         time.Time         `json:"at"`
	Detail     map[string]string `json:"detail"`
}

func newWebhook(t testing.TB, w *submsgtest.World) *webhook {
	h := &webhook{t: t, now: w.Clock.Now}
	h.server = httptest.NewServer(h)
	t.Cleanup(h.server.Close)
	key := func(context.Context) (string, error) { return webhookKey, nil }
	w.Service.Apps = catalog(t, func(a *submsg.App) { a.Webhook = true })
	w.Service.Webhook = endpoint.New(map[string]endpoint.App{appid: {WebhookURL: h.server.URL + "/notices", WebhookKey: key}}, w.Clock.Now)
	return h
}

func (h *webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Error(err)
	}
	stamp := r.Header.Get(endpoint.HeaderTimestamp)
	if seconds, err := strconv.ParseInt(stamp, 10, 64); err != nil || h.now().Sub(time.Unix(seconds, 0)).Abs() > time.Minute {
		h.t.Errorf("timestamp %q at %s", stamp, h.now()) // a receiver refuses what is minutes old
	}
	if want := endpoint.Sign(webhookKey, stamp, body); r.Header.Get(endpoint.HeaderSignature) != want {
		h.t.Errorf("signature %q, want %q", r.Header.Get(endpoint.HeaderSignature), want)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.attempts++; h.attempts <= h.fail {
		http.Error(rw, "not now", http.StatusServiceUnavailable)
		return
	}
	var n received
	if err := json.Unmarshal(body, &n); err != nil {
		h.t.Errorf("%v: %s", err, body)
	}
	h.taken = append(h.taken, n)
	rw.WriteHeader(http.StatusNoContent)
}

func (h *webhook) notices() (taken []received, attempts int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.taken), h.attempts
}

func TestANoticeIsSignedAndRepeatedUntilItIsTaken(t *testing.T) {
	w := newWorld(t, nil)
	hook := newWebhook(t, w)
	hook.fail = 3
	w.Granted("user", bill, 1)
	w.Sim.Script(wechattest.Rules(wechattest.Rule{Fault: wechattest.Refuse(43107)}))
	send(t, w, "bill", "suspended")
	for range 20 {
		w.Clock.Advance(time.Minute)
		tick(t, w)
	}
	taken, attempts := hook.notices()
	if attempts != 4 || len(taken) != 1 {
		t.Fatalf("%d attempts, taken %+v; want the one notice at the fourth", attempts, taken)
	}
	n := taken[0]
	if n.Event != "hold" || n.AppID != appid || n.TemplateID != bill || n.ID == "" || n.At.IsZero() {
		t.Errorf("%+v", n)
	}
	until, err := time.Parse(time.RFC3339, n.Detail["until"])
	if n.Detail["errcode"] != "43107" || n.Detail["rule"] != "suspended" || n.Detail["strike"] != "1" || err != nil || until.Sub(n.At) < 6*aDay {
		t.Errorf("detail %v (%v)", n.Detail, err)
	}
}

func TestANoticeThatNobodyTakesIsGivenUpAfterThreeDays(t *testing.T) {
	w := newWorld(t, nil)
	hook := newWebhook(t, w)
	hook.fail = 1 << 30
	w.Granted("user", bill, 1)
	w.Sim.Script(wechattest.Rules(wechattest.Rule{Fault: wechattest.Refuse(48001)}))
	send(t, w, "bill", "suspended")
	for range 4 * 24 * 2 {
		w.Clock.Advance(30 * time.Minute)
		tick(t, w)
	}
	_, attempts := hook.notices()
	if attempts < 60 || attempts > 110 {
		t.Errorf("%d attempts in three days, with waits of up to an hour and a half", attempts)
	}
	for range 10 {
		w.Clock.Advance(2 * time.Hour)
		tick(t, w)
	}
	if _, later := hook.notices(); later != attempts {
		t.Errorf("asked %d times more after it was given up", later-attempts)
	}
}
