package httpapi

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/wechat"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// fakeReceiver answers what the test says.
type fakeReceiver struct {
	echo string
	ev   submsg.PushEvent
	err  error
	body string
}

func (f *fakeReceiver) Echo(context.Context, string) (string, error) { return f.echo, f.err }

func (f *fakeReceiver) Event(_ context.Context, _ string, body []byte) (submsg.PushEvent, error) {
	f.body = string(body)
	return f.ev, f.err
}

type fakePushError struct {
	code   string
	status int
}

func (e *fakePushError) Error() string { return "what is wrong: " + e.code }
func (e *fakePushError) Code() string  { return e.code }
func (e *fakePushError) Status() int   { return e.status }

func withReceiver(r PushReceiver) func(*Config) {
	return func(c *Config) { c.Push = map[string]PushReceiver{appid: r} }
}

func TestWeChatsCheckGetsItsEchoAndNothingElse(t *testing.T) {
	w := newWorld(t, withReceiver(&fakeReceiver{echo: `<b>"5837"</b>`}))
	got := w.as("", "GET", "/wechat/"+appid+"?echostr=x", nil).want(200)
	if got.Body.String() != `<b>"5837"</b>` || got.Header().Get("Content-Type") != "text/plain; charset=utf-8" || got.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v %q", got.Header(), got.Body)
	}
	w.as("", "GET", "/wechat/"+other, nil).want(404, "unknown_app")
	w.as("", "POST", "/wechat/wxnobody", "{}").want(404, "unknown_app")
}

func TestAPushIsAnsweredWithSuccessOrWithWhatIsWrong(t *testing.T) {
	for name, tt := range map[string]struct {
		receiver fakeReceiver
		body     string
		status   int
		code     string
	}{
		"an event that means nothing here": {fakeReceiver{ev: submsg.PushEvent{Name: "unsubscribe"}}, "{}", 200, ""},
		"a signature that is wrong":        {fakeReceiver{err: &fakePushError{"bad_signature", 401}}, "{}", 401, "bad_signature"},
		"a body that cannot be read":       {fakeReceiver{err: &fakePushError{"bad_body", 400}}, "{}", 400, "bad_body"},
		"a status that is none":            {fakeReceiver{err: &fakePushError{"wrong_mode", 0}}, "{}", 400, "wrong_mode"},
		"a secret that cannot be fetched":  {fakeReceiver{err: errors.New("vault: connection refused")}, "{}", 503, "unavailable"},
		"a body over a megabyte":           {fakeReceiver{}, strings.Repeat("x", 1<<20+1), 413, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withReceiver(&tt.receiver))
			got := w.as("", "POST", "/wechat/"+appid, tt.body).want(tt.status)
			if tt.status == 200 && got.Body.String() != "success" || tt.status != 200 && got.text("code") != tt.code {
				t.Errorf("%s", got.Body)
			}
			if contains(got.Body.String(), "vault") {
				t.Errorf("the answer shows internals: %s", got.Body)
			}
			if tt.receiver.err != nil && !contains(w.log.String(), tt.receiver.err.Error()) {
				t.Errorf("the log does not say what was wrong: %s", w.log)
			}
		})
	}
}

func TestAPushThatCannotBeRecordedIsToBeDeliveredAgain(t *testing.T) {
	w := newWorld(t, withReceiver(&fakeReceiver{ev: submsg.PushEvent{Name: submsg.EventPopup, OpenID: alice, At: submsg.At(morning), Fingerprint: 1, Items: []submsg.PushItem{{TemplateID: order, Status: "accept"}}}}))
	broken := errors.New("connection refused")
	w.store.fail.Store(&broken)
	w.as("", "POST", "/wechat/"+appid, "{}").want(503, "unavailable")
	w.store.fail.Store(nil)
	for range 3 {
		w.as("", "POST", "/wechat/"+appid, "{}").want(200)
	}
	if got := w.call("GET", "/subscribers/"+alice, nil).want(200); got.text("subscriptions", 0, "credits") != "1" {
		t.Errorf("after three deliveries: %s", got.Body)
	}
	if contains(w.log.String(), alice) {
		t.Errorf("the log shows an openid: %s", w.log)
	}
}

// realReceiver is WeChat's own signature and encryption.
type realReceiver struct{ push *wechat.Push }

func (r realReceiver) Echo(_ context.Context, query string) (string, error) {
	echo, err := r.push.CheckURL(wechat.ParsePushQuery(query))
	return echo, named(err)
}

func (r realReceiver) Event(_ context.Context, query string, body []byte) (submsg.PushEvent, error) {
	ev, err := r.push.Decode(wechat.ParsePushQuery(query), body)
	if err != nil {
		return submsg.PushEvent{}, named(err)
	}
	return ev.PushEvent(), nil
}

func named(err error) error {
	if fault := (*wechat.PushError)(nil); errors.As(err, &fault) {
		return &fakePushError{string(fault.Fault), 0}
	}
	return err
}

func TestEveryFaultOfAPushHasAnAnswer(t *testing.T) {
	for _, fault := range []wechat.PushFault{wechat.BadSignature, wechat.BadEncryption, wechat.WrongAppID, wechat.WrongMode, wechat.BadBody, wechat.TooLarge} {
		if kinds[submsg.Code(fault)].status == 0 {
			t.Errorf("%s has no status", fault)
		}
	}
}

func TestPushesOfTheSimulatorReachTheLedger(t *testing.T) {
	const token, aesKey = "push-token-of-the-app", "c2FuZGJveC1hZXMta2V5LWZvci15dWV4aW4tMDEyMzQ"
	push, err := wechat.NewPush(wechat.PushConfig{AppID: appid, Token: token, AESKey: aesKey, Mode: wechat.PushSecure})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, withReceiver(realReceiver{push}))
	sim, err := wechattest.New(wechattest.Config{Now: w.now, ManualPushes: true, Seed: 1, Accounts: []wechattest.Account{{
		AppID: appid, Secret: "secret-of-the-app", Templates: []wechattest.Template{{ID: order, Title: "订单状态通知", Kind: wechattest.OneTime, Content: "订单:{{character_string1.DATA}}"}},
		Callback: wechattest.Callback{URL: "http://callback.test/wechat/" + appid, Handler: w.api, Token: token, AESKey: aesKey, Copies: 3, Encoding: wechattest.Encoding{Mode: wechattest.Secure, Format: wechattest.XML}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	if err := sim.VerifyURL(t.Context(), appid); err != nil {
		t.Errorf("the URL check: %v", err)
	}
	if err := sim.Accept(appid, alice, order); err != nil {
		t.Fatal(err)
	}
	for _, out := range sim.DeliverAll() {
		if !out.Acknowledged {
			t.Errorf("a push was answered %d %s", out.Status, out.Answer)
		}
	}
	w.accept(alice, "order", 1) // the mini program reports the same accept
	sub := w.call("GET", "/subscribers/"+alice, nil).want(200)
	if sub.text("subscriptions", 0, "credits") != "1" {
		t.Errorf("one accept in two feeds, pushed three times: %s", sub.Body)
	}
	req, _, err := sim.URLCheck(appid)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.RawQuery = strings.Replace(req.URL.RawQuery, "signature=", "signature=0", 1)
	w.serve(httptest.NewRequest("GET", req.URL.RequestURI(), nil), nil).want(401, "bad_signature")
	for _, secret := range []string{alice, token, aesKey} {
		if contains(w.log.String(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
}
