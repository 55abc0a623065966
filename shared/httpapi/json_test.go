package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStrictJSONNamesTheFault(t *testing.T) {
	for name, tt := range map[string]struct{ body, field, detail string }{
		"nothing":                           {"", "", "empty"},
		"blanks":                            {" \n ", "", "empty"},
		"half an object":                    {`{"a":`, "", "line 1"},
		"a trailing comma":                  {"{\n\"a\":1,\n}", "", "line 3"},
		"data after the end":                {`{} {}`, "", "after top-level"},
		"a second document":                 {`{}]`, "", "after top-level"},
		"a comment":                         {`{} // x`, "", "after top-level"},
		"NaN":                               {`{"a":NaN}`, "", "line 1"},
		"a member twice":                    {`{"a":1,"a":1}`, "a", "twice"},
		"a member twice, deep inside":       {`{"a":[{"b":{}},{"b":{"c":1,"d":2,"c":3}}]}`, "a[1].b.c", "twice"},
		"a member twice, once escaped":      {`{"a":1,"\u0061":1}`, "a", "twice"},
		"bytes that are no UTF-8":           {"{\"a\":\"\xff\"}", "", "UTF-8"},
		"a surrogate encoded as UTF-8":      {"{\"a\":\"\xed\xa0\x80\"}", "", "UTF-8"},
		"half a character":                  {`{"a":"\ud83d"}`, "", "half"},
		"half a character, then text":       {`{"a":"\ud83dx\ude00"}`, "", "half"},
		"the second half alone":             {`{"a":"\ude00"}`, "", "half"},
		"half a character in a name":        {`{"\ud83d":1}`, "", "half"},
		"two first halves":                  {`{"a":"\ud83d\ud83d"}`, "", "half"},
		"a nest of a thousand lists":        {strings.Repeat("[", 1000) + strings.Repeat("]", 1000), strings.Repeat("[0]", 17), "nests"},
		"a nest of a million that is open":  {strings.Repeat("[", 1_000_000), "", ""},
		"a nest of objects deeper than 16 ": {strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20), strings.TrimSuffix(strings.Repeat("a.", 17), "."), "nests"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := parseJSON([]byte(tt.body))
			var p *problem
			if !errors.As(err, &p) {
				t.Fatalf("taken as %v, error %v", v, err)
			}
			if p.Code != CodeInvalidJSON || p.Status != 400 || p.Field != tt.field || !contains(p.Detail, tt.detail) {
				t.Errorf("%+v, want field %q and %q", p, tt.field, tt.detail)
			}
		})
	}
}

