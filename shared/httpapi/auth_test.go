package httpapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func TestEveryRouteButTheOpenOnesNeedsAKey(t *testing.T) {
	w := newWorld(t)
	for _, r := range routes {
		path := strings.NewReplacer("{appid}", appid, "{openid}", alice, "{id}", "x").Replace(r.pattern)
		if r.scopes == nil {
			continue
		}
		for name, header := range map[string]string{"none": "", "an unknown one": "Bearer nobody", "one of another scheme": "Basic " + fullKey, "an empty one": "Bearer ", "the key without a scheme": fullKey} {
			body := &untouched{t: t}
			req := httptest.NewRequest(r.method, path, body)
			if header != "" {
				req.Header.Set("Authorization", header)
			}
			got := w.serve(req, nil)
			if got.Code != 401 || got.text("code") != "unauthenticated" || !strings.HasPrefix(got.Header().Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s %s with key %s: %d %v %s", r.method, r.pattern, name, got.Code, got.Header(), got.Body)
			}
		}
	}
	w.as("", "GET", "/v1/apps/"+appid+"/stats", nil, "Authorization", "bearer "+fullKey).want(200)
}

// untouched is a body that nobody may read.
type untouched struct{ t *testing.T }

func (u *untouched) Read([]byte) (int, error) {
	u.t.Error("the body was read before the key was known")
	return 0, io.EOF
}

func TestAKeyDoesWhatItsScopesSay(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		what, method, path string
		body               any
		may                map[string]bool
	}{
		{"read figures", "GET", "/stats", nil, map[string]bool{readKey: true}},
		{"read a subscriber", "GET", "/subscribers/" + alice, nil, map[string]bool{readKey: true, grantKey: true}},
		{"report grants", "POST", "/grants", `{"grants":[{"openid":"o1","template":"order","decision":"accept"}]}`, map[string]bool{grantKey: true}},
		{"erase", "DELETE", "/subscribers/" + bob, nil, map[string]bool{grantKey: true}},
		{"send", "POST", "/sends", message(alice, "order", "1"), map[string]bool{sendKey: true}},
		{"check", "POST", "/sends:check", message(alice, "order", "1"), map[string]bool{sendKey: true, readKey: true}},
		{"list schedules", "GET", "/schedules", nil, map[string]bool{readKey: true}},
		{"make a schedule", "POST", "/schedules", monthly(), map[string]bool{}},
		{"resume", "POST", "/holds:resume", nil, map[string]bool{}},
	} {
		for _, key := range []string{readKey, sendKey, grantKey} {
			got := w.as(key, tt.method, "/v1/apps/"+appid+tt.path, tt.body, w.newKey()...)
			if allowed := got.Code != 403; allowed != tt.may[key] {
				t.Errorf("%s with %q: %d %s", tt.what, key, got.Code, got.Body)
			}
			if got.Code == 403 && got.text("code") != "forbidden" {
				t.Errorf("%s with %q: code %s", tt.what, key, got.text("code"))
			}
		}
		if got := w.as(fullKey, tt.method, "/v1/apps/"+appid+tt.path, tt.body, w.newKey()...); got.Code >= 300 {
			t.Errorf("%s with every scope: %d %s", tt.what, got.Code, got.Body)
		}
	}
}

func TestAnAppOutsideTheKeysIsForbiddenAndAnUnknownOneMissing(t *testing.T) {
	w := newWorld(t)
	w.as(otherKey, "GET", "/v1/apps/"+appid+"/stats", nil).want(403, "forbidden")
	w.as(otherKey, "GET", "/v1/apps/wxnobody/stats", nil).want(403, "forbidden")
	w.as(anyKey, "GET", "/v1/apps/wxnobody/stats", nil).want(404, "unknown_app")
	w.as(anyKey, "GET", "/v1/apps/"+other+"/stats", nil).want(200)
	w.as(anyKey, "POST", "/v1/apps/wxnobody/sends", "{}", w.newKey()...).want(404, "unknown_app")
	sent := w.call("POST", "/sends", message(alice, "order", "1"), w.newKey()...).want(201)
	w.as(otherKey, "GET", "/v1/apps/"+other+"/sends/"+sent.text("id"), nil).want(404, "not_found")
}

