package wechat

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

const sendPath = "/cgi-bin/message/subscribe/send"

func TestSendToAMiniProgramHasTheDocumentedBody(t *testing.T) {
	l := newLab(t)
	r := l.send(l.client())
	want := submsg.Result{Answered: true, Msg: "ok", MsgID: 1988810812324364291}
	if r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
	body := `{"touser":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o","template_id":"hD-ixGOhYmUfjOnI8MCzQMPshzGVeux_2vzyvQu7O68",` +
		`"page":"pages/order/index?id=7","data":{"amount2":{"value":"28.00元"},"character_string3":{"value":"A2025112107"},` +
		`"thing1":{"value":"拿铁 大杯"}},"miniprogram_state":"formal","lang":"zh_CN"}`
	if diff := cmp.Diff([]string{body}, l.wechat.sent); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"POST " + tokenPath, "POST " + sendPath}, l.wechat.paths); diff != "" {
		t.Error(diff)
	}
}

func TestSendFromAServiceAccountHasTheDocumentedBody(t *testing.T) {
	cases := map[string]struct{ miniprogram, page, want string }{
		"web page":                      {"", "https://example.com/o/7", `"page":"https://example.com/o/7",`},
		"web page, mini program linked": {"wxaaaaaaaaaaaaaaaa", "https://example.com/o/7", `"page":"https://example.com/o/7",`},
		"mini program page":             {"wxaaaaaaaaaaaaaaaa", "pages/o?id=7", `"miniprogram":{"appid":"wxaaaaaaaaaaaaaaaa","pagepath":"pages/o?id=7"},`},
		"no page":                       {"wxaaaaaaaaaaaaaaaa", "", ``},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			c := l.client(func(cfg *Config) {
				cfg.Apps[0].Kind, cfg.Apps[0].Miniprogram = ServiceAccount, tc.miniprogram
			})
			m := submsg.Message{OpenID: testOpenID, TemplateID: "T", Page: tc.page, Data: map[string]string{"thing1": "x"}}
			if r := c.Send(context.Background(), testApp, m); !r.Answered || r.Code != 0 {
				t.Fatalf("got %+v", r)
			}
			want := `{"touser":"` + testOpenID + `","template_id":"T",` + tc.want + `"data":{"thing1":{"value":"x"}}}`
			if diff := cmp.Diff([]string{want}, l.wechat.sent); diff != "" {
				t.Error(diff)
			}
			if l.wechat.count("/cgi-bin/message/subscribe/bizsend") != 1 {
				t.Error("bizsend was not called")
			}
		})
	}
}

func TestOtherVersionsAndLanguagesCanBeChosen(t *testing.T) {
	l := newLab(t)
	l.mustSend(l.client(func(cfg *Config) { cfg.Apps[0].MiniprogramState, cfg.Apps[0].Lang = "trial", "en_US" }))
	if !strings.HasSuffix(l.wechat.sent[0], `"miniprogram_state":"trial","lang":"en_US"}`) {
		t.Errorf("sent %s", l.wechat.sent[0])
	}
}

