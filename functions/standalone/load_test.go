package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// What the killed server is configured with.
const (
	killApp      = "wxkill0000000001"
	killOrder    = "orderTemplateOfTheKilled" // one-time
	killBill     = "billTemplateOfTheKilled"  // long-term
	killSecret   = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
	killToken    = "tokenOfTheKilledPush"
	killAESKey   = "a2lsbGVkLXNlcnZlci1hZXMta2V5LWZvci10ZXN0czA"
	killAPIKey   = "yx_keyOfTheKilledServersClients"
	orderContent = "订单号:{{character_string1.DATA}}\n温馨提示:{{thing2.DATA}}"
	billContent  = "账单号:{{character_string1.DATA}}\n应缴金额:{{amount2.DATA}}"
)

// world is a server that is killed, the WeChat beside it, and what the clients know.
type world struct {
	campaign
	sim     *wechattest.Sim
	address string
	config  string
	env     []string
	log     *os.File
	client  http.Client

	members   []string // who follows the long-term template
	mu        sync.Mutex
	sends     []*send
	scheduled []*scheduled
}

// send is one send as its client knows it. It is written by one client only, and read by others after the load's end.
type send struct {
	key    string
	openid string
	body   []byte
	id     string // "" until it was answered 2xx
	state  string // as last seen
}

// scheduled is one occurrence for everybody who follows.
type scheduled struct {
	id, at, mark string // mark is the data that tells its messages from others
}

