package submsg

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

func TestVariablesAreFilledInForTheOccurrence(t *testing.T) {
	at := time.Date(2027, 3, 31, 8, 5, 0, 0, policy.Shanghai) // a Wednesday; a month earlier there is no 31st
	for text, want := range map[string]string{
		"账单": "账单", "": "",
		"{{year}}-{{month}}-{{day}}": "2027-3-31", "{{date}}": "2027-03-31", "{{date_zh}}": "2027年3月31日", "{{time}}": "08:05", "{{weekday}}": "星期三",
		"{{year_month}}": "2027-03", "{{last_month}}": "2027-02", "{{last_month_zh}}": "2027年2月",
		"第{{number}}课": "第8课", "{{ topic }}路": "42路", "{{day}}{{day}}": "3131",
		"a}}b": "a}}b", "{单}": "{单}",
	} {
		got, err := fill(map[string]string{"thing1": text}, at, 7, "42")
		if err != nil || got["thing1"] != want {
			t.Errorf("%q becomes %q (%v), want %q", text, got["thing1"], err, want)
		}
	}
	january, err := fill(map[string]string{"thing1": "{{last_month}} {{last_month_zh}}"}, time.Date(2027, 1, 5, 9, 0, 0, 0, policy.Shanghai), 0, "")
	if err != nil || january["thing1"] != "2026-12 2026年12月" {
		t.Errorf("before January comes %q (%v)", january["thing1"], err)
	}
}

// A topic that looks like a variable is a topic: what was filled in is not read again.
func TestWhatWasFilledInIsNotReadAgain(t *testing.T) {
	got, err := fill(map[string]string{"thing1": "{{topic}}"}, time.Now(), 0, "{{number}}")
	if err != nil || got["thing1"] != "{{number}}" {
		t.Errorf("%q, %v", got["thing1"], err)
	}
}

func TestAnUnknownVariableIsNamed(t *testing.T) {
	data := map[string]string{"thing1": "x", "thing2": "y"}
	before := map[string]string{"thing1": "x", "thing2": "y"}
	if _, err := fill(data, time.Now(), 0, ""); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, data); diff != "" {
		t.Errorf("the schedule's data were changed:\n%s", diff)
	}
	for _, text := range []string{"{{name}}", "{{day", "{{}}", "{{Day}}", "{{day}} and {{{{day}}"} {
		_, err := fill(map[string]string{"thing2": text}, time.Now(), 0, "")
		p := AsProblem(err)
		if p == nil || p.Code != CodeInvalidFields || p.Field != "thing2" || !strings.Contains(p.Detail, "date_zh") {
			t.Errorf("%q: %v; want a problem with thing2 that lists what there is", text, err)
		}
	}
}

func TestEveryVariableIsListed(t *testing.T) {
	names := VariableNames()
	if len(names) != len(variables) {
		t.Fatalf("%d names for %d variables", len(names), len(variables))
	}
	for _, n := range names {
		if got, err := fill(map[string]string{"k": "{{" + n + "}}"}, time.Now(), 0, "topic"); err != nil || got["k"] == "" || strings.Contains(got["k"], "{{") {
			t.Errorf("{{%s}} becomes %q, %v", n, got["k"], err)
		}
	}
}
