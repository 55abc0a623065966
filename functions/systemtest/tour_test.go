// Package systemtest_test plays the tour with the functions as they are deployed: built binaries in processes of their own,
// behind fakes of their clouds, over real servers, by the real clock.
package systemtest_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/functions/standalone/tour"
	"github.com/yuexin-dev/yuexin/shared/dynamotest"
	"github.com/yuexin-dev/yuexin/shared/platformtest"
	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/redistest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

const (
	appid        = "wx0123456789abcdef"
	apiKey       = "key-of-the-system-test"
	order        = "orderNoticeTemplate00000000000000000000001A"
	bill         = "monthlyBillTemplate00000000000000000000002B"
	orderContent = "订单号:{{character_string1.DATA}}\n订单状态:{{phrase2.DATA}}\n温馨提示:{{thing3.DATA}}"
	billContent  = "账单月份:{{date1.DATA}}\n应缴金额:{{amount2.DATA}}"

	audience     = 100
	unknownAfter = 30 * time.Second // the least that may be configured
	playTime     = 3 * time.Minute  // for a machine that has other things to do; the tour itself waits 75 s

	// limit is the time limit of every function.
	limit = 30 * time.Second
)

// secrets are what the configuration refers to by env:.
var secrets = map[string]string{
	"WX_SECRET":     "the-app-secret-of-the-system-test",
	"WX_PUSH_TOKEN": "pushtokenofthetest",
	"WX_AES_KEY":    "c2FuZGJveC1hZXMta2V5LWZvci15dWV4aW4tMDEyMzQ",
	"PROVIDER_KEY":  "the-provider-key-of-the-system-test",
}

// cloud is where the functions run.
type cloud struct {
	name string
	// open starts the servers that the functions need, and returns the store and queue members of their configuration,
	// and what starts the queue's deliveries once deliver is there.
	open func(t *testing.T) (config string, deliveries func(ctx context.Context, deliver platformtest.Runtime))
	run  func(t testing.TB, binary string, env map[string]string) platformtest.Runtime
	http func(platformtest.Runtime) http.Handler
	tick string // the timer's event
}

var clouds = []cloud{
	{
		name: "Lambda over DynamoDB and SQS", open: onAWS, http: platformtest.HTTPAPI, tick: "aws/schedule.eventbridge.scheduler.json",
		run: func(t testing.TB, binary string, env map[string]string) platformtest.Runtime {
			p := platformtest.Lambda(t, binary, env)
			p.Timeout = limit
			return p
		},
	},
	{
		name: "SCF's Go runtime over Redis", open: onTencent, http: platformtest.SCFURL, tick: "scf/schedule.timer.tick.json",
		run: func(t testing.TB, binary string, env map[string]string) platformtest.Runtime {
			p := platformtest.SCFGo(t, binary, env)
			p.Timeout = limit
			return p
		},
	},
	{
		name: "SCF's custom runtime over Redis", open: onTencent, http: platformtest.SCFURL, tick: "scf/schedule.timer.tick.json",
		run: func(t testing.TB, binary string, env map[string]string) platformtest.Runtime {
			p := platformtest.SCFCustom(t, binary, env)
			p.Timeout = limit
			return p
		},
	},
}

// The clouds play side by side, however few processors there are: they wait more than they work.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", strconv.Itoa(len(clouds))); err != nil { // -parallel outranks it
		panic(err)
	}
	os.Exit(m.Run())
}

func TestTheTourWithFunctionsAsProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for real verdicts, 80 seconds in all")
	}
	binaries := map[string]string{}
	for _, name := range []string{"grant", "send", "manage", "schedule", "deliver"} {
		binaries[name] = platformtest.Build(t, "../"+name)
	}
	for _, c := range clouds {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			play(t, c, binaries)
		})
	}
}

