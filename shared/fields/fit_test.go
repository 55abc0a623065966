package fields_test

import (
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yuexin-dev/yuexin/shared/fields"
)

func TestFitMakesProseFit(t *testing.T) {
	tests := []struct {
		name, typ, value, want string
	}{
		{"a valid value stays as it is, blanks included", "thing", " 一  二 ", " 一  二 "},
		{"a long one is cut and says so", "thing", strings.Repeat("长", 23), strings.Repeat("长", 19) + "…"},
		{"an exact fit is not cut", "thing", strings.Repeat("长", 20), strings.Repeat("长", 20)},
		{"line breaks become blanks", "thing", "第一行\r\n第二行\t完", "第一行  第二行 完"},
		{"a control character vanishes", "thing", "一\u0000二\u0007", "一二"},
		{"blanks are collapsed before anything is cut", "thing", "  " + strings.Repeat("字 \u3000 ", 9) + "完", strings.Repeat("字 ", 9) + "完"},
		{"a blank before the cut is dropped", "thing", strings.Repeat("长", 18) + " 长长", strings.Repeat("长", 18) + "…"},
		{"an emoji counts two and is not split", "thing", strings.Repeat("长", 18) + "😀长", strings.Repeat("长", 18) + "…"},
		{"a family is not split", "thing", strings.Repeat("长", 12) + "👨‍👩‍👧" + "长", strings.Repeat("长", 12) + "…"},
		{"skin stays with its hand", "thing", strings.Repeat("长", 17) + "👍🏽长", strings.Repeat("长", 17) + "…"},
		{"an accent stays with its letter", "thing", strings.Repeat("x", 18) + "e\u0301" + "xx", strings.Repeat("x", 18) + "…"},
		{"a flag is not split", "thing", strings.Repeat("长", 12) + "🇨🇳🇨🇳", strings.Repeat("长", 12) + "🇨🇳🇨🇳"},
		{"nor is the flag after a flag", "thing", strings.Repeat("长", 13) + "🇨🇳🇨🇳", strings.Repeat("长", 13) + "🇨🇳…"},
		{"composed Hangul is not split", "thing", strings.Repeat("x", 18) + "\u1112\u1161\u11ab" + "x", strings.Repeat("x", 18) + "…"},
		{"a short thing", "short_thing", "六个字太长了", "六个字太…"},
		{"a Chinese name is cut at ten", "name", "十一个汉字的姓名不可以", "十一个汉字的姓名不…"},
		{"a foreign name is cut at twenty", "name", strings.Repeat("abc ", 6), "abc abc abc abc abc…"},
		{"a phrase takes no sign", "phrase", "六个汉字太长", "六个汉字太"},
		{"the old form keeps its lines", "keyword", "一\r\n\r\n二\u0000", "一\n\n二"},
		{"the old form is cut at 200", "keyword", strings.Repeat("字", 201), strings.Repeat("字", 199) + "…"},
		{"an unknown type is cut at what any type allows", "site", strings.Repeat("字", 33), strings.Repeat("字", 31) + "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layout := mustParse(t, "{{"+tt.typ+"1.DATA}}")
			got, problems := layout.Fit(map[string]string{tt.typ + "1": tt.value})
			if problems != nil {
				t.Fatalf("problems %+v", problems)
			}
			if got[tt.typ+"1"] != tt.want {
				t.Errorf("got %q, want %q", got[tt.typ+"1"], tt.want)
			}
		})
	}
}

