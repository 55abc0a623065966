package httpapi

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"
)

// readers are the decoders of all bodies. What they answer is of no interest here: only that they answer, and that a
// refusal is a proper problem.
var readers = map[string]func(body any) error{
	"grants":      func(b any) error { _, err := readGrants(b); return err },
	"opens":       func(b any) error { _, err := readOpens(b); return err },
	"preferences": func(b any) error { _, err := readPreferences(b); return err },
	"send":        func(b any) error { _, bad := readOneSend(b); return bad.err() },
	"batch":       func(b any) error { _, err := readBatch(b, "key"); return err },
	"schedule":    func(b any) error { _, err := readSchedule(b); return err },
	"audit":       func(b any) error { _, _, err := readAudit(b); return err },
	"resume":      func(b any) error { _, err := readResume(b); return err },
}

// FuzzDecode holds the strict reader against encoding/json: what it takes, encoding/json takes too and understands
// alike; what it refuses is refused with a place and a sentence, in valid UTF-8.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"grants":[{"openid":"o","template":"t","decision":"accept","occurred_at":"2026-12-01T10:00:00+08:00","scene":"pay","topics":["a"]}]}`,
		`{"opens":[{"openid":"o","template":"t","send_id":"x","at":"2026-12-01T10:00:00Z"}]}`,
		`{"muted":{"t":true},"quiet_hours":"","time_zone":"Asia/Shanghai","topics":[]}`,
		`{"muted":["t"]}`,
		`{"openid":"o","template":"t","data":{"thing1":"😀"},"page":"p","send_at":"2026-12-01T10:00:00Z","valid_until":"2026-12-01T10:00:00Z","mode":"async","on_unknown":"resend","try_anyway":true,"fit":"truncate","trigger":"x"}`,
		`{"sends":[{"openid":"o","template":"t","data":{"thing1":5},"idempotency_key":"k"},{}]}`,
		`{"template":"t","to":{"audience":{"topic":"x"}},"rrule":"FREQ=DAILY","start":"2026-12-01T10:00:00Z","time_zone":"UTC","content":{"series":[{"data":{"thing1":"x"}}]},"valid_for":"2d","catch_up":"0s","spread":"10m"}`,
		`{"template":"t","to":{"openid":"o"},"content":{"provider":{"url":"https://x"}}}`,
		`{"templates":[{"title":"x","content":"y","kind":"one_time","legacy":true}]}`,
		`{"a":1,"a":2}`, `{"a":"\ud83d"}`, `{"a":"\ud83d\ude00\\ud83d"}`, "\xff", `[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]`, `null`, `{} {}`, `"\`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := parseJSON(body)
		if err != nil {
			properProblem(t, err)
			return
		}
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Fatalf("%q was taken", body)
		}
		if again, err := json.Marshal(plainOf(v)); err != nil || !sameJSON(t, string(again), string(body)) {
			t.Fatalf("%q was read as %q", body, again)
		}
		for _, read := range readers {
			if err := read(v); err != nil {
				properProblem(t, err)
			}
		}
	})
}

func properProblem(t *testing.T, err error) {
	t.Helper()
	var p *problem
	if !errors.As(err, &p) {
		t.Fatalf("%v is no problem", err)
	}
	if p.Status < 400 || p.Status > 499 || p.Detail == "" || !utf8.ValidString(p.Detail) || !utf8.ValidString(p.Field) {
		t.Fatalf("%+v", p)
	}
	for _, e := range p.Errors {
		if e.Field == "" && e.Detail == "" || e.Code == "" || !utf8.ValidString(e.Field) {
			t.Fatalf("%+v", e)
		}
	}
}