// answers are HTTP responses to a send, and what the result must be.
func TestResultTellsWhatTheAnswerSays(t *testing.T) {
	write := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
	}
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); io.WriteString(w, body) }
	}
	cases := map[string]struct {
		answer http.HandlerFunc
		want   submsg.Result // without Err
	}{
		"accepted, without msgid":     {write(`{"errcode":0,"errmsg":"ok"}`), submsg.Result{Answered: true, Msg: "ok"}},
		"accepted, msgid as string":   {write(`{"errcode":0,"errmsg":"ok","msgid":"1988810812324364291"}`), submsg.Result{Answered: true, Msg: "ok", MsgID: 1988810812324364291}},
		"accepted, msgid unreadable":  {write(`{"errcode":0,"errmsg":"ok","msgid":{"a":1}}`), submsg.Result{Answered: true, Msg: "ok"}},
		"accepted, with more members": {write(" {\"errmsg\" : \"ok\", \"x\":[1], \"errcode\" : 0}\n"), submsg.Result{Answered: true, Msg: "ok"}},
		"not subscribed": {write(`{"errcode":43101,"errmsg":"user refuse to accept the msg rid: 5f1e0c1b-2a3b4c5d-6e7f8a9b"}`),
			submsg.Result{Answered: true, Code: 43101, Msg: "user refuse to accept the msg rid: 5f1e0c1b-2a3b4c5d-6e7f8a9b", RID: "5f1e0c1b-2a3b4c5d-6e7f8a9b"}},
		"busy":                          {write(`{"errcode":-1,"errmsg":"system error"}`), submsg.Result{Answered: true, Code: -1, Msg: "system error"}},
		"a refusal that names the user": {write(`{"errcode":40003,"errmsg":"invalid openid ` + testOpenID + `"}`), submsg.Result{Answered: true, Code: 40003, Msg: "invalid openid [redacted]"}},
		"a Chinese refusal":             {write(`{"errcode":47003,"errmsg":"参数错误 \"thing1\""}`), submsg.Result{Answered: true, Code: 47003, Msg: `参数错误 "thing1"`}},
		"no errcode":                    {write(`{"errmsg":"ok"}`), submsg.Result{}},
		"errcode as text":               {write(`{"errcode":"0","errmsg":"ok"}`), submsg.Result{}},
		"errcode with a fraction":       {write(`{"errcode":0.5,"errmsg":"ok"}`), submsg.Result{}},
		"errcode null":                  {write(`{"errcode":null,"errmsg":"ok"}`), submsg.Result{}},
		"HTML":                          {write(`<html>ok</html>`), submsg.Result{}},
		"nothing":                       {write(``), submsg.Result{}},
		"JSON cut off":                  {write(`{"errcode":0,"errmsg":"o`), submsg.Result{}},
		"two answers":                   {write(`{"errcode":0,"errmsg":"ok"}{"errcode":1}`), submsg.Result{}},
		"more than 64 KB":               {write(`{"errcode":0,"errmsg":"` + strings.Repeat("x", maxAnswer) + `"}`), submsg.Result{}},
		"502":                           {status(502, `<html>Bad Gateway</html>`), submsg.Result{}},
		"500 with an errcode":           {status(500, `{"errcode":0,"errmsg":"ok"}`), submsg.Result{}},
		"404":                           {status(404, ``), submsg.Result{}},
		"a body shorter than announced": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`)
		}, submsg.Result{}},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, sendPath, http.StatusTemporaryRedirect)
		}, submsg.Result{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.wechat.answer = tc.answer
			got := l.send(l.client())
			got.Err = nil
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if len(l.wechat.sent) != 1 {
				t.Errorf("%d requests arrived, want one", len(l.wechat.sent))
			}
		})
	}
}

func TestLongAnswersWithinTheLimitAreRead(t *testing.T) {
	l := newLab(t)
	msg := strings.Repeat("x", 20_000)
	l.wechat.answer = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"errcode":1,"errmsg":%q}`, msg) }
	if r := l.send(l.client()); !r.Answered || r.Msg != msg {
		t.Errorf("answered %t with %d bytes", r.Answered, len(r.Msg))
	}
}

func TestConnectionsAreReused(t *testing.T) {
	l := newLab(t)
	dials := 0
	c := l.client(func(cfg *Config) {
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials++
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	})
	for range 20 {
		l.mustSend(c)
	}
	if dials != 1 {
		t.Errorf("dialled %d times", dials)
	}
}

func TestTLSIsVerified(t *testing.T) {
	l := newLab(t)
	secure := httptest.NewTLSServer(l.wechat)
	defer secure.Close()
	l.server = secure
	if r := l.send(l.client()); !r.NotSent {
		t.Errorf("an unknown certificate: %+v", r)
	}
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	c := l.client(func(cfg *Config) { cfg.RootCAs = roots })
	l.mustSend(c)
	l.mustSend(c)
}

func TestUnknownAppIsNotSent(t *testing.T) {
	l := newLab(t)
	c := l.client()
	if r := c.Send(context.Background(), "wxother", testMessage); !r.NotSent || r.Err == nil {
		t.Errorf("got %+v", r)
	}
	if _, err := c.Templates(context.Background(), "wxother"); err == nil {
		t.Error("templates of an unknown app")
	}
}

