package httpapi

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func TestASendIsCreatedWithItsOutcome(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "order", 1)
	sent := w.call("POST", "/sends", message(alice, "order", "E-1"), w.newKey()...).want(201)
	if sent.text("state") != "sent" || sent.text("attempts") != "1" || sent.text("template_id") != order || sent.text("template") != "order" {
		t.Errorf("sent: %s", sent.Body)
	}
	if id, ok := sent.at("msgid").(string); !ok || id != "3012345678901234001" {
		t.Errorf("msgid is %v, want the string 3012345678901234001", sent.at("msgid"))
	}
	if got := sent.Header().Get("Location"); got != "/v1/apps/"+appid+"/sends/"+sent.text("id") {
		t.Errorf("Location is %q", got)
	}
	if got := w.as(fullKey, "GET", sent.Header().Get("Location"), nil).want(200); got.text("id") != sent.text("id") {
		t.Errorf("another send is at its location: %s", got.Body)
	}
	refused := w.call("POST", "/sends", message(alice, "order", "E-2"), w.newKey()...).want(201)
	if refused.text("state") != "refused" || refused.text("reason", "code") != "one_time_credit" || refused.text("reason", "detail") == "" {
		t.Errorf("a send without a credit: %s", refused.Body)
	}
	w.wechat.answer = func(submsg.Message) submsg.Result {
		return submsg.Result{Answered: true, Code: 43101, Msg: "user refuse to accept the msg", RID: "6a-1"}
	}
	w.accept(bob, order, 1)
	rejected := w.call("POST", "/sends", message(bob, order, "E-3"), w.newKey()...).want(201)
	if rejected.text("state") != "rejected" || rejected.text("wechat", "errcode") != "43101" || rejected.text("wechat", "rid") != "6a-1" {
		t.Errorf("a send that WeChat rejects: %s", rejected.Body)
	}
}

func TestARepeatedKeyIsAReplayOrRefused(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "order", 5)
	first := w.call("POST", "/sends", message(alice, "order", "E-1"), "Idempotency-Key", "k1").want(201)
	again := w.call("POST", "/sends", message(alice, "order", "E-1"), "Idempotency-Key", "k1").want(200)
	if again.text("id") != first.text("id") || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("replay: %v %s", again.Header(), again.Body)
	}
	if first.Header().Get("Idempotency-Replayed") != "" {
		t.Error("the first answer says it was a replay")
	}
	w.call("POST", "/sends", message(alice, "order", "E-2"), "Idempotency-Key", "k1").want(422, "idempotency_key_reused")
	if w.wechat.calls != 1 {
		t.Errorf("WeChat was called %d times", w.wechat.calls)
	}
	found := w.call("GET", "/sends?idempotency_key=k1", nil).want(200)
	if found.text("id") != first.text("id") {
		t.Errorf("found by its key: %s", found.Body)
	}
}

func TestTheFirstRequestUnderWayIsAConflict(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "order", 1)
	calling, answerNow := make(chan struct{}), make(chan struct{})
	w.wechat.answer = func(submsg.Message) submsg.Result {
		close(calling)
		<-answerNow
		return submsg.Result{Answered: true, MsgID: 7}
	}
	done := make(chan *reply)
	go func() { done <- w.call("POST", "/sends", message(alice, "order", "E-1"), "Idempotency-Key", "k1") }()
	<-calling
	w.call("POST", "/sends", message(alice, "order", "E-1"), "Idempotency-Key", "k1").want(409, "in_progress")
	close(answerNow)
	(<-done).want(201)
}

