package policy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestPlan(t *testing.T) {
	tpl := func(id string, kind Kind, title string) *Template { return &Template{ID: id, Kind: kind, Title: title} }
	tests := []struct {
		name       string
		app        App
		candidates []PromptCandidate
		ask        []string
		left       map[string]string
	}{
		{
			name: "what is shortest of stock comes first",
			candidates: []PromptCandidate{
				{Template: tpl("a", OneTime, ""), Needed: 2, Credits: 1},
				{Template: tpl("b", OneTime, ""), Needed: 12, Credits: 2},
				{Template: tpl("c", OneTime, ""), Needed: 5},
			},
			ask: []string{"b", "c", "a"},
		},
		{
			name: "twelve monthly bills need one credit this month",
			candidates: []PromptCandidate{
				{Template: tpl("bill", OneTime, ""), Needed: 1, Credits: 0},
				{Template: tpl("stocked", OneTime, ""), Needed: 1, Credits: 1},
			},
			ask: []string{"bill"}, left: map[string]string{"stocked": RuleOneTimeCredit},
		},
		{
			name: "one-time before long-term where it is shorter of stock",
			candidates: []PromptCandidate{
				{Template: tpl("long", LongTerm, "")}, {Template: tpl("one", OneTime, ""), Needed: 3},
			},
			ask: []string{"one"}, left: map[string]string{"long": RuleKindsNotMixed},
		},
		{
			name: "long-term before one-time where both lack one",
			candidates: []PromptCandidate{
				{Template: tpl("one", OneTime, "")}, {Template: tpl("long", LongTerm, "")}, {Template: tpl("limited", LongTermLimited, "")},
			},
			ask: []string{"limited", "long"}, left: map[string]string{"one": RuleKindsNotMixed},
		},
		{
			name: "what is subscribed to, muted, banned, suspended or no subscription is left out",
			candidates: []PromptCandidate{
				{Template: tpl("on", LongTerm, ""), Active: true},
				{Template: tpl("muted", OneTime, ""), Muted: true},
				{Template: tpl("banned", OneTime, ""), Banned: true},
				{Template: tpl("held", OneTime, ""), Suspended: []Hold{Suspend(1, noon)}},
				{Template: tpl("quota", OneTime, ""), Suspended: []Hold{DailyQuotaHold(noon, 1)}},
				{Template: tpl("old", TemplateMessage, "")},
			},
			ask:  []string{"quota"}, // a spent quota stops sends, not consent
			left: map[string]string{"on": RuleLongTermActive, "muted": RulePreference, "banned": RuleSuspended, "held": RuleSuspended, "old": RuleConsent},
		},
		{
			name: "of two templates with one title WeChat would keep one",
			candidates: []PromptCandidate{
				{Template: tpl("a", OneTime, "账单通知")}, {Template: tpl("b", OneTime, "账单通知")},
			},
			ask: []string{"a"}, left: map[string]string{"b": RuleDuplicate},
		},
		{
			name: "the app's limit, five at most", app: App{MaxTemplatesPerPrompt: 9},
			candidates: oneTimes("a", "b", "c", "d", "e", "f"),
			ask:        []string{"a", "b", "c", "d", "e"}, left: map[string]string{"f": RulePromptLimit},
		},
		{
			name: "long-term in an app without a category", app: App{Categories: []string{"商家自营"}},
			candidates: []PromptCandidate{{Template: tpl("a", LongTerm, "")}},
			left:       map[string]string{"a": RuleLongTermCat},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.app.Categories == nil {
				tt.app.Categories = []string{"transport"}
			}
			plan := Plan(PromptRequest{Now: noon, App: &tt.app, Scene: "pay", Candidates: tt.candidates})
			var ask []string
			for _, c := range plan.Ask {
				ask = append(ask, c.Template.ID)
			}
			left := make(map[string]string)
			for _, c := range plan.LeftOut {
				left[c.Template.ID] = c.Reason.Code
			}
			if diff := cmp.Diff(tt.ask, ask); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
			if tt.left == nil {
				tt.left = map[string]string{}
			}
			if diff := cmp.Diff(tt.left, left); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
			for _, c := range append(plan.Ask, plan.LeftOut...) {
				if c.Reason.Detail == "" || c.Reason.DetailZH == "" {
					t.Errorf("%s is not explained", c.Template.ID)
				}
			}
		})
	}
}

