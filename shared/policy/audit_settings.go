package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// auditConsent holds the kind against what the app may use it for.
func (a *auditor) auditConsent() {
	t := a.t
	if t.Kind.lasting() && !a.app.publicService() {
		a.report(RuleLongTermCat, Error, "kind",
			fmt.Sprintf("The template is %s, but the app has no category of public services (categories: %s).", t.Kind, listOr(a.app.Categories, "none")),
			fmt.Sprintf("模板类型为长期订阅，但应用未配置政务民生、医疗、交通、金融、教育类目（现有：%s）。", listOr(a.app.Categories, "无")))
	}
	if t.Unasked == "" {
		return
	}
	switch {
	case !t.unasked(a.app):
		a.report(RuleConsent, Error, "unasked",
			fmt.Sprintf("unasked: %s has no effect here: only template messages of a service account about a fault or a disaster may go unasked.", t.Unasked),
			fmt.Sprintf("unasked: %s 在此无效：仅服务号的故障类（fault）、灾害警示警告类（disaster）模板消息可主动下发。", t.Unasked))
	case t.Title != "":
		if _, ok := extended("unasked", a.app).find(fold(t.Title)); !ok {
			a.report(RuleConsent, Error, "unasked",
				fmt.Sprintf("The title %s speaks of no fault or disaster, so the template may not go unasked.", t.Title),
				fmt.Sprintf("标题“%s”不属于故障类或灾害警示警告类，不得主动下发。", t.Title))
		}
	}
}

// minPromptSubstance is how many characters an invitation needs beyond the
// words every invitation has.
const minPromptSubstance = 3

// auditPrompt reads the invitation that precedes the prompt (长期订阅指南 step 4, pit 2).
func (a *auditor) auditPrompt() {
	text := a.t.PromptCopy
	if strings.TrimSpace(text) == "" {
		return
	}
	const place = "prompt_copy"
	folded := fold(text)
	if f, ok := extended("lure", a.app).find(folded); ok {
		a.report(RulePromptAskedFor, Error, place,
			fmt.Sprintf("The invitation %q rewards consent (%s).", text, f.entry.word),
			fmt.Sprintf("订阅引导文案“%s”以奖励诱导订阅（%s）。", text, f.entry.word))
	} else if f, ok := extended("no_marketing", a.app).find(folded); ok {
		a.report(RulePromptAskedFor, Error, place,
			fmt.Sprintf("The invitation %q lures with %s.", text, f.entry.word),
			fmt.Sprintf("订阅引导文案“%s”以“%s”诱导订阅。", text, f.entry.word))
	}
	rest := folded
	for _, list := range [...]string{"prompt_copy_off", "prompt_copy"} {
		for _, e := range extended(list, a.app).words {
			rest = strings.ReplaceAll(rest, e.folded, "")
		}
	}
	if utf8.RuneCountInString(rest) < minPromptSubstance {
		a.report(RulePromptCopy, Warning, place,
			fmt.Sprintf("The invitation %q does not say what arrives.", text),
			fmt.Sprintf("订阅引导文案“%s”没有说明用户会收到什么。", text))
	}
	if _, ok := extended("prompt_copy_off", a.app).find(folded); !ok {
		a.report(RulePromptCopy, Warning, place,
			fmt.Sprintf("The invitation %q does not say that it can be switched off.", text),
			fmt.Sprintf("订阅引导文案“%s”没有说明可随时取消。", text))
	}
}

// auditSettings holds the template's own configuration against the rules it tunes.
func (a *auditor) auditSettings() {
	t := a.t
	a.auditMedical()
	if t.Limits != nil {
		a.findings = append(a.findings, checkLimits(t.label(), "limits", *t.Limits)...)
	}
	for i, x := range t.Exceptions {
		place := fmt.Sprintf("exceptions[%d]", i)
		switch {
		case fold(x.Word) == "":
			a.report(RuleNoMarketing, Error, place,
				"The exception names no word.", "例外未填写词语。")
		case !x.valid():
			a.report(RuleNoMarketing, Error, place,
				fmt.Sprintf("The exception for %s gives no reason, so it has no effect.", x.Word),
				fmt.Sprintf("词语“%s”的例外未写明理由，不生效。", x.Word))
		}
	}
	if t.Class != "" && t.Class != Routine && t.Class != Urgent {
		a.report(RuleFrequencyCap, Error, "class",
			fmt.Sprintf("The class %q is neither routine nor urgent.", t.Class),
			fmt.Sprintf("class %q 应为 routine 或 urgent。", t.Class))
	}
	if t.Kind != LongTermLimited {
		return
	}
	if !slices.Contains([]string{"", PeriodDay, PeriodWeek, PeriodMonth}, t.Period) {
		a.report(RuleLimitedPeriod, Error, "period",
			fmt.Sprintf("The period %q is none of day, week, month.", t.Period),
			fmt.Sprintf("period %q 应为 day、week 或 month。", t.Period))
	}
	switch {
	case t.KeyField == "":
		a.report(RuleLimitedPeriod, Error, "key_field",
			"A rate-limited long-term template needs key_field: the field whose values are counted apart.",
			"限频长期订阅模板须配置 key_field，即按其取值分别计数的字段。")
	case t.Content != "" && !a.in.has(t.KeyField):
		a.report(RuleLimitedPeriod, Error, "key_field",
			fmt.Sprintf("The content has no parameter {{%s.DATA}}.", t.KeyField),
			fmt.Sprintf("模板内容中没有参数 {{%s.DATA}}。", t.KeyField))
	}
}

// auditMedical wants the disclaimer in the fixed text, or a field for it, where
// a medical app's template is on medical content.
func (a *auditor) auditMedical() {
	t := a.t
	if t.DisclaimerField != "" && t.Content != "" && !a.in.has(t.DisclaimerField) {
		a.report(RuleMedicalDisclaimer, Error, "disclaimer_field",
			fmt.Sprintf("The content has no parameter {{%s.DATA}}.", t.DisclaimerField),
			fmt.Sprintf("模板内容中没有参数 {{%s.DATA}}。", t.DisclaimerField))
		return
	}
	if !a.app.in(medical) || t.DisclaimerField != "" {
		return
	}
	fixed := a.in.fixed()
	f, ok := extended("medical_content", a.app).find(fold(t.Title + "\n" + fixed))
	if !ok {
		return
	}
	if _, ok := disclaimer(a.app, fixed); ok {
		return
	}
	a.report(RuleMedicalDisclaimer, Error, "content",
		fmt.Sprintf("The template is medical content (%s) and has neither the disclaimer in its fixed text nor a field for it.", f.entry.word),
		fmt.Sprintf("模板属于医疗类内容（%s），固定文字中没有“非医疗诊断，仅供参考”，也没有为其设置字段。", f.entry.word))
}

func listOr(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, ", ")
}