func TestASendThatCannotBeTakenIsAProblemAndRecordsNothing(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "order", 1)
	before := w.stored()
	with := func(name string, value any) map[string]any {
		m := message(alice, "order", "E-1")
		m[name] = value
		return m
	}
	without := func(name string) map[string]any {
		m := maps.Clone(message(alice, "order", "E-1"))
		delete(m, name)
		return m
	}
	for name, tt := range map[string]struct {
		body   any
		status int
		code   string
		field  string
	}{
		"no openid":                   {without("openid"), 422, "invalid_request", "openid"},
		"no template":                 {without("template"), 422, "invalid_request", "template"},
		"a template nobody has":       {with("template", "nobody"), 404, "unknown_template", "template"},
		"no data":                     {without("data"), 422, "invalid_fields", "data.character_string1"},
		"a value too long":            {with("data", map[string]string{"character_string1": "E-1", "thing2": "一二三四五六七八九十一二三四五六七八九十一"}), 422, "invalid_fields", "data.thing2"},
		"a number in data":            {with("data", map[string]any{"character_string1": 5, "thing2": "ok"}), 422, "invalid_fields", "data.character_string1"},
		"WeChat's own form of data":   {with("data", map[string]any{"character_string1": map[string]string{"value": "E-1"}, "thing2": "ok"}), 422, "invalid_fields", "data.character_string1"},
		"data that is a list":         {with("data", []string{"E-1"}), 422, "invalid_fields", "data"},
		"an openid that is a number":  {with("openid", 5), 400, "invalid_json", "openid"},
		"an openid that is null":      {with("openid", nil), 400, "invalid_json", "openid"},
		"an unknown member":           {with("opneid", "x"), 400, "invalid_json", "opneid"},
		"a member in another case":    {with("OpenID", "x"), 400, "invalid_json", "OpenID"},
		"an unknown mode":             {with("mode", "later"), 422, "invalid_request", "mode"},
		"an unknown on_unknown":       {with("on_unknown", "retry"), 422, "invalid_request", "on_unknown"},
		"a time without an offset":    {with("send_at", "2026-12-05T09:00:00"), 422, "invalid_request", "send_at"},
		"a time in seconds":           {with("send_at", 1793272465), 400, "invalid_json", "send_at"},
		"the time nought":             {with("send_at", "0001-01-01T00:00:00Z"), 422, "invalid_request", "send_at"},
		"valid_until before send_at":  {map[string]any{"openid": alice, "template": "order", "data": message(alice, "order", "E-1")["data"], "send_at": "2026-12-05T09:00:00Z", "valid_until": "2026-12-05T08:00:00Z"}, 422, "invalid_request", "valid_until"},
		"an openid with a hash in it": {with("openid", "o#1"), 422, "invalid_request", "openid"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.call("POST", "/sends", tt.body, w.newKey()...).want(tt.status, tt.code)
			if got.text("field") != tt.field || got.text("detail") == "" {
				t.Errorf("field %q, want %q: %s", got.text("field"), tt.field, got.Body)
			}
			if w.stored() != before || w.wechat.calls != 0 {
				t.Errorf("%d records were written, WeChat was called %d times", w.stored()-before, w.wechat.calls)
			}
		})
	}
}

func TestTheProblemNamesEveryFieldAtFault(t *testing.T) {
	w := newWorld(t)
	got := w.call("POST", "/sends", map[string]any{"openid": alice, "template": "order", "data": map[string]string{"thing2": "", "thing9": "x"}}, w.newKey()...).want(422, "invalid_fields")
	seen := map[string]string{}
	for i := range got.len("errors") {
		seen[got.text("errors", i, "field")] = got.text("errors", i, "code")
	}
	want := map[string]string{"data.character_string1": "missing", "data.thing2": "empty", "data.thing9": "unknown_key"}
	if !maps.Equal(seen, want) {
		t.Errorf("errors are %v, want %v", seen, want)
	}
}

func TestASendNeedsAnIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	got := w.call("POST", "/sends", message(alice, "order", "E-1")).want(400, "idempotency_key_required")
	if got.text("field") != "Idempotency-Key" {
		t.Errorf("field is %q", got.text("field"))
	}
	w.call("POST", "/sends", message(alice, "order", "E-1"), "Idempotency-Key", "with blanks in it").want(422, "invalid_request")
}

func TestASendMayWaitAndBeCancelled(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "order", 1)
	body := message(alice, "order", "E-1")
	body["send_at"] = "2026-12-01T15:00:00+08:00"
	body["valid_until"] = "2026-12-01T18:00:00+08:00"
	queued := w.call("POST", "/sends", body, w.newKey()...).want(201)
	if queued.text("state") != "queued" || queued.text("due") != "2026-12-01T07:00:00Z" || queued.text("send_at") != "2026-12-01T07:00:00Z" || queued.text("valid_until") != "2026-12-01T10:00:00Z" {
		t.Errorf("queued: %s", queued.Body)
	}
	cancelled := w.call("DELETE", "/sends/"+queued.text("id"), nil).want(200)
	if cancelled.text("state") != "cancelled" || cancelled.text("reason", "code") != "cancelled" || cancelled.text("due") != "" {
		t.Errorf("cancelled: %s", cancelled.Body)
	}
	sent := w.call("POST", "/sends", message(alice, "order", "E-2"), w.newKey()...).want(201)
	w.call("DELETE", "/sends/"+sent.text("id"), nil).want(409, "not_cancellable")
	w.call("DELETE", "/sends/nosuchsend", nil).want(404, "not_found")
	w.call("GET", "/sends/nosuchsend", nil).want(404, "not_found")
}

