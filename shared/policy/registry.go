package policy

import (
	"slices"
	"sync"
)

// Group is the part of the work that a rule belongs to.
type Group string

// The groups, in the order they are documented in.
const (
	GroupGrants    Group = "grants"
	GroupSends     Group = "sends"
	GroupTemplates Group = "templates"
	GroupSchedules Group = "schedules"
	GroupPenalties Group = "penalties"
)

// Rule describes one rule: what it asks, where it comes from, how to tune it.
type Rule struct {
	Name  string
	Group Group
	// Official says that the rule is WeChat's, from a notice, the documentation or
	// the code of conduct: it can be tuned within it, but not switched off. The
	// others are practices.
	Official bool
	Source   string // document and place
	Action   string // what happens: refused, deferred, error, …
	Default  string
	Tune     string // settings of yuexin.yaml, "" = nothing to tune
	Example  string // a case that breaks it
	EN, ZH   string // the rule in one sentence

	Advice, AdviceZH string // what to do when it applies
}

// Rules are all rules in the order of their groups. The slice is the caller's own.
func Rules() []Rule {
	return slices.Concat(grantRules, sendRules, templateRules, scheduleRules, penaltyRules)
}

// Lookup finds a rule by its name.
func Lookup(name string) (Rule, bool) {
	r, ok := registry()[name]
	return r, ok
}

var registry = sync.OnceValue(func() map[string]Rule {
	byName := make(map[string]Rule)
	for _, r := range Rules() {
		byName[r.Name] = r
	}
	return byName
})
