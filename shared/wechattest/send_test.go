package wechattest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOneTimeCreditsAreSpentOnce(t *testing.T) {
	w := newWorld(t)
	if got := w.send("u", order); got.Code != 43101 {
		t.Fatalf("without an accept: %+v, want 43101", got)
	}
	w.do(w.Accept(app, "u", order))
	w.do(w.SilentAccept(app, "u", order))
	first, second := w.send("u", order), w.send("u", order)
	if first.Code != 0 || second.Code != 0 {
		t.Fatalf("two accepts: %+v and %+v, want both sent", first, second)
	}
	if first.MsgID <= 1<<53 || second.MsgID <= 1<<53 || first.MsgID == second.MsgID {
		t.Errorf("msgids %d and %d, want two above 2^53", first.MsgID, second.MsgID)
	}
	if got := w.send("u", order); got.Code != 43101 {
		t.Fatalf("third send: %+v, want 43101", got)
	}
	want := Standing{TemplateID: order, Kind: OneTime, Grants: 2, Accepted: 2, Received: 2, Refused: 2}
	if diff := cmp.Diff(want, w.Standing(app, "u", order)); diff != "" {
		t.Errorf("standing (-want +got):\n%s", diff)
	}
	messages := w.Received(app, "u")
	if len(messages) != 2 || messages[0].MsgID != first.MsgID || messages[1].MsgID != second.MsgID {
		t.Fatalf("received %+v, want the two that were sent", messages)
	}
	wantMessage := Message{
		OpenID: "u", TemplateID: order, MsgID: first.MsgID, At: w.clock.Now(), Path: PathSend, Page: "pages/index",
		Data: map[string]string{"character_string1": "A-1", "thing2": "苹果"},
	}
	if diff := cmp.Diff(wantMessage, messages[0]); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestLongTermLastsUntilRefused(t *testing.T) {
	w := newWorld(t)
	if got := w.send("u", bill); got.Code != 43101 {
		t.Fatalf("before: %+v, want 43101", got)
	}
	w.do(w.Accept(app, "u", bill))
	for range 3 {
		if got := w.send("u", bill); got.Code != 0 {
			t.Fatalf("subscribed: %+v", got)
		}
	}
	w.do(w.ChangeReject(app, "u", bill))
	if got := w.send("u", bill); got.Code != 43101 {
		t.Fatalf("after a refusal: %+v, want 43101", got)
	}
}

func TestRefusalVoidsWhatWasAgreed(t *testing.T) {
	for name, refuse := range map[string]func(*Sim, string, string, ...string) error{
		"in the panel": (*Sim).Reject, "on the settings page": (*Sim).ChangeReject,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.do(w.Grant(app, "u", order, 5))
			w.do(w.Grant(app, "v", order, 1))
			w.do(refuse(w.Sim, app, "u", order))
			if got := w.send("u", order); got.Code != 43101 {
				t.Errorf("%+v, want 43101", got)
			}
			if got := w.send("v", order); got.Code != 0 {
				t.Errorf("another user: %+v, want 0", got)
			}
			w.do(w.Accept(app, "u", order))
			if got := w.Credits(app, "u", order); got != 1 {
				t.Errorf("credits after accepting again: %d, want 1", got)
			}
		})
	}
}

func TestLimitedLongTermReachesOncePerPeriodAndKey(t *testing.T) {
	w := newWorld(t)
	w.do(w.AddTemplate(app, Template{ID: "T-policy", Kind: LongTermLimited, KeyField: "character_string1", Content: "{{character_string1.DATA}}"}))
	w.do(w.Accept(app, "u", "T-policy"))
	send := func(policy string) int {
		return w.post(w.sendTarget(), fmt.Sprintf(`{"touser":"u","template_id":"T-policy","data":{"character_string1":{"value":%q}}}`, policy)).Code
	}
	got := []int{send("P1"), send("P1"), send("P2")}
	w.clock.Add(26 * 24 * time.Hour) // 1 December
	got = append(got, send("P1"))
	if diff := cmp.Diff([]int{0, 43101, 0, 0}, got); diff != "" {
		t.Errorf("P1, P1, P2, P1 next month (-want +got):\n%s", diff)
	}
}

var ridForm = regexp.MustCompile(` rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$`)

