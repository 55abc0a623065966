package policy

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxContent   = 200 // characters of a template's content (运营规范 §4.1)
	minFixedText = 10  // fixed characters or signs in it (运营规范 §4.1)
	minKeywords  = 2   // 运营规范 §4.6; addtemplate takes 2 to 5 keywords too
	maxKeywords  = 5
)

// auditContent holds the content against 运营规范 §4, as far as it is the
// developer's to write.
func (a *auditor) auditContent() {
	if strings.TrimSpace(a.t.Content) == "" {
		a.report(RuleContentKeywords, Warning, "content",
			"No content is given, so the rules on content could not be checked.",
			"未填写模板内容，无法检查内容规则。")
		return
	}
	strict := Warning // WeChat composes the content of subscription templates
	if a.old {
		strict = Error
	}
	if n := utf8.RuneCountInString(strings.TrimRight(a.t.Content, "\n")); n > maxContent {
		a.report(RuleContentLength, strict, "content",
			fmt.Sprintf("The content has %d characters; %d is the limit.", n, maxContent),
			fmt.Sprintf("模板内容共 %d 个字符，上限为 %d。", n, maxContent))
	}
	a.auditParams()
	if a.old {
		a.auditFixedText()
		a.auditEnds()
	}
	a.auditKeywords(strict)
	for _, l := range a.in.lines {
		a.auditLine(l)
	}
}

// auditParams finds braces that are no parameter, and parameters side by side.
func (a *auditor) auditParams() {
	for _, l := range a.in.lines {
		place := fmt.Sprintf("content line %d", l.number)
		for _, bad := range bracePattern().FindAllString(paramPattern().ReplaceAllString(l.text, "\n"), -1) {
			a.report(RuleContentParams, Error, place,
				fmt.Sprintf("%q is no parameter: it is written {{name.DATA}}, without blanks, DATA in capitals.", bad),
				fmt.Sprintf("“%s”不是合法参数：应写作 {{name.DATA}}，不含空格，DATA 大写。", bad))
		}
		if m := adjacentPattern().FindString(l.text); m != "" {
			a.report(RuleContentAdjacent, Error, place,
				fmt.Sprintf("%s: two parameters side by side are one parameter.", m),
				fmt.Sprintf("%s：直接相连的两个参数应合并为一个。", m))
		}
	}
}

func (a *auditor) auditFixedText() {
	n := 0
	for _, r := range a.in.fixed() {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	if n < minFixedText {
		a.report(RuleContentFixedText, Error, "content",
			fmt.Sprintf("The content has %d fixed characters; at least %d are wanted.", n, minFixedText),
			fmt.Sprintf("模板内容仅有 %d 个固定文字或标点，至少需要 %d 个。", n, minFixedText))
	}
}

// auditEnds looks at {{first.DATA}} and {{remark.DATA}}. WeChat has not shown
// them since 2023-05-04: a template in use loses nothing without them.
func (a *auditor) auditEnds() {
	missing := Warning
	if a.legacy {
		missing = Info
	}
	lines := a.in.lines
	for _, end := range [...]struct {
		rule, name, en, zh string
		line               contentLine
	}{
		{RuleContentFirst, "first", "begin with", "开头", lines[0]},
		{RuleContentRemark, "remark", "end with", "末尾", lines[len(lines)-1]},
	} {
		if end.line.only(end.name) {
			a.report(end.rule, Info, fmt.Sprintf("content line %d", end.line.number),
				fmt.Sprintf("WeChat has not displayed {{%s.DATA}} since 2023-05-04; what is written there is not read.", end.name),
				fmt.Sprintf("自 2023-05-04 起微信不再展示 {{%s.DATA}}，写在其中的内容用户看不到。", end.name))
			continue
		}
		a.report(end.rule, missing, fmt.Sprintf("content line %d", end.line.number),
			fmt.Sprintf("Templates of the three-part form %s {{%s.DATA}}; this one does not. WeChat has not displayed it since 2023-05-04.", end.en, end.name),
			fmt.Sprintf("三段式模板%s应为 {{%s.DATA}}，本模板没有；自 2023-05-04 起微信已不再展示该参数。", end.zh, end.name))
	}
}

// auditKeywords wants 2 to 5 lines of 名称：{{keyword.DATA}}.
func (a *auditor) auditKeywords(strict Severity) {
	keywords := a.in.keywords()
	good := 0
	for _, l := range keywords {
		if len(l.params) == 0 {
			continue
		}
		place := fmt.Sprintf("content line %d", l.number)
		switch {
		case l.label == "":
			a.report(RuleContentKeywords, strict, place,
				fmt.Sprintf("%q names no keyword: the form is 名称：{{keyword.DATA}}.", l.text),
				fmt.Sprintf("“%s”缺少关键词名称：格式应为“名称：{{keyword.DATA}}”。", l.text))
			continue
		case a.old && !l.wide:
			a.report(RuleContentKeywords, Warning, place,
				fmt.Sprintf("%q has a half-width colon; the form asks for the full-width one (：).", l.text),
				fmt.Sprintf("“%s”使用了半角冒号，应使用中文冒号（：）。", l.text))
		}
		good++
	}
	if good < minKeywords || good > maxKeywords {
		a.report(RuleContentKeywords, strict, "content",
			fmt.Sprintf("The content has %d keyword %s; it needs %d to %d.", good, plural(good, "line", "lines"), minKeywords, maxKeywords),
			fmt.Sprintf("模板内容有 %d 个关键词，应为 %d 到 %d 个。", good, minKeywords, maxKeywords))
	}
}

// auditLine looks for brands and advertising in a line's fixed text.
func (a *auditor) auditLine(l contentLine) {
	place := fmt.Sprintf("content line %d", l.number)
	text := content{text: l.text}.fixed()
	a.auditBrand(place, text)
	folded := fold(text)
	for _, list := range [...]string{"no_marketing", "lure"} {
		if f, ok := extended(list, a.app).find(folded); ok {
			a.reportWord(RuleNoMarketing, place, folded, f,
				fmt.Sprintf("The fixed text %q contains %s.", strings.TrimSpace(text), f.entry.word),
				fmt.Sprintf("固定文字“%s”含“%s”。", strings.TrimSpace(text), f.entry.word))
		}
	}
	if f, ok := extended("no_yield_promise", a.app).find(folded); ok {
		a.reportWord(RuleNoYieldPromise, place, folded, f,
			fmt.Sprintf("The fixed text %q contains %s.", strings.TrimSpace(text), f.entry.word),
			fmt.Sprintf("固定文字“%s”含“%s”。", strings.TrimSpace(text), f.entry.word))
	}
}
