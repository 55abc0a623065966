package submsgbench_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/embedded"
	"github.com/yuexin-dev/yuexin/shared/fields"
	"github.com/yuexin-dev/yuexin/shared/memory"
	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/redis"
	"github.com/yuexin-dev/yuexin/shared/redistest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
	"github.com/yuexin-dev/yuexin/shared/wechat"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// The app and its templates. Caps are the defaults of its category; quiet hours are off, so that the figures do not
// depend on the time of day.
const (
	appID   = "wx0123456789abcdef"
	order   = "OrderTemplateOneTime0000000000000000000000a" // one-time
	bill    = "BillTemplateLongTerm0000000000000000000000b" // long-term
	content = "编号:{{character_string1.DATA}}\n金额:{{amount2.DATA}}\n时间:{{time3.DATA}}\n说明:{{thing4.DATA}}"
)

// data is a message of ordinary size.
func data(n int) map[string]string {
	return map[string]string{"character_string1": fmt.Sprintf("NO%08d", n), "amount2": "128.50元", "time3": "2026-11-05 09:00", "thing4": "请按时缴费，如已缴纳请忽略"}
}

// openStore opens one kind of store.
type openStore func(b testing.TB, now func() time.Time) submsg.Store

// stores are the kinds that the benchmarks run over. Others is how many subscribers there are besides those sent to: in
// memory they keep the live heap, and so the collector's work, about the same in every lap.
var stores = []struct {
	name   string
	open   openStore
	others int
}{{"memory", inMemory, 50_000}, {"embedded", inFile, 0}, {"redis", onRedis, 0}}

func inMemory(_ testing.TB, now func() time.Time) submsg.Store { return memory.New(now) }

