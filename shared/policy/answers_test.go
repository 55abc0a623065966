package policy

import (
	"testing"
	"time"
)

func TestDefaultsDoNotHoldBackAnAnswerToTheUser(t *testing.T) {
	night := time.Date(2026, 11, 5, 23, 30, 0, 0, Shanghai)
	for _, tc := range []struct {
		name      string
		app       App
		kind      Kind
		scheduled bool
		want      Outcome
	}{
		{"a second order's notice on one evening, late, goes at once", App{}, OneTime, false, Send},
		{"a schedule over one-time credits keeps to the defaults", App{}, OneTime, true, Defer},
		{"a long-term message keeps to the defaults", App{}, LongTerm, false, Defer},
		{"limits that are set hold for answers too", App{Limits: &Limits{PerDay: 1}}, OneTime, false, Defer},
		{"quiet hours that are set hold for answers too", App{QuietHours: mustWindow(t, "22:00-08:00")}, OneTime, false, Defer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tpl := Template{ID: "t", Kind: tc.kind, Title: "订单通知"}
			d := new(Engine).Decide(Request{
				Now: night, App: &tc.app, Template: &tpl, Credits: 3, Active: true, Scheduled: tc.scheduled,
				History: []Sent{{TemplateID: "t", At: night.Add(-time.Hour), Fingerprint: 7}}, Fingerprint: 8,
			})
			if d.Outcome != tc.want {
				t.Errorf("%s, want %s: %+v", d.Outcome, tc.want, d.Reasons)
			}
		})
	}
}