func TestSendRefusals(t *testing.T) {
	tests := []struct {
		name  string
		setup func(*world)
		body  string // sendBody("u", order) when empty
		want  int
		text  string // how the errmsg begins
	}{
		{name: "nothing wrong", want: 0, text: "ok"},
		{name: "a body that is no JSON", body: `{"touser":`, want: 47001},
		{name: "a body in another charset", body: "{\"touser\":\"\xc4\xe3\"}", want: 47001},
		{name: "no openid", body: sendBody("", order), want: 40003},
		{name: "an openid that is no string", body: `{"touser":7,"template_id":"T-order"}`, want: 40003},
		{name: "an unknown template", body: sendBody("u", "T-none"), want: 40037},
		{name: "a deleted template", setup: func(w *world) { w.do(w.DeleteTemplate(app, order)) }, want: 40037},
		{name: "a banned template", setup: func(w *world) { w.do(w.BanTemplate(app, order, true)) }, want: 43107},
		{name: "a suspended account", setup: func(w *world) { w.do(w.Suspend(app, 48004)) }, want: 48004},
		{name: "a page that is not released", body: strings.Replace(sendBody("u", order), "pages/index", "pages/new?id=1", 1), want: 41030},
		{name: "a released page with a query", body: strings.Replace(sendBody("u", order), "pages/index", "pages/index?id=1", 1), want: 0},
		{name: "a missing key", body: `{"touser":"u","template_id":"T-order","data":{"thing2":{"value":"x"}}}`,
			want: 47003, text: "argument invalid! data.character_string1.value i"},
		{name: "an empty value", body: `{"touser":"u","template_id":"T-order","data":{"character_string1":{"value":"A"},"thing2":{"value":""}}}`,
			want: 47003, text: "argument invalid! data.thing2.value is emtpy"},
		{name: "a value too long", body: strings.Replace(sendBody("u", order), "苹果", strings.Repeat("苹", 21), 1),
			want: 47003, text: "argument invalid! data.thing2.value invalid"},
		{name: "a number for a value", body: `{"touser":"u","template_id":"T-order","data":{"character_string1":{"value":"A"},"thing2":{"value":7}}}`,
			want: 47003, text: "argument invalid! data.thing2.value invalid"},
		{name: "data that is a list", body: `{"touser":"u","template_id":"T-order","data":[]}`, want: 47003, text: "argument invalid! data invalid"},
		{name: "data that is a string", body: `{"touser":"u","template_id":"T-order","data":"{}"}`, want: 47003},
		{name: "bare values", body: `{"touser":"u","template_id":"T-order","data":{"character_string1":"A","thing2":"x"}}`, want: 47003},
		{name: "no agreement", body: sendBody("v", order), want: 43101, text: "user refuse to accept the msg"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Accounts[0].Pages = []string{"pages/index"} })
			w.do(w.Grant(app, "u", order, 1))
			if tt.setup != nil {
				tt.setup(w)
			}
			body := tt.body
			if body == "" {
				body = sendBody("u", order)
			}
			got := w.post(w.sendTarget(), body)
			if got.Code != tt.want || !strings.HasPrefix(got.Text, tt.text) {
				t.Fatalf("%+v, want %d %q", got, tt.want, tt.text)
			}
			if tt.want != 0 && !ridForm.MatchString(got.Text) {
				t.Errorf("errmsg %q does not end in a rid", got.Text)
			}
			totals := w.Totals(app)
			if totals.Answered(PathSend, fmt.Sprint(tt.want)) != 1 {
				t.Errorf("calls %v, want one %d", totals.Calls, tt.want)
			}
			if kept := w.Credits(app, "u", order) == 1; tt.want != 0 && tt.want != 40037 && !kept {
				t.Error("a refusal cost the credit")
			}
		})
	}
	w := newWorld(t)
	if got := w.must(w.call(http.MethodGet, w.sendTarget(), "")); got.Code != 43002 {
		t.Errorf("GET: %+v, want 43002", got)
	}
}

func TestOnlyKnownUsersWhereToldSo(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Accounts[0].KnownUsersOnly = true })
	if got := w.send("u", order); got.Code != 40003 {
		t.Errorf("a stranger: %+v, want 40003", got)
	}
	w.do(w.AddUser(app, "u"))
	if got := w.send("u", order); got.Code != 43101 {
		t.Errorf("a known user without credit: %+v, want 43101", got)
	}
}

