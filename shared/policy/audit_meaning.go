package policy

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// similarTitles is the share of common character pairs from which two titles
// are taken to mean the same, provided the keywords agree too.
const similarTitles = 0.5

// auditMeaning compares what the template is about: with other templates, and
// its title with its keywords.
func (a *auditor) auditMeaning(others []Template) {
	if a.t.Title == "" {
		return
	}
	core := titleCore(a.t.Title)
	for _, o := range others {
		if o.Title == "" || o.ID != "" && o.ID == a.t.ID {
			continue
		}
		same := titleCore(o.Title) == core
		switch {
		case same && o.Kind == a.t.Kind:
			a.report(RuleDuplicate, Error, "title",
				fmt.Sprintf("The template %s (%s) means the same as %s.", o.label(), o.Title, a.t.Title),
				fmt.Sprintf("模板“%s”（%s）与“%s”含义相同。", o.label(), o.Title, a.t.Title))
		case same, a.alike(o):
			a.report(RuleDuplicate, Warning, "title",
				fmt.Sprintf("The template %s (%s) seems to mean the same as %s.", o.label(), o.Title, a.t.Title),
				fmt.Sprintf("模板“%s”（%s）疑似与“%s”含义相同。", o.label(), o.Title, a.t.Title))
		}
	}
	a.auditMismatch()
}

// alike reports whether another template has nearly the same title and the
// same keywords.
func (a *auditor) alike(o Template) bool {
	mine, theirs := a.in.labels(), parseContent(o.Content).labels()
	if len(mine) == 0 || len(mine) != len(theirs) {
		return false
	}
	slices.Sort(mine)
	slices.Sort(theirs)
	return slices.Equal(mine, theirs) && dice(titleCore(a.t.Title), titleCore(o.Title)) >= similarTitles
}

// dice is the share of character pairs that two texts have in common, 0 to 1.
func dice(a, b string) float64 {
	pairs := func(s string) map[string]int {
		r, m := []rune(s), make(map[string]int)
		for i := range len(r) - 1 {
			m[string(r[i:i+2])]++
		}
		return m
	}
	pa, pb := pairs(a), pairs(b)
	common, total := 0, 0
	for p, n := range pa {
		common += min(n, pb[p])
		total += n
	}
	for _, n := range pb {
		total += n
	}
	if total == 0 {
		return 0
	}
	return 2 * float64(common) / float64(total)
}

// auditMismatch suspects a title of one service with keywords of others only
// (运营规范 §2.1). It is a guess from word lists, so it is never an error.
func (a *auditor) auditMismatch() {
	labels := a.in.labels()
	if len(labels) == 0 {
		return
	}
	title := topicsOf(foldTitle(a.t.Title))
	keywords := topicsOf(fold(strings.Join(labels, "\n")))
	if len(title) == 0 || len(keywords) == 0 {
		return
	}
	if slices.Contains(keywords, "promotion") && !slices.Contains(title, "promotion") ||
		!slices.ContainsFunc(title, func(t string) bool { return slices.Contains(keywords, t) }) && !related(title, keywords) {
		a.report(RuleTitleMismatch, Warning, "content",
			fmt.Sprintf("The title %s is about %s, the keywords (%s) are about %s.",
				a.t.Title, strings.Join(title, ", "), strings.Join(labels, ", "), strings.Join(keywords, ", ")),
			fmt.Sprintf("标题“%s”与关键词（%s）描述的服务似乎不一致。", a.t.Title, strings.Join(labels, "、")))
	}
}

// related reports whether the services touch: an order is paid for and
// delivered, a bill is paid, and money is a part of nearly everything.
func related(title, keywords []string) bool {
	trade := []string{"bill", "payment", "shopping", "delivery"}
	in := func(topics []string) bool {
		return slices.ContainsFunc(topics, func(t string) bool { return slices.Contains(trade, t) })
	}
	return in(title) && in(keywords) ||
		slices.Contains(keywords, "payment") || slices.Contains(keywords, "bill")
}

type topic struct {
	name  string
	words []string // folded
}

var topics = sync.OnceValue(func() []topic {
	var all []topic
	for _, line := range readWords("topics") {
		name, words, _ := strings.Cut(line, ":")
		t := topic{name: name}
		for _, w := range strings.Fields(words) {
			t.words = append(t.words, fold(w))
		}
		all = append(all, t)
	}
	return all
})

// topicsOf are the services that a folded text names.
func topicsOf(text string) []string {
	var names []string
	for _, t := range topics() {
		if slices.ContainsFunc(t.words, func(w string) bool { return strings.Contains(text, w) }) {
			names = append(names, t.name)
		}
	}
	return names
}
