package httpapi

import (
	"context"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

func TestWhatAScheduleWouldSilentlyMisreadIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name, field string
		change      func(map[string]any)
	}{
		{"an empty topic, which is not the whole audience", "to.audience.topic", set("to", map[string]any{"audience": map[string]any{"topic": ""}})},
		{"no time to be valid in, which is not the default", "valid_for", set("valid_for", "0s")},
		{"no time to be valid in, in other units", "valid_for", set("valid_for", "0d0h")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			got := w.call("POST", "/schedules", monthly(tt.change), w.newKey()...).want(422, "invalid_request")
			if got.text("field") != tt.field || got.text("errors", 0, "field") != tt.field || got.text("detail") == "" {
				t.Errorf("field %q, want %q: %s", got.text("field"), tt.field, got.Body)
			}
			if w.stored() != 0 {
				t.Errorf("%d records were written", w.stored())
			}
			made := w.call("POST", "/schedules", monthly(), w.newKey()...).want(201)
			w.call("PUT", "/schedules/"+made.text("id"), monthly(tt.change)).want(422, "invalid_request")
		})
	}
	w := newWorld(t)
	taken := w.call("POST", "/schedules", monthly(func(b map[string]any) { delete(b, "valid_for") }, set("spread", "0s"), set("catch_up", "0s")), w.newKey()...).want(201)
	if taken.text("valid_for") != "" || taken.text("spread") != "0s" || taken.text("catch_up") != "0s" {
		t.Errorf("where nothing is a value: %s", taken.Body)
	}
}

