package submsg

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"pgregory.net/rapid"
)

// capped reports whether the rules see a cap reached for a message under the template now: by what the record still
// remembers, or by the whole past where one is given.
func capped(app *App, t *Template, sub *Subscriber, now time.Time, past ...policy.Sent) bool {
	req := facts(now, app, t, sub, &Send{ID: "next", TemplateID: t.ID, Data: map[string]string{"thing1": "x"}}, nil)
	if past != nil {
		req.History = past
	}
	d := app.engine.Decide(req)
	return slices.ContainsFunc(d.Reasons, func(r policy.Reason) bool { return r.Code == policy.RuleFrequencyCap })
}

// What the record remembers is bounded, and what it forgets must be of no account: caps are what they would be over the
// whole past, and one more send, wherever it falls, never turns a cap's refusal into a pass.
func TestWhatIsForgottenNeverLiftsACap(t *testing.T) {
	none, err := policy.ParseWindow("")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		limits := policy.Limits{PerDay: rapid.IntRange(0, 8).Draw(t, "per day"), PerWeek: rapid.IntRange(0, 30).Draw(t, "per week")}
		total := policy.Limits{PerDay: rapid.IntRange(0, 8).Draw(t, "per day in all"), PerWeek: rapid.IntRange(0, 40).Draw(t, "per week in all")}
		app := &App{Rules: policy.App{AppID: "app", Limits: &total, TemplateLimits: &limits, QuietHours: none}}
		for _, id := range []string{"A", "B", "C"} {
			app.Templates = append(app.Templates, Template{Template: policy.Template{ID: id, Kind: policy.LongTerm, Title: "账单通知"}})
		}
		if _, err := NewCatalog([]*App{app}); err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 11, 21, 12, 0, 0, 0, policy.Shanghai)
		sub := &Subscriber{AppID: "app", OpenID: "someone"}
		var past []policy.Sent
		add := func(n int, label string) {
			at := At(now.Add(-time.Duration(rapid.Int64Range(0, int64(9*24*time.Hour)).Draw(t, label))))
			id := rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, label+" of")
			next := sub.clone()
			next.subscription(id).remember(Recent{SendID: fmt.Sprint(n), At: at})
			sub = next
			past = append(past, policy.Sent{TemplateID: id, At: at.Time()})
			slices.SortFunc(past, func(a, b policy.Sent) int { return a.At.Compare(b.At) })
		}
		for n := range rapid.IntRange(0, 80).Draw(t, "sends") {
			add(n, fmt.Sprint("send ", n))
		}
		for n := range 6 {
			var before [3]bool
			for i := range app.Templates {
				before[i] = capped(app, &app.Templates[i], sub, now)
			}
			if rapid.Bool().Draw(t, "or a reservation") { // one under way counts like one that was sent
				next := sub.clone()
				next.Reservations = append(next.Reservations, Reservation{SendID: fmt.Sprint("open ", n), TemplateID: "A", At: At(now)})
				sub = next
				past = append(past, policy.Sent{TemplateID: "A", At: now})
			} else {
				add(100+n, fmt.Sprint("another ", n))
			}
			for i := range app.Templates {
				if got, want := capped(app, &app.Templates[i], sub, now), capped(app, &app.Templates[i], sub, now, past...); got != want {
					t.Fatalf("template %s: capped %v, over the whole past %v", app.Templates[i].ID, got, want)
				}
				if before[i] && !capped(app, &app.Templates[i], sub, now) {
					t.Fatalf("template %s was capped, and one send more lifted it: %+v", app.Templates[i].ID, sub)
				}
			}
		}
	})
}
