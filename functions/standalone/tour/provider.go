package tour

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"

	"github.com/yuexin-dev/yuexin/shared/endpoint"
)

// ProvideBills is the app's own endpoint as the tour has it: it checks the signature and tells what each subscriber
// owes.
func ProvideBills(key string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil || r.Header.Get(endpoint.HeaderSignature) != endpoint.Sign(key, r.Header.Get(endpoint.HeaderTimestamp), body) {
			http.Error(w, "the signature is wrong", http.StatusUnauthorized)
			return
		}
		var q struct {
			Subscribers []struct {
				OpenID string `json:"openid"`
			} `json:"subscribers"`
		}
		if err := json.NewDecoder(bytes.NewReader(body)).Decode(&q); err != nil {
			http.Error(w, "the body is no JSON", http.StatusBadRequest)
			return
		}
		type result struct {
			OpenID string            `json:"openid"`
			Data   map[string]string `json:"data"`
		}
		var out struct {
			Results []result `json:"results"`
		}
		for _, sub := range q.Subscribers {
			h := fnv.New32a()
			_, _ = io.WriteString(h, sub.OpenID)
			owes := fmt.Sprintf("¥%d.%02d", 20+h.Sum32()%300, h.Sum32()%100)
			out.Results = append(out.Results, result{sub.OpenID, map[string]string{"date1": "2026年11月", "amount2": owes}})
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out)
	})
}