func TestMissingCreditsAreCounted(t *testing.T) {
	plan := Plan(prompt("pay", PromptCandidate{Template: &Template{ID: "bill", Kind: OneTime}, Needed: 12, Credits: 5}))
	if len(plan.Ask) != 1 || plan.Ask[0].Missing != 7 {
		t.Errorf("%+v", plan)
	}
}

func TestTheWaitDoublesWithEachRefusal(t *testing.T) {
	want := []time.Duration{0, day, 2 * day, 4 * day, 8 * day, 16 * day, 32 * day, 60 * day, 60 * day}
	app := &App{}
	for refusals, wait := range want {
		if got := app.refusalWait(refusals); got != wait {
			t.Errorf("after %d refusals %s, want %s", refusals, got, wait)
		}
	}
	if got := app.refusalWait(1 << 40); got != maxRefusalWait {
		t.Errorf("after very many refusals %s", got)
	}
	refused := PromptCandidate{Template: &Template{ID: "a", Kind: OneTime}, Refusals: 3, LastRefused: noon.Add(-4 * day)}
	if plan := Plan(prompt("pay", refused)); len(plan.Ask) != 1 {
		t.Errorf("at the end of the wait: %+v", plan)
	}
	refused.LastRefused = refused.LastRefused.Add(time.Second)
	plan := Plan(prompt("pay", refused))
	if len(plan.LeftOut) != 1 || !plan.LeftOut[0].Reason.Until.Equal(noon.Add(time.Second)) {
		t.Errorf("a second before it: %+v", plan)
	}
}

func TestAPlanLosesNothingAndMixesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var candidates []PromptCandidate
		for i := range rapid.IntRange(0, 10).Draw(t, "templates") {
			candidates = append(candidates, PromptCandidate{
				Template: &Template{
					ID:    string(rune('a' + i)),
					Kind:  rapid.SampledFrom([]Kind{OneTime, LongTerm, LongTermLimited, TemplateMessage}).Draw(t, "kind"),
					Title: rapid.SampledFrom([]string{"", "账单通知", "到货通知"}).Draw(t, "title"),
				},
				Credits: rapid.IntRange(-1, 3).Draw(t, "credits"), Needed: rapid.IntRange(0, 5).Draw(t, "needed"),
				Active: rapid.Bool().Draw(t, "active"), Refusals: rapid.IntRange(0, 4).Draw(t, "refusals"),
				LastRefused: noon.Add(-time.Duration(rapid.IntRange(0, 200).Draw(t, "hours")) * time.Hour),
			})
		}
		plan := Plan(prompt("pay", candidates...))
		if len(plan.Ask)+len(plan.LeftOut) != len(candidates) {
			t.Fatalf("%d and %d of %d", len(plan.Ask), len(plan.LeftOut), len(candidates))
		}
		if len(plan.Ask) > defaultPerPrompt {
			t.Fatalf("%d asked for", len(plan.Ask))
		}
		for _, c := range plan.Ask {
			if c.Template.Kind.lasting() != plan.Ask[0].Template.Kind.lasting() || c.Missing == 0 {
				t.Fatalf("%+v", plan.Ask)
			}
		}
		if len(plan.Ask) == 0 {
			for _, c := range plan.LeftOut {
				if c.Reason.Code == RuleKindsNotMixed || c.Reason.Code == RulePromptLimit {
					t.Fatalf("%s is left out for others that are not asked for either", c.Template.ID)
				}
			}
		}
	})
}