func TestSkipDataTakesAnything(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.SkipData, c.CountOnly = true, true })
	w.do(w.Grant(app, "u", order, 1))
	if got := w.post(w.sendTarget(), `{"touser":"u","template_id":"T-order","data":[]}`); got.Code != 0 {
		t.Errorf("%+v, want 0", got)
	}
	if st := w.Standing(app, "u", order); st.Received != 1 || len(w.Received(app, "u")) != 0 {
		t.Errorf("counted %d and kept %d, want 1 and 0", st.Received, len(w.Received(app, "u")))
	}
}

func TestMessagesAreKeptWithinBounds(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.KeepPerUser = 10 })
	w.do(w.Accept(app, "u", bill))
	var last int64
	for range 35 {
		last = w.send("u", bill).MsgID
	}
	messages := w.Received(app, "u")
	if len(messages) != 10 || messages[9].MsgID != last || w.Standing(app, "u", bill).Received != 35 {
		t.Errorf("%d kept of %d counted, want the newest 10 of 35", len(messages), w.Standing(app, "u", bill).Received)
	}
}

func TestQuotas(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Accounts[0].Quotas = map[string]Quota{PathSend: {PerDay: 5, PerMinute: 3}}
	})
	w.do(w.Accept(app, "u", bill))
	var got []int
	for range 4 {
		got = append(got, w.send("u", bill).Code)
	}
	w.clock.Add(time.Minute)
	for range 3 {
		got = append(got, w.send("u", bill).Code)
	}
	w.clock.Add(14 * time.Hour) // 23:01 in Shanghai: still the same day
	got = append(got, w.send("u", bill).Code)
	w.clock.Add(time.Hour)
	got = append(got, w.send("u", bill).Code)
	if diff := cmp.Diff([]int{0, 0, 0, 45011, 0, 0, 45009, 45009, 0}, got); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
	value, err := w.Token(app)
	w.do(err)
	_, body, err := w.call(http.MethodPost, PathQuotaGet+"?access_token="+value, `{"cgi_path":"/cgi-bin/message/subscribe/send"}`)
	w.do(err)
	var quota struct {
		Quota map[string]int `json:"quota"`
		Rate  map[string]int `json:"rate_limit"`
	}
	w.do(json.Unmarshal([]byte(body), &quota))
	if diff := cmp.Diff(map[string]int{"daily_limit": 5, "used": 1, "remain": 4}, quota.Quota); diff != "" {
		t.Errorf("quota (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"call_count": 3, "refresh_second": 60}, quota.Rate); diff != "" {
		t.Errorf("rate_limit (-want +got):\n%s", diff)
	}
	if a := w.post(PathQuotaGet+"?access_token="+value, `{"cgi_path":"/x"}`); a.Code != 76021 {
		t.Errorf("unknown cgi_path: %+v, want 76021", a)
	}
	w.do(w.SetQuota(app, PathSend, Quota{PerDay: 1}))
	if a := w.send("u", bill); a.Code != 45009 {
		t.Errorf("after the quota was cut: %+v, want 45009", a)
	}
}

func TestGetTemplate(t *testing.T) {
	w := newWorld(t)
	w.do(w.AddTemplate(app, Template{ID: "T-enum", Title: "状态", Kind: LongTerm, Content: "状态:{{enum_string2.DATA}}",
		Enums: map[string][]string{"enum_string2": {"正常", "停运"}}}))
	value, err := w.Token(app)
	w.do(err)
	_, body, err := w.call(http.MethodGet, PathGetTemplate+"?access_token="+value, "")
	w.do(err)
	var got struct {
		Code int              `json:"errcode"`
		Data []map[string]any `json:"data"`
	}
	w.do(json.Unmarshal([]byte(body), &got))
	want := []map[string]any{
		{"priTmplId": order, "title": "订单通知", "content": "订单号:{{character_string1.DATA}}\n商品:{{thing2.DATA}}", "example": "", "type": 2.0},
		{"priTmplId": bill, "title": "账单通知", "content": "金额:{{amount1.DATA}}", "example": "", "type": 3.0},
		{"priTmplId": "T-enum", "title": "状态", "content": "状态:{{enum_string2.DATA}}", "example": "", "type": 3.0,
			"keywordEnumValueList": []any{map[string]any{"keywordCode": "enum_string2.DATA", "enumValueList": []any{"正常", "停运"}}}},
	}
	if diff := cmp.Diff(want, got.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
}

func TestReadingInterfacesCheckMethodAndToken(t *testing.T) {
	w := newWorld(t)
	value, err := w.Token(app)
	w.do(err)
	tests := []struct {
		name, method, path, token, body string
		want                            int
	}{
		{"gettemplate is a GET", http.MethodPost, PathGetTemplate, value, "", 43001},
		{"gettemplate needs a token", http.MethodGet, PathGetTemplate, "", "", 41001},
		{"gettemplate needs a good token", http.MethodGet, PathGetTemplate, "x", "", 40001},
		{"quota/get is a POST", http.MethodGet, PathQuotaGet, value, "", 43002},
		{"quota/get takes JSON", http.MethodPost, PathQuotaGet, value, "cgi_path", 47001},
		{"quota/get needs a token", http.MethodPost, PathQuotaGet, "", "{}", 41001},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := w.must(w.call(tt.method, tt.path+"?access_token="+tt.token, tt.body)); got.Code != tt.want {
				t.Errorf("%+v, want %d", got, tt.want)
			}
		})
	}
}