func TestCallersTraceStillWorks(t *testing.T) {
	l := newLab(t)
	c := l.client()
	got := 0
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { got++ }})
	for range 3 {
		if r := c.Send(ctx, testApp, testMessage); !r.Answered {
			t.Fatalf("got %+v", r)
		}
	}
	if got != 4 { // the token's call too: a renewal keeps the values of the context
		t.Errorf("the caller's trace saw %d connections", got)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	good := func() Config {
		return Config{Store: &tokenStore{}, Apps: []App{{AppID: "wx0", Secret: func(context.Context, bool) (string, error) { return "", nil }}}}
	}
	c, err := New(good())
	if err != nil {
		t.Fatal(err)
	}
	if got := c.apps["wx0"].send.String(); got != "https://api.weixin.qq.com/cgi-bin/message/subscribe/send" {
		t.Errorf("sends go to %s", got)
	}
	bad := map[string]func(*Config){
		"no store":           func(c *Config) { c.Store = nil },
		"no appid":           func(c *Config) { c.Apps[0].AppID = "" },
		"no secret":          func(c *Config) { c.Apps[0].Secret = nil },
		"an unknown kind":    func(c *Config) { c.Apps[0].Kind = "subscription_account" },
		"an app twice":       func(c *Config) { c.Apps = append(c.Apps, c.Apps[0]) },
		"no scheme":          func(c *Config) { c.Apps[0].BaseURL = "api.weixin.qq.com" },
		"another scheme":     func(c *Config) { c.Apps[0].BaseURL = "ftp://api.weixin.qq.com" },
		"no host":            func(c *Config) { c.Apps[0].BaseURL = "https:///x" },
		"a query in the URL": func(c *Config) { c.Apps[0].BaseURL = "https://api.weixin.qq.com?a=b" },
		"a user in the URL":  func(c *Config) { c.Apps[0].BaseURL = "https://a:b@api.weixin.qq.com" },
		"a URL in pieces":    func(c *Config) { c.Apps[0].BaseURL = "https://[::1" },
	}
	for name, change := range bad {
		cfg := good()
		change(&cfg)
		if c, err := New(cfg); err == nil || c != nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestTemplatesAreListed(t *testing.T) {
	l := newLab(t)
	l.wechat.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || r.URL.Path != "/wxaapi/newtmpl/gettemplate" {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		io.WriteString(w, `{"errcode":0,"errmsg":"ok","data":[
			{"priTmplId":"9Aw5ZV1j9xdWTFEkqCpZ7mIBbSC34khK55OtzUPl0rU","title":"报名结果通知","content":"会议时间:{{date2.DATA}}\n会议地点:{{thing1.DATA}}\n","example":"会议时间:2016年8月8日\n会议地点:TIT会议室\n","type":2},
			{"priTmplId":"cy_DfOZL7lypxHh3ja3DyAUbn1GYQRGwezuy5LBTFME","title":"洗衣机故障提醒","content":"完成时间:{{time1.DATA}}\n所在位置:{{enum_string2.DATA}}\n提示说明:{{enum_string3.DATA}}\n","example":"","type":3,
			 "keywordEnumValueList":[{"enumValueList":["客厅","餐厅","厨房"],"keywordCode":"enum_string2.DATA"},{"enumValueList":["设备发生故障"],"keywordCode":"enum_string3.DATA"}]}]}`)
	}
	c := l.client()
	want := []submsg.SyncedTemplate{
		{AppID: testApp, TemplateID: "9Aw5ZV1j9xdWTFEkqCpZ7mIBbSC34khK55OtzUPl0rU", Title: "报名结果通知",
			Content: "会议时间:{{date2.DATA}}\n会议地点:{{thing1.DATA}}\n", Example: "会议时间:2016年8月8日\n会议地点:TIT会议室\n",
			Type: 2, SyncedAt: submsg.At(l.clock.now())},
		{AppID: testApp, TemplateID: "cy_DfOZL7lypxHh3ja3DyAUbn1GYQRGwezuy5LBTFME", Title: "洗衣机故障提醒",
			Content: "完成时间:{{time1.DATA}}\n所在位置:{{enum_string2.DATA}}\n提示说明:{{enum_string3.DATA}}\n", Type: 3,
			Enums:    map[string][]string{"enum_string2": {"客厅", "餐厅", "厨房"}, "enum_string3": {"设备发生故障"}},
			SyncedAt: submsg.At(l.clock.now())},
	}
	got, err := c.Templates(context.Background(), testApp)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	l.wechat.with(func() { l.wechat.renew(l.clock.now()) })
	if got, err := c.Templates(context.Background(), testApp); err != nil || len(got) != 2 {
		t.Errorf("after the token was replaced elsewhere: %v, %v", got, err)
	}
}

func TestTemplatesThatAreRefusedOrUnreadableAreErrors(t *testing.T) {
	l := newLab(t)
	c := l.client()
	var body string
	l.wechat.answer = func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
	for _, body = range []string{`<html>`, `{}`, `[]`, `{"errcode":0`} {
		if got, err := c.Templates(context.Background(), testApp); err == nil || got != nil {
			t.Errorf("%s: %v, %v", body, got, err)
		}
	}
	body = `{"errcode":45009,"errmsg":"reach max api daily quota limit rid: 5f1e0c1b-2a3b4c5d-6e7f8a9b"}`
	_, err := c.Templates(context.Background(), testApp)
	var refused *APIError
	if !errors.As(err, &refused) || refused.Code != 45009 || refused.RID != "5f1e0c1b-2a3b4c5d-6e7f8a9b" || refused.Call != "gettemplate" {
		t.Errorf("got %v", err)
	}
	l.mustKeepSecrets(err.Error())
	body = `{"errcode":0,"errmsg":"ok","data":[]}`
	if got, err := c.Templates(context.Background(), testApp); err != nil || len(got) != 0 {
		t.Errorf("an empty list: %v, %v", got, err)
	}
}

func TestCodesAreOrderedAndExplainedInBothLanguages(t *testing.T) {
	for i, c := range codes {
		if i > 0 && codes[i-1].Code >= c.Code {
			t.Errorf("%d stands behind %d", c.Code, codes[i-1].Code)
		}
		if c.ZH == "" || c.EN == "" {
			t.Errorf("%d is not explained in both languages", c.Code)
		}
		if got, ok := Lookup(c.Code); !ok || got != c {
			t.Errorf("%d is not found", c.Code)
		}
	}
	// Every code of the error table of the sending API must be there.
	for _, code := range []int{0, -1, 40001, 40014, 42001, 41001, 40003, 40037, 41030, 40165, 43101, 43107, 43108, 45168, 47003, 47001,
		45009, 45011, 48001, 48004, 50002, 61007, 40164, 40125, 40243} {
		if _, ok := Lookup(code); !ok {
			t.Errorf("%d is not explained", code)
		}
	}
	if _, ok := Lookup(99999); ok {
		t.Error("a code that does not exist is explained")
	}
}

func TestRidIsFoundInTheErrmsg(t *testing.T) {
	for msg, want := range map[string]string{
		"ok": "", "": "", "rid:": "",
		"invalid openid rid: 5f1e0c1b-2a3b4c5d-6e7f8a9b":               "5f1e0c1b-2a3b4c5d-6e7f8a9b",
		"argument invalid! data.thing1.value i, rid: 5f1e0c1b-2a, ...": "5f1e0c1b-2a",
	} {
		if got := ridOf(msg); got != want {
			t.Errorf("%q: %q, want %q", msg, got, want)
		}
	}
}

func TestTextIsEscapedAsJSON(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, s string) {
		var back string
		if err := json.Unmarshal(appendString(nil, s), &back); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if want := string([]rune(s)); back != want { // each byte that is not UTF-8 becomes U+FFFD
			t.Fatalf("%q came back as %q", s, back)
		}
	}
	for _, s := range []string{"", `"quoted" \back`, "line\nbreak\ttab\r\x00\x1f\x7f", "汉字 🎉 \u2028", "bad\xff\xfe utf", "cut \xe6\xb1", "<b>&amp;</b>", "\uFFFD"} {
		check(t, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.String().Draw(t, "text"))
		check(t, string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")))
	})
}
