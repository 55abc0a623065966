package policy

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// answer is what a case gets from the engine: the names of the rules that spoke.
type answer []string

func decided(t *testing.T, change func(*Request)) answer {
	r := bill()
	change(&r)
	return codes(mustEngine(t).Decide(r).Reasons)
}

func audited(t Template, app App, others ...Template) answer {
	return findingRules(Audit(app, t, false, others), Error, Warning)
}

func says(rule string, yes bool) answer {
	if yes {
		return answer{rule}
	}
	return nil
}

// ruleCase is one passing and one failing question for a rule.
type ruleCase struct {
	passes, fails string // in words
	pass, fail    func(t *testing.T) answer
}

// threePart is an old template message as 运营规范 §3 shows it.
const threePart = "{{first.DATA}}\n刷卡金额：{{keyword1.DATA}}\n刷卡时间：{{keyword2.DATA}}\n卡号尾数：{{keyword3.DATA}}\n{{remark.DATA}}"

var card = Template{ID: "C", Kind: TemplateMessage, Title: "刷卡成功通知", Content: threePart}

func titled(title string) Template {
	return Template{ID: "X", Kind: TemplateMessage, Title: title, Content: threePart}
}

func titleCase(good, bad string, app App) ruleCase {
	return ruleCase{
		passes: good, fails: bad,
		pass: func(*testing.T) answer { return audited(titled(good), app) },
		fail: func(*testing.T) answer { return audited(titled(bad), app) },
	}
}

func contentCase(passes, good, fails, bad string) ruleCase {
	with := func(content string) answer {
		t := card
		t.Content = content
		return audited(t, App{})
	}
	return ruleCase{passes: passes, fails: fails,
		pass: func(*testing.T) answer { return with(good) }, fail: func(*testing.T) answer { return with(bad) }}
}

func wordCase(title, good, bad string) ruleCase {
	with := func(text string) func(*testing.T) answer {
		return func(t *testing.T) answer {
			return decided(t, func(r *Request) { r.Template.Title = title; r.Data["thing3"] = text })
		}
	}
	return ruleCase{passes: good, fails: bad, pass: with(good), fail: with(bad)}
}

func decideCase(passes string, pass func(*Request), fails string, fail func(*Request)) ruleCase {
	return ruleCase{passes: passes, fails: fails,
		pass: func(t *testing.T) answer { return decided(t, pass) }, fail: func(t *testing.T) answer { return decided(t, fail) }}
}

func planned(rule string, r PromptRequest) func(*testing.T) answer {
	return func(*testing.T) answer {
		return says(rule, slices.ContainsFunc(Plan(r).LeftOut, func(c PromptChoice) bool { return c.Reason.Code == rule }))
	}
}

func prompt(scene string, candidates ...PromptCandidate) PromptRequest {
	return PromptRequest{Now: noon, App: &App{Categories: []string{"medical"}}, Scene: scene, Candidates: candidates}
}

func scheduled(app *App, tpl *Template, times ...time.Time) func(*testing.T) answer {
	return func(*testing.T) answer { return codes(CheckSchedule(app, tpl, times)) }
}

func daily(hours ...int) []time.Time {
	var times []time.Time
	for d := range 30 {
		for _, h := range hours {
			times = append(times, time.Date(2026, 12, 1+d, h, 0, 0, 0, Shanghai))
		}
	}
	return times
}

func oneTime(r *Request) { r.Template.Kind = OneTime; r.Active = false }
func serviceMsg(r *Request) {
	r.Template.Kind = TemplateMessage
	r.App.AccountKind = ServiceAccount
	r.Active = false
}
func atHour(h int) time.Time { return time.Date(2026, 11, 21, h, 0, 0, 0, Shanghai) }

