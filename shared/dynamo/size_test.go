package dynamo_test

import (
	"fmt"
	"testing"

	"github.com/yuexin-dev/yuexin/shared/dynamo"
	"github.com/yuexin-dev/yuexin/shared/dynamotest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

const (
	appid    = "wx0123456789abcdef"
	template = "aBcD_eFgH-1234567890zYxWvUtSrQpOnMlKjIhGfEd"
	now      = submsg.Instant(1_790_000_000_123)
	printed  = uint64(0xdead_beef_cafe_f00d)
)

// sendID has the length of a real one.
func sendID(n int) string { return fmt.Sprintf("abcdefghijklmnopqrstuvwx%02d", n) }

// typicalSubscriber follows one long-term bill: four sends of the last days, one under way.
func typicalSubscriber() submsg.Record {
	subscription := submsg.Subscription{
		TemplateID: template, State: submsg.StateActive, Generation: 1, AcceptedAt: now, UpdatedAt: now,
		Accepts: []submsg.Accept{{Source: submsg.SourcePush, At: now, Arrived: now + 200, Paired: true, Credited: true}},
	}
	for n := range 4 {
		subscription.Recent = append(subscription.Recent, submsg.Recent{SendID: sendID(n), At: now, Fingerprint: printed + uint64(n)})
	}
	return submsg.Record{Key: submsg.SubscriberKey(appid, openid), Body: &submsg.Subscriber{
		AppID: appid, OpenID: openid, Subscriptions: []submsg.Subscription{subscription},
		Reservations: []submsg.Reservation{{
			SendID: sendID(4), TemplateID: template, Attempt: 1, Holder: printed, At: now, Until: now + 60_000, Fingerprint: printed,
		}},
		Seen: []uint64{printed, printed + 1}, ActiveAt: now,
	}}
}

// typicalSend is a monthly bill that a schedule sent, with WeChat's answer.
func typicalSend() submsg.Record {
	return submsg.Record{Key: submsg.SendKey(appid, sendID(1)), Expires: now.Add(90 * 24 * 3600e9), Body: &submsg.Send{
		ID: sendID(1), AppID: appid, OpenID: openid, TemplateID: template, State: submsg.SendSent,
		Data: map[string]string{"time1": "2026年9月", "amount2": "¥128.50", "thing3": "上海市浦东新区世纪大道100号", "thing4": "请于9月25日前缴清,逾期将收取违约金"},
		Page: "pages/bill/index?month=2026-09", ValidUntil: now.Add(7200e9), RequestHash: printed, Schedule: sendID(9), Occurrence: now,
		Attempts: 1, AttemptAt: now, Credit: submsg.CreditSpent, MsgID: 2_345_678_901_234_567_890, WeChat: &submsg.Answer{Msg: "ok"},
		CreatedAt: now, UpdatedAt: now,
	}}
}

// A write unit of DynamoDB is 1 KB: the bill of a message doubles where a record outgrows it.
func TestTypicalRecordsFitInOneWriteUnit(t *testing.T) {
	for name, rec := range map[string]submsg.Record{"subscriber": typicalSubscriber(), "send": typicalSend()} {
		size, err := dynamo.ItemSize(rec)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("a typical %s takes %d bytes", name, size)
		if size >= 1024 {
			t.Errorf("a typical %s takes %d bytes, want less than 1024", name, size)
		}
	}
}

func TestTheSizeOfAnItemIsTheOneInTheDocumentation(t *testing.T) {
	base, err := dynamo.ItemSize(submsg.Record{Key: submsg.Key{Partition: "p", Sort: "s"}, Body: &submsg.AudienceEntry{}})
	if err != nil {
		t.Fatal(err)
	}
	// pk and p, sk and s, kind and audience, version and 19 digits, generation and 0; no openid
	if want := 3 + 3 + 12 + 7 + 11 + 10 + 1; base != want {
		t.Errorf("the least entry takes %d bytes, want %d", base, want)
	}
	for _, c := range []struct {
		name string
		body submsg.AudienceEntry
		more int
	}{
		{"a Chinese character is three bytes", submsg.AudienceEntry{OpenID: "约"}, len("openid") + 3},
		{"two digits are one byte", submsg.AudienceEntry{Generation: 12}, 1},
		{"three digits are two", submsg.AudienceEntry{Generation: 123}, 2},
		{"trailing zeros are free", submsg.AudienceEntry{Generation: 1_000_000}, 1},
		{"a sign is one", submsg.AudienceEntry{Generation: -12}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := dynamo.ItemSize(submsg.Record{Key: submsg.Key{Partition: "p", Sort: "s"}, Body: &c.body})
			if err != nil || got-base != c.more {
				t.Errorf("it takes %d bytes more (%v), want %d", got-base, err, c.more)
			}
		})
	}
}

func TestConsumedCapacityIsReported(t *testing.T) {
	t.Parallel()
	server := dynamotest.Start(t)
	reads, writes := map[string]float64{}, map[string]float64{}
	store := dynamotest.Open(t, server.Endpoint, dynamo.Config{Table: server.Table(), OnCapacity: func(op string, r, w float64) {
		reads[op] += r
		writes[op] += w
	}})
	sub, send := typicalSubscriber(), typicalSend()
	version, err := store.Save(t.Context(), sub)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Save(t.Context(), send); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Load(t.Context(), sub.Key, send.Key); err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(t.Context(), sub.Key, version); err != nil {
		t.Fatal(err)
	}
	if writes["Save"] != 2 || reads["Load"] != 2 || writes["Delete"] != 1 || reads["Save"] != 0 || writes["Load"] != 0 {
		t.Errorf("write units %v, read units %v; want 2 to save two records, 2 to load them, 1 to delete one", writes, reads)
	}
}
