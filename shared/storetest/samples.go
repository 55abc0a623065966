package storetest

import (
	"math"
	"reflect"
	"strings"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

const (
	appID    = "wx0123456789abcdef"
	openID   = "oABCD-efgh_1234567890ijklmn"
	template = "aBcD_eFgH-1234567890zYxWvUtSrQpOnMlKjIhGfEd"
	moment   = submsg.Instant(1_790_000_000_123)
)

// big does not survive a detour over a float64, which is what careless JSON and Lua make of a number.
const big = uint64(1)<<53 + 1

// samples returns a record of every kind, filled as in real use: texts in Chinese with full-width
// punctuation, an emoji, quotes and a line break; integers beyond 2^53; times and none; empty and long lists.
func samples() []submsg.Record {
	text := map[string]string{"thing1": "预约挂号:王医生 “复诊”\n<b>&</b> 🏥", "amount2": "¥1,234.50", "time3": "2026年9月21日 08:00"}
	seen := make([]uint64, 32)
	for i := range seen {
		seen[i] = math.MaxUint64 - uint64(i)
	}
	return []submsg.Record{
		{Key: submsg.SubscriberKey(appID, openID), Body: &submsg.Subscriber{
			AppID: appID, OpenID: openID,
			Subscriptions: []submsg.Subscription{
				{TemplateID: template, State: submsg.StateActive, Credits: 3, Generation: 2, AcceptedAt: moment, UpdatedAt: moment,
					Accepts: []submsg.Accept{{Source: submsg.SourcePush, At: moment, Arrived: moment + 7, Credited: true}},
					Recent:  []submsg.Recent{{SendID: "s_1", At: moment, Fingerprint: big, Trigger: math.MaxUint64, PeriodKey: 1, Urgent: true}, {SendID: "s_0", At: moment, NotSent: 2, Returned: 1}},
					Dropped: []submsg.Dropped{{Source: submsg.SourceReport, N: 3, At: moment, Arrived: moment + 9}}},
				{TemplateID: template + "2", State: submsg.StateBanned, Muted: true, Refusals: 4, RejectedAt: moment, PushedNo: moment},
			},
			Reservations: []submsg.Reservation{{SendID: "s_2", TemplateID: template, Attempt: 1, Holder: math.MaxUint64, At: moment,
				Until: moment + 30_000, Credit: 1, Fingerprint: big + 2, Trigger: big + 4, PeriodKey: big + 6}},
			Seen: seen, Topics: []string{"公交42路", "line#7"}, QuietHours: "22:00-08:00", TimeZone: "Asia/Shanghai", ActiveAt: moment, ErasedAt: moment - 5,
		}},
		{Key: submsg.SendKey(appID, "s_1"), Due: moment, Expires: moment * 2, Body: &submsg.Send{
			ID: "s_1", AppID: appID, OpenID: openID, TemplateID: template, State: submsg.SendUnknown, Data: text,
			Page: "pages/bill/index?month=9&from=订阅", Trigger: "order-1", SendAt: moment, ValidUntil: moment + 1, OnUnknown: submsg.OnUnknownResend,
			TryAnyway: true, RequestHash: math.MaxUint64, Schedule: "sch_1", Occurrence: moment, Attempts: 2, AttemptAt: moment,
			NotSent: 1, Claim: math.MaxUint64, Besides: []submsg.Reason{{Code: "preference", Detail: "muted"}},
			Credit: submsg.CreditReturned, MsgID: math.MaxInt64, WeChat: &submsg.Answer{Code: -1, Msg: "系统繁忙", RID: "60a-1"},
			Reason:  &submsg.Reason{Code: "quiet_hours", Detail: "it is night", DetailZH: "免打扰时段", Field: "thing1", Word: "优惠", Until: moment},
			EventAt: moment, EventPrint: big, CreatedAt: moment, UpdatedAt: moment,
		}},
		{Key: submsg.AudienceKey(appID, template, "公交42路", openID), Body: &submsg.AudienceEntry{OpenID: openID, Generation: 7}},
		{Key: submsg.HistoryKey(appID, openID, moment, math.MaxUint64), Expires: moment * 2, Body: &submsg.GrantHistory{
			At: moment, Event: "subscribe_msg_popup_event", Source: submsg.SourcePush, TemplateID: template,
			Decision: "accept", Effect: "credited", Scene: "支付成功", Arrived: moment + 50}},
		{Key: submsg.ScheduleKey(appID, "sch_1"), Due: moment + 60_000, Body: &submsg.Schedule{
			ID: "sch_1", AppID: appID, State: submsg.SchedulePaused, TemplateID: template,
			To:    submsg.Recipients{Audience: &submsg.Audience{Topic: "公交42路"}},
			RRule: "FREQ=MONTHLY;BYMONTHDAY=5", Start: moment, TimeZone: "Asia/Shanghai",
			Content: submsg.Content{Series: []map[string]string{text, {"thing1": "第二周"}}}, ValidFor: 7_200_000, CatchUp: 1, Spread: 600_000,
			NextAt: moment, NextIndex: 3, Past: []submsg.Occurred{{At: moment, State: "missed", Detail: "停机"}}, Missed: 1,
			RequestHash: big, PauseReason: &submsg.Reason{Code: "cancel_spike"}, CreatedAt: moment, UpdatedAt: moment}},
		{Key: submsg.JobKey(appID, "sch_1", moment, 3), Due: moment, Body: &submsg.Job{
			ID: "j_1", AppID: appID, ScheduleID: "sch_1", TemplateID: template, Occurrence: moment, Index: 2, Shard: 3, Shards: 16,
			To: submsg.Recipients{OpenID: openID}, Data: text, Provider: "https://example.com/内容", Cursor: openID,
			Counts: map[string]int{"sent": 41, "skipped": 1}, LastError: strings.Repeat("错误 ", 400), Failures: 2, CreatedAt: moment, UpdatedAt: moment}},
		{Key: submsg.TemplateKey(appID, template), Body: &submsg.SyncedTemplate{AppID: appID, TemplateID: template, Title: "账单通知",
			Content: "账单月份:{{time1.DATA}}\n应缴金额:{{amount2.DATA}}", Example: "账单月份:2026年9月", Type: 3,
			Enums: map[string][]string{"phrase3.DATA": {"成功", "失败"}}, SyncedAt: moment}},
		{Key: submsg.CounterKey(appID, "2026-09-21", template), Body: &submsg.Counter{AppID: appID, TemplateID: template, Day: "2026-09-21",
			Counts: map[string]int64{"sent": int64(big), "refused.no_marketing": 1}}},
		{Key: submsg.TokenKey(appID), Body: &submsg.AccessToken{AppID: appID, Token: strings.Repeat("t0_-", 128), ExpiresAt: moment,
			ForcedDay: "2026-09-21", Forced: 2, ForcedAt: moment}},
		{Key: submsg.HealthKey(appID), Body: &submsg.Health{AppID: appID, Evidence: moment, Strikes: map[string]int{"": 1, template: 2},
			Holds: []submsg.Hold{{Rule: "daily_quota", Code: 45009, Since: moment, Until: moment + 1}, {TemplateID: template, Rule: "suspended", Since: moment}}}},
		{Key: submsg.PlanKey(appID, openID, "sch_1"), Body: &submsg.PlanEntry{ScheduleID: "sch_1"}},
		{Key: submsg.UnsentKey(appID, openID, moment, "snd_1"), Body: &submsg.UnsentEntry{SendID: "snd_1", At: moment}},
		{Key: submsg.NoticeKey(appID, "n_1"), Due: moment, Body: &submsg.Notice{ID: "n_1", AppID: appID, Event: "hold", TemplateID: template,
			At: moment, Detail: map[string]string{"rule": "daily_quota", "说明": "今日额度已用完"}, Attempts: 3}},
		// The least there can be of each shape of body: nothing but zero values.
		{Key: submsg.SubscriberKey(appID, "empty"), Body: new(submsg.Subscriber)},
		{Key: submsg.SendKey(appID, "empty"), Body: new(submsg.Send)},
		{Key: submsg.CounterKey(appID, "2026-09-22", "empty"), Body: new(submsg.Counter)},
		{Key: submsg.JobKey(appID, "empty", moment, 0), Body: new(submsg.Job)},
	}
}

// filled returns a body of the same kind as b in which no member is left empty, whatever members the kind
// has by now.
func filled(b submsg.Body) submsg.Body {
	v := reflect.New(reflect.TypeOf(b).Elem())
	fillValue(v.Elem())
	return v.Interface().(submsg.Body)
}

// fillValue sets v and all it is made of.
func fillValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fillValue(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillValue(v.Index(0))
		fillValue(v.Index(1))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fillValue(key)
		fillValue(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("约信 <\"#\\>")
	case reflect.Interface:
		v.Set(reflect.ValueOf("约信")) // a number would come back as a float64
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(big))
	case reflect.Uint64:
		v.SetUint(math.MaxUint64)
	default:
		panic("storetest: records have members of type " + v.Type().String() + " now: fill them here")
	}
}

// note is a small body that can be told from others by n.
func note(n int) *submsg.AudienceEntry { return &submsg.AudienceEntry{OpenID: openID, Generation: n} }

// noted is the n of a note, or -1 for anything else.
func noted(b submsg.Body) int {
	if e, ok := b.(*submsg.AudienceEntry); ok {
		return e.Generation
	}
	return -1
}

// entryKey is the key of a small record, in a partition of its own.
func entryKey(name string) submsg.Key { return submsg.AudienceKey(appID, name, "", openID) }
