package policy

var scheduleRules = []Rule{
	{
		Name: RuleScheduleConsent, Group: GroupSchedules,
		Source: "长期订阅指南 (只要用户没取消)", Action: "refused, occurrence by occurrence", Default: "asked at each sending",
		Example: "the seventh of twelve monthly bills to a user with six credits",
		EN:      "A schedule sends only to subscriptions that are active at the moment of sending, not of its making.",
		ZH:      "定时任务只发给发送当时有效的订阅，而非创建时。",
		Advice:  "Let the prompt plan stock up credits before they run out.", AdviceZH: "请按订阅请求计划，在次数用完前补充订阅。",
	},
	{
		Name: RuleScheduleFrequency, Group: GroupSchedules,
		Source: "长期订阅指南 pit 4", Action: "the schedule is refused, showing the first occurrences over the cap", Default: "the caps of frequency_cap",
		Tune: "limits, template_limits, templates[].limits", Example: "08:00 and 20:00 daily under one template with the default cap",
		EN:     "A schedule that by itself breaks frequency_cap is refused when it is made.",
		ZH:     "自身即超过频率上限的定时规则，在创建时拒绝。",
		Advice: "Make it rarer, use two templates, or set the template's limits.", AdviceZH: "请降低频率、分用两个模板，或调整模板的 limits。",
	},
	{
		Name: RuleScheduleQuiet, Group: GroupSchedules,
		Source: "实战指南 practice 3", Action: "the schedule is refused, showing the first occurrences in the night", Default: "the hours of quiet_hours",
		Tune: "quiet_hours, templates[].quiet_hours", Example: "a bill at 07:00",
		EN:     "A schedule that falls into the quiet hours is refused when it is made.",
		ZH:     "落在免打扰时段的定时规则，在创建时拒绝。",
		Advice: "Move it into the day, or change the template's quiet hours.", AdviceZH: "请移到白天，或调整模板的免打扰时段。",
	},
	{
		Name: RuleFixedPeriod, Group: GroupSchedules, Official: true,
		Source: "运营规范 §2.1 每月推送频率固定的模板消息", Action: "refused", Default: "a trigger is not enough",
		Example: "a monthly phone bill as a template message nobody agreed to",
		EN:      "Monthly and other periodic notices need the user's prior consent.",
		ZH:      "每月等固定周期的通知，下发前必须经用户同意。",
		Advice:  "Record the user's consent, or use a subscription template.", AdviceZH: "请先记录用户同意，或改用订阅消息模板。",
	},
}

var penaltyRules = []Rule{
	{
		Name: RuleSuspended, Group: GroupPenalties, Official: true,
		Source: "运营规范 §5 (首次封7天，第二次30天，第三次永久封禁); errcodes 43107, 48001, 48004, 50002", Action: "held, not failed; an operator resumes, or the term ends",
		Default: "7 days, 30 days, until resumed", Example: "errcode 43107 on a send",
		EN:     "While WeChat blocks a template or an account, its sends wait.",
		ZH:     "微信封禁模板或账号期间，消息等待发送。",
		Advice: "Read the notice in the WeChat console, remove the cause, then resume.", AdviceZH: "请查看微信后台通知，消除违规原因后再恢复。",
	},
	{
		Name: RuleCancelSpike, Group: GroupPenalties,
		Source: "长期订阅指南 pit 5 (取消率突然涨)", Action: "schedules of the template pause, with an alarm",
		Default: "at least 10, 3 times the mean and 4 standard deviations above it",
		Example: "500 revocations in a week that used to see 20",
		EN:      "Revocations of a template rise sharply against its own past.",
		ZH:      "模板的取消订阅数较以往突增。",
		Advice:  "See what was sent last; resume when the cause is gone.", AdviceZH: "请检查近期发送的内容，消除原因后再恢复。",
	},
	{
		Name: RuleLowInterest, Group: GroupPenalties,
		Source: "长期订阅指南 pit 5 (点击率<5%)", Action: "flagged on the console", Default: "less than 5 % of at least 100 deliveries",
		Example: "4 of 100 opened",
		EN:      "Fewer than 5 % of the delivered messages are opened.",
		ZH:      "送达消息的打开率低于 5%。",
		Advice:  "Say something of use, at a better time, or stop.", AdviceZH: "请改进内容与时机，或停止发送。",
	},
	{
		Name: RuleDailyQuota, Group: GroupPenalties, Official: true,
		Source: "developers.weixin.qq.com, errcode 45009", Action: "held until the next day in Asia/Shanghai", Default: "midnight and up to 5 minutes",
		Example: "errcode 45009 on a send",
		EN:      "When the day's quota is spent, sends wait for the next day.",
		ZH:      "当日额度用完后，消息等到次日发送。",
		Advice:  "Spread sends over days, or apply for more.", AdviceZH: "请分散发送，或申请更高额度。",
	},
}
