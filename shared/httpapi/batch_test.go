package httpapi

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func TestABatchAnswersEachSendOnItsOwn(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "order", 2)
	bad := message(alice, "order", "E-3")
	bad["data"] = map[string]string{"thing2": "x"}
	late := message(alice, "order", "E-4")
	late["send_at"] = "tomorrow"
	body := map[string]any{"sends": []any{message(alice, "order", "E-1"), message(bob, "order", "E-2"), bad, late, message(alice, "nobody", "E-5")}}
	got := w.call("POST", "/sends:batch", body, "Idempotency-Key", "b1").want(200)
	if got.len("results") != 5 {
		t.Fatalf("%d results", got.len("results"))
	}
	for i, want := range []struct{ status, state, code, field string }{
		{"201", "sent", "", ""}, {"201", "refused", "", ""}, {"422", "", "invalid_fields", "data.character_string1"}, {"422", "", "invalid_request", "sends[3].send_at"}, {"404", "", "unknown_template", "template"},
	} {
		if got.text("results", i, "status") != want.status {
			t.Errorf("result %d: %v, want status %s", i, got.at("results", i), want.status)
			continue
		}
		if want.state != "" && got.text("results", i, "send", "state") != want.state {
			t.Errorf("result %d: %v, want %s", i, got.at("results", i), want.state)
		}
		if want.code != "" && (got.text("results", i, "problem", "code") != want.code || got.text("results", i, "problem", "field") != want.field) {
			t.Errorf("result %d: %v, want %s at %s", i, got.at("results", i), want.code, want.field)
		}
	}
	again := w.call("POST", "/sends:batch", body, "Idempotency-Key", "b1").want(200)
	if again.text("results", 0, "status") != "200" || again.text("results", 0, "replayed") != "true" || again.text("results", 0, "send", "id") != got.text("results", 0, "send", "id") {
		t.Errorf("replay: %v", again.at("results", 0))
	}
	if w.call("GET", "/sends?idempotency_key=b1%230", nil).want(200).text("id") != got.text("results", 0, "send", "id") {
		t.Error("the first item's key is not b1#0")
	}
	if w.wechat.calls != 1 {
		t.Errorf("WeChat was called %d times", w.wechat.calls)
	}
}

func TestABatchIsRefusedAsAWhole(t *testing.T) {
	item := func(more string) string {
		return `{"openid":"o1","template":"order","data":{"character_string1":"E","thing2":"x"}` + more + `}`
	}
	for name, tt := range map[string]struct {
		body, key   string
		status      int
		code, field string
	}{
		"without any key":              {`{"sends":[` + item("") + `]}`, "", 400, "idempotency_key_required", "sends[0].idempotency_key"},
		"with a key for some of them":  {`{"sends":[` + item(`,"idempotency_key":"a"`) + `,` + item("") + `]}`, "", 400, "idempotency_key_required", "sends[1].idempotency_key"},
		"with one key for two of them": {`{"sends":[` + item(`,"idempotency_key":"a"`) + `,` + item(`,"idempotency_key":"a"`) + `]}`, "", 422, "invalid_request", "sends[1].idempotency_key"},
		"with nothing in it":           {`{"sends":[]}`, "b", 422, "invalid_request", "sends"},
		"with no list":                 {`{}`, "b", 422, "invalid_request", "sends"},
		"with a list that is none":     {`{"sends":{}}`, "b", 400, "invalid_json", "sends"},
		"with an item that is none":    {`{"sends":[5]}`, "b", 400, "invalid_json", "sends[0]"},
		"with a misspelt member":       {`{"sends":[` + item("") + `,` + item(`,"sendat":""`) + `]}`, "b", 400, "invalid_json", "sends[1].sendat"},
		"with more than 500 sends":     {`{"sends":[` + strings.Repeat(item("")+",", 500) + item("") + `]}`, "b", 413, "too_many", "sends"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			headers := []string{}
			if tt.key != "" {
				headers = []string{"Idempotency-Key", tt.key}
			}
			got := w.call("POST", "/sends:batch", tt.body, headers...).want(tt.status, tt.code)
			if got.text("field") != tt.field {
				t.Errorf("field %q, want %q", got.text("field"), tt.field)
			}
			if w.stored() != 0 {
				t.Errorf("%d records were written", w.stored())
			}
		})
	}
}

func TestABatchOfFiveHundredIsSentWithBoundedConcurrency(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxParallel = 4 })
	var now, most atomic.Int64
	w.wechat.answer = func(submsg.Message) submsg.Result {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		defer now.Add(-1)
		return submsg.Result{Answered: true, MsgID: 1}
	}
	var list []any
	for i := range 500 {
		one := message(fmt.Sprintf("o-%d", i/2), "order", fmt.Sprint(i)) // two for each subscriber
		one["try_anyway"] = true
		one["idempotency_key"] = fmt.Sprintf("k%d", i)
		list = append(list, one)
	}
	got := w.call("POST", "/sends:batch", map[string]any{"sends": list}).want(200)
	states := map[string]int{}
	for i := range got.len("results") {
		states[got.text("results", i, "send", "state")]++
	}
	if states["sent"] != 500 {
		t.Errorf("states: %v", states)
	}
	if m := most.Load(); m > 4 {
		t.Errorf("%d calls at a time, want at most 4", m)
	}
}
