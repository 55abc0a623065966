package wechattest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	app       = "wx0123456789abcdef"
	secret    = "the-secret"
	gh        = "gh_97417a04a28d"
	pushToken = "AAAAA"
	aesKey    = "kJ8sZ1xQ0vB7nM3aW5eR9tY2uI6oP4dF8gH0jK1lZxM"

	order = "T-order" // one-time
	bill  = "T-bill"  // long-term
)

// clockAt is a clock that moves only when told to.
type clockAt struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clockAt) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clockAt) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a Sim with one mini program, and a client for it.
type world struct {
	*Sim
	t     *testing.T
	clock *clockAt
	http  *http.Client
}

func newWorld(t *testing.T, change ...func(*Config)) *world {
	t.Helper()
	clock := &clockAt{now: time.Date(2026, 11, 5, 9, 0, 0, 0, shanghai)}
	cfg := Config{Now: clock.Now, Seed: 1, ManualPushes: true, Accounts: []Account{{
		AppID: app, Secret: secret, OriginalID: gh, Kind: MiniProgram,
		Templates: []Template{
			{ID: order, Title: "订单通知", Kind: OneTime, Content: "订单号:{{character_string1.DATA}}\n商品:{{thing2.DATA}}"},
			{ID: bill, Title: "账单通知", Kind: LongTerm, Content: "金额:{{amount1.DATA}}"},
		},
	}}}
	for _, c := range change {
		c(&cfg)
	}
	sim, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	return &world{Sim: sim, t: t, clock: clock, http: sim.Client()}
}

// answer is any JSON answer of WeChat.
type answer struct {
	Code    int    `json:"errcode"`
	Text    string `json:"errmsg"`
	MsgID   int64  `json:"msgid"`
	Token   string `json:"access_token"`
	Expires int    `json:"expires_in"`
}

// call makes a request and returns the status, the raw body and the error of the transport.
func (w *world) call(method, target, body string) (int, string, error) {
	req, err := http.NewRequest(method, "http://wechat.invalid"+target, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// post is call for an answer that must be JSON.
func (w *world) post(target, body string) answer {
	w.t.Helper()
	return w.must(w.call(http.MethodPost, target, body))
}

func (w *world) must(status int, body string, err error) answer {
	w.t.Helper()
	a, err := decode(status, body, err)
	w.do(err)
	return a
}

// decode reads an answer that must be JSON; for goroutines, which may not end the test.
func decode(status int, body string, err error) (answer, error) {
	var a answer
	if err != nil || status != http.StatusOK {
		return a, fmt.Errorf("status %d, body %q, error %v", status, body, err)
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		return a, fmt.Errorf("body %q: %v", body, err)
	}
	return a, nil
}

func sendBody(openID, templateID string) string {
	data := `{"character_string1":{"value":"A-1"},"thing2":{"value":"苹果"}}`
	if templateID == bill {
		data = `{"amount1":{"value":"¥12.50"}}`
	}
	return fmt.Sprintf(`{"touser":%q,"template_id":%q,"page":"pages/index","miniprogram_state":"formal","lang":"zh_CN","data":%s}`,
		openID, templateID, data)
}

func (w *world) sendTarget() string {
	w.t.Helper()
	value, err := w.Token(app)
	if err != nil {
		w.t.Fatal(err)
	}
	return PathSend + "?access_token=" + url.QueryEscape(value)
}

// send sends a valid message with the current token.
func (w *world) send(openID, templateID string) answer {
	w.t.Helper()
	return w.post(w.sendTarget(), sendBody(openID, templateID))
}

func (w *world) do(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestNew(t *testing.T) {
	ok := Account{AppID: app, Templates: []Template{{ID: "T", Kind: OneTime, Content: "{{thing1.DATA}}"}}}
	tests := []struct {
		name    string
		account Account
		want    string // part of the error; empty for none
	}{
		{"a plain account is accepted", ok, ""},
		{"an account needs an appid", Account{}, "without an appid"},
		{"an account has a kind that exists", Account{AppID: app, Kind: "shop"}, `kind "shop"`},
		{"a template needs an id", Account{AppID: app, Templates: []Template{{Kind: OneTime, Content: "{{thing1.DATA}}"}}}, "without an id"},
		{"a template needs a kind", Account{AppID: app, Templates: []Template{{ID: "T", Content: "{{thing1.DATA}}"}}}, "kind"},
		{"a template needs a field", Account{AppID: app, Templates: []Template{{ID: "T", Kind: OneTime, Content: "hello"}}}, "{{key.DATA}}"},
		{"a template's period exists", Account{AppID: app, Templates: []Template{{ID: "T", Kind: LongTermLimited, Period: "week", Content: "{{thing1.DATA}}"}}}, `period "week"`},
		{"secure mode needs a key", Account{AppID: app, Callback: Callback{Encoding: Encoding{Mode: Secure}}}, "43 base64"},
		{"a mode exists", Account{AppID: app, Callback: Callback{Encoding: Encoding{Mode: "open"}}}, `mode "open"`},
		{"a callback URL is absolute", Account{AppID: app, Callback: Callback{URL: "/wechat"}}, "absolute URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := New(Config{Accounts: []Account{tt.account}})
			switch {
			case err == nil && tt.want != "":
				t.Fatalf("accepted, want an error with %q", tt.want)
			case err != nil && (tt.want == "" || !strings.Contains(err.Error(), tt.want)):
				t.Fatalf("error %q, want %q", err, tt.want)
			case err == nil:
				s.Close()
			}
		})
	}
	if _, err := New(Config{Accounts: []Account{ok, ok}}); err == nil {
		t.Error("two accounts with one appid were accepted")
	}
}

func TestActsOnUnknownThingsAreErrors(t *testing.T) {
	w := newWorld(t)
	for name, err := range map[string]error{
		"an unknown app":               w.Accept("wx", "u", order),
		"an unknown template":          w.Accept(app, "u", order, "T-none"),
		"a status that does not exist": w.Popup(app, "u", Decision{order, "maybe"}),
		"no template":                  w.Accept(app, "u"),
		"no user":                      w.Accept(app, "", order),
		"granting an unknown template": w.Grant(app, "u", "T-none", 1),
		"banning an unknown template":  w.BanTemplate(app, "T-none", true),
		"deleting one":                 w.DeleteTemplate(app, "T-none"),
		"a second template of one id":  w.AddTemplate(app, Template{ID: order, Kind: OneTime, Content: "{{thing1.DATA}}"}),
		"a callback that cannot be":    w.SetCallback(app, Callback{URL: "nowhere"}),
	} {
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if got := w.Credits(app, "u", order); got != 0 {
		t.Errorf("a panel with one unknown template left %d credits, want none", got)
	}
}

func TestUnknownPathsAndTokensAreCountedApart(t *testing.T) {
	w := newWorld(t)
	if a := w.post("/cgi-bin/nothing", ""); a.Code != 40066 {
		t.Errorf("unknown path: %+v, want 40066", a)
	}
	if a := w.post(PathSend, "{}"); a.Code != 41001 {
		t.Errorf("no token: %+v, want 41001", a)
	}
	if a := w.post(PathSend+"?access_token=invented", "{}"); a.Code != 40001 {
		t.Errorf("invented token: %+v, want 40001", a)
	}
	totals := w.Totals("")
	if totals.Answered(PathSend, "41001") != 1 || totals.Answered(PathSend, "40001") != 1 || totals.Answered("/cgi-bin/nothing", "40066") != 1 {
		t.Errorf("stray calls: %+v", totals.Calls)
	}
}
