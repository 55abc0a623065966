package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// lines are the entries of the request log, in their order.
func (w *world) lines() []map[string]any {
	w.t.Helper()
	var all []map[string]any
	for s := bufio.NewScanner(strings.NewReader(w.log.String())); s.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			w.t.Fatalf("a line of the log is no JSON: %s", s.Text())
		}
		if line["msg"] == "request" {
			all = append(all, line)
		}
	}
	return all
}

func TestTheLogNamesTheRouteAndNeverThePath(t *testing.T) {
	w := newWorld(t)
	w.as(readKey, "GET", "/v1/apps/"+appid+"/subscribers/"+alice+"?history=7", nil, "X-Request-Id", "req-1").want(200)
	line := w.lines()[0]
	for name, want := range map[string]any{
		"method": "GET", "route": "/v1/apps/{appid}/subscribers/{openid}", "status": 200.0, "key": "reader", "appid": appid, "request_id": "req-1", "level": "INFO", "subscriber": "p",
	} {
		if got := line[name]; got != want && (name != "subscriber" || !strings.HasPrefix(got.(string), "p")) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if _, ok := line["ms"].(float64); !ok || line["bytes"].(float64) == 0 {
		t.Errorf("ms and bytes: %v", line)
	}
}

func TestTheRequestIdIsTheCallersWhereItIsPlain(t *testing.T) {
	w := newWorld(t)
	if got := w.as("", "GET", "/healthz", nil, "X-Request-Id", "abc-123").Header().Get("X-Request-Id"); got != "abc-123" {
		t.Errorf("it is %q", got)
	}
	seen := map[string]bool{}
	for _, bad := range []string{"", "with blank", strings.Repeat("x", 65), "a\"b"} {
		got := w.as("", "GET", "/healthz", nil, "X-Request-Id", bad).Header().Get("X-Request-Id")
		if got == "" || got == bad || seen[got] {
			t.Errorf("%q became %q", bad, got)
		}
		seen[got] = true
	}
}

func TestEveryAnswerTellsBrowsersToKeepOff(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/healthz", "/v1/apps/" + appid + "/stats", "/nowhere"} {
		h := w.as(fullKey, "GET", path, nil).Header()
		if h.Get("X-Content-Type-Options") != "nosniff" || !contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestAPanicIsAnInternalErrorAndIsLoggedWithoutItsValue(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Ready = func(context.Context) error { panic("the value may be a secret") }
	})
	w.as("", "GET", "/healthz", nil, "X-Request-Id", "req-9").want(500, "internal")
	log := w.log.String()
	if contains(log, "may be a secret") || !contains(log, "panic with a string") || !contains(log, "req-9") || !contains(log, "journal_test.go") {
		t.Errorf("the log: %s", log)
	}
	if line := w.lines()[0]; line["status"] != 500.0 || line["level"] != "ERROR" {
		t.Errorf("%v", line)
	}
	w.as("", "GET", "/openapi.json", nil).want(200)
}

func TestAPanicInABatchFailsOneItem(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "order", 1)
	w.wechat.answer = func(m submsg.Message) submsg.Result {
		if m.OpenID == alice {
			panic("a bug")
		}
		return submsg.Result{Answered: true, MsgID: 1}
	}
	w.accept(bob, "order", 1)
	got := w.call("POST", "/sends:batch", map[string]any{"sends": []any{message(alice, "order", "1"), message(bob, "order", "2")}}, w.newKey()...).want(200)
	if got.text("results", 0, "problem", "code") != "internal" || got.text("results", 1, "send", "state") != "sent" {
		t.Errorf("%s", got.Body)
	}
}

func TestHealthSaysReadyOrNot(t *testing.T) {
	var broken error
	w := newWorld(t, func(c *Config) { c.Ready = func(context.Context) error { return broken } })
	if got := w.as("", "GET", "/healthz", nil).want(200); got.text("status") != "ready" {
		t.Errorf("%s", got.Body)
	}
	broken = errors.New("dial tcp 10.0.0.7:6379: connection refused")
	got := w.as("", "GET", "/healthz", nil).want(503, "unavailable")
	if contains(got.Body.String(), "10.0.0.7") || !contains(w.log.String(), "10.0.0.7") {
		t.Errorf("answer %s\nlog %s", got.Body, w.log)
	}
}

// TestNoSecretAndNoOpenidReachesTheLog makes every kind of request, good and bad, and looks for what may not be found.
func TestNoSecretAndNoOpenidReachesTheLog(t *testing.T) {
	w := newWorld(t, withReceiver(&fakeReceiver{ev: submsg.PushEvent{Name: submsg.EventPopup, OpenID: alice, Fingerprint: 9, At: submsg.At(morning), Items: []submsg.PushItem{{TemplateID: order, Status: "accept"}}}}))
	const text = "内容不可入日志"
	run := func() {
		good := map[string]any{"openid": alice, "template": "order", "data": map[string]string{"character_string1": "1", "thing2": text}}
		bodies := []any{nil, `{"`, `{"` + alice + `":"` + text + `"}`, good, map[string]any{"sends": []any{good}}, map[string]any{"grants": []any{map[string]any{"openid": alice, "template": text, "decision": text}}}}
		for _, r := range routes {
			path := strings.NewReplacer("{appid}", appid, "{openid}", alice, "{id}", "nosuchid").Replace(r.pattern)
			path += "?openid=" + url.QueryEscape(alice) + "&scene=pay&idempotency_key=secret-idempotency-key&schedule=x&occurrence=2026-12-05T01:00:00Z"
			for _, body := range bodies {
				w.as(fullKey, r.method, path, body, "Idempotency-Key", "secret-idempotency-key", "X-Request-Id", "rid")
			}
			for _, key := range []string{readKey, otherKey, "an-unknown-key-of-somebody"} {
				w.as(key, r.method, path, good, "Idempotency-Key", "secret-idempotency-key")
			}
		}
		w.as(fullKey, "GET", "/"+alice, nil)
		w.as(fullKey, "SUBSCRIBER-"+alice, "/healthz", nil)
	}
	run()
	broken := errors.New("connection refused") // the store's error names the record, and so the openid
	w.store.fail.Store(&broken)
	run()
	log := w.log.String()
	if !contains(log, "loading subscriber#"+appid+"#p") {
		t.Error("the log does not hold the store's error with the openid's pseudonym")
	}
	for _, secret := range []string{alice, url.QueryEscape(alice), fullKey, readKey, otherKey, "an-unknown-key-of-somebody", "secret-idempotency-key", text} {
		if at := strings.Index(log, secret); at >= 0 {
			t.Errorf("the log shows %q: …%s…", secret, log[max(at-300, 0):min(at+100, len(log))])
		}
	}
}