func TestFitNeverAltersWhatWouldBecomeAnotherThing(t *testing.T) {
	tests := []struct {
		name, typ, value, code string
	}{
		{"a number", "number", strings.Repeat("9", 33), fields.TooLong},
		{"an amount", "amount", "12345678901元", fields.TooLong},
		{"an order number", "character_string", strings.Repeat("x", 33), fields.TooLong},
		{"a broken order number", "character_string", "AB\n12", fields.BadCharacter},
		{"a date", "date", "2019-10-01\n", fields.BadCharacter},
		{"a time", "time", "15:01:30.500", fields.BadFormat},
		{"a phone number", "phone_number", "123456789012345678", fields.TooLong},
		{"a plate", "car_number", "粤A8Z8888挂", fields.TooLong},
		{"letters", "letter", strings.Repeat("a", 33), fields.TooLong},
		{"symbols", "symbol", "!!!!!!", fields.TooLong},
		{"a constant", "const", strings.Repeat("值", 21), fields.TooLong},
		{"an enumerated value", "enum_string", strings.Repeat("值", 33), fields.TooLong},
		{"a broken coding", "thing", "a\xff", fields.BadEncoding},
		{"an empty text", "thing", " ", fields.Empty},
		{"a text of control characters only", "thing", "\u0001\u0002", fields.BadCharacter},
		{"one character longer than the limit", "short_thing", "👨‍👩‍👧‍👦", fields.TooLong},
		{"a phrase with a sign that cannot go", "phrase", "配送!", fields.BadCharacter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key := tt.typ + "1"
			layout := mustParse(t, "{{"+key+".DATA}}")
			got, problems := layout.Fit(map[string]string{key: tt.value})
			if got[key] != tt.value {
				t.Errorf("became %q", got[key])
			}
			if len(problems) != 1 || problems[0].Code != tt.code {
				t.Errorf("problems %+v, want %s", problems, tt.code)
			}
		})
	}
}

func TestFitLeavesTheCallersDataAlone(t *testing.T) {
	layout := mustParse(t, "{{thing1.DATA}}\n{{thing2.DATA}}").WithEnums(map[string][]string{"thing2": {"a"}})
	data := map[string]string{"thing1": strings.Repeat("长", 30), "thing2": "a\u0000", "extra": "x"}
	before := maps.Clone(data)
	got, problems := layout.Fit(data)
	if !maps.Equal(data, before) {
		t.Errorf("the data became %v", data)
	}
	if got["extra"] != "x" || got["thing2"] != data["thing2"] {
		t.Errorf("fitted %v: unknown keys and listed values must stay", got)
	}
	if len(problems) != 2 || problems[0].Code != fields.BadCharacter || problems[1].Code != fields.UnknownKey {
		t.Errorf("problems %+v", problems)
	}
	if got, problems := layout.Fit(nil); got == nil || len(problems) != 2 {
		t.Errorf("no data gives %v, %+v", got, problems)
	}
}

func FuzzFit(f *testing.F) {
	for _, value := range []string{strings.Repeat("长", 23), "一\r\n二", "👨‍👩‍👧‍👦👨‍👩‍👧‍👦", "🇨🇳🇨🇳🇨🇳🇨🇳🇨🇳🇨🇳", "e\u0301\u0301\u0301", "\u0001", "a\xff", strings.Repeat("a ", 30), "六个汉字太长"} {
		for _, typ := range []string{"thing", "name", "phrase", "keyword", "number", "site"} {
			f.Add(typ, value)
		}
	}
	f.Fuzz(func(t *testing.T, typ, value string) {
		layout, err := fields.Parse("{{" + typ + "1.DATA}}")
		if err != nil {
			return
		}
		key := layout.Fields()[0].Key
		data := map[string]string{key: value}
		before := layout.Check(data)
		fitted, problems := layout.Fit(data)
		switch after := layout.Check(fitted); {
		case len(after) != len(problems):
			t.Fatalf("%s %q became %q with %+v, Check says %+v", typ, value, fitted[key], problems, after)
		case before == nil && fitted[key] != value:
			t.Fatalf("%s %q was valid and became %q", typ, value, fitted[key])
		case problems != nil && fitted[key] != value:
			t.Fatalf("%s %q became %q in vain: %+v", typ, value, fitted[key], problems)
		case problems == nil && !utf8.ValidString(fitted[key]):
			t.Fatalf("%s %q became the invalid %q", typ, value, fitted[key])
		}
		if again, _ := layout.Fit(fitted); again[key] != fitted[key] {
			t.Fatalf("%s %q became %q, then %q", typ, value, fitted[key], again[key])
		}
	})
}