// play deploys the functions in a cloud and plays the tour there.
func play(t *testing.T, c cloud, binaries map[string]string) {
	ctx, cancel := context.WithTimeout(t.Context(), playTime)
	defer cancel()

	var application http.Handler // what the gateway leads to; set before anybody calls
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { application.ServeHTTP(w, r) }))
	t.Cleanup(gateway.Close)
	sim := weChat(t, gateway.URL)
	simServer := httptest.NewServer(sim)
	t.Cleanup(simServer.Close)
	provider := httptest.NewServer(tour.ProvideBills(secrets["PROVIDER_KEY"]))
	t.Cleanup(provider.Close)

	backing, deliveries := c.open(t)
	env := map[string]string{"YUEXIN_CONFIG": filepath.Join(t.TempDir(), "yuexin.yaml")}
	for name, value := range secrets {
		env[name] = value
	}
	config := backing + appConfig(simServer.URL, strings.TrimPrefix(provider.URL, "http://"))
	if err := os.WriteFile(env["YUEXIN_CONFIG"], []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	deploy := func(name string, instances int) *fleet {
		all := make([]platformtest.Runtime, instances)
		for i := range all {
			all[i] = c.run(t, binaries[name], env)
		}
		return newFleet(all...)
	}
	grant, send, manage, schedule, deliver := deploy("grant", 2), deploy("send", 2), deploy("manage", 1), deploy("schedule", 1), deploy("deliver", 2)
	application = route(c.http(grant), c.http(send), c.http(manage))
	event, err := os.ReadFile(filepath.Join("..", "..", "events", c.tick))
	if err != nil {
		t.Fatal(err)
	}
	working, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { deliveries(working, deliver) })
	background.Go(func() { every(working, time.Second, func() { tick(working, t, schedule, event) }) })
	defer background.Wait()
	defer stop()

	told := &account{began: time.Now()}
	err = tour.Run(ctx, tour.Stage{
		URL: gateway.URL, Key: apiKey, AppID: appid, Order: order, Bill: bill, Sim: sim, Now: time.Now, Pass: pass,
		Provider: provider.URL + "/bills", Audience: audience, UnknownAfter: unknownAfter, Out: told,
		BillAt: func() time.Time { return time.Now().Add(5 * time.Second).Truncate(time.Second).In(policy.Shanghai) },
	})
	t.Logf("\n%s", told)
	if err != nil {
		t.Error(err)
	}
	for _, f := range []*fleet{grant, send, manage, schedule, deliver} {
		quiet(t, f)
	}
}