func newServiceWorld(t *testing.T) *world {
	return newWorld(t, func(c *Config) {
		c.Accounts[0].Kind = ServiceAccount
		c.Accounts[0].Templates = append(c.Accounts[0].Templates, Template{ID: "T-old", Kind: TemplateMessage, Content: "{{first.DATA}}\n单号:{{keyword1.DATA}}"})
	})
}

func TestServiceAccounts(t *testing.T) {
	w := newServiceWorld(t)
	value, err := w.Token(app)
	w.do(err)
	post := func(path, body string) answer { return w.post(path+"?access_token="+url.QueryEscape(value), body) }
	old := `{"touser":"u","template_id":"T-old","client_msg_id":"c1","data":{"first":{"value":"您好"},"keyword1":{"value":"1"}}}`
	w.do(w.Accept(app, "u", order))

	if got := post(PathBizSend, sendBody("u", order)); got.Code != 0 {
		t.Errorf("bizsend: %+v, want 0", got)
	}
	if got := post(PathSend, sendBody("u", order)); got.Code != 48001 {
		t.Errorf("the mini program's interface: %+v, want 48001", got)
	}
	if got := post(PathTemplateSend, sendBody("u", order)); got.Code != 40037 {
		t.Errorf("template/send with a subscription template: %+v, want 40037", got)
	}
	if got := post(PathBizSend, old); got.Code != 40037 {
		t.Errorf("bizsend with an old template: %+v, want 40037", got)
	}
	first := post(PathTemplateSend, old)
	if first.Code != 0 {
		t.Fatalf("template/send to a follower: %+v, want 0", first)
	}
	if again := post(PathTemplateSend, old); again.Code != 0 || again.MsgID != first.MsgID || w.Standing(app, "u", "T-old").Received != 1 {
		t.Errorf("same client_msg_id: %+v and %d received, want the first msgid and 1", again, w.Standing(app, "u", "T-old").Received)
	}
	w.clock.Add(10 * time.Minute)
	if again := post(PathTemplateSend, old); again.MsgID == first.MsgID {
		t.Error("client_msg_id is still remembered after ten minutes")
	}
	w.do(w.Unfollow(app, "u"))
	if got := post(PathTemplateSend, old); got.Code != 43004 {
		t.Errorf("template/send to one who left: %+v, want 43004", got)
	}
}

func TestAMiniProgramMayNotUseTheServiceAccountsInterface(t *testing.T) {
	w := newWorld(t)
	target := strings.Replace(w.sendTarget(), PathSend, PathBizSend, 1)
	if got := w.post(target, sendBody("u", order)); got.Code != 48001 {
		t.Errorf("%+v, want 48001", got)
	}
}

func TestConcurrentSendsNeverExceedTheCredits(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Accounts[0].AllowSimultaneous = true })
	w.do(w.Grant(app, "u", order, 50))
	target := w.sendTarget()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 10 {
				if got, err := decode(w.call(http.MethodPost, target, sendBody("u", order))); err != nil || got.Code != 0 && got.Code != 43101 {
					t.Errorf("%+v, %v, want 0 or 43101", got, err)
				}
			}
		})
	}
	wg.Wait()
	if st := w.Standing(app, "u", order); st.Received != 50 || st.Credits != 0 || st.Refused != 110 {
		t.Errorf("%+v, want 50 received, none left, 110 refused", st)
	}
	if peak := w.Totals(app).PeakSends; peak != 50 {
		t.Errorf("peak of %d a second, want all 50 in the one second that passed", peak)
	}
}