func TestStrictJSONTakesWhatIsRight(t *testing.T) {
	for _, body := range []string{
		`{"a":"\ud83d\ude00 \\ud83d \\\\ \u0041"}`, `{"a":"😀"}`, ` [1, -2.5e10, true, null] `, `"text"`, `{"":{"":[]}}`, strings.Repeat("[", 16) + strings.Repeat("]", 16),
	} {
		v, err := parseJSON([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if again, err := json.Marshal(plainOf(v)); err != nil || !sameJSON(t, string(again), body) {
			t.Errorf("%s was read as %s", body, again)
		}
	}
	v, err := parseJSON([]byte(`{"b":"\ud83d\ude00","a":1}`))
	if o, ok := v.(*object); err != nil || !ok || o.values["b"] != "😀" || o.values["a"] != json.Number("1") || strings.Join(o.names, "") != "ba" {
		t.Errorf("%v %v", v, err)
	}
}

// plainOf is a tree as encoding/json would have read it.
func plainOf(v any) any {
	switch v := v.(type) {
	case *object:
		m := make(map[string]any, len(v.names))
		for name, inner := range v.values {
			m[name] = plainOf(inner)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, inner := range v {
			list[i] = plainOf(inner)
		}
		return list
	}
	return v
}

func sameJSON(t testing.TB, a, b string) bool {
	t.Helper()
	read := func(s string) (v any) {
		dec := json.NewDecoder(strings.NewReader(s))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		return v
	}
	return cmp.Equal(read(a), read(b))
}

func TestDurationsAreReadAndShownAlike(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10m": 10 * time.Minute, "48h": 48 * time.Hour, "2d": 48 * time.Hour, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute, "90m": 90 * time.Minute, "45s": 45 * time.Second, "0s": 0, "1h5s": time.Hour + 5*time.Second,
	} {
		got, err := readDuration(text)
		if err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", text, got, err, want)
		}
		if back, err := readDuration(showDuration(want.Milliseconds())); err != nil || back != want {
			t.Errorf("%s is shown as %s", want, showDuration(want.Milliseconds()))
		}
	}
	for ms, want := range map[int64]string{172_800_000: "48h", 5_400_000: "1h30m", 600_000: "10m", 0: "0s", 3_605_000: "1h0m5s"} {
		if got := showDuration(ms); got != want {
			t.Errorf("%d ms is shown as %s, want %s", ms, got, want)
		}
	}
	for _, text := range []string{"", "10", "m", "-1h", "+1h", "1.5h", "1w", "1h1d", "1 h", "10M", "1h1h", "123456789s", "1ms", "１h"} {
		if d, err := readDuration(text); err == nil {
			t.Errorf("%q was read as %s", text, d)
		}
	}
}

func TestTimesAreRFC3339InPlausibleYears(t *testing.T) {
	for _, text := range []string{"2026-12-05T09:00:00+08:00", "2026-12-05T01:00:00Z", "2026-12-05T01:00:00.123456Z"} {
		if _, err := readTime(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "2026-12-05", "2026-12-05T09:00:00", "2026-12-05 09:00:00+08:00", "2026-13-05T09:00:00Z", "2026-02-30T09:00:00Z", "1793272465", "0001-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "9999-12-31T23:59:59Z"} {
		if at, err := readTime(text); err == nil {
			t.Errorf("%q was read as %s", text, at)
		}
	}
}

func TestBodiesHaveATypeAndABound(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxBody = 1000 })
	good := `{"grants":[{"openid":"o1","template":"order","decision":"accept"}]}`
	for _, kind := range []string{"", "application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", "application/vnd.example+json"} {
		w.call("POST", "/grants", good, "Content-Type", kind).want(200)
	}
	before := w.stored()
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json; charset=gbk", "multipart/form-data", "json", "application/jsonp", ";"} {
		w.call("POST", "/grants", good, "Content-Type", kind).want(415, "unsupported_media_type")
	}
	w.call("POST", "/grants", good+strings.Repeat(" ", 1000)).want(413, "too_large")
	w.call("POST", "/grants", strings.Repeat("x", 1001)).want(413, "too_large")
	if w.stored() != before {
		t.Errorf("%d records were written", w.stored()-before)
	}
}

func TestAFaultyBodyHasABoundedAnswer(t *testing.T) {
	w := newWorld(t)
	var members, keys strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&members, `"m%d":0,`, i)
		fmt.Fprintf(&keys, `"k%d":"x",`, i)
	}
	unknown := w.call("POST", "/sends", `{`+members.String()+`"openid":"o1","template":"order"}`, w.newKey()...).want(400, "invalid_json")
	data := w.call("POST", "/sends", `{"data":{`+keys.String()+`"thing2":"x"},"openid":"o1","template":"order"}`, w.newKey()...).want(422, "invalid_fields")
	for _, got := range []*reply{unknown, data} {
		if got.len("errors") != mostFaults || got.Body.Len() > 50_000 {
			t.Errorf("%d errors in %d bytes", got.len("errors"), got.Body.Len())
		}
	}
	long := w.call("POST", "/sends", `{"`+strings.Repeat("长", 10_000)+`":1,"template":"order"}`, w.newKey()...).want(400, "invalid_json")
	if n := len(long.text("field")); n > 210 {
		t.Errorf("a field of %d bytes", n)
	}
}
