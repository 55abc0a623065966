package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDecide(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*Request)
		outcome Outcome
		due     time.Time // zero = the moment asked about
		codes   []string
	}{
		{name: "an agreed message by day is sent", change: func(r *Request) {}, outcome: Send},
		{
			name:    "quiet hours move a message to their end",
			change:  func(r *Request) { r.Now = atHour(23) },
			outcome: Defer, due: time.Date(2026, 11, 22, 8, 0, 0, 0, Shanghai), codes: []string{RuleQuietHours},
		},
		{
			name:    "22:00 is quiet",
			change:  func(r *Request) { r.Now = atHour(22) },
			outcome: Defer, due: time.Date(2026, 11, 22, 8, 0, 0, 0, Shanghai), codes: []string{RuleQuietHours},
		},
		{
			name:    "the last moment before 22:00 is not",
			change:  func(r *Request) { r.Now = atHour(22).Add(-time.Nanosecond) },
			outcome: Send,
		},
		{
			name:    "an urgent message passes quiet hours and caps",
			change:  func(r *Request) { r.Now = atHour(23); r.Template.Class = Urgent; r.History = []Sent{ago(time.Hour)} },
			outcome: Send,
		},
		{
			name:    "the cap moves a message to 24 hours after the one before",
			change:  func(r *Request) { r.History = []Sent{ago(2 * time.Hour)} },
			outcome: Defer, due: noon.Add(22 * time.Hour), codes: []string{RuleFrequencyCap},
		},
		{
			name:    "exactly 24 hours later there is room",
			change:  func(r *Request) { r.History = []Sent{ago(day)} },
			outcome: Send,
		},
		{
			name: "a cap that ends at night waits for the morning",
			change: func(r *Request) {
				r.Now = time.Date(2026, 11, 21, 21, 0, 0, 0, Shanghai)
				r.History = []Sent{{TemplateID: "T1", At: time.Date(2026, 11, 20, 23, 0, 0, 0, Shanghai)}}
			},
			outcome: Defer, due: time.Date(2026, 11, 22, 8, 0, 0, 0, Shanghai), codes: []string{RuleFrequencyCap, RuleQuietHours},
		},
		{
			name: "three of any template in a day fill the app's cap",
			change: func(r *Request) {
				r.History = []Sent{{TemplateID: "A", At: noon.Add(-5 * time.Hour)}, {TemplateID: "B", At: noon.Add(-4 * time.Hour)}, {TemplateID: "C", At: noon.Add(-time.Hour)}}
			},
			outcome: Defer, due: noon.Add(19 * time.Hour).Add(time.Hour), codes: []string{RuleFrequencyCap, RuleQuietHours},
		},
		{
			name: "urgent messages before do not count",
			change: func(r *Request) {
				r.History = []Sent{{TemplateID: "T1", At: noon.Add(-time.Hour), Urgent: true}}
			},
			outcome: Send,
		},
		{
			name:    "a template's own limits replace the default",
			change:  func(r *Request) { r.Template.Limits = &Limits{PerDay: 2}; r.History = []Sent{ago(2 * time.Hour)} },
			outcome: Send,
		},
		{
			name: "limits of zero are no limits",
			change: func(r *Request) {
				r.App.Limits, r.Template.Limits = &Limits{}, &Limits{}
				r.History = []Sent{ago(3 * time.Minute), ago(2 * time.Minute), ago(time.Minute), ago(time.Second)}
			},
			outcome: Send,
		},
		{
			name: "the app's limits for a template hold where the template has none",
			change: func(r *Request) {
				r.App.TemplateLimits = &Limits{PerDay: 2}
				r.History = []Sent{ago(2 * time.Hour), ago(time.Hour)}
			},
			outcome: Defer, due: noon.Add(22 * time.Hour), codes: []string{RuleFrequencyCap},
		},
		{
			name: "an education app sends a template three times a week",
			change: func(r *Request) {
				r.App.Categories = []string{"教育"}
				r.History = []Sent{ago(6 * day), ago(4 * day), ago(2 * day)}
			},
			outcome: Defer, due: noon.Add(day), codes: []string{RuleFrequencyCap},
		},
		{
			name:    "valid_until before the first allowed moment refuses",
			change:  func(r *Request) { r.Now = atHour(23); r.ValidUntil = time.Date(2026, 11, 22, 7, 0, 0, 0, Shanghai) },
			outcome: Refuse, codes: []string{RuleQuietHours},
		},
		{
			name:    "valid_until at the first allowed moment refuses, for then it is over",
			change:  func(r *Request) { r.Now = atHour(23); r.ValidUntil = time.Date(2026, 11, 22, 8, 0, 0, 0, Shanghai) },
			outcome: Refuse, codes: []string{RuleQuietHours},
		},
		{
			name:    "valid_until at the moment asked about has passed",
			change:  func(r *Request) { r.ValidUntil = noon },
			outcome: Expire, codes: []string{RuleValidUntil},
		},
		{
			name:    "a passed moment outranks a refusal, and both are said",
			change:  func(r *Request) { r.ValidUntil = noon.Add(-time.Second); r.Muted = true },
			outcome: Expire, codes: []string{RuleValidUntil, RulePreference},
		},
		{
			name: "every reason is given, not only the first",
			change: func(r *Request) {
				r.Now, r.Active, r.Muted, r.Fingerprint = atHour(23), false, true, 5
				r.History = []Sent{{TemplateID: "T1", At: atHour(23).Add(-time.Minute), Fingerprint: 5}}
				r.Data["thing3"] = "优惠，稳赚不赔"
				r.Suspended = []Hold{Suspend(1, noon)}
			},
			outcome: Refuse,
			codes: []string{RuleLongTermActive, RulePreference, RuleNoBurst, RuleNoMarketing, RuleNoYieldPromise,
				RuleFrequencyCap, RuleSuspended, RuleQuietHours},
		},
		{
			name:    "try_anyway sends without a known credit",
			change:  func(r *Request) { oneTime(r); r.TryAnyway = true },
			outcome: Send,
		},
		{
			name:    "try_anyway does not outweigh a refusal of the user",
			change:  func(r *Request) { oneTime(r); r.TryAnyway, r.Revoked = true, true },
			outcome: Refuse, codes: []string{RuleOneTimeCredit},
		},
		{
			name:    "try_anyway is not for schedules",
			change:  func(r *Request) { oneTime(r); r.TryAnyway, r.Scheduled = true, true },
			outcome: Refuse, codes: []string{RuleOneTimeCredit, RuleScheduleConsent},
		},
		{
			name: "a disaster warning of a service account goes unasked",
			change: func(r *Request) {
				serviceMsg(r)
				r.Template.Unasked, r.Template.Title = UnaskedDisaster, "暴雨预警通知"
			},
			outcome: Send,
		},
		{
			name: "but not one of a mini program",
			change: func(r *Request) {
				serviceMsg(r)
				r.App.AccountKind, r.Template.Unasked = MiniProgram, UnaskedDisaster
			},
			outcome: Refuse, codes: []string{RuleConsent},
		},
		{
			name:    "and not as a subscription message",
			change:  func(r *Request) { oneTime(r); r.App.AccountKind = ServiceAccount; r.Template.Unasked = UnaskedFault },
			outcome: Refuse, codes: []string{RuleOneTimeCredit},
		},
		{
			name:    "a template of an unknown kind has no consent",
			change:  func(r *Request) { r.Template.Kind = "weekly" },
			outcome: Refuse, codes: []string{RuleConsent},
		},
		{
			name:    "a template WeChat has banned is refused",
			change:  func(r *Request) { r.Banned = true },
			outcome: Refuse, codes: []string{RuleSuspended},
		},
		{
			name: "the same content to the same subscriber at once is refused, however urgent",
			change: func(r *Request) {
				r.Template.Class = Urgent
				r.Fingerprint = 5
				r.History = []Sent{{TemplateID: "T1", At: noon, Fingerprint: 5}}
			},
			outcome: Refuse, codes: []string{RuleNoBurst},
		},
		{
			name: "ten minutes later it is no burst",
			change: func(r *Request) {
				r.Template.Class, r.Fingerprint = Urgent, 5
				r.History = []Sent{{TemplateID: "T1", At: noon.Add(-DefaultNoBurst), Fingerprint: 5}}
			},
			outcome: Send,
		},
		{
			name: "no_burst cannot be tuned below a minute",
			change: func(r *Request) {
				r.App.NoBurst, r.Template.Class, r.Fingerprint = time.Nanosecond, Urgent, 5
				r.History = []Sent{{TemplateID: "T1", At: noon.Add(-59 * time.Second), Fingerprint: 5}}
			},
			outcome: Refuse, codes: []string{RuleNoBurst},
		},
		{
			name: "a flight delayed several times is sent every time",
			change: func(r *Request) {
				r.Template.Class = Urgent
				r.History = []Sent{ago(3 * time.Hour), ago(2 * time.Hour), ago(time.Hour)}
			},
			outcome: Send,
		},
		{
			name: "a hold of the day's quota lasts to midnight in Shanghai and the night thereafter",
			change: func(r *Request) {
				r.Suspended = []Hold{{Rule: RuleDailyQuota, Until: time.Date(2026, 11, 22, 0, 1, 0, 0, Shanghai)}}
			},
			outcome: Defer, due: time.Date(2026, 11, 22, 8, 0, 0, 0, Shanghai), codes: []string{RuleDailyQuota, RuleQuietHours},
		},
		{
			name:    "a hold without an end is looked at again after a day",
			change:  func(r *Request) { r.Suspended = []Hold{Suspend(3, noon)} },
			outcome: Defer, due: noon.Add(day), codes: []string{RuleSuspended},
		},
		{
			name:    "a hold beyond valid_until holds until then, for it may be ended early",
			change:  func(r *Request) { r.Suspended = []Hold{Suspend(1, noon)}; r.ValidUntil = noon.Add(time.Hour) },
			outcome: Defer, due: noon.Add(time.Hour), codes: []string{RuleSuspended},
		},
		{
			name:    "a hold that is over does nothing",
			change:  func(r *Request) { r.Suspended = []Hold{Suspend(1, noon.Add(-8*day))} },
			outcome: Send,
		},
		{
			name: "the field set aside for the medical disclaimer must carry it",
			change: func(r *Request) {
				r.Template.DisclaimerField = "thing3"
			},
			outcome: Refuse, codes: []string{RuleMedicalDisclaimer},
		},
		{
			name: "signs and blanks in the disclaimer do not matter",
			change: func(r *Request) {
				r.Template.DisclaimerField, r.Data["thing3"] = "thing3", "（非医疗诊断, 仅供参考）"
			},
			outcome: Send,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := bill()
			tt.change(&r)
			got := mustEngine(t).Decide(r)
			due := tt.due
			if due.IsZero() {
				due = r.Now
			}
			if got.Outcome != tt.outcome || !got.Due.Equal(due) {
				t.Errorf("%s at %s, want %s at %s", got.Outcome, clock(got.Due, Shanghai), tt.outcome, clock(due, Shanghai))
			}
			if diff := cmp.Diff(tt.codes, codes(got.Reasons)); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			for _, reason := range got.Reasons {
				if reason.Detail == "" || reason.DetailZH == "" {
					t.Errorf("%s explains itself in %q and %q", reason.Code, reason.Detail, reason.DetailZH)
				}
			}
		})
	}
}

