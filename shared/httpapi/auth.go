package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
)

// authenticate finds the key that a request presents. Every key is compared, whichever matches, so that the time it
// takes tells nothing of which did or how far it matched.
func (a *api) authenticate(r *http.Request) (*Key, error) {
	scheme, presented, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	presented = strings.TrimSpace(presented)
	if !strings.EqualFold(scheme, "Bearer") || presented == "" {
		return nil, fail(CodeUnauthenticated, "Authorization", "an API key is needed: Authorization: Bearer <key>").set("WWW-Authenticate", `Bearer realm="yuexin"`)
	}
	sum := sha256.Sum256([]byte(presented))
	found := -1
	for i := range a.Keys {
		same := subtle.ConstantTimeCompare(sum[:], a.Keys[i].SHA256[:])
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 {
		return nil, fail(CodeUnauthenticated, "Authorization", "this API key is not known; its SHA-256 belongs under api_keys in the configuration").
			set("WWW-Authenticate", `Bearer realm="yuexin", error="invalid_token"`)
	}
	return &a.Keys[found], nil
}

// authorize holds a route and an app against what the key may. Whether the app exists is not told to a key that may
// not use it.
func (k *Key) authorize(r *route, appid string) error {
	if !slices.ContainsFunc(r.scopes, func(s string) bool { return slices.Contains(k.Scopes, s) }) {
		return fail(CodeForbidden, "Authorization", "this API key lacks the scope "+strings.Join(r.scopes, " or "))
	}
	if appid != "" && !slices.Contains(k.Apps, appid) && !slices.Contains(k.Apps, "*") {
		return fail(CodeForbidden, "appid", "this API key is not for this app")
	}
	return nil
}