func inFile(b testing.TB, now func() time.Time) submsg.Store {
	b.Helper()
	s, err := embedded.Open(filepath.Join(b.TempDir(), "yuexin.db"), embedded.Options{Now: now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// onRedis is a server of its own that syncs its file before it answers, as the embedded store does.
func onRedis(b testing.TB, now func() time.Time) submsg.Store {
	b.Helper()
	return redisAt(b, redistest.Start(b).URL(), now)
}

func redisAt(b testing.TB, url string, now func() time.Time) submsg.Store {
	b.Helper()
	s, err := redis.Open(redis.Config{URL: url, Now: now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// ledger is a service with the configuration that all figures are of; store and WeChat are still to be set.
func ledger(b testing.TB, clock *submsgtest.Clock, concurrency int) *submsg.Service {
	b.Helper()
	layout, err := fields.Parse(content)
	if err != nil {
		b.Fatal(err)
	}
	none, err := policy.ParseWindow("")
	if err != nil {
		b.Fatal(err)
	}
	apps, err := submsg.NewCatalog([]*submsg.App{{
		Rules: policy.App{AppID: appID, AccountKind: policy.MiniProgram, Zone: policy.Shanghai, Categories: []string{"finance"}, QuietHours: none},
		Templates: []submsg.Template{
			{Template: policy.Template{ID: order, Name: "order", Kind: policy.OneTime, Title: "订单通知", Content: content, Page: "pages/order/index"}, Layout: layout},
			{Template: policy.Template{ID: bill, Name: "bill", Kind: policy.LongTerm, Title: "账单通知", Content: content, Page: "pages/bill/index"}, Layout: layout},
		},
	}})
	if err != nil {
		b.Fatal(err)
	}
	return &submsg.Service{
		Apps: apps, Now: clock.Now, TickEvery: time.Minute, Concurrency: concurrency,
		Log:       slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Pseudonym: func(string) string { return "someone" },
	}
}

// world is a service whose client calls the simulator over loopback, and the plain posts beside it.
type world struct {
	clock   *submsgtest.Clock
	sim     *wechattest.Sim
	client  *wechat.Client
	service *submsg.Service // of the current round, over a store of its own

	plain *http.Client
	post  string // URL that a send is posted to
	body  []byte // what the client posted for the sample's message
}

// sample is the subscriber whose message every plain post repeats, for another subscriber.
const sample = "oSampleSubscriber00000000000"

func newWorld(b testing.TB) *world {
	b.Helper()
	w := &world{clock: &submsgtest.Clock{}}
	sim, err := wechattest.New(wechattest.Config{Now: w.clock.Now, CountOnly: true, SkipData: true, Accounts: []wechattest.Account{{
		AppID: appID, Secret: "a-secret-of-the-app", Quotas: map[string]wechattest.Quota{wechattest.PathSend: {}},
		Templates: []wechattest.Template{{ID: order, Kind: wechattest.OneTime, Content: content}, {ID: bill, Kind: wechattest.LongTerm, Content: content}},
	}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(sim.Close)
	w.sim = sim
	var handler atomic.Pointer[http.HandlerFunc] // the simulator's, once the sample was seen
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { (*handler.Load())(rw, r) }))
	b.Cleanup(server.Close)
	look := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == wechattest.PathSend {
			w.post = server.URL + r.URL.RequestURI()
			if w.body, err = io.ReadAll(r.Body); err != nil {
				b.Error(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(w.body))
		}
		sim.ServeHTTP(rw, r)
	})
	handler.Store(&look)

	// Tokens have a store of their own, so that each round may begin with a new one and the same client.
	w.client, err = wechat.New(wechat.Config{Store: memory.New(w.clock.Now), Now: w.clock.Now, Apps: []wechat.App{{
		AppID: appID, BaseURL: server.URL, Secret: func(context.Context, bool) (string, error) { return "a-secret-of-the-app", nil },
	}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.client.Close)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost, transport.Proxy = 0, 512, nil
	b.Cleanup(transport.CloseIdleConnections)
	w.plain = &http.Client{Transport: transport, Timeout: 5 * time.Second}

	w.begin(b, inMemory, 0, 1)
	w.enrol(b, sample, "")
	w.send(b, requests([]string{sample})[0])
	if !bytes.Contains(w.body, []byte(sample)) {
		b.Fatalf("the client posted %q", w.body)
	}
	rest := http.HandlerFunc(sim.ServeHTTP)
	handler.Store(&rest)
	return w
}

// begin starts a round: a new service over a new store, which holds some subscribers already.
func (w *world) begin(b testing.TB, open openStore, others, concurrency int) {
	b.Helper()
	w.service = ledger(b, w.clock, concurrency)
	w.service.Store, w.service.WeChat = open(b, w.clock.Now), w.client
	for i := range others {
		w.save(b, submsg.SubscriberKey(appID, fmt.Sprintf("oOther%d", i)), subscriber(fmt.Sprintf("oOther%d", i), "", submsg.At(w.clock.Now())))
	}
}

func (w *world) save(b testing.TB, k submsg.Key, body submsg.Body) {
	if _, err := w.service.Store.Save(context.Background(), submsg.Record{Key: k, Body: body}); err != nil {
		b.Error(err)
	}
}

// subscriber is a typical one: two credits of the one-time template, the long-term one on, some sends of the last days.
func subscriber(openid, topic string, now submsg.Instant) *submsg.Subscriber {
	const day = 24 * time.Hour
	sub := &submsg.Subscriber{
		AppID: appID, OpenID: openid, Seen: []uint64{1 << 60, 2 << 60}, ActiveAt: now.Add(-9 * day),
		Subscriptions: []submsg.Subscription{
			{TemplateID: bill, State: submsg.StateActive, Generation: 1, AcceptedAt: now.Add(-9 * day), UpdatedAt: now.Add(-9 * day), Recent: []submsg.Recent{
				{SendID: "abcdefghijklmnopqrstuvwxyz", At: now.Add(-6 * day), Fingerprint: 5 << 60}, {SendID: "bcdefghijklmnopqrstuvwxyza", At: now.Add(-3 * day), Fingerprint: 6 << 60}}},
			{TemplateID: order, State: submsg.StateActive, Credits: 2, AcceptedAt: now.Add(-9 * day), UpdatedAt: now.Add(-9 * day), Recent: []submsg.Recent{
				{SendID: "cdefghijklmnopqrstuvwxyzab", At: now.Add(-4 * day), Fingerprint: 7 << 60}}},
		},
	}
	if topic != "" {
		sub.Topics = []string{topic}
	}
	return sub
}

// enrol makes one subscriber, known to the ledger and to the simulator, and in the audience of the topic if there is one.
// The simulator's user has a second credit, for the plain post.
func (w *world) enrol(b testing.TB, openid, topic string) {
	b.Helper()
	w.save(b, submsg.SubscriberKey(appID, openid), subscriber(openid, topic, submsg.At(w.clock.Now())))
	if topic != "" {
		w.save(b, submsg.AudienceKey(appID, bill, topic, openid), &submsg.AudienceEntry{OpenID: openid, Generation: 1})
	}
	for template, n := range map[string]int{order: 2, bill: 1} {
		if err := w.sim.Grant(appID, openid, template, n); err != nil {
			b.Error(err)
		}
	}
}

// crowd enrols n subscribers and returns their openids, the same in each round.
func (w *world) crowd(b testing.TB, n int, topic string) []string {
	b.Helper()
	openids := make([]string, n)
	for i := range openids {
		openids[i] = fmt.Sprintf("oABCDEFGHIJKLMNOPQRST%07d", i)
	}
	each(64, n, func(i int) { w.enrol(b, openids[i], topic) })
	return openids
}

// requests are what callers ask for, one for each subscriber, as they are after the decoding of their JSON.
func requests(openids []string) []submsg.SendRequest {
	all := make([]submsg.SendRequest, len(openids))
	for i, openid := range openids {
		all[i] = submsg.SendRequest{OpenID: openid, Template: "order", Data: data(i)}
	}
	return all
}

// send takes one message through the whole path.
func (w *world) send(b testing.TB, req submsg.SendRequest) {
	view, _, err := w.service.CreateSend(context.Background(), appID, "key-"+req.OpenID, req)
	if err != nil || view.State != submsg.SendSent {
		b.Errorf("send to %s: %v, %+v", req.OpenID, err, view)
	}
}

// plainPost posts the bytes of the sample's message for another subscriber, as a program would that knows no ledger.
func (w *world) plainPost(b testing.TB, openid string) {
	resp, err := w.plain.Post(w.post, "application/json", bytes.NewReader(bytes.Replace(w.body, []byte(sample), []byte(openid), 1)))
	if err != nil {
		b.Error(err)
		return
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || !bytes.HasPrefix(answer, []byte(`{"errcode":0,`)) {
		b.Errorf("plain post: %v, %s", err, answer)
	}
}

// each runs f for 0 to n-1 on a number of workers.
func each(workers, n int, f func(i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	group.Wait()
}

// lap is what some work cost.
type lap struct {
	wall, cpu time.Duration
	mallocs   uint64
}

// measure runs work after clearing away what was left by others.
func measure(work func()) lap {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, began := processTime(), time.Now()
	work()
	l := lap{wall: time.Since(began), cpu: processTime() - cpu}
	runtime.ReadMemStats(&after)
	l.mallocs = after.Mallocs - before.Mallocs
	return l
}