func TestReasonsSayWhatTriggeredThemAndWhenTheyPass(t *testing.T) {
	r := bill()
	r.History = []Sent{ago(2 * time.Hour)}
	reason := mustEngine(t).Decide(r).Reasons[0]
	want := Reason{
		Code:     RuleFrequencyCap,
		Detail:   "The subscriber has had 1 message of monthly_bill within 24 hours, which is the cap; the next may go at 2026-11-22 10:00:00 +08:00.",
		DetailZH: "该用户在 24 小时内已收到“monthly_bill” 1 条，达到上限；下一条最早可于 2026-11-22 10:00:00 +08:00 发送。",
		Until:    noon.Add(22 * time.Hour),
		Earlier:  []time.Time{noon.Add(-2 * time.Hour)},
	}
	if diff := cmp.Diff(want, reason); diff != "" {
		t.Errorf("reason (-want +got):\n%s", diff)
	}
}

func TestARefusalForBeingTooLateSaysSo(t *testing.T) {
	r := bill()
	r.Now, r.ValidUntil = atHour(23), atHour(23).Add(time.Hour)
	reason := mustEngine(t).Decide(r).Reasons[0]
	if !strings.Contains(reason.Detail, "valid_until") || !strings.Contains(reason.DetailZH, "有效期") {
		t.Errorf("the reason does not name valid_until: %s %s", reason.Detail, reason.DetailZH)
	}
}

