package wechattest

import (
	"strings"
	"testing"
)

func TestFieldLimits(t *testing.T) {
	han := strings.Repeat("字", 25)
	tests := []struct {
		key        string
		fit, unfit []string
	}{
		{"thing1", []string{"苹果 apple, 3 斤!", han[:3*20], strings.Repeat("😀", 10)}, []string{han[:3*21], "two\nlines", "a\x00", strings.Repeat("😀", 11)}},
		{"number1", []string{"0", "12.5", strings.Repeat("9", 32)}, []string{"1,000", "-1", "1.", "一", strings.Repeat("9", 33)}},
		{"letter1", []string{"abcXYZ"}, []string{"a1", "é", strings.Repeat("a", 33)}},
		{"symbol1", []string{"+-*/~"}, []string{"a", "1", "字", "++++++"}},
		{"character_string1", []string{"A-1 #2", strings.Repeat("x", 32)}, []string{"订单1", strings.Repeat("x", 33)}},
		{"time1", []string{"15:01", "9:05:59", "2019年10月1日 15:01", "2019-10-01 15:01", "08:00~09:30", "2019年10月1日 15:01~16:00"}, []string{"25:00", "15:60", "now", "15"}},
		{"date1", []string{"2019年10月1日", "2019年10月", "10月1日", "2018-01-01", "2018/01", "01.01", "2019年10月1日 15:01", "2018-01-01~2018-02-01"}, []string{"tomorrow", "15:01", "2019年", "2018-01-01 to 2018-02-01"}},
		{"amount1", []string{"¥12.50", "￥100元", "$3", "1234567890", "99.9元"}, []string{"12345678901", "¥", "12,50", "12.5 元", "RMB12"}},
		{"phone_number1", []string{"+86-0766-66888866", "13800138000"}, []string{"+86-0766-668888667", "call me"}},
		{"car_number1", []string{"粤A8Z888挂", "京A12345", "A"}, []string{"粤A8Z8888挂", "粤A粤888", "A 1"}},
		{"name1", []string{"张三", "Mary Ann", strings.Repeat("a", 20), han[:3*10], "张三 Li"}, []string{strings.Repeat("a", 21), han[:3*11], "张三abcdefghi", "R2D2"}},
		{"phrase1", []string{"已发货", "配送中中中"}, []string{"已发货啦啦啦", "ok", "已发货!"}},
		{"short_thing1", []string{"已发货", "ready"}, []string{"readies"}},
		{"const1", []string{"已发货"}, []string{han[:3*21]}},
		{"enum_string1", []string{"正常", "停运"}, []string{"晚点"}},
		{"site1", []string{"anything"}, []string{han[:3*21]}},
	}
	for _, tt := range tests {
		t.Run(tt.key, func(t *testing.T) {
			tm := &template{Template: Template{Kind: OneTime, Enums: map[string][]string{"enum_string1": {"正常", "停运"}}}, fields: parseContent("x:{{" + tt.key + ".DATA}}")}
			check := func(value string) string {
				return tm.checkData(&sendRequest{data: []datum{{key: tt.key, value: value, text: true}}})
			}
			for _, value := range tt.fit {
				if got := check(value); got != "" {
					t.Errorf("%q: %s, want it accepted", value, got)
				}
			}
			for _, value := range tt.unfit {
				if got := check(value); !strings.HasPrefix(got, "argument invalid! data."+tt.key[:4]) {
					t.Errorf("%q: %q, want it refused", value, got)
				}
			}
			if got := check(" "); !strings.Contains("data."+tt.key+".value is emtpy", strings.TrimPrefix(got, "argument invalid! ")) || got == "" {
				t.Errorf("a blank value: %q, want emtpy", got)
			}
		})
	}
}

func TestKeysOutsideTheTemplateAreIgnored(t *testing.T) {
	tm := &template{Template: Template{Kind: OneTime}, fields: parseContent("{{thing1.DATA}}")}
	req := sendRequest{data: []datum{{key: "thing1", value: "a", text: true}, {key: "thing2", value: "", text: true}}}
	if got := tm.checkData(&req); got != "" {
		t.Errorf("refused: %s", got)
	}
}

func TestParseContent(t *testing.T) {
	tests := []struct {
		content string
		want    string // keys:kinds
	}{
		{"订单号:{{character_string1.DATA}}\n商品:{{thing12.DATA}}", "character_string1:character_string thing12:thing"},
		{"{{first.DATA}}\n{{ keyword1.DATA }}", "first:first keyword1:keyword"},
		{"no field", ""},
		{"{{thing1.DATA", ""},
		{"{{thing1}} {{thing2.DATA}}", "thing2:thing"},
	}
	for _, tt := range tests {
		var got []string
		for _, f := range parseContent(tt.content) {
			got = append(got, f.key+":"+f.kind)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%q: %q, want %q", tt.content, got, tt.want)
		}
	}
}
