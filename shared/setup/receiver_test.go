package setup

import (
	"errors"
	"net/http"
	"testing"

	"github.com/yuexin-dev/yuexin/shared/httpapi"
)

func TestAPushThatIsNotWeChatsIsTheCallersFaultAndNotOurs(t *testing.T) {
	app := &AppConfig{AppID: "wx1", Push: PushConfig{Token: Secret{ref: "a-token"}, Mode: "plain"}}
	r := &receiver{app: app, secrets: &vault{}}
	for _, tc := range []struct {
		name, query, body string
		status            int
		code              string
	}{
		{"a wrong signature", "signature=0000&timestamp=1&nonce=2", `{}`, http.StatusUnauthorized, "bad_signature"},
		// sha1 of "1", "2", "a-token"
		{"a body that is no event", "signature=34d7c999210593ca1e03ed3f2d405b12042fae36&timestamp=1&nonce=2", `{"List":[1,]}`, http.StatusBadRequest, "bad_body"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := r.Event(t.Context(), tc.query, []byte(tc.body))
			var fault httpapi.PushError
			if !errors.As(err, &fault) {
				t.Fatalf("%v does not tell its status: it would be answered as a failure of ours", err)
			}
			if fault.Status() != tc.status || fault.Code() != tc.code {
				t.Errorf("%d %s, want %d %s (%v)", fault.Status(), fault.Code(), tc.status, tc.code, err)
			}
		})
	}
}
