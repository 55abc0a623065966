package cost_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/cost"
)

func usEast1(t *testing.T) cost.Prices {
	t.Helper()
	for _, p := range cost.Known() {
		if p.Region == "us-east-1" {
			return p
		}
	}
	t.Fatal("there are no prices of us-east-1")
	return cost.Prices{}
}

func TestEveryPriceListHasADateASourceAndAllPrices(t *testing.T) {
	for _, p := range cost.Known() {
		if _, err := time.Parse(time.DateOnly, p.AsOf); err != nil || p.Source == "" || p.Currency == "" {
			t.Errorf("%s: as of %q, from %q, in %q", p.Region, p.AsOf, p.Source, p.Currency)
		}
		for name, price := range map[string]float64{
			"writes": p.WriteUnits, "reads": p.ReadUnits, "table": p.TableGBMonth, "recovery": p.RecoveryGBMonth, "invocations": p.LambdaRequests,
			"time": p.LambdaGBSecond, "SQS": p.SQSRequests, "API": p.APIRequests, "logs": p.LogGB, "metrics": p.MetricMonth, "alarms": p.AlarmMonth,
		} {
			if price <= 0 {
				t.Errorf("%s: the price of %s is %v", p.Region, name, price)
			}
		}
	}
}

func TestAPriceListThatIsNotWholeIsRefused(t *testing.T) {
	for given, want := range map[string]string{
		`{}`:                            "a JSON list",
		`[{"region":"r"}]`:              "is missing",
		`[{"region":"r","wrong":1}]`:    "price list 1 (r)",
		`[{"write_units_million":"1"}]`: "cannot unmarshal",
		`[{"region":"r"`:                "a JSON list",
	} {
		if _, err := cost.ParsePrices([]byte(given)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", given, err, want)
		}
	}
}

func TestTheBillOfAMillionScheduledMessages(t *testing.T) {
	e := cost.Bill(cost.DefaultFigures(), usEast1(t))
	amounts := map[string]float64{}
	for _, l := range e.Lines {
		amounts[l.Service+" "+l.What] += l.Amount()
	}
	// 2.02 + 1.00 million writes at 0.625, 2.06 + 4.00 million reads at 0.125, a million pushes through API Gateway.
	for line, want := range map[string]float64{"DynamoDB writes": 3.02 * 0.625, "DynamoDB reads": 6.06 * 0.125, "API Gateway requests": 1} {
		if math.Abs(amounts[line]-want) > 1e-6 {
			t.Errorf("%s come to %v, want %v", line, amounts[line], want)
		}
	}
	sum := 0.0
	for _, amount := range amounts {
		sum += amount
	}
	if math.Abs(sum-e.Total()) > 1e-6 {
		t.Errorf("the lines add up to %v, the total is %v", sum, e.Total())
	}
}

func TestMoreIsNeverCheaper(t *testing.T) {
	p := usEast1(t)
	base := cost.Bill(cost.DefaultFigures(), p).Total()
	for name, change := range map[string]func(*cost.Figures){
		"scheduled": func(f *cost.Figures) { f.Scheduled *= 2 }, "on demand": func(f *cost.Figures) { f.OnDemand = 1e6 },
		"later": func(f *cost.Figures) { f.Later = 1e6 }, "events": func(f *cost.Figures) { f.Events *= 2 }, "grants": func(f *cost.Figures) { f.Grants = 1e6 },
		"a slow WeChat": func(f *cost.Figures) { f.WeChatSeconds *= 2 }, "memory": func(f *cost.Figures) { f.DeliverGB *= 2 }, "apps": func(f *cost.Figures) { f.Apps = 10 },
	} {
		f := cost.DefaultFigures()
		change(&f)
		if got := cost.Bill(f, p).Total(); got <= base {
			t.Errorf("%s: %v, and %v without", name, got, base)
		}
	}
}

func TestNoMessagesCostOnlyWhatIsAlwaysThere(t *testing.T) {
	f := cost.Figures{Parallel: 1, RequestGB: 0.5, RequestSeconds: 0.02, Apps: 1}
	e := cost.Bill(f, usEast1(t))
	if total := e.Total(); total <= 0 || total > 10 || math.IsNaN(total) {
		t.Errorf("the total is %v", total)
	}
	if text := e.Text(); strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || strings.Contains(text, "a thousand messages") {
		t.Errorf("the bill says:\n%s", text)
	}
}

// The page shows what the program computes. Write it anew with: UPDATE=1 go test ./shared/cost
func TestTheDocumentationShowsTheBill(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "cost.md")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	mixed := cost.DefaultFigures()
	mixed.Scheduled, mixed.OnDemand, mixed.Later, mixed.Grants = 0, 5e5, 5e5, 1e6
	page := string(raw)
	for mark, f := range map[string]cost.Figures{"scheduled": cost.DefaultFigures(), "on-demand": mixed} {
		begin, end := "<!-- bill: "+mark+" -->\n```\n", "```\n<!-- end -->"
		before, rest, ok := strings.Cut(page, begin)
		shown, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("docs/cost.md has no place for the bill %q", mark)
		}
		want := cost.Bill(f, usEast1(t)).Text()
		if shown != want && os.Getenv("UPDATE") == "" {
			t.Errorf("docs/cost.md shows another bill than the program; want:\n%s", want)
		}
		page = before + begin + want + end + after
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
