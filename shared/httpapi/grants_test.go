package httpapi

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestReportedGrantsAreRecordedAndShown(t *testing.T) {
	w := newWorld(t)
	got := w.call("POST", "/grants", `{"grants":[
		{"openid":"`+alice+`","template":"order","decision":"accept","occurred_at":"2026-12-01T09:59:00+08:00","scene":"pay","topics":["line-42"]},
		{"openid":"`+alice+`","template":"`+bill+`","decision":"acceptWithAudio"},
		{"openid":"`+alice+`","template":"`+loose+`","decision":"reject"}]}`).want(200)
	for i, want := range []struct{ id, name, effect string }{{order, "order", "credited"}, {bill, "monthly_bill", "activated"}, {loose, "", "revoked"}} {
		if got.text("results", i, "template_id") != want.id || got.text("results", i, "template") != want.name || got.text("results", i, "effect") != want.effect || got.text("results", i, "openid") != alice {
			t.Errorf("result %d is %v, want %v", i, got.at("results", i), want)
		}
	}
	sub := w.call("GET", "/subscribers/"+alice, nil).want(200)
	states := map[string]string{}
	for i := range sub.len("subscriptions") {
		states[sub.text("subscriptions", i, "template_id")] = sub.text("subscriptions", i, "state") + " " + sub.text("subscriptions", i, "credits") + " " + sub.text("subscriptions", i, "kind")
	}
	for id, want := range map[string]string{order: "active 1 one_time", bill: "active 0 long_term", loose: "revoked 0 one_time"} {
		if states[id] != want {
			t.Errorf("%s is %q, want %q", id, states[id], want)
		}
	}
	if sub.text("topics", 0) != "line-42" || sub.len("history") != 3 {
		t.Errorf("topics and history: %s", sub.Body)
	}
	oldest := sub.len("history") - 1
	if sub.text("history", oldest, "at") != "2026-12-01T01:59:00Z" || sub.text("history", oldest, "scene") != "pay" || sub.text("history", oldest, "decision") != "accept" || sub.text("history", oldest, "source") != "report" {
		t.Errorf("oldest line: %v", sub.at("history", oldest))
	}
	if w.call("GET", "/subscribers/"+alice+"?history=1", nil).want(200).len("history") != 1 {
		t.Error("history=1 does not bound the history")
	}
}

func TestARepeatedReportCountsOnce(t *testing.T) {
	w := newWorld(t)
	body := `{"grants":[{"openid":"` + alice + `","template":"order","decision":"accept"}]}`
	w.call("POST", "/grants", body, "Idempotency-Key", "r1").want(200)
	if got := w.call("POST", "/grants", body, "Idempotency-Key", "r1").want(200); got.text("results", 0, "effect") != "duplicate" {
		t.Errorf("the same report again: %s", got.Body)
	}
	if got := w.call("POST", "/grants", body, "Idempotency-Key", "r2").want(200); got.text("results", 0, "effect") != "credited" {
		t.Errorf("another report: %s", got.Body)
	}
}

func TestAOneTimeSubscriptionIsActiveWhileCreditsAreLeft(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "order", 1)
	w.call("POST", "/sends", message(alice, "order", "E-1"), w.newKey()...).want(201)
	sub := w.call("GET", "/subscribers/"+alice, nil).want(200)
	if sub.text("subscriptions", 0, "state") != "none" || sub.text("subscriptions", 0, "credits") != "0" {
		t.Errorf("all credits are spent: %v", sub.at("subscriptions"))
	}
	if sub.len("sends") != 1 || sub.text("sends", 0, "state") != "sent" {
		t.Errorf("recent sends: %v", sub.at("sends"))
	}
}

func TestAnUnknownSubscriberIsEmptyAndNotMissing(t *testing.T) {
	w := newWorld(t)
	got := w.call("GET", "/subscribers/oNobody", nil).want(200)
	if got.text("openid") != "oNobody" || got.len("subscriptions") != 0 || got.len("history") != 0 {
		t.Errorf("%s", got.Body)
	}
	w.call("GET", "/subscribers/o%23hash", nil).want(422, "invalid_request")
	w.call("GET", "/subscribers/"+alice+"?history=many", nil).want(422, "invalid_request")
}

