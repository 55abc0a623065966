package fields_test

import (
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/fields"
)

// TestValuesAreHeldToTheirType uses the examples of WeChat's own parameter table where it has any.
func TestValuesAreHeldToTheirType(t *testing.T) {
	tests := []struct {
		typ      string
		valid    []string
		problems map[string]string // value → code
	}{
		{"thing",
			[]string{"a", strings.Repeat("账", 20), "Room 12, 3/F (B)!", "😀", strings.Repeat("😀", 10), " 前后空格 "},
			map[string]string{strings.Repeat("账", 21): fields.TooLong, strings.Repeat("😀", 10) + "a": fields.TooLong,
				"": fields.Empty, "  ": fields.Empty, "\u3000": fields.Empty, "一\n二": fields.BadCharacter, "一\t二": fields.BadCharacter,
				"a\u0000": fields.BadCharacter, "a\u007f": fields.BadCharacter, "a\u0085": fields.BadCharacter, "a\u2028b": fields.BadCharacter,
				"a\xff": fields.BadEncoding, "\xe8\xb4": fields.BadEncoding}},
		{"short_thing", []string{"五个字以内"}, map[string]string{"六个字太长了": fields.TooLong}},
		{"number",
			[]string{"0", "12", "12.50", strings.Repeat("9", 32), strings.Repeat("9", 32) + ".5"},
			map[string]string{"-1": fields.BadFormat, "1,000": fields.BadFormat, "1.": fields.BadFormat, ".5": fields.BadFormat, "1.2.3": fields.BadFormat,
				"１２": fields.BadFormat, "12a": fields.BadFormat, "1 2": fields.BadFormat, "1.12345678901": fields.BadFormat, strings.Repeat("9", 33): fields.TooLong}},
		{"letter", []string{"abcXYZ", strings.Repeat("a", 32)},
			map[string]string{"a1": fields.BadCharacter, "a b": fields.BadCharacter, "é": fields.BadCharacter, "字": fields.BadCharacter, strings.Repeat("a", 33): fields.TooLong}},
		{"symbol", []string{"!", "+-*/#", "￥%……"},
			map[string]string{"a!": fields.BadCharacter, "1": fields.BadCharacter, "字": fields.BadCharacter, "!!!!!!": fields.TooLong}},
		{"character_string", []string{"SF-2024/0001", "A1 B2", strings.Repeat("x", 32)},
			map[string]string{"订单1": fields.BadCharacter, "é1": fields.BadCharacter, strings.Repeat("x", 33): fields.TooLong}},
		{"time",
			[]string{"15:01", "9:05", "15:01:30", "00:00", "2019年10月1日 15:01", "2019年10月1日15:01", "2019-10-01 15:01:00", "15:01~16:00", "15:01 ~ 16:00",
				"2019年10月1日 15:01~2019年10月2日 16:00", "2026年5月", "2019-10-01"},
			map[string]string{"24:00": fields.BadFormat, "15:60": fields.BadFormat, "15:1": fields.BadFormat, "15": fields.BadFormat, "15:01:30:00": fields.BadFormat,
				"3 PM": fields.BadFormat, "15：01": fields.BadFormat, "15:01-16:00": fields.BadFormat, "15:01~": fields.BadFormat, "明天": fields.BadFormat,
				"2019-10-0115:01": fields.BadFormat, "2019-10-01T15:01": fields.BadFormat, "15:01:": fields.BadFormat, ":30": fields.BadFormat}},
		{"date",
			[]string{"2019年10月1日", "2019年10月", "10月1日", "2018-01-01", "2018/01/01", "2018.01.01", "2018-01", "01-01", "2018/1/1", "02-29", "2024-02-29",
				"2019年10月1日 15:01", "2019年10月1日 15:01:30", "2019年10月 15:01", "2019年10月1日~2019年10月7日", "2019年10月1日 15:01~17:01"},
			map[string]string{"15:01": fields.BadFormat, "2019年": fields.BadFormat, "2019": fields.BadFormat, "2023-02-29": fields.BadFormat, "2019-13-01": fields.BadFormat,
				"2019-00-01": fields.BadFormat, "02-30": fields.BadFormat, "13月1日": fields.BadFormat, "2018-01/01": fields.BadFormat, "2018-01-": fields.BadFormat,
				"18年1月1日": fields.BadFormat, "20180101": fields.BadFormat, "2018-01-001": fields.BadFormat, "2019年10月1": fields.BadFormat,
				"10月": fields.BadFormat, "2018-01-01～2018-01-02": fields.BadFormat, "15:01~2019-10-01": fields.BadFormat, "0000-01-01": fields.BadFormat,
				"2019年10": fields.BadFormat, "100-01": fields.BadFormat, "2019-10-01 ": "", "2018-01-01 1:1": fields.BadFormat}},
		{"amount",
			[]string{"100", "100.00", "¥100.00", "￥100", "$9.99", "€1", "100元", "¥100.5元", "9999999999"},
			map[string]string{"-100": fields.BadFormat, "1,000.00": fields.BadFormat, "¥¥1": fields.BadFormat, "元": fields.BadFormat, "¥": fields.BadFormat, "100块": fields.BadFormat,
				"100 元": fields.BadFormat, "约100元": fields.BadFormat, "10000000000": fields.TooLong, "¥10000000000.00元": fields.TooLong}},
		{"phone_number", []string{"+86-0766-66888866", "110", "(010) 12345678"},
			map[string]string{"电话110": fields.BadCharacter, "110x": fields.BadCharacter, "---": fields.BadFormat, "123456789012345678": fields.TooLong}},
		{"phone", []string{"13800138000"}, map[string]string{"13800138000a": fields.BadCharacter}},
		{"car_number", []string{"粤A8Z888挂", "粤A12345", "粤AD12345", "A12345"},
			map[string]string{"粤粤12345": fields.BadCharacter, "粤A·12345": fields.BadCharacter, "粤A8Z8888挂": fields.TooLong}},
		{"name", []string{"张三", "十个汉字的姓名可以的", "Maria-José O'Neill", strings.Repeat("a", 20), "张 San"},
			map[string]string{"十一个汉字的姓名不可以": fields.TooLong, strings.Repeat("a", 21): fields.TooLong, "张aaaaaaaaaa": fields.TooLong, "张三1": fields.BadCharacter}},
		{"phrase", []string{"配送中", "五个汉字内"},
			map[string]string{"六个汉字太长": fields.TooLong, "配送!": fields.BadCharacter, "OK": fields.BadCharacter, "配送 中": fields.BadCharacter}},
		{"enum_string", []string{"任意值"}, map[string]string{strings.Repeat("值", 33): fields.TooLong}},
		{"const", []string{"审核通过"}, map[string]string{strings.Repeat("值", 21): fields.TooLong}},
		{"keyword", []string{"第一行\n第二行", strings.Repeat("字", 200)},
			map[string]string{strings.Repeat("字", 201): fields.TooLong, "a\tb": fields.BadCharacter, "\n": fields.Empty}},
		{"site", []string{"广州 TIT 创意园", strings.Repeat("字", 32)}, map[string]string{strings.Repeat("字", 33): fields.TooLong, "a\nb": fields.BadCharacter}},
	}
	for _, tt := range tests {
		t.Run(tt.typ, func(t *testing.T) {
			layout := mustParse(t, "标签:{{"+tt.typ+"7.DATA}}")
			check := func(value, want string) {
				problems := layout.Check(map[string]string{tt.typ + "7": value})
				switch {
				case want == "" && problems != nil:
					t.Errorf("%q is refused: %+v", value, problems)
				case want != "" && (len(problems) != 1 || problems[0].Code != want):
					t.Errorf("%q gives %+v, want %s", value, problems, want)
				case want != "" && !strings.HasPrefix(problems[0].Detail, tt.typ+"7"):
					t.Errorf("%q: the detail %q does not name the key", value, problems[0].Detail)
				case want == fields.TooLong && (problems[0].Limit <= 0 || problems[0].Length <= problems[0].Limit):
					t.Errorf("%q: length %d, limit %d", value, problems[0].Length, problems[0].Limit)
				}
			}
			for _, value := range tt.valid {
				check(value, "")
			}
			for value, code := range tt.problems {
				check(value, code)
			}
		})
	}
}

