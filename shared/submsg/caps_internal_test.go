package submsg

import (
	"fmt"
	"math/rand/v2"
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
		// Drawn evenly: the generators of rapid prefer small numbers, and it is the many sends that are forgotten.
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		limits := policy.Limits{PerDay: r.IntN(8), PerWeek: r.IntN(30)}
		total := policy.Limits{PerDay: r.IntN(8), PerWeek: r.IntN(40)}
		app := &App{Rules: policy.App{AppID: "app", Limits: &total, TemplateLimits: &limits, QuietHours: none}}
		ids := []string{"A", "B", "C"}
		for _, id := range ids {
			app.Templates = append(app.Templates, Template{Template: policy.Template{ID: id, Kind: policy.LongTerm, Title: "账单通知"}})
		}
		if _, err := NewCatalog([]*App{app}); err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 11, 21, 12, 0, 0, 0, policy.Shanghai)
		sub := &Subscriber{AppID: "app", OpenID: "someone"}
		var past []policy.Sent
		add := func(n int) {
			id, at := ids[r.IntN(len(ids))], At(now.Add(-time.Duration(r.Int64N(int64(9*24*time.Hour)))))
			next := sub.clone()
			next.subscription(id).remember(Recent{SendID: fmt.Sprint(n), At: at})
			sub = next
			past = append(past, policy.Sent{TemplateID: id, At: at.Time()})
			slices.SortFunc(past, func(a, b policy.Sent) int { return a.At.Compare(b.At) })
		}
		for n := range r.IntN(80) {
			add(n)
		}
		for n := range 6 {
			var before [3]bool
			for i := range app.Templates {
				before[i] = capped(app, &app.Templates[i], sub, now)
			}
			if r.IntN(2) == 0 { // one under way counts like one that was sent
				next := sub.clone()
				next.Reservations = append(next.Reservations, Reservation{SendID: fmt.Sprint("open ", n), TemplateID: "A", At: At(now)})
				sub = next
				past = append(past, policy.Sent{TemplateID: "A", At: now})
			} else {
				add(100 + n)
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