func TestAnAsynchronousSendIsRecordedAndNotYetSent(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "order", 1)
	body := message(alice, "order", "E-1")
	body["mode"] = "async"
	got := w.call("POST", "/sends", body, w.newKey()...).want(201)
	if got.text("state") != "queued" || w.wechat.calls != 0 {
		t.Errorf("%d calls, %s", w.wechat.calls, got.Body)
	}
}

func TestTheCheckDecidesWithoutTouchingAnything(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "order", 1)
	before := w.stored()
	passes := w.call("POST", "/sends:check", message(alice, "order", "E-1")).want(200)
	if passes.text("outcome") != "send" || passes.len("reasons") != 0 || passes.text("due") != "" {
		t.Errorf("a good send: %s", passes.Body)
	}
	none := w.call("POST", "/sends:check", message(bob, "order", "E-1")).want(200)
	if none.text("outcome") != "refuse" || none.text("reasons", 0, "code") != "one_time_credit" || none.text("reasons", 0, "detail_zh") == "" {
		t.Errorf("without a credit: %s", none.Body)
	}
	bad := message(bob, "order", "E-1")
	bad["data"] = map[string]any{"character_string1": 5, "thing2": "优惠券"}
	many := w.call("POST", "/sends:check", bad).want(200)
	codes := map[string]string{}
	for i := range many.len("reasons") {
		codes[many.text("reasons", i, "code")] += many.text("reasons", i, "field") + many.text("reasons", i, "word")
	}
	if many.text("outcome") != "refuse" || codes["fields"] != "data.character_string1" || codes["no_marketing"] == "" || codes["one_time_credit"] != "" && many.len("reasons") < 3 {
		t.Errorf("everything wrong at once: %s", many.Body)
	}
	w.call("POST", "/sends:check", map[string]any{"openid": alice, "template": "order", "what": 1}).want(400, "invalid_json")
	w.call("POST", "/sends:check", message(alice, "nobody", "E-1")).want(404, "unknown_template")
	expired := message(alice, "order", "E-1")
	expired["valid_until"] = "2026-11-30T00:00:00Z"
	if got := w.call("POST", "/sends:check", expired).want(200); got.text("outcome") != "refuse" || got.text("reasons", 0, "code") != "valid_until" {
		t.Errorf("a message whose moment has passed: %s", got.Body)
	}
	if w.stored() != before || w.wechat.calls != 0 {
		t.Errorf("%d records were written, WeChat was called %d times", w.stored()-before, w.wechat.calls)
	}
}

func TestTheCheckSaysUntilWhenAMessageWaits(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "monthly_bill", 1)
	w.advance(14 * time.Hour) // midnight in Shanghai
	got := w.call("POST", "/sends:check", message(alice, "monthly_bill", "E-1")).want(200)
	if got.text("outcome") != "defer" || got.text("reasons", 0, "code") != "quiet_hours" || got.text("reasons", 0, "until") != "2026-12-02T00:00:00Z" || got.text("due") < "2026-12-02T00:00:00Z" {
		t.Errorf("at midnight: %s", got.Body)
	}
}

func TestAStoreThatFailsIsUnavailableWithoutInternals(t *testing.T) {
	w := newWorld(t)
	broken := errors.New("dial tcp 10.0.0.7:6379: connection refused")
	w.store.fail.Store(&broken)
	got := w.call("POST", "/sends", message(alice, "order", "E-1"), w.newKey()...).want(503, "unavailable")
	if got.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	for _, secret := range []string{"10.0.0.7", "subscriber#", alice} {
		if contains(got.Body.String(), secret) {
			t.Errorf("the answer shows %q: %s", secret, got.Body)
		}
	}
	if !contains(w.log.String(), "connection refused") {
		t.Errorf("the log does not say why: %s", w.log)
	}
	if contains(w.log.String(), alice) {
		t.Errorf("the log shows an openid: %s", w.log)
	}
}
