// Package sandbox is a WeChat to play with: the simulator, one account with templates, and the configuration that
// goes with them. Nothing in it is secret and nothing leaves the machine.
package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/setup"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// What the sandbox is made of; the README's examples name these.
const (
	AppID = "wx5a4db0x000000001"
	Key   = "sandbox-key"

	Order = "orderNoticeTemplate00000000000000000000001A" // one-time
	Bill  = "monthlyBillTemplate00000000000000000000002B" // long-term
	Bus   = "busLineAlertTemplate0000000000000000000003C" // long-term, by topic

	secret    = "sandbox-app-secret-not-a-secret"
	pushToken = "sandboxpushtoken"
	aesKey    = "c2FuZGJveC1hZXMta2V5LWZvci15dWV4aW4tMDEyMzQ"
)

var templates = []struct {
	name string
	wechattest.Template
	scenes []string
}{
	{"order", wechattest.Template{ID: Order, Title: "订单状态通知", Kind: wechattest.OneTime, Content: "订单号:{{character_string1.DATA}}\n订单状态:{{phrase2.DATA}}\n温馨提示:{{thing3.DATA}}"}, []string{"pay"}},
	{"monthly_bill", wechattest.Template{ID: Bill, Title: "账单通知", Kind: wechattest.LongTerm, Content: "账单月份:{{date1.DATA}}\n应缴金额:{{amount2.DATA}}"}, []string{"bills"}},
	{"bus_alert", wechattest.Template{ID: Bus, Title: "线路延误提醒", Kind: wechattest.LongTerm, Content: "线路:{{thing1.DATA}}\n预计延误:{{thing2.DATA}}"}, []string{"bus"}},
}

// Sandbox is the simulator with its configuration.
type Sandbox struct {
	Sim    *wechattest.Sim
	Config *setup.Config
}

// Options shape a sandbox. Address is where the application and the simulator will both be reached.
type Options struct {
	Address       string // host:port
	Store         string // path of the embedded store's file
	Now           func() time.Time
	ProviderHosts []string // hosts that content may be asked from; "" none
	Copies        int      // deliveries of each push though it was acknowledged; 1 when zero
	Extra         string   // more members of the app, as YAML indented by four
}

// New builds a sandbox.
func New(o Options) (*Sandbox, error) {
	account := wechattest.Account{
		AppID: AppID, Secret: secret,
		Callback: wechattest.Callback{
			URL: "http://" + o.Address + "/wechat/" + AppID, Token: pushToken, AESKey: aesKey, Copies: o.Copies,
			Encoding: wechattest.Encoding{Mode: wechattest.Secure, Format: wechattest.XML},
		},
	}
	for _, t := range templates {
		account.Templates = append(account.Templates, t.Template)
	}
	sim, err := wechattest.New(wechattest.Config{Accounts: []wechattest.Account{account}, Now: o.Now, Seed: 1})
	if err != nil {
		return nil, err
	}
	cfg, err := setup.Parse([]byte(o.yaml()), "sandbox.yaml", true)
	if err != nil {
		return nil, err
	}
	return &Sandbox{Sim: sim, Config: cfg}, nil
}

// Mount serves the simulator and the application on one port: WeChat's own paths and the simulator's controls
// under /_sim/ go to the simulator, everything else to app.
func (s *Sandbox) Mount(app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, prefix := range []string{"/_sim/", "/cgi-bin/", "/wxaapi/"} {
			if strings.HasPrefix(r.URL.Path, prefix) {
				s.Sim.ServeHTTP(w, r)
				return
			}
		}
		app.ServeHTTP(w, r)
	})
}

func (o Options) yaml() string {
	sum := sha256.Sum256([]byte(Key))
	var b strings.Builder
	fmt.Fprintf(&b, `listen: %s
store: {kind: embedded, path: %q}
apps:
  - appid: %s
    base_url: http://%s
    kind: mini_program
    secret: %s
    push: {token: %s, aes_key: %s, mode: secure}
    time_zone: Asia/Shanghai
    categories: [finance, transport]
    rate: 500
`, o.Address, o.Store, AppID, o.Address, secret, pushToken, aesKey)
	if len(o.ProviderHosts) > 0 {
		fmt.Fprintf(&b, "    provider: {hosts: [%q], secret: sandbox-provider-key}\n", strings.Join(o.ProviderHosts, `", "`))
	}
	b.WriteString(o.Extra)
	b.WriteString("    templates:\n")
	for _, t := range templates {
		fmt.Fprintf(&b, "      - {id: %s, name: %s, kind: %s, title: %s, content: %q, page: pages/%s, scenes: [%s]}\n", t.ID, t.name, t.Kind, t.Title, t.Content, t.name, strings.Join(t.scenes, ", "))
	}
	fmt.Fprintf(&b, "api_keys:\n  - {name: sandbox, sha256: %s, scopes: [grants, sends, schedules, read], apps: [%q]}\n", hex.EncodeToString(sum[:]), AppID)
	return b.String()
}