func TestReportsThatCannotBeTakenRecordNothing(t *testing.T) {
	w := newWorld(t)
	one := func(member string) string {
		return `{"grants":[{"openid":"o1","template":"order","decision":"accept"},{"openid":"o2","template":"order","decision":"accept"` + member + `}]}`
	}
	for name, tt := range map[string]struct {
		body   string
		status int
		code   string
		field  string
	}{
		"no reports":                   {`{"grants":[]}`, 422, "invalid_request", "grants"},
		"no list":                      {`{}`, 422, "invalid_request", "grants"},
		"101 reports":                  {`{"grants":[` + strings.Repeat(`{"openid":"o","template":"order","decision":"accept"},`, 100) + `{"openid":"o","template":"order","decision":"accept"}]}`, 413, "too_many", "grants"},
		"a template of nobody":         {strings.Replace(one(""), `"o2","template":"order"`, `"o2","template":"nobody"`, 1), 404, "unknown_template", "grants[1].template"},
		"no decision":                  {`{"grants":[{"openid":"o1","template":"order"}]}`, 422, "invalid_request", "grants[0].decision"},
		"a clock a day off":            {one(`,"occurred_at":"2026-11-30T01:00:00Z"`), 422, "clock_skew", "grants[1].occurred_at"},
		"an unknown member":            {one(`,"sceen":"pay"`), 400, "invalid_json", "grants[1].sceen"},
		"topics that are no list":      {one(`,"topics":"line"`), 400, "invalid_json", "grants[1].topics"},
		"a topic that is no text":      {one(`,"topics":[1]`), 400, "invalid_json", "grants[1].topics[0]"},
		"a member that occurs twice":   {one(`,"decision":"reject"`), 400, "invalid_json", "grants[1].decision"},
		"a body that is a list":        {`[]`, 400, "invalid_json", ""},
		"a body that is no JSON":       {`{"grants":[`, 400, "invalid_json", ""},
		"an openid that is far to big": {strings.Replace(one(""), "o2", strings.Repeat("o", 129), 1), 422, "invalid_request", "grants[1].openid"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.call("POST", "/grants", tt.body).want(tt.status, tt.code)
			if got.text("field") != tt.field {
				t.Errorf("field %q, want %q", got.text("field"), tt.field)
			}
			if w.stored() != 0 {
				t.Errorf("%d records were written", w.stored())
			}
		})
	}
}

func TestThePromptPlanSaysWhatToAskForAndWhyNotTheRest(t *testing.T) {
	w := newWorld(t)
	got := w.call("GET", "/prompts?openid="+alice+"&scene=pay", nil).want(200)
	if got.text("scene") != "pay" || got.len("ask") != 1 || got.text("ask", 0, "template_id") != order || got.text("ask", 0, "template") != "order" || got.text("ask", 0, "kind") != "one_time" {
		t.Errorf("ask: %s", got.Body)
	}
	if got.len("left_out") != 2 || got.text("left_out", 0, "reason", "code") != "prompt_off_topic" || got.text("left_out", 0, "reason", "detail_zh") == "" {
		t.Errorf("left out: %s", got.Body)
	}
	w.call("GET", "/prompts?openid="+alice, nil).want(422, "invalid_request")
	w.call("GET", "/prompts?scene=pay", nil).want(422, "invalid_request")
}

func TestPreferencesChangeWhatTheyName(t *testing.T) {
	w := newWorld(t)
	path := "/subscribers/" + alice + "/preferences"
	got := w.call("PUT", path, `{"muted":["order","`+bill+`"],"quiet_hours":"21:00-09:00","time_zone":"Europe/Berlin","topics":["b","a"]}`).want(200)
	muted := func(r *reply) string { return fmt.Sprint(r.at("preferences", "muted")) }
	if muted(got) != "[monthly_bill order]" || got.text("preferences", "quiet_hours") != "21:00-09:00" || got.text("preferences", "time_zone") != "Europe/Berlin" || fmt.Sprint(got.at("topics")) != "[a b]" {
		t.Errorf("set: %s", got.Body)
	}
	got = w.call("PUT", path, `{"muted":{"order":false,"`+loose+`":true}}`).want(200)
	if muted(got) != "[monthly_bill "+loose+"]" || got.text("preferences", "quiet_hours") != "21:00-09:00" {
		t.Errorf("an object changes what it names: %s", got.Body)
	}
	got = w.call("PUT", path, `{"muted":["order"]}`).want(200)
	if muted(got) != "[order]" {
		t.Errorf("a list replaces: %s", got.Body)
	}
	got = w.call("PUT", path, `{"muted":[],"quiet_hours":"","time_zone":"","topics":[]}`).want(200)
	if muted(got) != "[]" || got.text("preferences", "quiet_hours") != "" || got.len("topics") != 0 {
		t.Errorf("taken back: %s", got.Body)
	}
	for i := range got.len("subscriptions") {
		if got.text("subscriptions", i, "state") != "none" {
			t.Errorf("a preference made a subscription: %v", got.at("subscriptions", i))
		}
	}
}

