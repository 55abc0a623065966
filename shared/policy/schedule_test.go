package policy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCheckSchedule(t *testing.T) {
	rehabilitation := []time.Time{ // weeks 1, 2, 4 and a re-check in week 3
		atHour(9), atHour(9).Add(week), atHour(9).Add(2 * week), atHour(9).Add(3 * week),
	}
	tests := []struct {
		name        string
		app         App
		tpl         Template
		occurrences []time.Time
		want        []string
	}{
		{"rehabilitation in weeks 1 to 4", App{Categories: []string{"medical"}}, Template{Kind: LongTerm}, rehabilitation, nil},
		{"practice at 08:00 daily", App{}, Template{Kind: OneTime}, daily(8), nil},
		{"08:00 and 20:00 with the limits for it", App{}, Template{Kind: OneTime, Limits: &Limits{PerDay: 2}}, daily(8, 20), nil},
		{"08:00 and 20:00 with the default", App{}, Template{Kind: OneTime}, daily(8, 20), []string{RuleScheduleFrequency}},
		{"08:00 daily from a medical app", App{Categories: []string{"医疗"}}, Template{Kind: LongTerm}, daily(8), []string{RuleScheduleFrequency}},
		{"hourly, urgent", App{}, Template{Kind: LongTerm, Class: Urgent}, daily(1, 2, 3, 4), nil},
		{"four a day of a template without a cap break the app's", App{}, Template{Kind: OneTime, Limits: &Limits{}}, daily(9, 12, 15, 18), []string{RuleScheduleFrequency}},
		{"in the night and too often", App{}, Template{Kind: OneTime}, daily(3, 4), []string{RuleScheduleFrequency, RuleScheduleQuiet}},
		{"in the night of a template without one", App{}, Template{Kind: OneTime, QuietHours: &Window{state: windowNone}}, daily(3), nil},
		{"an unasked warning by the calendar", App{AccountKind: ServiceAccount}, Template{Kind: TemplateMessage, Unasked: UnaskedFault}, daily(9), []string{RuleFixedPeriod}},
		{"the same moment twice is one occurrence", App{}, Template{Kind: OneTime}, []time.Time{atHour(9), atHour(9)}, nil},
		{"no occurrences", App{}, Template{Kind: OneTime}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := CheckSchedule(&tt.app, &tt.tpl, tt.occurrences)
			if diff := cmp.Diff(tt.want, codes(got)); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			for _, r := range got {
				if r.Detail == "" || r.DetailZH == "" {
					t.Errorf("%s is not explained", r.Code)
				}
			}
		})
	}
}

func TestAScheduleShowsTheFirstOccurrencesThatBreakARule(t *testing.T) {
	times := daily(9, 23)
	got := CheckSchedule(&App{}, &Template{Kind: OneTime, Limits: &Limits{PerWeek: 4}}, times)
	if len(got) != 2 {
		t.Fatalf("%v", codes(got))
	}
	if diff := cmp.Diff(times[4:7], got[0].Occurrences); diff != "" {
		t.Errorf("frequency (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]time.Time{times[1], times[3], times[5]}, got[1].Occurrences); diff != "" {
		t.Errorf("quiet (-want +got):\n%s", diff)
	}
}

func TestADailyScheduleIsDailyWhenClocksChange(t *testing.T) {
	zone := mustZone(t, "Europe/Berlin")
	var times []time.Time
	for d := range 10 {
		times = append(times, time.Date(2026, 3, 25+d, 9, 0, 0, 0, zone)) // spring comes on the 29th
	}
	if got := CheckSchedule(&App{Zone: zone}, &Template{Kind: OneTime}, times); got != nil {
		t.Errorf("refused: %v", got[0].Detail)
	}
	times[3] = times[3].Add(-time.Minute)
	if got := CheckSchedule(&App{Zone: zone}, &Template{Kind: OneTime}, times); got == nil {
		t.Error("a minute too early is not noticed")
	}
}
