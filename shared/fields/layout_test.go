package fields_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/fields"
)

func mustParse(t testing.TB, content string) fields.Layout {
	t.Helper()
	layout, err := fields.Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

func TestParseReadsKeysLabelsAndTypes(t *testing.T) {
	tests := []struct {
		name, content string
		want          []fields.Field
	}{
		{"a monthly bill", "账单月份:{{time1.DATA}}\n应缴金额:{{amount2.DATA}}", []fields.Field{
			{Key: "time1", Label: "账单月份", Type: "time"}, {Key: "amount2", Label: "应缴金额", Type: "amount"}}},
		{"full-width colons, trailing line break", "会议地点：{{thing1.DATA}}\n开始时间：{{date10.DATA}}\n", []fields.Field{
			{Key: "thing1", Label: "会议地点", Type: "thing"}, {Key: "date10", Label: "开始时间", Type: "date"}}},
		{"carriage returns and blanks", " 订单号 : {{ character_string3.DATA }} \r\n\r\n状态: {{phrase4.DATA}}", []fields.Field{
			{Key: "character_string3", Label: "订单号", Type: "character_string"}, {Key: "phrase4", Label: "状态", Type: "phrase"}}},
		{"a number with a leading zero", "{{thing01.DATA}}", []fields.Field{{Key: "thing01", Type: "thing"}}},
		{"fixed text between the parameters", "提醒:{{thing1.DATA}}\n非医疗诊断,仅供参考\n{{thing2.DATA}}", []fields.Field{
			{Key: "thing1", Label: "提醒", Type: "thing"}, {Key: "thing2", Type: "thing"}}},
		{"two on one line", "从{{thing1.DATA}}到{{thing2.DATA}}", []fields.Field{
			{Key: "thing1", Label: "从", Type: "thing"}, {Key: "thing2", Label: "到", Type: "thing"}}},
		{"the old form of template messages", "{{first.DATA}}\n订单号：{{keyword1.DATA}}\n金额：{{orderMoney.DATA}}\n{{remark.DATA}}", []fields.Field{
			{Key: "first", Type: "keyword"}, {Key: "keyword1", Label: "订单号", Type: "keyword"},
			{Key: "orderMoney", Label: "金额", Type: "keyword"}, {Key: "remark", Type: "keyword"}}},
		{"an old key that is spelt like a type keeps to the old rules", "时间:{{time.DATA}}", []fields.Field{{Key: "time", Label: "时间", Type: "keyword"}}},
		{"a type nobody has heard of", "位置:{{site1.DATA}}", []fields.Field{{Key: "site1", Label: "位置", Type: "site"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustParse(t, tt.content).Fields()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseNamesThePlaceOfAnError(t *testing.T) {
	tests := []struct {
		name, content string
		line          int
		detail        string
	}{
		{"nothing", "", 0, "no parameter"},
		{"text only", "账单已出\n请查收", 0, "no parameter"},
		{"without .DATA", "一:{{thing1.DATA}}\n二:{{thing2}}", 2, "{{thing2}} is not a parameter"},
		{"small letters", "{{thing1.data}}", 1, "write {{thing1.DATA}}"},
		{"blank between the braces", "一:{ {thing1.DATA} }", 0, "no parameter"},
		{"not closed", "一:{{thing1.DATA}}\n\n三:{{thing2.DATA}", 3, "{{ without }}"},
		{"closed on the next line", "一:{{thing1.DATA\n}}", 1, "{{ without }}"},
		{"not opened", "一:{{thing1.DATA}}\n二:thing2.DATA}}", 2, "}} without {{"},
		{"an empty key", "{{.DATA}}", 1, "{{.DATA}} is not a parameter"},
		{"a key of digits", "{{1.DATA}}", 1, "not a parameter"},
		{"a key with a blank", "{{thing 1.DATA}}", 1, "not a parameter"},
		{"a Chinese key", "{{事物1.DATA}}", 1, "not a parameter"},
		{"the same key twice", "{{thing1.DATA}}\n{{thing1.DATA}}", 2, "thing1 is used twice"},
		{"too long", strings.Repeat("字", 1366), 0, "4098 bytes, the limit is 4096"},
		{"too many", manyParameters(33), 33, "more than 32 parameters"},
		{"a long wrong name is clipped", "{{" + strings.Repeat("x", 3000) + "}}", 1, "{{" + strings.Repeat("x", 40) + "…}}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := fields.Parse(tt.content)
			var bad *fields.Error
			if !errors.As(err, &bad) {
				t.Fatalf("error %v, want *fields.Error", err)
			}
			if bad.Line != tt.line || !strings.Contains(bad.Error(), tt.detail) {
				t.Errorf("line %d, %q; want line %d and %q", bad.Line, bad.Error(), tt.line, tt.detail)
			}
		})
	}
	if layout := mustParse(t, manyParameters(32)); len(layout.Fields()) != 32 {
		t.Errorf("%d fields, want 32", len(layout.Fields()))
	}
}

func manyParameters(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("{{thing" + string(rune('0'+i/10)) + string(rune('0'+i%10)) + ".DATA}}\n")
	}
	return b.String()
}

func TestALayoutCannotBeChangedFromOutside(t *testing.T) {
	layout := mustParse(t, "状态:{{enum_string1.DATA}}")
	layout.Fields()[0].Key = "other"
	values := []string{"待付款", "已付款"}
	narrowed := layout.WithEnums(map[string][]string{"enum_string1.DATA": values})
	values[0] = "其他"

	if got := layout.Fields()[0].Key; got != "enum_string1" {
		t.Errorf("the key became %q", got)
	}
	if p := layout.Check(map[string]string{"enum_string1": "任意值"}); p != nil {
		t.Errorf("WithEnums changed the layout that it was called on: %v", p)
	}
	if p := narrowed.Check(map[string]string{"enum_string1": "待付款"}); p != nil {
		t.Errorf("the layout shares its values with the caller: %v", p)
	}
}

func FuzzParse(f *testing.F) {
	for _, content := range []string{
		"账单月份:{{time1.DATA}}\n应缴金额：{{amount2.DATA}}", "{{first.DATA}}{{remark.DATA}}", "{{{{thing1.DATA}}}}", "}}{{", "{{ a_1 .DATA }}",
	} {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content string) {
		layout, err := fields.Parse(content)
		if err != nil {
			var bad *fields.Error
			if !errors.As(err, &bad) || bad.Detail == "" {
				t.Fatalf("error without a reason: %v", err)
			}
			return
		}
		seen := map[string]bool{}
		var again strings.Builder
		for _, field := range layout.Fields() {
			if seen[field.Key] || !strings.HasPrefix(field.Key, field.Type) && field.Type != "keyword" {
				t.Fatalf("field %+v of %q", field, content)
			}
			seen[field.Key] = true
			again.WriteString("{{" + field.Key + ".DATA}}\n")
		}
		if len(seen) == 0 {
			t.Fatalf("no fields and no error for %q", content)
		}
		// What was read is written the same way again.
		reread, err := fields.Parse(again.String())
		if err != nil || len(reread.Fields()) != len(seen) {
			t.Fatalf("%q was read as %v, which reads as %v, %v", content, layout.Fields(), reread.Fields(), err)
		}
	})
}
