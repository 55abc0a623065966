package wechattest

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestParseSend(t *testing.T) {
	type data = []datum
	tests := []struct {
		name, body string
		want       sendRequest
	}{
		{"an ordinary body", sendBody("u", bill), sendRequest{openID: "u", templateID: bill, page: "pages/index", data: data{{"amount1", "¥12.50", true}}}},
		{"escapes are undone", `{"touser":"\u0075\"","data":{"k":{"value":"a\\\n"}}}`, sendRequest{openID: `u"`, data: data{{"k", "a\\\n", true}}}},
		{"white space and other members do not matter", " {\n \"x\" : [1, {\"y\":null}, \"]\"] , \"touser\" : \"u\" } ", sendRequest{openID: "u"}},
		{"a color beside the value does not either", `{"data":{"k":{"color":"#fff","value":"v"}}}`, sendRequest{data: data{{"k", "v", true}}}},
		{"values that are no strings are marked", `{"data":{"a":{"value":1},"b":"v","c":{}}}`, sendRequest{data: data{{"a", "", false}, {"b", "", false}, {"c", "", false}}}},
		{"data that is no object is marked", `{"data":[1]}`, sendRequest{badData: true}},
		{"the last of repeated members counts", `{"touser":"a","touser":"b","data":{"k":{"value":"1"},"k":{"value":"2"}}}`, sendRequest{openID: "b", data: data{{"k", "2", true}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseSend(tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(sendRequest{}, datum{})); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
	for _, body := range []string{
		"", "null", "[]", `"x"`, "{", "{}x", `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":tru}`, `{"a":01}`, `{a:1}`, `{"a":"\x"}`, "{\"a\":\"\n\"}",
		`{"data":{"k":{"value":"v"}`, `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	} {
		if got, err := parseSend(body); err == nil {
			t.Errorf("%q was read as %+v", body, got)
		}
	}
}

// FuzzParseSend holds the hand-written reader to encoding/json: both accept the same bodies and read the same values.
func FuzzParseSend(f *testing.F) {
	f.Add(sendBody("u", order))
	f.Add(`{"touser":"\ud83d\ude00","data":{"thing1":{"value":"\u4f60"}},"miniprogram":{"appid":"wx","pagepath":"p"}}`)
	f.Add(`{"data":[{}],"x":-1.5e+7,"y":[true,false,null]}`)
	f.Add(`{"touser":1,"template_id":null,"page":{}}`)
	f.Fuzz(func(t *testing.T, body string) {
		got, err := parseSend(body)
		var raw map[string]any
		wantErr := json.Unmarshal([]byte(body), &raw)
		if !utf8.ValidString(body) || strings.Count(body, "[")+strings.Count(body, "{") >= maxDepth {
			return // refused on purpose, where encoding/json repairs or goes on
		}
		if valid := wantErr == nil && raw != nil; valid != (err == nil) {
			t.Fatalf("%q: %v, encoding/json says %v", body, err, wantErr)
		}
		if err != nil {
			return
		}
		text := func(v any) string { s, _ := v.(string); return s }
		if got.openID != text(raw["touser"]) || got.templateID != text(raw["template_id"]) || got.page != text(raw["page"]) {
			t.Errorf("%q: read %+v, encoding/json %v", body, got, raw)
		}
		data, isObject := raw["data"].(map[string]any)
		if _, present := raw["data"]; present && got.badData == isObject {
			t.Errorf("%q: badData %t", body, got.badData)
		}
		if isObject && len(got.data) != len(data) {
			t.Errorf("%q: %d data, encoding/json %d", body, len(got.data), len(data))
		}
		for _, d := range got.data {
			entry, _ := data[d.key].(map[string]any)
			value, isText := entry["value"].(string)
			if d.value != value || d.text != isText {
				t.Errorf("%q: %+v, encoding/json %v", body, d, data[d.key])
			}
		}
	})
}

func TestJSONStringsAreQuoted(t *testing.T) {
	for _, s := range []string{"", "plain", `"\`, "控制\n", "\x7f", "<a>"} {
		var got string
		if err := json.Unmarshal(appendJSONString(nil, s), &got); err != nil || got != s {
			t.Errorf("%q came back as %q, %v", s, got, err)
		}
	}
}
