package httpapi

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// BenchmarkCreateSend is one send through the handler: JSON, key, the whole send path over the store in memory and a
// WeChat that answers at once, and the request log. No socket.
func BenchmarkCreateSend(b *testing.B) {
	w := newWorld(b)
	var n atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			body := fmt.Sprintf(`{"openid":"o%d","template":"order","data":{"character_string1":"E-%d","thing2":"预计明日送达"},"try_anyway":true}`, i, i)
			r := httptest.NewRequest("POST", "/v1/apps/"+appid+"/sends", strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+fullKey)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Idempotency-Key", fmt.Sprintf("k%d", i))
			rec := httptest.NewRecorder()
			if w.api.ServeHTTP(rec, r); rec.Code != 201 {
				b.Fatalf("%d %s", rec.Code, rec.Body)
			}
		}
	})
}

// BenchmarkReadSend is the strict reading of one body.
func BenchmarkReadSend(b *testing.B) {
	body := []byte(`{"openid":"oABC-1d_efGHIjkLMnopQRstUVwx","template":"monthly_bill","data":{"time1":"2026年11月","amount2":"¥128.50","thing3":"请按时缴费"},"valid_until":"2026-12-05T12:00:00+08:00"}`)
	b.ReportAllocs()
	for b.Loop() {
		v, err := parseJSON(body)
		if err != nil {
			b.Fatal(err)
		}
		if _, bad := readOneSend(v); bad.err() != nil {
			b.Fatal(bad.err())
		}
	}
}