func TestCheckReportsEveryKeyInOrder(t *testing.T) {
	layout := mustParse(t, "月份:{{time1.DATA}}\n金额:{{amount2.DATA}}\n备注:{{thing3.DATA}}\n状态:{{enum_string4.DATA}}").
		WithEnums(map[string][]string{"enum_string4.DATA": {"已缴", "未缴"}, "enum_string9.DATA": {"x"}, "thing3": {}})
	data := map[string]string{
		"amount2": "12345678901元", "thing3": strings.Repeat("长", 23), "enum_string4": "欠费",
		"zz": "1", "time1.DATA": "15:01", "aa": "2",
	}
	want := []fields.Problem{
		{Key: "time1", Code: fields.Missing, Detail: "time1 is missing"},
		{Key: "amount2", Code: fields.TooLong, Detail: "amount2: 11 digits, the limit of amount is 10", Limit: 10, Length: 11},
		{Key: "thing3", Code: fields.TooLong, Detail: "thing3: 23 characters, the limit of thing is 20", Limit: 20, Length: 23},
		{Key: "enum_string4", Code: fields.NotAllowed, Detail: "enum_string4: must be one of 已缴, 未缴"},
		{Key: "aa", Code: fields.UnknownKey, Detail: `"aa" is not a key of this template, which has time1, amount2, thing3, enum_string4`},
		{Key: "time1.DATA", Code: fields.UnknownKey, Detail: "time1.DATA: write time1, the .DATA belongs to the template only"},
		{Key: "zz", Code: fields.UnknownKey, Detail: `"zz" is not a key of this template, which has time1, amount2, thing3, enum_string4`},
	}
	if diff := cmp.Diff(want, layout.Check(data)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	valid := map[string]string{"time1": "2026年5月", "amount2": "¥88.00", "thing3": "请及时缴费", "enum_string4": "未缴"}
	if got := layout.Check(valid); got != nil {
		t.Errorf("valid data gives %+v", got)
	}
}

func TestListedValuesOutrankTheTypesOwnLimit(t *testing.T) {
	long := strings.Repeat("值", 40)
	layout := mustParse(t, "{{const1.DATA}}").WithEnums(map[string][]string{"const1": {long}})
	if got := layout.Check(map[string]string{"const1": long}); got != nil {
		t.Errorf("a listed value is refused: %+v", got)
	}
}

func TestDetailsNeverRepeatTheValue(t *testing.T) {
	const secret = "13800138000SECRET"
	for _, typ := range []string{"number", "letter", "symbol", "time", "date", "amount", "phone", "car_number", "name", "phrase", "short_thing", "const", "enum"} {
		layout := mustParse(t, "{{"+typ+"1.DATA}}").WithEnums(map[string][]string{"enum1": {"a"}})
		for _, value := range []string{secret, strings.Repeat(secret, 20), secret + "\n", secret + "\xff"} {
			for _, p := range layout.Check(map[string]string{typ + "1": value}) {
				if strings.Contains(p.Detail, secret) {
					t.Errorf("%s: %q", typ, p.Detail)
				}
			}
		}
	}
}

func TestCheckMayRunConcurrently(t *testing.T) {
	layout := mustParse(t, "{{thing1.DATA}}\n{{amount2.DATA}}")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				if p := layout.Check(map[string]string{"thing1": "好", "amount2": "1元"}); p != nil {
					t.Error(p)
				}
				if _, p := layout.Fit(map[string]string{"thing1": strings.Repeat("好", 30), "amount2": "1元"}); p != nil {
					t.Error(p)
				}
			}
		})
	}
	group.Wait()
}