func TestNoScheduleIsOlderThanItself(t *testing.T) {
	w := newWorld(t)
	w.service.Now = func() time.Time { // no two looks at the clock see the same time
		w.advance(time.Millisecond)
		return w.now()
	}
	stamp := func(r *reply, name string) time.Time {
		at, err := time.Parse(time.RFC3339Nano, r.text(name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return at
	}
	made := w.call("POST", "/schedules", monthly(), w.newKey()...).want(201)
	path := "/schedules/" + made.text("id")
	for what, r := range map[string]*reply{
		"made": made, "read": w.call("GET", path, nil).want(200), "replaced": w.call("PUT", path, monthly(set("spread", "5m"))).want(200), "paused": w.call("POST", path+":pause", nil).want(200),
	} {
		if created, updated := stamp(r, "created_at"), stamp(r, "updated_at"); created.After(updated) {
			t.Errorf("%s: created %s, updated %s", what, created, updated)
		}
	}
}

func TestARefusedSendOfAScheduleShowsEveryReason(t *testing.T) {
	for _, tt := range []struct {
		name string
		mute bool
		yes  bool
		want []string // the first is the decisive one; none: it is sent
	}{
		{"muted and without consent", true, false, []string{policy.RuleLongTermActive, policy.RuleScheduleConsent, policy.RulePreference}},
		{"without consent", false, false, []string{policy.RuleLongTermActive, policy.RuleScheduleConsent}},
		{"muted", true, true, []string{policy.RulePreference}},
		{"with consent", false, true, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.accept(alice, "monthly_bill", 1)
			made := w.call("POST", "/schedules", monthly(set("to", map[string]any{"openid": alice}), set("spread", "0s")), w.newKey()...).want(201)
			if tt.mute {
				w.call("PUT", "/subscribers/"+alice+"/preferences", map[string]any{"muted": map[string]bool{"monthly_bill": true}}).want(200)
			}
			if !tt.yes {
				w.advance(time.Hour)
				w.call("POST", "/grants", map[string]any{"grants": []any{map[string]any{"openid": alice, "template": "monthly_bill", "decision": "reject"}}}).want(200)
			}
			due, err := time.Parse(time.RFC3339, made.text("next_at"))
			if err != nil {
				t.Fatal(err)
			}
			w.advance(due.Sub(w.now()) + time.Second)
			if err := w.service.Tick(context.Background()); err != nil {
				t.Fatal(err)
			}
			got := w.call("GET", "/sends?"+url.Values{"openid": {alice}, "schedule": {made.text("id")}, "occurrence": {made.text("next_at")}}.Encode(), nil).want(200)
			if len(tt.want) == 0 {
				if got.text("state") != "sent" || got.at("reason") != nil || got.at("reasons") != nil {
					t.Errorf("sent: %s", got.Body)
				}
				return
			}
			if got.text("state") != "refused" || got.text("reason", "code") == "" {
				t.Fatalf("refused: %s", got.Body)
			}
			if len(tt.want) == 1 { // reason says it all
				if got.text("reason", "code") != tt.want[0] || got.at("reasons") != nil {
					t.Errorf("one reason: %s", got.Body)
				}
				return
			}
			var codes []string
			for i := range got.len("reasons") {
				codes = append(codes, got.text("reasons", i, "code"))
				if got.text("reasons", i, "detail") == "" || got.text("reasons", i, "detail_zh") == "" {
					t.Errorf("reason %d says nothing: %s", i, got.Body)
				}
			}
			if codes[0] != got.text("reason", "code") || got.text("reasons", 0, "detail") != got.text("reason", "detail") {
				t.Errorf("reason is %s, and the first of the reasons %s", got.text("reason", "code"), codes[0])
			}
			if slices.Sort(codes); !slices.Equal(codes, slices.Sorted(slices.Values(tt.want))) {
				t.Errorf("reasons %q, want %q", codes, tt.want)
			}
		})
	}
}

func TestABrokenRuleIsNamedInTheErrorsOfAProblem(t *testing.T) {
	for _, tt := range []struct {
		name, rule, field string
		ask               func(w *world) *reply
		status            int
		code              string
	}{
		{"a marketing word in a schedule", policy.RuleNoMarketing, "content.data.thing2", func(w *world) *reply {
			return w.call("POST", "/schedules", monthly(set("content", map[string]any{"data": map[string]string{"character_string1": "x", "thing2": "领取优惠券"}})), w.newKey()...)
		}, 422, "rule_broken"},
		{"a marketing word in one part of a series", policy.RuleNoMarketing, "content.series[1].data.thing2", func(w *world) *reply {
			part := func(text string) any {
				return map[string]any{"data": map[string]string{"character_string1": "x", "thing2": text}}
			}
			return w.call("POST", "/schedules", monthly(set("content", map[string]any{"series": []any{part("账单已出"), part("领取优惠券")}})), w.newKey()...)
		}, 422, "rule_broken"},
		{"prompts without a scene", policy.RulePromptAskedFor, "scene", func(w *world) *reply {
			return w.call("GET", "/prompts?openid="+alice, nil)
		}, 422, "invalid_request"},
		{"prompts for an empty scene", policy.RulePromptAskedFor, "scene", func(w *world) *reply {
			return w.call("GET", "/prompts?openid="+alice+"&scene=", nil)
		}, 422, "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.ask(newWorld(t)).want(tt.status, tt.code)
			if got.text("field") != tt.field || got.len("errors") == 0 || got.text("errors", 0, "code") != tt.rule || got.text("errors", 0, "field") != tt.field || got.text("errors", 0, "detail") == "" {
				t.Errorf("want %s on %s: %s", tt.rule, tt.field, got.Body)
			}
		})
	}
}

// What is left out and what is written as its default ask for the same.
func TestAReplayMayWriteTheDefaultOfOnUnknown(t *testing.T) {
	left := func(b map[string]any) map[string]any { return b }
	written := func(b map[string]any) map[string]any {
		b["on_unknown"] = "fail"
		return b
	}
	for _, tt := range []struct {
		name          string
		first, second func(map[string]any) map[string]any
	}{{"left out, then written", left, written}, {"written, then left out", written, left}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.accept(alice, "order", 2)
			w.call("POST", "/sends", tt.first(message(alice, "order", "E-1")), "Idempotency-Key", "k1").want(201)
			w.call("POST", "/sends", tt.second(message(alice, "order", "E-1")), "Idempotency-Key", "k1").want(200)
			if w.wechat.calls != 1 {
				t.Errorf("WeChat was called %d times", w.wechat.calls)
			}
			w.call("POST", "/schedules", tt.first(monthly()), "Idempotency-Key", "s1").want(201)
			w.call("POST", "/schedules", tt.second(monthly()), "Idempotency-Key", "s1").want(200)
			other := message(alice, "order", "E-1")
			other["on_unknown"] = "resend"
			w.call("POST", "/sends", other, "Idempotency-Key", "k1").want(422, "idempotency_key_reused")
		})
	}
}
