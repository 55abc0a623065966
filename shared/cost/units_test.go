package cost_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/cost"
	"github.com/yuexin-dev/yuexin/shared/dynamotest"
	"github.com/yuexin-dev/yuexin/shared/fields"
	"github.com/yuexin-dev/yuexin/shared/memory"
	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

const (
	appID   = "wx0123456789abcdef"
	bill    = "BillTemplateLongTerm0000000000000000000000b"
	content = "编号:{{character_string1.DATA}}\n金额:{{amount2.DATA}}\n时间:{{time3.DATA}}\n说明:{{thing4.DATA}}"
)

// agreeable is a WeChat that takes everything.
type agreeable struct{ last map[string]int64 }

func (a *agreeable) Send(_ context.Context, _ string, m submsg.Message) submsg.Result {
	id := int64(len(a.last)) + 1
	a.last[m.OpenID] = id
	return submsg.Result{Answered: true, Msg: "ok", MsgID: id}
}

func (*agreeable) Templates(context.Context, string) ([]submsg.SyncedTemplate, error) {
	return nil, nil
}

// metered is a service whose store counts capacity units, with n subscribers who accepted through a push.
type metered struct {
	t       *testing.T
	clock   *submsgtest.Clock
	meter   *dynamotest.Meter
	weChat  *agreeable
	service *submsg.Service
	openids []string
}

func newMetered(t *testing.T, n int) *metered {
	t.Helper()
	layout, err := fields.Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	none, err := policy.ParseWindow("")
	if err != nil {
		t.Fatal(err)
	}
	apps, err := submsg.NewCatalog([]*submsg.App{{
		Rules:     policy.App{AppID: appID, AccountKind: policy.MiniProgram, Zone: policy.Shanghai, Categories: []string{"finance"}, QuietHours: none},
		Templates: []submsg.Template{{Template: policy.Template{ID: bill, Name: "bill", Kind: policy.LongTerm, Title: "账单通知", Content: content, Page: "pages/bill/index"}, Layout: layout}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	m := &metered{t: t, clock: &submsgtest.Clock{}, weChat: &agreeable{last: map[string]int64{}}}
	m.meter = dynamotest.NewMeter(memory.New(m.clock.Now))
	m.service = &submsg.Service{Apps: apps, Store: m.meter, WeChat: m.weChat, Now: m.clock.Now, Concurrency: 1}
	for i := range n {
		m.openids = append(m.openids, fmt.Sprintf("oABCDEFGHIJKLMNOPQRST%07d", i))
	}
	return m
}

func (m *metered) do(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// expect has work done for every subscriber and compares what it took for each.
func (m *metered) expect(what string, want cost.Units, work func()) {
	m.t.Helper()
	before := m.meter.Units()
	work()
	m.do(m.service.Flush(m.t.Context()))
	after := m.meter.Units()
	n := float64(len(m.openids))
	write, read := (after.Write-before.Write+after.Index-before.Index)/n, (after.Read-before.Read)/n
	m.t.Logf("%s: %.3f write units, %.3f read units", what, write, read)
	if math.Abs(write-want.Write) > 0.1 || math.Abs(read-want.Read) > 0.2 {
		m.t.Errorf("%s takes %.3f write and %.3f read units, and the bill counts %v", what, write, read, want)
	}
}

func (m *metered) push(name, status string) {
	for i, openid := range m.openids {
		m.do(m.service.Push(m.t.Context(), appID, submsg.PushEvent{
			Name: name, OpenID: openid, At: submsg.At(m.clock.Now()) / 1000 * 1000, Fingerprint: uint64(i+1) << 8,
			Items: []submsg.PushItem{{TemplateID: bill, Status: status, MsgID: m.weChat.last[openid]}},
		}))
	}
}

func (m *metered) grants() { m.push(submsg.EventPopup, "accept") }

func (m *metered) sends(async bool) {
	for _, openid := range m.openids {
		_, _, err := m.service.CreateSend(m.t.Context(), appID, "key-"+openid, submsg.SendRequest{OpenID: openid, Template: "bill", Data: sample(), Async: async})
		m.do(err)
	}
}

func (m *metered) allSent() {
	m.t.Helper()
	if len(m.weChat.last) != len(m.openids) {
		m.t.Fatalf("%d of %d messages were sent", len(m.weChat.last), len(m.openids))
	}
}

func sample() map[string]string {
	return map[string]string{"character_string1": "NO00000001", "amount2": "128.50元", "time3": "2026-11-05 09:00", "thing4": "请按时缴费，如已缴纳请忽略"}
}

func TestTheUnitsOfTheBillAreThoseThatTheLedgerTakes(t *testing.T) {
	t.Run("on demand", func(t *testing.T) {
		m := newMetered(t, 300)
		m.expect("a grant", cost.PerGrant, m.grants)
		m.clock.Advance(time.Hour)
		m.expect("a message on demand", cost.PerOnDemand, func() { m.sends(false) })
		m.allSent()
		m.clock.Advance(3 * time.Second)
		// The event reads the subscriber's recent sends to find the one it means: here one, in the bill three.
		m.expect("its sent event", cost.Units{Write: cost.PerEvent.Write, Read: cost.PerEvent.Read - 2}, func() { m.push(submsg.EventSent, "success") })
	})
	t.Run("for later", func(t *testing.T) {
		m := newMetered(t, 300)
		m.grants()
		m.clock.Advance(time.Hour)
		m.expect("a message for later", cost.PerLater, func() {
			m.sends(true)
			m.do(m.service.Tick(m.t.Context()))
		})
		m.allSent()
	})
	t.Run("scheduled", func(t *testing.T) {
		m := newMetered(t, 10_000)
		m.grants()
		m.clock.Advance(time.Hour)
		_, _, err := m.service.CreateSchedule(t.Context(), appID, "schedule", submsg.ScheduleRequest{
			Template: "bill", To: submsg.Recipients{Audience: &submsg.Audience{}}, RRule: "FREQ=DAILY;COUNT=1",
			Start: m.clock.Now().Add(1999 * time.Millisecond).Truncate(time.Second), Content: submsg.Content{Data: sample()},
		})
		m.do(err)
		m.clock.Advance(2 * time.Second)
		m.expect("a scheduled message", cost.PerScheduled, func() { m.do(m.service.Tick(t.Context())) })
		m.allSent()
	})
}
