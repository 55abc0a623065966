package policy

import (
	"slices"
	"testing"
	"time"
)

// noon is an ordinary moment: Saturday 2026-11-21 12:00 in Shanghai.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, Shanghai)

func mustEngine(t testing.TB, apps ...*App) *Engine {
	t.Helper()
	e, err := NewEngine(apps...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mustWindow(t testing.TB, s string) Window {
	t.Helper()
	w, err := ParseWindow(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func mustZone(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// bill is a request that every rule lets pass: a long-term bill of a utility,
// at noon. Tests change what they are about.
func bill() Request {
	return Request{
		Now:      noon,
		App:      &App{AppID: "wx01", AccountKind: MiniProgram, Categories: []string{"政务民生"}},
		Template: &Template{ID: "T1", Name: "monthly_bill", Kind: LongTerm, Title: "账单通知", Content: "账单月份:{{time1.DATA}}\n应缴金额:{{amount2.DATA}}\n备注:{{thing3.DATA}}"},
		Active:   true,
		Data:     map[string]string{"time1": "2026年11月", "amount2": "236.80元", "thing3": "请于 25 日前缴费"},
	}
}

// codes are the rules' names in reasons.
func codes(reasons []Reason) []string {
	var names []string
	for _, r := range reasons {
		names = append(names, r.Code)
	}
	return names
}

func hasCode(reasons []Reason, code string) bool { return slices.Contains(codes(reasons), code) }

func findingRules(findings []Finding, severities ...Severity) []string {
	var names []string
	for _, f := range findings {
		if len(severities) == 0 || slices.Contains(severities, f.Severity) {
			names = append(names, f.Rule)
		}
	}
	return names
}

// ago is an earlier message of the template of bill.
func ago(d time.Duration) Sent { return Sent{TemplateID: "T1", At: noon.Add(-d)} }
