package wechattest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// benchSim is a Sim as load tests configure it, with long-term users.
func benchSim(b *testing.B, cfg Config) (s *Sim, target string, bodies []string) {
	b.Helper()
	cfg.Accounts = []Account{{AppID: app, Secret: secret, Quotas: map[string]Quota{PathSend: {}}, Templates: []Template{
		{ID: bill, Kind: LongTerm, Content: "{{thing1.DATA}}{{amount2.DATA}}{{time3.DATA}}{{thing4.DATA}}"},
	}}}
	s, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	for i := range 1000 {
		openID := fmt.Sprintf("oABCDEFGHIJKLMNOPQRSTUV%05d", i)
		if err := s.Grant(app, openID, bill, 1); err != nil {
			b.Fatal(err)
		}
		bodies = append(bodies, fmt.Sprintf(`{"touser":%q,"template_id":%q,"page":"pages/bill/index","miniprogram_state":"formal","lang":"zh_CN",`+
			`"data":{"thing1":{"value":"十一月账单"},"amount2":{"value":"¥128.50"},"time3":{"value":"2026-11-05 09:00"},"thing4":{"value":"请按时缴费"}}}`, openID, bill))
	}
	value, err := s.Token(app)
	if err != nil {
		b.Fatal(err)
	}
	return s, PathSend + "?access_token=" + value, bodies
}

// BenchmarkHandler measures the send path without a network.
func BenchmarkHandler(b *testing.B) {
	for name, cfg := range map[string]Config{
		"validating, keeping": {KeepPerUser: 10},
		"counting only":       {CountOnly: true, SkipData: true},
	} {
		b.Run(name, func(b *testing.B) {
			s, target, bodies := benchSim(b, cfg)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(bodies[i%len(bodies)]))
				s.ServeHTTP(httptest.NewRecorder(), r)
			}
			if got := s.Totals(app); got.Accepted != got.Answered(PathSend, "0") || got.Accepted == 0 {
				b.Fatalf("totals %+v", got)
			}
		})
	}
}

// BenchmarkLoopback measures calls a second over real connections, 64 at a time; compare it with BenchmarkLoopbackNothing.
func BenchmarkLoopback(b *testing.B) {
	s, target, bodies := benchSim(b, Config{CountOnly: true, SkipData: true})
	loopback(b, s, target, bodies)
	if got := s.Totals(app); got.Accepted != int64(b.N) {
		// Two calls for one user at once are refused, and rightly so.
		if refused := got.Answered(PathSend, "43108"); got.Accepted+refused != int64(b.N) {
			b.Fatalf("totals %+v of %d calls", got, b.N)
		}
	}
}

// BenchmarkLoopbackNothing is the same over a handler that reads the body and answers two bytes.
func BenchmarkLoopbackNothing(b *testing.B) {
	_, target, bodies := benchSim(b, Config{})
	loopback(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "ok")
	}), target, bodies)
}

func loopback(b *testing.B, h http.Handler, target string, bodies []string) {
	server := httptest.NewServer(h)
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(next.Add(1))
			resp, err := client.Post(server.URL+target, "application/json", strings.NewReader(bodies[i%len(bodies)]))
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