func newWorld(t *testing.T, plan campaign) *world {
	t.Helper()
	w := &world{campaign: plan, address: freeAddress(t), log: logFile(t), client: http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	t.Cleanup(w.client.CloseIdleConnections)
	account := wechattest.Account{
		AppID: killApp, Secret: killSecret,
		Templates: []wechattest.Template{{ID: killOrder, Kind: wechattest.OneTime, Content: orderContent}, {ID: killBill, Kind: wechattest.LongTerm, Content: billContent}},
		Callback: wechattest.Callback{
			URL: "http://" + w.address + "/wechat/" + killApp, Handler: http.HandlerFunc(w.pushed), Token: killToken, AESKey: killAESKey,
			Encoding: wechattest.Encoding{Mode: wechattest.Secure, Format: wechattest.XML},
		},
	}
	sim, err := wechattest.New(wechattest.Config{Accounts: []wechattest.Account{account}, Seed: 20261205})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	rules := []wechattest.Rule{
		{Path: wechattest.PathSend, Percent: 1, Fault: wechattest.CutBefore()},
		{Path: wechattest.PathSend, Percent: 1, Fault: wechattest.CutAfter()},
		{Path: wechattest.PathSend, Percent: 15, Fault: wechattest.AnswerDelayed(60 * time.Millisecond)}, // something has to be under way
	}
	if plan.late > 0 {
		rules = append(rules, wechattest.Rule{Path: wechattest.PathSend, Percent: 5, Fault: wechattest.AnswerDelayed(150 * time.Millisecond).And(wechattest.SentLate(plan.late))})
	}
	sim.Script(wechattest.Rules(rules...))
	api := httptest.NewServer(sim)
	t.Cleanup(api.Close)
	w.sim = sim
	sum := sha256.Sum256([]byte(killAPIKey))
	w.config = filepath.Join(t.TempDir(), "yuexin.yaml")
	text := fmt.Sprintf(`store: {kind: embedded, path: %q}
apps:
  - appid: %s
    base_url: %s
    secret: env:KILL_SECRET
    push: {token: env:KILL_TOKEN, aes_key: env:KILL_AES_KEY, mode: secure}
    categories: [finance]
    limits: {per_day: 0, per_week: 0}
    template_limits: {per_day: 0, per_week: 0}
    quiet_hours: ""
    unknown_after: 30s
    templates:
      - {id: %s, name: order, kind: one_time, title: 订单状态通知, content: %q}
      - {id: %s, name: bill, kind: long_term, title: 账单通知, content: %q}
api_keys:
  - {name: clients, sha256: %s, scopes: [grants, sends, schedules, read], apps: [%s]}
`, filepath.Join(t.TempDir(), "yuexin.db"), killApp, api.URL, killOrder, orderContent, killBill, billContent, hex.EncodeToString(sum[:]), killApp)
	if err := os.WriteFile(w.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.env = []string{"KILL_SECRET=" + killSecret, "KILL_TOKEN=" + killToken, "KILL_AES_KEY=" + killAESKey}
	return w
}

func (w *world) start(t *testing.T) *server {
	t.Helper()
	return serve(t, w.address, w.log, w.env, "--config", w.config)
}

// pushed carries a push to the server, and waits for one that is just being started: WeChat grants five seconds to each
// of three attempts, and a load balancer in front of a restarting server holds a request that long. A push that was
// cut off by a kill is delivered again.
func (w *world) pushed(rw http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	for r.Context().Err() == nil {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://"+w.address+r.URL.RequestURI(), bytes.NewReader(raw))
		if err != nil {
			break
		}
		if resp, err := w.client.Do(req); err == nil {
			defer func() { _ = resp.Body.Close() }()
			rw.WriteHeader(resp.StatusCode)
			_, _ = io.Copy(rw, resp.Body) // cut off: it is no "success", and comes again
			return
		}
		rest(r.Context())
	}
	panic(http.ErrAbortHandler)
}

// rest is the pause of a client between two attempts.
func rest(ctx context.Context) {
	timer := time.NewTimer(20 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// call makes one call of the API; err where there was no answer.
func (w *world) call(ctx context.Context, method, path, key string, body []byte) (status int, answer map[string]any, err error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+w.address+"/v1/apps/"+killApp+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+killAPIKey)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return 0, nil, err // cut off in the middle: no answer
	}
	return resp.StatusCode, answer, nil
}

// insist calls until there is an answer that is not "later": what a careful client does.
func (w *world) insist(ctx context.Context, method, path, key string, body []byte) (int, map[string]any) {
	for ctx.Err() == nil {
		status, answer, err := w.call(ctx, method, path, key, body)
		if err == nil && status != http.StatusServiceUnavailable && status != http.StatusTooManyRequests {
			return status, answer
		}
		rest(ctx)
	}
	return 0, nil
}

func encode(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings: it cannot fail
	}
	return raw
}

// follow lets everybody agree to the long-term template, before the first kill.
func (w *world) follow(t *testing.T) {
	t.Helper()
	for c := range w.clients {
		for n := range w.subscribers {
			w.members = append(w.members, subscriberOf(c, n))
		}
	}
	for n := range w.followers {
		w.members = append(w.members, fmt.Sprintf("oKilled-follower-%03d", n))
	}
	for _, openid := range w.members {
		if err := w.sim.Accept(killApp, openid, killBill); err != nil {
			t.Fatal(err)
		}
	}
	w.quiesce(t)
}

// quiesce waits until WeChat has no push under way.
func (w *world) quiesce(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), w.late+30*time.Second)
	defer cancel()
	if err := w.sim.Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

func subscriberOf(client, n int) string { return fmt.Sprintf("oKilled-%02d-%02d", client, n) }

// schedule makes a schedule that falls due after the next kill, or about it.
func (w *world) schedule(t *testing.T, n int) {
	t.Helper()
	if !w.schedules || n == w.kills-1 { // the last one would fall due after the last kill
		return
	}
	mark := fmt.Sprintf("BILL-%02d", n)
	status, answer := w.insist(t.Context(), http.MethodPost, "/schedules", "killed-"+mark, encode(map[string]any{
		"template": "bill", "to": map[string]any{"audience": map[string]any{}}, "rrule": "FREQ=DAILY;COUNT=1", "start": time.Now().Add(1200 * time.Millisecond).Format(time.RFC3339Nano),
		"content": map[string]any{"data": map[string]string{"character_string1": mark, "amount2": "¥77.31"}}, "on_unknown": []string{"fail", "resend"}[n%2],
	}))
	if status != http.StatusCreated && status != http.StatusOK {
		t.Fatalf("schedule: HTTP %d: %v", status, answer)
	}
	w.scheduled = append(w.scheduled, &scheduled{id: fmt.Sprint(answer["id"]), at: fmt.Sprint(answer["next_at"]), mark: mark})
}