func TestHistoryOutOfOrderIsUnderstood(t *testing.T) {
	r := bill()
	r.Template.Limits = &Limits{PerDay: 2}
	r.History = []Sent{ago(time.Hour), ago(5 * time.Hour)}
	given := append([]Sent(nil), r.History...)
	if got, want := mustEngine(t).Decide(r).Due, noon.Add(20*time.Hour); !got.Equal(want) {
		t.Errorf("due at %s, want %s", got, want)
	}
	if diff := cmp.Diff(given, r.History); diff != "" {
		t.Errorf("the caller's history was changed:\n%s", diff)
	}
}

func TestUnknownAppOrTemplateIsRefused(t *testing.T) {
	for _, r := range []Request{{Now: noon, App: &App{}}, {Now: noon, Template: &Template{}}} {
		if got := mustEngine(t).Decide(r); got.Outcome != Refuse || !hasCode(got.Reasons, RuleConsent) {
			t.Errorf("%v", got)
		}
	}
}

func TestTheZeroEngineIsReady(t *testing.T) {
	var e Engine
	r := bill()
	r.Data["thing3"] = "优惠券"
	if got := e.Decide(r); got.Outcome != Refuse {
		t.Errorf("%v", got)
	}
}

func TestAMessageThatPassesAllocatesNextToNothing(t *testing.T) {
	e, r := mustEngine(t), bill()
	r.History = []Sent{ago(2 * day), ago(25 * time.Hour)}
	// Two for the automaton's iterator; the race detector empties pools at will.
	if n := testing.AllocsPerRun(200, func() { e.Decide(r) }); n > 8 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecideOnAMessageThatPasses(b *testing.B) {
	e := mustEngine(b)
	r := bill()
	r.Data = map[string]string{
		"thing1": "您的订单已经发货，请注意查收，谢谢", "thing2": "预计明天下午送达东城区建国路八十八号",
		"time3": "2026-11-21 12:00", "character_string4": "SF12345678901234", "amount5": "58.00元",
	}
	r.Fingerprint, r.Trigger = 5, 6
	for i := range 10 {
		r.History = append(r.History, Sent{TemplateID: "T2", At: noon.Add(time.Duration(i-30) * day / 2), Fingerprint: uint64(i + 10)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if e.Decide(r).Outcome != Send {
			b.Fatal("not sent")
		}
	}
}

func BenchmarkDecideInParallel(b *testing.B) {
	e := mustEngine(b)
	r := bill()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if e.Decide(r).Outcome != Send {
				b.Fail()
			}
		}
	})
}

func BenchmarkDecideOnAMessageWithAListedWord(b *testing.B) {
	e := mustEngine(b)
	r := bill()
	r.Data["thing3"] = "缴费送优 惠 券，快来"
	b.ReportAllocs()
	for b.Loop() {
		if e.Decide(r).Outcome != Refuse {
			b.Fatal("not refused")
		}
	}
}

func BenchmarkNewMatcher(b *testing.B) {
	for b.Loop() {
		newMatcher(&App{})
	}
}