var ruleCases = map[string]ruleCase{
	RuleOneTimeCredit: decideCase(
		"one credit for a take-away delivered", func(r *Request) { oneTime(r); r.Credits = 1 },
		"none left", oneTime),
	RuleLongTermActive: decideCase(
		"subscribed to flight delays", func(r *Request) {},
		"revoked since", func(r *Request) { r.Active, r.Revoked = false, true }),
	RuleLongTermCat: {
		passes: "a hospital", fails: "a cosmetics shop",
		pass: func(*testing.T) answer {
			return audited(Template{Kind: LongTerm, Title: "复诊提醒"}, App{Categories: []string{"医疗-私立医疗机构"}})
		},
		fail: func(*testing.T) answer {
			return audited(Template{Kind: LongTerm, Title: "复诊提醒"}, App{Categories: []string{"商家自营-美妆"}})
		},
	},
	RuleKindsNotMixed: {
		passes: "two one-time templates", fails: "one of each kind",
		pass: planned(RuleKindsNotMixed, prompt("pay", PromptCandidate{Template: &Template{ID: "a", Kind: OneTime}}, PromptCandidate{Template: &Template{ID: "b", Kind: OneTime}})),
		fail: planned(RuleKindsNotMixed, prompt("pay", PromptCandidate{Template: &Template{ID: "a", Kind: OneTime}}, PromptCandidate{Template: &Template{ID: "b", Kind: LongTerm}})),
	},
	RulePromptAskedFor: {
		passes: "a scene", fails: "no scene",
		pass: planned(RulePromptAskedFor, prompt("pay", PromptCandidate{Template: &Template{Kind: OneTime}})),
		fail: planned(RulePromptAskedFor, prompt("", PromptCandidate{Template: &Template{Kind: OneTime}})),
	},
	RulePromptOffTopic: {
		passes: "its own scene", fails: "another scene",
		pass: planned(RulePromptOffTopic, prompt("pay", PromptCandidate{Template: &Template{Kind: OneTime, Scenes: []string{"pay"}}})),
		fail: planned(RulePromptOffTopic, prompt("pay", PromptCandidate{Template: &Template{Kind: OneTime, Scenes: []string{"class"}}})),
	},
	RulePromptLimit: {
		passes: "three templates", fails: "four templates",
		pass: planned(RulePromptLimit, prompt("pay", oneTimes("a", "b", "c")...)),
		fail: planned(RulePromptLimit, prompt("pay", oneTimes("a", "b", "c", "d")...)),
	},
	RulePromptNoNagging: {
		passes: "refused two days ago", fails: "refused an hour ago",
		pass: planned(RulePromptNoNagging, prompt("pay", PromptCandidate{Template: &Template{Kind: OneTime}, Refusals: 1, LastRefused: noon.Add(-48 * time.Hour)})),
		fail: planned(RulePromptNoNagging, prompt("pay", PromptCandidate{Template: &Template{Kind: OneTime}, Refusals: 1, LastRefused: noon.Add(-time.Hour)})),
	},
	RulePromptCopy: {
		passes: "订阅每周康复指导（随时可取消）", fails: "授权长期订阅",
		pass: func(*testing.T) answer {
			return audited(Template{Kind: OneTime, Title: "课程提醒", PromptCopy: "订阅每周康复指导（随时可取消）"}, App{})
		},
		fail: func(*testing.T) answer {
			return audited(Template{Kind: OneTime, Title: "课程提醒", PromptCopy: "授权长期订阅"}, App{})
		},
	},

	RuleConsent: decideCase(
		"a template message that answers a trigger", func(r *Request) { serviceMsg(r); r.Trigger = 7 },
		"a user who merely follows the account", serviceMsg),
	RuleFields: decideCase(
		"data that fits", func(r *Request) {},
		"a field too long, found by the caller", func(r *Request) { r.Problems = []Reason{{Code: RuleFields, Field: "thing3"}} }),
	RuleOnTopic:        wordCase("作业通知", "数学第三单元练习，周一交", "新课上线：少儿机器人"),
	RuleNoMarketing:    wordCase("作业通知", "请家长签字", "周末促销课"),
	RuleNoYieldPromise: wordCase("理财到期提醒", "到期本息自动转入活期", "保本，预期收益 5%"),
	RuleNoBurst: decideCase(
		"the same content an hour later, second message of a trigger", func(r *Request) {
			r.Template.Limits = &Limits{}
			r.Fingerprint, r.Trigger = 5, 6
			r.History = []Sent{{TemplateID: "T1", At: noon.Add(-time.Hour), Fingerprint: 5, Trigger: 6}}
		},
		"a third message after one tap on the menu", func(r *Request) {
			r.Template.Class, r.Trigger = Urgent, 6
			r.History = []Sent{{TemplateID: "T1", At: noon.Add(-2 * time.Hour), Trigger: 6}, {TemplateID: "T1", At: noon.Add(-time.Hour), Trigger: 6}}
		}),
	RuleFrequencyCap: decideCase(
		"the second message of a medical app in a week", func(r *Request) { r.App.Categories = []string{"medical"}; r.History = []Sent{ago(3 * day)} },
		"the third message of a medical app in a day", func(r *Request) {
			r.App.Categories = []string{"medical"}
			r.History = []Sent{ago(4 * time.Hour), ago(2 * time.Hour)}
		}),
	RuleQuietHours: decideCase(
		"a bill at 08:00", func(r *Request) { r.Now = atHour(8) },
		"a bill at 02:00", func(r *Request) { r.Now = atHour(2) }),
	RulePreference: decideCase(
		"not muted", func(r *Request) {},
		"muted", func(r *Request) { r.Muted = true }),
	RuleMedicalDisclaimer: {
		passes: "康复指导提醒 with 非医疗诊断，仅供参考", fails: "康复指导提醒 without it",
		pass: func(*testing.T) answer {
			return audited(Template{Kind: LongTerm, Title: "康复指导提醒", Content: "训练动作:{{thing1.DATA}}\n时间:{{time2.DATA}}\n非医疗诊断，仅供参考"}, App{Categories: []string{"medical"}})
		},
		fail: func(*testing.T) answer {
			return audited(Template{Kind: LongTerm, Title: "康复指导提醒", Content: "训练动作:{{thing1.DATA}}\n时间:{{time2.DATA}}"}, App{Categories: []string{"medical"}})
		},
	},
	RuleLimitedPeriod: decideCase(
		"another policy number this month", func(r *Request) { limited(r, 9) },
		"the same policy number this month", func(r *Request) { limited(r, 8) }),
	RuleValidUntil: decideCase(
		"an 08:00 reminder at 08:00", func(r *Request) { r.Now, r.ValidUntil = atHour(8), atHour(9) },
		"an 08:00 reminder at noon", func(r *Request) { r.Now, r.ValidUntil = atHour(12), atHour(9) }),

	RuleTitleSuffix:      titleCase("账单通知", "领取红包!", App{}),
	RuleTitlePunctuation: titleCase("天气提醒", "天气提醒!", App{}),
	RuleTitleBrand:       titleCase("话费账单通知", "某某公司服务通知", App{}),
	RuleTitleBroadcast:   titleCase("审核结果通知", "系统通知", App{}),
	RuleTitleFrequent:    titleCase("退款结果通知", "更新类通知", App{}),
	RuleTitleMarketing:   titleCase("刷卡成功通知", "红包类通知", App{}),
	RuleContentLength: contentCase(
		"200 characters", threePart+strings.Repeat("字", 200-len([]rune(threePart))),
		"201 characters", threePart+strings.Repeat("字", 201-len([]rune(threePart)))),
	RuleContentFixedText: contentCase(
		"ten fixed characters", "{{first.DATA}}\n交易金额：{{keyword1.DATA}}\n交易时间：{{keyword2.DATA}}\n{{remark.DATA}}",
		"six fixed characters", "{{first.DATA}}\n金额：{{keyword1.DATA}}\n时间：{{keyword2.DATA}}\n{{remark.DATA}}"),
	RuleContentParams: contentCase(
		"{{first.DATA}}", threePart,
		"{ {first.DATA} }", strings.Replace(threePart, "{{first.DATA}}", "{ {first.DATA} }", 1)),
	RuleContentFirst: contentCase(
		"first at the beginning", threePart,
		"no first", strings.TrimPrefix(threePart, "{{first.DATA}}\n")),
	RuleContentRemark: contentCase(
		"remark at the end", threePart,
		"no remark", strings.TrimSuffix(threePart, "\n{{remark.DATA}}")),
	RuleContentKeywords: contentCase(
		"three keywords with the full-width colon", threePart,
		"one keyword", "{{first.DATA}}\n本次刷卡交易的金额：{{keyword1.DATA}}\n{{remark.DATA}}"),
	RuleContentAdjacent: contentCase(
		"one parameter a line", threePart,
		"two side by side", strings.Replace(threePart, "{{keyword1.DATA}}", "{{keyword1.DATA}}{{unit.DATA}}", 1)),
	RuleDuplicate: {
		passes: "账单通知 beside 发货通知", fails: "账单提醒 beside 账单通知",
		pass: func(*testing.T) answer {
			return audited(titled("账单通知"), App{}, Template{ID: "o", Kind: TemplateMessage, Title: "发货通知"})
		},
		fail: func(*testing.T) answer {
			return audited(titled("账单通知"), App{}, Template{ID: "o", Kind: TemplateMessage, Title: "账单提醒"})
		},
	},
	RuleTitleMismatch: {
		passes: "刷卡成功通知 with card and amount", fails: "刷卡成功通知 with a promotion",
		pass: func(*testing.T) answer { return audited(card, App{}) },
		fail: func(*testing.T) answer {
			t := card
			t.Content = "{{first.DATA}}\n活动名称：{{keyword1.DATA}}\n促销商品：{{keyword2.DATA}}\n{{remark.DATA}}"
			return audited(t, App{})
		},
	},

	RuleScheduleConsent: decideCase(
		"an active subscription at the occurrence", func(r *Request) { r.Scheduled = true },
		"revoked since the schedule was made", func(r *Request) { r.Scheduled, r.Active = true, false }),
	RuleScheduleFrequency: {
		passes: "eight weeks of classes, weekly on Friday", fails: "08:00 and 20:00 daily under one template",
		pass: scheduled(&App{Categories: []string{"education"}}, &Template{ID: "T", Kind: LongTerm}, fridays()...),
		fail: scheduled(&App{}, &Template{ID: "T", Kind: OneTime}, daily(8, 20)...),
	},
	RuleScheduleQuiet: {
		passes: "monthly bill on the 5th at 09:00", fails: "at 02:00",
		pass: scheduled(&App{}, &Template{ID: "T", Kind: LongTerm}, time.Date(2026, 12, 5, 9, 0, 0, 0, Shanghai)),
		fail: scheduled(&App{}, &Template{ID: "T", Kind: LongTerm}, time.Date(2026, 12, 5, 2, 0, 0, 0, Shanghai)),
	},
	RuleFixedPeriod: decideCase(
		"a monthly phone bill the user agreed to", func(r *Request) { serviceMsg(r); r.Scheduled, r.Active = true, true },
		"one nobody agreed to", func(r *Request) { serviceMsg(r); r.Scheduled, r.Trigger = true, 7 }),

	RuleSuspended: decideCase(
		"the 7 days are over", func(r *Request) { r.Suspended = []Hold{Suspend(1, noon.Add(-7*day))} },
		"within the 7 days", func(r *Request) { r.Suspended = []Hold{Suspend(1, noon.Add(-6*day))} }),
	RuleDailyQuota: decideCase(
		"the next day", func(r *Request) { r.Suspended = []Hold{DailyQuotaHold(noon.Add(-day), 1)} },
		"the same day", func(r *Request) { r.Suspended = []Hold{DailyQuotaHold(noon.Add(-time.Hour), 1)} }),
	RuleCancelSpike: {
		passes: "30 revocations where 20 are usual", fails: "500 where 20 are usual",
		pass: func(*testing.T) answer {
			return says(RuleCancelSpike, CancelSpike(CancelCounts{Past: []int{20, 18, 22}, Current: 30}))
		},
		fail: func(*testing.T) answer {
			return says(RuleCancelSpike, CancelSpike(CancelCounts{Past: []int{20, 18, 22}, Current: 500}))
		},
	},
	RuleLowInterest: {
		passes: "5 of 100 opened", fails: "4 of 100 opened",
		pass: func(*testing.T) answer { return says(RuleLowInterest, LowInterest(100, 5)) },
		fail: func(*testing.T) answer { return says(RuleLowInterest, LowInterest(100, 4)) },
	},
}

