package functions_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/dynamotest"
	"github.com/yuexin-dev/yuexin/shared/platformtest"
	"github.com/yuexin-dev/yuexin/shared/redistest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// What the sample events are about.
const (
	appID    = "wx0123456789abcdef"
	openID   = "oABC-1d_efGHIjkLMnopQRstUVwx"
	template = "aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789_-abcde"
	content  = "账单月份:{{time1.DATA}}\n应缴金额:{{amount2.DATA}}"
	apiKey   = "sample-key"
	secret   = "an app secret that no log may show"
	token    = "AAAAA" // of the message push, with which the samples are signed
)

// cloud is where functions run: a fake of a platform, and what it is built and configured with.
type cloud struct {
	events  string // folder of the sample events
	tags    string
	runtime func(t testing.TB, binary string, env map[string]string) platformtest.Runtime
	store   func(t *testing.T) store
}

// store is a member of the configuration, with the environment that goes with it.
type store struct {
	yaml string
	env  map[string]string
	// alone: one process at a time may use it.
	alone bool
}

func lambda(t testing.TB, binary string, env map[string]string) platformtest.Runtime {
	return platformtest.Lambda(t, binary, env)
}

func scfGo(t testing.TB, binary string, env map[string]string) platformtest.Runtime {
	return platformtest.SCFGo(t, binary, env)
}

func scfCustom(t testing.TB, binary string, env map[string]string) platformtest.Runtime {
	return platformtest.SCFCustom(t, binary, env)
}

func oneFile(t *testing.T) store {
	return store{yaml: fmt.Sprintf("{kind: embedded, path: %q}", filepath.Join(t.TempDir(), "yuexin.db")), alone: true}
}

func dynamoDB(t *testing.T) store {
	server := dynamotest.Start(t)
	return store{yaml: fmt.Sprintf("{kind: dynamodb, table: %s, endpoint: %q}", server.Table(), server.Endpoint)}
}

func redis(t *testing.T) store {
	return store{yaml: `{kind: redis, url: "env:YUEXIN_REDIS_URL"}`, env: map[string]string{"YUEXIN_REDIS_URL": redistest.Start(t).URL()}}
}

// clouds are the ways in which the functions are deployed. The first three need nothing that is not here.
var clouds = map[string]cloud{
	"Lambda":                       {"aws", tagsAll, lambda, oneFile},
	"SCF's Go runtime":             {"scf", tagsAll, scfGo, oneFile},
	"SCF's custom runtime":         {"scf", tagsAll, scfCustom, oneFile},
	"Lambda with DynamoDB":         {"aws", tagsAWS, lambda, dynamoDB},
	"SCF's Go runtime with Redis":  {"scf", tagsTencent, scfGo, redis},
	"SCF's custom one, with Redis": {"scf", tagsTencent, scfCustom, redis},
}

// deployment is the functions on a cloud, with a WeChat of their own.
type deployment struct {
	t       *testing.T
	cloud   cloud
	sim     *wechattest.Sim
	store   store
	env     map[string]string
	running map[string]platformtest.Runtime
}

// deploy writes the configuration; functions start when they are first called. more are members of the configuration, env
// variables of every function.
func deploy(t *testing.T, c cloud, more string, env map[string]string) *deployment {
	t.Helper()
	// Data is accepted as it is: whether WeChat takes a month alone in a time field, as the samples have it, is not asked here.
	sim, err := wechattest.New(wechattest.Config{SkipData: true, Accounts: []wechattest.Account{{
		AppID: appID, Secret: secret, Kind: wechattest.MiniProgram,
		Templates: []wechattest.Template{{ID: template, Title: "账单通知", Kind: wechattest.LongTerm, Content: content}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	weChat := httptest.NewServer(sim)
	t.Cleanup(weChat.Close)
	d := &deployment{t: t, cloud: c, sim: sim, store: c.store(t), env: map[string]string{}, running: map[string]platformtest.Runtime{}}
	sum := sha256.Sum256([]byte(apiKey))
	config := filepath.Join(t.TempDir(), "yuexin.yaml")
	text := fmt.Sprintf(`store: %s
%sapps:
  - appid: %s
    base_url: %s
    secret: env:WX_SECRET
    push: {token: env:WX_PUSH_TOKEN, mode: plain}
    categories: [finance]
    time_zone: Asia/Shanghai
    quiet_hours: "" # the samples are fed at any hour
    templates:
      - {id: %s, name: monthly_bill, kind: long_term, title: 账单通知, content: %q, page: pages/bill/index}
api_keys:
  - {name: backend, sha256: "%s", scopes: [grants, sends, schedules, read], apps: [%s]}
`, d.store.yaml, more, appID, weChat.URL, template, content, hex.EncodeToString(sum[:]), appID)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, set := range []map[string]string{{"YUEXIN_CONFIG": config, "WX_SECRET": secret, "WX_PUSH_TOKEN": token}, d.store.env, env} {
		for name, value := range set {
			d.env[name] = value
		}
	}
	return d
}

// function is one function of the deployment; its process starts with the first event.
func (d *deployment) function(name string) platformtest.Runtime {
	d.t.Helper()
	if f := d.running[name]; f != nil {
		return f
	}
	f := d.cloud.runtime(d.t, compile(d.t, d.cloud.tags, name), d.env)
	d.running[name] = f
	return f
}

// invoke has a function handle an event. Where the store is for one process, the one before is ended first. A function
// that fails ends the test.
func (d *deployment) invoke(name string, event []byte) []byte {
	d.t.Helper()
	if d.store.alone {
		for other, f := range d.running {
			if other != name {
				f.Terminate()
			}
		}
	}
	function := d.function(name) // which may have to be built: that time is not its own
	ctx, cancel := context.WithTimeout(d.t.Context(), 30*time.Second)
	defer cancel()
	answer, err := function.Invoke(ctx, event)
	if err != nil {
		d.t.Fatalf("%s: %v", name, err)
	}
	return answer
}

// httpAnswer is what a gateway makes of a function's answer.
type httpAnswer struct {
	status int
	kind   string // Content-Type
	body   string
}

// request is invoke for an event that is a request.
func (d *deployment) request(name string, event []byte) httpAnswer {
	d.t.Helper()
	raw := d.invoke(name, event)
	var answer struct {
		StatusCode      int            `json:"statusCode"`
		Headers         map[string]any `json:"headers"`
		Body            string         `json:"body"`
		IsBase64Encoded bool           `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		d.t.Fatalf("%s answered no HTTP answer: %s", name, raw)
	}
	if answer.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(answer.Body)
		if err != nil {
			d.t.Fatalf("%s: %v", name, err)
		}
		answer.Body = string(body)
	}
	kind, _ := answer.Headers["Content-Type"].(string)
	return httpAnswer{answer.StatusCode, kind, answer.Body}
}

// sample reads a sample event.
func (d *deployment) sample(file string) []byte {
	d.t.Helper()
	event, err := os.ReadFile(filepath.Join("..", "events", d.cloud.events, file))
	if err != nil {
		d.t.Fatal(err)
	}
	return event
}
