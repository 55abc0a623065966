package policy

import (
	"fmt"
)

// Severity says how much a finding matters.
type Severity string

// The severities of findings. A check fails on errors only.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Finding is one thing that the audit of a template or of a configuration has
// to say.
type Finding struct {
	Template string // name, title or id of the template; "" for the app itself
	Rule     string // one of the Rule… constants
	Severity Severity
	Place    string // title, content line 2, prompt_copy, limits.per_day, …
	Detail   string // what is wrong, in English
	DetailZH string // the same in Chinese
	Advice   string // what to do, in English
	AdviceZH string // the same in Chinese
}

// Audit judges one template before it is submitted to WeChat or used, by the
// code of conduct for template messages (运营规范 §3–4) and the rules of
// subscriptions. Findings come in the order of title, content, then settings.
//
// Rules on the title and on what it promises hold for every kind. Those on the
// three-part form (content_first, content_remark, content_fixed_text and the
// full-width colon) hold for template messages only: the content of a
// subscription template is composed by WeChat from keywords of its own library.
// legacy says that the template is an old one already in use, of whatever kind
// it is configured as.
//
// others are the templates there are already. t may be among them where it has an
// id: without one, a template like it in every respect is another one.
func Audit(app App, t Template, legacy bool, others []Template) []Finding {
	a := &auditor{
		app:    &app,
		t:      &t,
		old:    legacy || t.Kind == TemplateMessage,
		in:     parseContent(t.Content),
		legacy: legacy,
	}
	a.auditTitle()
	a.auditContent()
	a.auditMeaning(others)
	a.auditConsent()
	a.auditPrompt()
	a.auditSettings()
	return a.findings
}

// auditor is one template under audit.
type auditor struct {
	app      *App
	t        *Template
	in       content
	old      bool // of the three-part form
	legacy   bool // in use already
	findings []Finding
}

// report adds a finding; what to do about it is the rule's own advice.
func (a *auditor) report(rule string, severity Severity, place, detail, detailZH string) {
	advice := registry()[rule]
	a.findings = append(a.findings, Finding{
		Template: a.t.label(), Rule: rule, Severity: severity, Place: place,
		Detail: detail, DetailZH: detailZH, Advice: advice.Advice, AdviceZH: advice.AdviceZH,
	})
}

// reportWord adds a finding on a listed word; where the template's
// configuration excepts the word with a reason, it is an information.
func (a *auditor) reportWord(rule, place, text string, f found, detail, detailZH string) {
	for _, x := range a.t.Exceptions {
		if x.valid() && covers(text, fold(x.Word), f.start, f.end) {
			a.report(rule, Info, place,
				detail+fmt.Sprintf(" The configuration excepts it: %s.", x.Reason),
				detailZH+fmt.Sprintf("配置中已列为例外：%s。", x.Reason))
			return
		}
	}
	a.report(rule, Error, place, detail, detailZH)
}
