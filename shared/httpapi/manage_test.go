package httpapi

import (
	"errors"
	"testing"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func TestTemplatesAreShownAsConfiguredAndAsWeChatListsThem(t *testing.T) {
	w := newWorld(t)
	got := w.call("GET", "/templates", nil).want(200)
	if got.len("templates") != 3 || got.text("templates", 0, "template_id") != order || got.text("templates", 0, "template") != "order" || got.text("templates", 0, "fields", 1, "key") != "thing2" {
		t.Errorf("configured: %s", got.Body)
	}
	w.wechat.listed = []submsg.SyncedTemplate{
		{TemplateID: bill, Title: "账单通知", Content: "说明:{{thing2.DATA}}", Type: 3, Enums: map[string][]string{"phrase1": {"是", "否"}}},
		{TemplateID: "NotConfigured", Title: "其他提醒", Content: "说明:{{thing1.DATA}}", Example: "说明:好", Type: 2},
	}
	synced := w.call("POST", "/templates:sync", nil).want(200)
	if synced.len("templates") != 4 || synced.at("templates", 0, "synced") != nil || synced.text("templates", 1, "synced", "kind") != "long_term" || synced.text("templates", 1, "synced", "synced_at") != "2026-12-01T02:00:00Z" {
		t.Errorf("synced: %s", synced.Body)
	}
	if synced.text("templates", 3, "template_id") != "NotConfigured" || synced.text("templates", 3, "configured") != "false" {
		t.Errorf("only at WeChat: %v", synced.at("templates", 3))
	}
	w.wechat.err = errors.New("errcode 45009")
	if got := w.call("POST", "/templates:sync", nil).want(502, "wechat_failed"); got.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestTemplatesAreAudited(t *testing.T) {
	w := newWorld(t)
	found := func(body any) map[string]string {
		t.Helper()
		got := w.call("POST", "/templates:audit", body).want(200)
		rules := map[string]string{}
		for i := range got.len("findings") {
			rules[got.text("findings", i, "rule")] = got.text("findings", i, "severity")
			for _, member := range []string{"template", "place", "detail", "detail_zh", "advice"} {
				if got.text("findings", i, member) == "" {
					t.Errorf("finding without %s: %v", member, got.at("findings", i))
				}
			}
		}
		return rules
	}
	rules := found(`{"templates":[{"title":"领取红包!","content":"活动:{{thing1.DATA}}","kind":"one_time"}]}`)
	for _, rule := range []string{"title_suffix", "title_punctuation", "title_marketing"} {
		if rules[rule] != "error" {
			t.Errorf("%s is %q in %v", rule, rules[rule], rules)
		}
	}
	if rules := found(`{"templates":[{"title":"订单进度通知","content":"订单进度:{{thing1.DATA}}\n下单时间:{{time2.DATA}}"},{"title":"订单状态通知","content":"状态:{{thing1.DATA}}\n时间:{{time2.DATA}}"}]}`); rules["duplicate"] != "error" {
		t.Errorf("a title that is configured already is no duplicate: %v", rules)
	}
	old := `{"title":"缴费通知","content":"缴费金额：{{keyword1.DATA}}\n缴费时间：{{keyword2.DATA}}","kind":"template_message"`
	if submitted, inUse := found(`{"templates":[`+old+`}]}`), found(`{"templates":[`+old+`,"legacy":true}]}`); submitted["content_first"] != "warning" || inUse["content_first"] != "info" {
		t.Errorf("content_first is %q before it is submitted, %q in use", submitted["content_first"], inUse["content_first"])
	}
	if rules := found(nil); rules["title_suffix"] == "error" || rules["title_marketing"] == "error" {
		t.Errorf("the configured ones: %v", rules)
	}
	w.call("POST", "/templates:audit", `{"templates":[{"title":"通知"}]}`).want(422, "invalid_request")
	w.call("POST", "/templates:audit", `{"templates":[{"title":"通知","content":"x","kind":"weekly"}]}`).want(422, "invalid_request")
	w.call("POST", "/templates:audit", `{"templates":{"title":"通知"}}`).want(400, "invalid_json")
}

func TestFiguresAreAnsweredByTemplateAndDay(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "order", 1)
	w.call("POST", "/sends", message(alice, "order", "E-1"), w.newKey()...).want(201)
	w.call("POST", "/sends", message(alice, "order", "E-2"), w.newKey()...).want(201)
	got := w.call("GET", "/stats", nil).want(200)
	if got.len("templates") != 3 || got.text("templates", 0, "template") != "order" || got.text("from") != "2026-11-25" || got.text("to") != "2026-12-01" {
		t.Errorf("%s", got.Body)
	}
	got = w.call("GET", "/stats?days=2", nil).want(200)
	for path, want := range map[string]string{"sent": "1", "refused": "1"} {
		if got.text("totals", "sends", path) != want || got.text("templates", 0, "totals", "sends", path) != want {
			t.Errorf("%s sends: %s", path, got.Body)
		}
	}
	if got.text("totals", "grants", "credited") != "1" || got.text("totals", "reasons", "one_time_credit") != "1" || got.len("templates", 0, "days") != 1 {
		t.Errorf("%s", got.Body)
	}
	w.call("GET", "/stats?days=0", nil).want(422, "invalid_request")
	w.call("GET", "/stats?days=all", nil).want(422, "invalid_request")
}

func TestHoldsAreShownAndEnded(t *testing.T) {
	w := newWorld(t)
	if got := w.call("GET", "/holds", nil).want(200); got.len("holds") != 0 || got.len("strikes") != 0 {
		t.Errorf("at first: %s", got.Body)
	}
	for i, code := range []int{43107, 48001} {
		w.wechat.answer = func(submsg.Message) submsg.Result { return submsg.Result{Answered: true, Code: code} }
		openid := []string{alice, bob}[i]
		template := []string{"order", "monthly_bill"}[i]
		w.accept(openid, template, 1)
		held := w.call("POST", "/sends", message(openid, template, "E-1"), w.newKey()...).want(201)
		if held.text("state") != "queued" || held.text("reason", "code") != "suspended" {
			t.Errorf("held: %s", held.Body)
		}
	}
	got := w.call("GET", "/holds", nil).want(200)
	if got.len("holds") != 2 || got.text("holds", 0, "template") != "order" || got.text("holds", 0, "errcode") != "43107" || got.text("holds", 1, "template_id") != "" || got.text("holds", 0, "until") == "" {
		t.Errorf("%s", got.Body)
	}
	got = w.call("POST", "/holds:resume", `{"template":"order"}`).want(200)
	if got.len("holds") != 1 || got.len("strikes") != 2 {
		t.Errorf("the template's is ended: %s", got.Body)
	}
	if got = w.call("POST", "/holds:resume", nil).want(200); got.len("holds") != 0 {
		t.Errorf("the app's is ended: %s", got.Body)
	}
	w.call("POST", "/holds:resume", `{"template":"nobody"}`).want(404, "unknown_template")
	w.call("POST", "/holds:resume", `{"all":true}`).want(400, "invalid_json")
}