// load is the clients at work.
type load struct {
	stop  atomic.Bool
	group sync.WaitGroup
}

func (l *load) end() {
	l.stop.Store(true)
	l.group.Wait()
}

// load starts the clients. Each has subscribers of its own and goes round them: an accept, told by WeChat's push, by a
// report, or by both; then more sends than were agreed to, half of them to be done later. A client that gets no
// answer asks again under the same key.
func (w *world) load() *load {
	l := &load{}
	for c := range w.clients {
		l.group.Go(func() {
			visited := make([]time.Time, w.subscribers)
			for i := 0; !l.stop.Load(); i++ {
				n := i % w.subscribers
				// Nobody taps twice in one second: two accepts of one second are one event to everyone who reads them.
				time.Sleep(time.Until(visited[n].Add(1100 * time.Millisecond)))
				visited[n] = time.Now()
				w.visit(c, n, i/w.subscribers)
			}
		})
	}
	return l
}

// visit is one round of one subscriber.
func (w *world) visit(c, n, round int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	openid, at := subscriberOf(c, n), time.Now()
	accept, report := w.sim.Accept, true
	switch n % 4 { // always the same way for one subscriber: a lost report and a silent accept look like two halves of one
	case 0:
		accept = w.sim.SilentAccept // "always keep": only the mini program knows
	case 1:
		report = false // the mini program was closed
	}
	if err := accept(killApp, openid, killOrder); err != nil {
		panic(err) // a template of the account: it cannot fail
	}
	if report {
		body := encode(map[string]any{"grants": []any{map[string]any{"openid": openid, "template": "order", "decision": "accept", "occurred_at": at.Format(time.RFC3339Nano)}}})
		if status, answer := w.insist(ctx, http.MethodPost, "/grants", "", body); status != http.StatusOK {
			panic(fmt.Sprintf("report of a grant: HTTP %d: %v", status, answer))
		}
	}
	w.send(ctx, openid, fmt.Sprintf("K%02d-%02d-%03d-a", c, n, round), "sync")
	if n%2 == 0 {
		w.send(ctx, openid, fmt.Sprintf("K%02d-%02d-%03d-b", c, n, round), "async")
	}
}

// send asks for one send until there is an answer. The key is also what the message says, so that WeChat's side can tell
// which key it was.
func (w *world) send(ctx context.Context, openid, key, mode string) {
	onUnknown := "fail"
	if strings.HasSuffix(openid, "1") {
		onUnknown = "resend"
	}
	s := &send{key: key, openid: openid, body: encode(map[string]any{
		"openid": openid, "template": "order", "mode": mode, "on_unknown": onUnknown, "data": map[string]string{"character_string1": key, "thing2": "机密内容"},
	})}
	w.mu.Lock()
	w.sends = append(w.sends, s)
	w.mu.Unlock()
	w.ask(ctx, s)
}

// ask posts the send. 409 is an answer too: the first request is still under way, and who asks later is told.
func (w *world) ask(ctx context.Context, s *send) {
	status, answer := w.insist(ctx, http.MethodPost, "/sends", s.key, s.body)
	switch status {
	case http.StatusOK, http.StatusCreated:
		s.id, s.state = fmt.Sprint(answer["id"]), fmt.Sprint(answer["state"])
	case http.StatusConflict:
		s.state = "in_progress"
	default:
		s.state = fmt.Sprintf("HTTP %d: %v", status, answer)
	}
}

func (w *world) answered() int {
	n := 0
	for _, s := range w.sends {
		if s.id != "" {
			n++
		}
	}
	return n
}

func (w *world) states() map[string]int {
	m := map[string]int{}
	for _, s := range w.sends {
		m[s.state]++
	}
	return m
}
