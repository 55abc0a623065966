package setup

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

func TestAPushTokenThatWasChangedIsFetchedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token, fetches := "the-old-one", 0
		secrets := &vault{remotes: map[string]remote{"ssm": func(context.Context, string) (string, error) {
			fetches++
			return token, nil
		}}}
		r := &receiver{app: &AppConfig{AppID: "wx1", Push: PushConfig{Token: Secret{ref: "ssm:/push"}, Mode: "plain"}}, secrets: secrets}
		check := func(with string) error {
			parts := []string{with, "1", "2"}
			slices.Sort(parts)
			sum := sha1.Sum([]byte(strings.Join(parts, "")))
			_, err := r.Echo(t.Context(), "echostr=hello&timestamp=1&nonce=2&signature="+hex.EncodeToString(sum[:]))
			return err
		}
		if err := check("the-old-one"); err != nil || fetches != 1 {
			t.Fatalf("at first: %v after %d fetches", err, fetches)
		}
		time.Sleep(time.Hour)
		token = "the-new-one"
		if err := check("the-new-one"); err != nil || fetches != 2 {
			t.Errorf("WeChat checks the new token: %v after %d fetches", err, fetches)
		}
		var fault httpapi.PushError
		for range 100 {
			if err := check("a stranger's"); !errors.As(err, &fault) || fault.Code() != "bad_signature" {
				t.Fatalf("a stranger's push: %v", err)
			}
		}
		if fetches != 2 {
			t.Errorf("strangers made the secret be fetched %d times within a minute", fetches-2)
		}
		time.Sleep(time.Hour)
		if err := check("a stranger's"); !errors.As(err, &fault) || fetches != 3 {
			t.Errorf("a stranger's push an hour later: %v after %d fetches", err, fetches)
		}
		time.Sleep(time.Hour)
		token = "" // cannot be had
		for range 100 {
			if err := check("a stranger's"); !errors.As(err, &fault) {
				t.Fatalf("a stranger's push while the secret cannot be had: %v", err)
			}
		}
		if err := check("the-new-one"); err != nil || fetches != 4 {
			t.Errorf("while the secret cannot be had: %v after %d fetches", err, fetches)
		}
	})
}