func limited(r *Request, key uint64) {
	r.Template.Kind, r.Template.KeyField, r.PeriodKey = LongTermLimited, "character_string1", key
	r.Template.Limits = &Limits{}
	r.History = []Sent{{TemplateID: "T1", At: time.Date(2026, 11, 2, 9, 0, 0, 0, Shanghai), PeriodKey: 8}}
}

func oneTimes(ids ...string) []PromptCandidate {
	var all []PromptCandidate
	for _, id := range ids {
		all = append(all, PromptCandidate{Template: &Template{ID: id, Kind: OneTime}})
	}
	return all
}

func fridays() []time.Time {
	var times []time.Time
	for w := range 8 {
		times = append(times, time.Date(2026, 11, 27+7*w, 19, 0, 0, 0, Shanghai))
	}
	return times
}

func TestEveryRuleHasAPassingAndAFailingCase(t *testing.T) {
	for _, rule := range Rules() {
		c, ok := ruleCases[rule.Name]
		if !ok {
			t.Errorf("%s has no case", rule.Name)
			continue
		}
		t.Run(rule.Name+" lets pass: "+c.passes, func(t *testing.T) {
			if got := c.pass(t); slices.Contains(got, rule.Name) {
				t.Errorf("it spoke: %v", got)
			}
		})
		t.Run(rule.Name+" stops: "+c.fails, func(t *testing.T) {
			if got := c.fail(t); !slices.Contains(got, rule.Name) {
				t.Errorf("it did not speak: %v", got)
			}
		})
	}
	for name := range ruleCases {
		if _, ok := Lookup(name); !ok {
			t.Errorf("there are cases for %s, which is no rule", name)
		}
	}
}