// weChat is a simulator of WeChat that pushes each event three times.
func weChat(t *testing.T, gateway string) *wechattest.Sim {
	t.Helper()
	sim, err := wechattest.New(wechattest.Config{Seed: 1, Accounts: []wechattest.Account{{
		AppID: appid, Secret: secrets["WX_SECRET"],
		Templates: []wechattest.Template{
			{ID: order, Title: "订单状态通知", Kind: wechattest.OneTime, Content: orderContent},
			{ID: bill, Title: "账单通知", Kind: wechattest.LongTerm, Content: billContent},
		},
		Callback: wechattest.Callback{
			URL: gateway + "/wechat/" + appid, Token: secrets["WX_PUSH_TOKEN"], AESKey: secrets["WX_AES_KEY"], Copies: 3,
			Encoding: wechattest.Encoding{Mode: wechattest.Secure, Format: wechattest.XML},
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	return sim
}

// appConfig is the configuration but for its store and queue. There are no quiet hours: the test passes at any hour.
func appConfig(weChat, providerHost string) string {
	sum := sha256.Sum256([]byte(apiKey))
	return fmt.Sprintf(`
apps:
  - appid: %s
    base_url: %s
    kind: mini_program
    secret: env:WX_SECRET
    push: {token: env:WX_PUSH_TOKEN, aes_key: env:WX_AES_KEY, mode: secure}
    categories: [finance]
    rate: 500
    quiet_hours: ""
    unknown_after: %s
    provider: {hosts: [%q], secret: env:PROVIDER_KEY}
    templates:
      - {id: %s, name: order, kind: one_time, title: 订单状态通知, content: %q, page: pages/order/index, scenes: [pay]}
      - {id: %s, name: monthly_bill, kind: long_term, title: 账单通知, content: %q, page: pages/bill/index, scenes: [bills]}
api_keys:
  - {name: backend, sha256: %s, scopes: [grants, sends, schedules, read], apps: [%q]}
`, appid, weChat, unknownAfter, providerHost, order, orderContent, bill, billContent, hex.EncodeToString(sum[:]), appid)
}

func onAWS(t *testing.T) (string, func(context.Context, platformtest.Runtime)) {
	server := dynamotest.Start(t)
	queue := platformtest.NewSQS(t)
	config := fmt.Sprintf("store: {kind: dynamodb, table: %s, endpoint: %q}\nqueue: {kind: sqs, url: %q}", server.Table(), server.Endpoint, queue.QueueURL)
	t.Cleanup(func() {
		if dead := queue.DeadLetters(); len(dead) > 0 {
			t.Errorf("%d dead letters: %s", len(dead), dead)
		}
		if queue.Calls() == 0 {
			t.Error("nothing went through the queue")
		}
	})
	return config, func(ctx context.Context, deliver platformtest.Runtime) {
		queue.Deliver(ctx, deliver, platformtest.SQSTrigger{Visibility: limit + 5*time.Second, Duplicate: 0.2, Seed: 1})
	}
}

func onTencent(t *testing.T) (string, func(context.Context, platformtest.Runtime)) {
	server := redistest.Start(t)
	var deliver late
	api := platformtest.NewSCFAPI(t, map[string]platformtest.Runtime{"yuexin-deliver": &deliver})
	config := fmt.Sprintf("store: {kind: redis, url: %q}\nqueue: {kind: scf, function: yuexin-deliver, endpoint: %q}", server.URL(), api.Endpoint)
	t.Cleanup(func() {
		if len(api.Calls()) == 0 {
			t.Error("deliver was never invoked asynchronously")
		}
	})
	deliver.ready = make(chan struct{})
	return config, func(ctx context.Context, runtime platformtest.Runtime) {
		deliver.Runtime = runtime
		close(deliver.ready)
	}
}

// late is a function that is deployed later than what calls it.
type late struct {
	platformtest.Runtime
	ready chan struct{}
}

// Invoke waits for the function.
func (l *late) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	<-l.ready
	return l.Runtime.Invoke(ctx, payload)
}

// route leads each path to its function, as the routes of the HTTP API do.
func route(grant, send, manage http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
		what := parts[0]
		if what == "v1" && len(parts) > 3 {
			what, _, _ = strings.Cut(parts[3], ":")
		}
		switch what {
		case "wechat", "grants", "prompts", "subscribers":
			grant.ServeHTTP(w, r)
		case "sends":
			send.ServeHTTP(w, r)
		default:
			manage.ServeHTTP(w, r)
		}
	})
}

// tick fires the timer once.
func tick(ctx context.Context, t *testing.T, schedule platformtest.Runtime, event []byte) {
	if _, err := schedule.Invoke(ctx, event); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("tick: %v", err)
	}
}

// quiet fails the test where a function has logged a secret or an openid.
func quiet(t *testing.T, f *fleet) {
	t.Helper()
	logs := f.Logs()
	for _, secret := range secrets {
		if strings.Contains(logs, secret) {
			t.Errorf("a function logged the secret %s", secret)
		}
	}
	if i := strings.Index(logs, "oTour-"); i >= 0 {
		t.Errorf("a function logged an openid: %s", logs[max(0, i-300):min(len(logs), i+100)])
	}
}

// account is what the tour tells, with the seconds at which it does.
type account struct {
	began time.Time
	text  strings.Builder
}

// Write implements io.Writer: one line at a time.
func (a *account) Write(line []byte) (int, error) {
	fmt.Fprintf(&a.text, "%5.1f s  %s", time.Since(a.began).Seconds(), line)
	return len(line), nil
}

func (a *account) String() string { return a.text.String() }

// pass lets real time go by.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// every calls f now and then until ctx ends.
func every(ctx context.Context, d time.Duration, f func()) {
	for ticker := time.NewTicker(d); ; {
		f()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			ticker.Stop()
			return
		}
	}
}