func TestPreferencesThatCannotBeSetChangeNothing(t *testing.T) {
	w := newWorld(t)
	for name, tt := range map[string]struct{ body, code, field string }{
		"a template of nobody in a list":    {`{"muted":["order","nobody"]}`, "unknown_template", "muted[1]"},
		"a template of nobody in an object": {`{"muted":{"nobody":true}}`, "unknown_template", "muted"},
		"muted that is a text":              {`{"muted":"order"}`, "invalid_json", "muted"},
		"muted that is null":                {`{"muted":null}`, "invalid_json", "muted"},
		"a template muted by a number":      {`{"muted":{"order":1}}`, "invalid_json", "muted.order"},
		"hours that are none":               {`{"quiet_hours":"late"}`, "invalid_request", "quiet_hours"},
		"a zone that is none":               {`{"time_zone":"Asia/Peking"}`, "bad_time_zone", "time_zone"},
		"the zone of the machine":           {`{"time_zone":"Local"}`, "bad_time_zone", "time_zone"},
		"a topic with a blank":              {`{"topics":["line 42"]}`, "invalid_request", "topics"},
		"an unknown member":                 {`{"mute":[]}`, "invalid_json", "mute"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.call("PUT", "/subscribers/"+alice+"/preferences", tt.body)
			if got.text("code") != tt.code || got.text("field") != tt.field || got.Code < 400 || got.Code >= 500 {
				t.Errorf("%d %s", got.Code, got.Body)
			}
			if w.stored() != 0 {
				t.Errorf("%d records were written", w.stored())
			}
		})
	}
}

func TestAPersonCanBeErased(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "order", 2)
	sent := w.call("POST", "/sends", message(alice, "order", "E-1"), w.newKey()...).want(201)
	got := w.call("DELETE", "/subscribers/"+alice, nil).want(204)
	if got.Body.Len() != 0 {
		t.Errorf("204 with a body: %s", got.Body)
	}
	if sub := w.call("GET", "/subscribers/"+alice, nil).want(200); sub.len("subscriptions") != 0 || sub.len("history") != 0 || sub.len("sends") != 0 {
		t.Errorf("what is left: %s", sub.Body)
	}
	w.call("GET", "/sends/"+sent.text("id"), nil).want(404, "not_found")
}

func TestOpensAreCounted(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "order", 1)
	sent := w.call("POST", "/sends", message(alice, "order", "E-1"), w.newKey()...).want(201)
	body := map[string]any{"opens": []any{map[string]any{"openid": alice, "template": "order", "send_id": sent.text("id"), "at": w.now().Format(time.RFC3339)}}}
	if got := w.call("POST", "/opens", body).want(200); got.text("results", 0, "effect") != "counted" || got.text("results", 0, "template_id") != order {
		t.Errorf("first: %s", got.Body)
	}
	if got := w.call("POST", "/opens", body).want(200); got.text("results", 0, "effect") != "duplicate" {
		t.Errorf("again: %s", got.Body)
	}
	if got := w.call("GET", "/sends/"+sent.text("id"), nil).want(200); got.text("opened_at") != "2026-12-01T02:00:00Z" {
		t.Errorf("the send: %s", got.Body)
	}
	elsewhere := `{"opens":[{"openid":"` + alice + `","template":"order","send_id":"\u0000"},{"openid":"` + alice + `","template":"order"}]}`
	got := w.call("POST", "/opens", elsewhere).want(200)
	if got.text("results", 0, "effect") != "unknown" || got.text("results", 0, "send_id") != "\x00" || got.text("results", 1, "effect") != "counted" {
		t.Errorf("an id that no send can have: %s", got.Body)
	}
	w.call("POST", "/opens", `{"opens":[]}`).want(422, "invalid_request")
	w.call("POST", "/opens", `{"opens":[{"openid":"o","template":"nobody"}]}`).want(404, "unknown_template")
	w.call("POST", "/opens", `{"opens":[{"openid":"o","template":"order","when":""}]}`).want(400, "invalid_json")
}

func TestAnOpenidMayNeedEscapes(t *testing.T) {
	w := newWorld(t)
	odd := "o/1 2:3"
	if got := w.call("GET", "/subscribers/"+url.PathEscape(odd), nil); got.Code != 422 {
		t.Errorf("an openid with a blank: %d", got.Code)
	}
	odd = "o/1:pause"
	w.accept(odd, "order", 1)
	if got := w.call("GET", "/subscribers/"+url.PathEscape(odd), nil).want(200); got.text("openid") != odd || got.len("subscriptions") != 1 {
		t.Errorf("%s", got.Body)
	}
}
