package policy

import (
	"fmt"
	"slices"
	"time"
)

// maxPerPrompt is what one call of wx.requestSubscribeMessage takes
// (developers.weixin.qq.com, wx.requestSubscribeMessage); older clients and
// older copies of that page say 3, which is the default.
const (
	maxPerPrompt     = 5
	defaultPerPrompt = 3
)

// CheckApp judges the settings of an app that tune the rules: official rules
// cannot be switched off, and practices only within sense. Places are the names
// of the settings in yuexin.yaml, so that the configuration can give the line.
// The templates are judged by Audit.
func CheckApp(app App) []Finding {
	var findings []Finding
	report := func(rule string, severity Severity, place, detail, detailZH string) {
		advice := registry()[rule]
		findings = append(findings, Finding{
			Rule: rule, Severity: severity, Place: place, Detail: detail, DetailZH: detailZH,
			Advice: advice.Advice, AdviceZH: advice.AdviceZH,
		})
	}
	if app.Limits != nil {
		findings = append(findings, checkLimits("", "limits", *app.Limits)...)
	}
	if app.TemplateLimits != nil {
		findings = append(findings, checkLimits("", "template_limits", *app.TemplateLimits)...)
	}
	if n := app.MaxTemplatesPerPrompt; n < 0 || n > maxPerPrompt {
		report(RulePromptLimit, Error, "max_templates_per_prompt",
			fmt.Sprintf("%d templates in one prompt: WeChat takes 1 to %d.", n, maxPerPrompt),
			fmt.Sprintf("一次请求 %d 个模板：微信允许 1 到 %d 个。", n, maxPerPrompt))
	}
	if d := app.NoBurst; d != 0 && (d < MinNoBurst || d > day) {
		report(RuleNoBurst, Error, "no_burst",
			fmt.Sprintf("no_burst is %s; it may be tuned from %s to %s but not switched off.", d, MinNoBurst, day),
			fmt.Sprintf("no_burst 为 %s；可在 %s 至 %s 之间调整，不可关闭。", d, MinNoBurst, day))
	}
	if d := app.Spread; d > 2*time.Hour {
		report(RuleQuietHours, Error, "spread",
			fmt.Sprintf("Messages would be strewn over %s after quiet hours; 2h is the most.", d),
			fmt.Sprintf("免打扰结束后分散发送的时长为 %s，上限为 2 小时。", d))
	}
	if d := app.RefusalWait; d != 0 && (d < time.Hour || d > maxRefusalWait) {
		report(RulePromptNoNagging, Error, "refusal_wait",
			fmt.Sprintf("refusal_wait is %s; it may be tuned from 1h to %s.", d, maxRefusalWait),
			fmt.Sprintf("refusal_wait 为 %s；可在 1h 至 %s 之间调整。", d, maxRefusalWait))
	}
	if app.ShelfLife < 0 {
		report(RuleOneTimeCredit, Error, "shelf_life",
			fmt.Sprintf("The shelf life of credits is %s; it is 0 (for ever, WeChat's own rule) or longer.", app.ShelfLife),
			fmt.Sprintf("订阅次数保质期为 %s；应为 0（不过期，微信规则）或正值。", app.ShelfLife))
	}
	for _, name := range sortedKeys(app.Words) {
		place := "words." + name
		if !extendable(name) {
			report(RuleNoMarketing, Error, place,
				fmt.Sprintf("%s is no word list; the lists are %v, each also with .allow.", name, listNames()),
				fmt.Sprintf("%s 不是词表；可用词表为 %v，各自可加 .allow。", name, listNames()))
			continue
		}
		for i, w := range app.Words[name] {
			if why := checkWord(w); why != "" {
				report(RuleNoMarketing, Error, fmt.Sprintf("%s[%d]", place, i), "The word "+why+".", fmt.Sprintf("词语“%s”过短或不含文字，无法使用。", w))
			}
		}
	}
	for i, b := range app.Brands {
		if why := checkWord(b); why != "" {
			report(RuleTitleBrand, Error, fmt.Sprintf("brands[%d]", i), "The brand "+why+".", fmt.Sprintf("品牌“%s”过短或不含文字，无法使用。", b))
		}
	}
	if slices.ContainsFunc(app.Categories, func(c string) bool { return c == "" }) {
		report(RuleLongTermCat, Error, "categories", "A category is empty.", "类目中有空值。")
	}
	return findings
}

// checkLimits judges one pair of limits.
func checkLimits(template, place string, l Limits) []Finding {
	var findings []Finding
	advice := registry()[RuleFrequencyCap]
	report := func(severity Severity, at, detail, detailZH string) {
		findings = append(findings, Finding{
			Template: template, Rule: RuleFrequencyCap, Severity: severity, Place: place + at,
			Detail: detail, DetailZH: detailZH, Advice: advice.Advice, AdviceZH: advice.AdviceZH,
		})
	}
	if l.PerDay < 0 {
		report(Error, ".per_day", fmt.Sprintf("per_day is %d; it is 0 (no cap) or more.", l.PerDay), fmt.Sprintf("per_day 为 %d；应为 0（不限）或正数。", l.PerDay))
	}
	if l.PerWeek < 0 {
		report(Error, ".per_week", fmt.Sprintf("per_week is %d; it is 0 (no cap) or more.", l.PerWeek), fmt.Sprintf("per_week 为 %d；应为 0（不限）或正数。", l.PerWeek))
	}
	if l.PerDay > 0 && l.PerWeek > 0 && l.PerWeek < l.PerDay {
		report(Warning, "", fmt.Sprintf("per_week %d is less than per_day %d, which therefore never applies.", l.PerWeek, l.PerDay), fmt.Sprintf("per_week %d 小于 per_day %d，后者不会生效。", l.PerWeek, l.PerDay))
	}
	return findings
}