func TestTheZeroLayoutKnowsNoKey(t *testing.T) {
	var layout fields.Layout
	if p := layout.Check(nil); p != nil {
		t.Errorf("no data gives %v", p)
	}
	if p := layout.Check(map[string]string{"thing1": "x"}); len(p) != 1 || p[0].Code != fields.UnknownKey {
		t.Errorf("a key gives %v", p)
	}
}

var bill = map[string]string{"time1": "2026年5月", "amount2": "¥128.50", "thing3": "请于月底前缴清，逾期停机", "character_string4": "SF-20260505-000123"}

const billContent = "账单月份:{{time1.DATA}}\n应缴金额:{{amount2.DATA}}\n温馨提示:{{thing3.DATA}}\n账单编号:{{character_string4.DATA}}"

func TestCheckOfValidDataDoesNotAllocate(t *testing.T) {
	layout := mustParse(t, billContent)
	if n := testing.AllocsPerRun(100, func() { layout.Check(bill) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCheck(b *testing.B) {
	layout := mustParse(b, billContent)
	b.ReportAllocs()
	for b.Loop() {
		if layout.Check(bill) != nil {
			b.Fatal("refused")
		}
	}
}

func BenchmarkFit(b *testing.B) {
	layout := mustParse(b, billContent)
	data := map[string]string{"time1": "2026年5月", "amount2": "¥128.50", "thing3": strings.Repeat("请于月底前缴清", 5), "character_string4": "SF-1"}
	b.ReportAllocs()
	for b.Loop() {
		if _, p := layout.Fit(data); p != nil {
			b.Fatal("refused")
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, value := range []string{"2019年10月1日 15:01~17:01", "¥1.00元", "粤A8Z888挂", "a\nb", "\xff", "👨‍👩‍👧", "2018-01-"} {
		f.Add("thing", value)
		f.Add("date", value)
		f.Add("amount", value)
		f.Add("car_number", value)
	}
	f.Fuzz(func(t *testing.T, typ, value string) {
		layout, err := fields.Parse("{{" + typ + "1.DATA}}")
		if err != nil {
			return
		}
		key := layout.Fields()[0].Key
		problems := layout.Check(map[string]string{key: value})
		if len(problems) > 1 {
			t.Fatalf("%d problems for one value", len(problems))
		}
		for _, p := range problems {
			if p.Key != key || p.Code == "" || p.Detail == "" || !utf8.ValidString(p.Detail) {
				t.Fatalf("problem %+v", p)
			}
		}
		if problems == nil && (value == "" || !utf8.ValidString(value) || strings.ContainsAny(value, "\x00\t\r")) {
			t.Fatalf("%q passes as %s", value, typ)
		}
	})
}
