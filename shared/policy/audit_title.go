package policy

import (
	"fmt"
	"strings"
	"unicode"
)

// auditTitle holds the title against 运营规范 §3 内容①–⑤.
func (a *auditor) auditTitle() {
	const place = "title"
	title := strings.TrimSpace(a.t.Title)
	if title == "" {
		a.report(RuleTitleSuffix, Warning, place,
			"No title is given, so the rules on titles could not be checked.",
			"未填写标题，无法检查标题规则。")
		return
	}
	bare := strings.TrimRightFunc(title, isSign)
	if !strings.HasSuffix(bare, "通知") && !strings.HasSuffix(bare, "提醒") {
		a.report(RuleTitleSuffix, Error, place,
			fmt.Sprintf("The title %q ends neither in 通知 nor in 提醒.", title),
			fmt.Sprintf("标题“%s”未以“通知”或“提醒”结尾。", title))
	}
	if i := strings.IndexFunc(title, isSign); i >= 0 {
		sign := []rune(title[i:])[0]
		a.report(RuleTitlePunctuation, Error, place,
			fmt.Sprintf("The title %q contains the sign %q.", title, sign),
			fmt.Sprintf("标题“%s”含标点或特殊符号“%c”。", title, sign))
	}

	folded := foldTitle(title)
	a.auditBrand(place, title)
	if f, ok := extended("title_brand", a.app).find(folded); ok {
		a.reportWord(RuleTitleBrand, place, folded, f,
			fmt.Sprintf("The title %q names a company or shop (%s).", title, f.entry.word),
			fmt.Sprintf("标题“%s”带有公司或店铺名（%s）。", title, f.entry.word))
	}
	for _, l := range [...]struct{ list, rule, en, zh string }{
		{"title_broadcast", RuleTitleBroadcast, "is so general that it invites mass sending", "过于宽泛，易被用作群发"},
		{"title_frequent", RuleTitleFrequent, "is of a kind that comes too often", "属于发送频率过高的类型"},
		{"title_marketing", RuleTitleMarketing, "is of the marketing kind", "属于推广营销类"},
	} {
		list := extended(l.list, a.app)
		if l.rule == RuleTitleBroadcast {
			list = list.forTitle(folded)
		}
		f, ok := list.find(folded)
		if !ok {
			continue
		}
		a.reportWord(l.rule, place, folded, f,
			fmt.Sprintf("The title %q %s (%s).", title, l.en, f.entry.word),
			fmt.Sprintf("标题“%s”%s（%s）。", title, l.zh, f.entry.word))
	}
}

// auditBrand looks for the configured brands in a text.
func (a *auditor) auditBrand(place, text string) {
	folded := foldName(text)
	for _, brand := range a.app.Brands {
		b := foldName(brand)
		i := strings.Index(folded, b)
		if b == "" || i < 0 {
			continue
		}
		f := found{entry: entry{word: brand, folded: b}, start: i, end: i + len(b)}
		a.reportWord(RuleTitleBrand, place, folded, f,
			fmt.Sprintf("%q contains the brand %s; titles, keywords and fixed text must fit the whole trade.", text, brand),
			fmt.Sprintf("“%s”含品牌名“%s”；标题、关键词和固定文字须具有行业通用性。", text, brand))
	}
}

// forTitle is the list without the entries that are titles of their own, such
// as 系统通知, unless the title is just that: they stop only what says nothing more.
func (l wordList) forTitle(title string) wordList {
	narrowed := wordList{allowed: l.allowed}
	for _, e := range l.words {
		whole := strings.HasSuffix(e.folded, "通知") || strings.HasSuffix(e.folded, "提醒")
		if !whole || e.folded == title {
			narrowed.words = append(narrowed.words, e)
		}
	}
	return narrowed
}

// foldTitle folds a title; 公告类通知 is 公告通知 and 系统类通知 is 系统通知.
func foldTitle(title string) string {
	return strings.NewReplacer("类通知", "通知", "类提醒", "提醒").Replace(fold(title))
}

// titleCore is what a folded title is about: without 通知 or 提醒 at its end.
func titleCore(title string) string {
	name := strings.TrimSuffix(foldName(title), "类通知")
	core := strings.TrimSuffix(strings.TrimSuffix(name, "通知"), "提醒")
	if core == "" {
		return name
	}
	return core
}

// isSign is what a title must not hold: anything but letters and digits.
func isSign(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