func TestUnknownRoutesAndMethodsAreProblems(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/v1", "/v1/apps", "/v1/apps/" + appid, "/v1/apps/" + appid + "/sends/", "/v1/apps/" + appid + "/sends/a/b", "/v1/apps//sends", "/v1/apps/" + appid + "/sends:burst", "/consoles", "/v2/apps/" + appid + "/sends"} {
		w.as(fullKey, "GET", path, nil).want(404, "no_route")
	}
	for _, tt := range []struct{ method, path, allow string }{
		{"PATCH", "/v1/apps/" + appid + "/sends", "GET, HEAD, POST"},
		{"GET", "/v1/apps/" + appid + "/sends:batch", "POST"},
		{"GET", "/v1/apps/" + appid + "/schedules/x:pause", "POST"},
		{"POST", "/v1/apps/" + appid + "/schedules/x", "DELETE, GET, HEAD, PUT"},
		{"DELETE", "/wechat/" + appid, "GET, HEAD, POST"},
		{"POST", "/healthz", "GET, HEAD"},
		{"OPTIONS", "/v1/apps/" + appid + "/stats", "GET, HEAD"},
	} {
		got := w.as("", tt.method, tt.path, nil).want(405, "method_not_allowed")
		if got.Header().Get("Allow") != tt.allow {
			t.Errorf("%s %s: Allow is %q, want %q", tt.method, tt.path, got.Header().Get("Allow"), tt.allow)
		}
	}
	w.as("", "HEAD", "/healthz", nil).want(200)
}

func TestEachFunctionServesItsOwnRoutesAndHealth(t *testing.T) {
	served := map[string]http.Handler{}
	w := newWorld(t, func(c *Config) {
		served["grant"], served["send"], served["manage"] = Grant(*c), Send(*c), Manage(*c)
	})
	for name, paths := range map[string][]string{
		"grant":  {"/v1/apps/" + appid + "/subscribers/" + alice, "/v1/apps/" + appid + "/prompts?openid=o&scene=pay"},
		"send":   {"/v1/apps/" + appid + "/sends?idempotency_key=none"},
		"manage": {"/v1/apps/" + appid + "/schedules", "/v1/apps/" + appid + "/templates", "/v1/apps/" + appid + "/stats", "/console"},
	} {
		for fn, handler := range served {
			w.api = handler
			w.as("", "GET", "/healthz", nil).want(200)
			w.as("", "GET", "/openapi.json", nil).want(200)
			for _, path := range paths {
				got := w.as(fullKey, "GET", path, nil)
				if here := got.Code != 404 || got.text("code") == "not_found"; here != (fn == name) {
					t.Errorf("function %s, %s: %d", fn, path, got.Code)
				}
			}
		}
	}
}

func TestRequestsBeyondTheBoundAreTurnedAway(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxConcurrent = 1 })
	w.accept(alice, "order", 1)
	calling, answerNow := make(chan struct{}), make(chan struct{})
	w.wechat.answer = func(submsg.Message) submsg.Result {
		close(calling)
		<-answerNow
		return submsg.Result{Answered: true, MsgID: 7}
	}
	done := make(chan *reply)
	go func() { done <- w.call("POST", "/sends", message(alice, "order", "E-1"), "Idempotency-Key", "k1") }()
	<-calling
	if got := w.call("GET", "/stats", nil).want(429, "too_many_requests"); got.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	close(answerNow)
	(<-done).want(201)
	w.call("GET", "/stats", nil).want(200)
}

func TestAKeyHasTheRateThatIsConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.RatePerKey, c.RateBurst = 0.5, 2 })
		w.call("GET", "/holds", nil).want(200)
		w.call("GET", "/holds", nil).want(200)
		if got := w.call("GET", "/holds", nil).want(429, "too_many_requests"); got.Header().Get("Retry-After") != "2" {
			t.Errorf("Retry-After is %q", got.Header().Get("Retry-After"))
		}
		w.as(readKey, "GET", "/v1/apps/"+appid+"/holds", nil).want(200)
		time.Sleep(2 * time.Second)
		w.call("GET", "/holds", nil).want(200)
		w.call("GET", "/holds", nil).want(429)
	})
}
