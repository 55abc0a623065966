package redis_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/yuexin-dev/yuexin/shared/redis"
	"github.com/yuexin-dev/yuexin/shared/redistest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// BenchmarkMemory loads 100,000 records of each kind that grows with the number of subscribers, and reports the
// server's memory for one. Run it once: go test -run='^$' -bench=Memory -benchtime=1x ./shared/redis
func BenchmarkMemory(b *testing.B) {
	const (
		appid    = "wx0123456789abcdef"
		template = "aBcD_eFgH-1234567890zYxWvUtSrQpOnMlKjIhGfEd"
		now      = submsg.Instant(1_790_000_000_123)
		records  = 100_000
	)
	id := func(n int) string { return fmt.Sprintf("abcdefghijklmnopqrst%06d", n) }
	for name, record := range map[string]func(n int) submsg.Record{
		"subscriber": func(n int) submsg.Record {
			openid := fmt.Sprintf("o%027d", n)
			subscription := submsg.Subscription{
				TemplateID: template, State: submsg.StateActive, Generation: 1, AcceptedAt: now, UpdatedAt: now,
				Accepts: []submsg.Accept{{Source: submsg.SourcePush, At: now, Arrived: now + 200, Paired: true, Credited: true}},
			}
			for r := range 4 {
				subscription.Recent = append(subscription.Recent, submsg.Recent{SendID: id(r), At: now, Fingerprint: 1<<63 + uint64(r)})
			}
			return submsg.Record{Key: submsg.SubscriberKey(appid, openid), Body: &submsg.Subscriber{
				AppID: appid, OpenID: openid, Subscriptions: []submsg.Subscription{subscription}, Seen: []uint64{1<<63 + 7, 1<<63 + 8}, ActiveAt: now,
			}}
		},
		"send": func(n int) submsg.Record {
			return submsg.Record{Key: submsg.SendKey(appid, id(n)), Body: &submsg.Send{
				ID: id(n), AppID: appid, OpenID: fmt.Sprintf("o%027d", n), TemplateID: template, State: submsg.SendSent,
				Data: map[string]string{"time1": "2026年9月", "amount2": "¥128.50", "thing3": "上海市浦东新区世纪大道100号", "thing4": "请于9月25日前缴清,逾期将收取违约金"},
				Page: "pages/bill/index?month=2026-09", ValidUntil: now, RequestHash: 1<<63 + 9, Schedule: id(9), Occurrence: now,
				Attempts: 1, AttemptAt: now, Credit: submsg.CreditSpent, MsgID: 2_345_678_901_234_567_890, WeChat: &submsg.Answer{Msg: "ok"},
				CreatedAt: now, UpdatedAt: now,
			}}
		},
		"audience": func(n int) submsg.Record {
			openid := fmt.Sprintf("o%027d", n)
			return submsg.Record{Key: submsg.AudienceKey(appid, template, "", openid), Body: &submsg.AudienceEntry{OpenID: openid, Generation: 1}}
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				server := redistest.Start(b, "--appendfsync", "no")
				store := open(b, redis.Config{URL: server.URL()})
				before := used(b, server)
				group, ctx := errgroup.WithContext(context.Background())
				group.SetLimit(16)
				for n := range records {
					group.Go(func() error {
						_, err := store.Save(ctx, record(n))
						return err
					})
				}
				if err := group.Wait(); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(used(b, server)-before)/records, "bytes/record")
			}
		})
	}
}

// used is how many bytes of memory the server has given out.
func used(b *testing.B, server *redistest.Server) int {
	n, err := strconv.Atoi(redistest.Info(server.Do("INFO", "memory"), "used_memory"))
	if err != nil {
		b.Fatal(err)
	}
	return n
}
