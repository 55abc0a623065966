package wechattest

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"
)

func (w *world) stable(force bool) answer {
	w.t.Helper()
	return w.post(PathStableToken, fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q,"force_refresh":%t}`, app, secret, force))
}

func (w *world) plain() answer {
	w.t.Helper()
	q := url.Values{"grant_type": {"client_credential"}, "appid": {app}, "secret": {secret}}
	return w.must(w.call(http.MethodGet, PathToken+"?"+q.Encode(), ""))
}

// use returns the errcode a cheap call gets with the token; 0 when it is good.
func (w *world) use(value string) int {
	w.t.Helper()
	return w.must(w.call(http.MethodGet, PathGetTemplate+"?access_token="+url.QueryEscape(value), "")).Code
}

func TestStableTokenInNormalMode(t *testing.T) {
	w := newWorld(t)
	first := w.stable(false)
	if first.Expires != 7200 || len(first.Token) < 100 || w.use(first.Token) != 0 {
		t.Fatalf("first token: %+v, use %d", first, w.use(first.Token))
	}
	w.clock.Add(100 * time.Minute)
	again := w.stable(false)
	if again.Token != first.Token || again.Expires != 1200 {
		t.Fatalf("after 100 minutes: %+v, want the same token with 1200 s left", again)
	}
	w.clock.Add(15*time.Minute - time.Second)
	if got := w.stable(false); got.Token != first.Token {
		t.Fatal("renewed more than five minutes before the end")
	}
	w.clock.Add(time.Second)
	second := w.stable(false)
	if second.Token == first.Token || second.Expires != 7200 {
		t.Fatalf("five minutes before the end: %+v, want a new token", second)
	}
	if a, b := w.use(first.Token), w.use(second.Token); a != 0 || b != 0 {
		t.Fatalf("in the overlap the old token gets %d and the new %d, want both good", a, b)
	}
	w.clock.Add(5 * time.Minute)
	if a, b := w.use(first.Token), w.use(second.Token); a != 42001 || b != 0 {
		t.Fatalf("after the overlap the old token gets %d and the new %d, want 42001 and 0", a, b)
	}
}

func TestForcedRefresh(t *testing.T) {
	w := newWorld(t)
	first := w.stable(false)
	forced := w.stable(true)
	if forced.Token == first.Token {
		t.Fatal("a forced refresh returned the old token")
	}
	if a, b := w.use(first.Token), w.use(forced.Token); a != 40001 || b != 0 {
		t.Fatalf("the old token gets %d and the new %d, want 40001 at once and 0", a, b)
	}
	w.clock.Add(29 * time.Second)
	if again := w.stable(true); again.Token != forced.Token {
		t.Fatal("a second force within 30 seconds changed the token")
	}
	for n := 2; n <= 20; n++ {
		w.clock.Add(30 * time.Second)
		if next := w.stable(true); next.Token == forced.Token || next.Code != 0 {
			t.Fatalf("force %d of the day: %+v, want a new token", n, next)
		} else {
			forced = next
		}
	}
	w.clock.Add(30 * time.Second)
	if got := w.stable(true); got.Code != 45009 {
		t.Fatalf("force 21 of the day: %+v, want 45009", got)
	}
	if got := w.stable(false); got.Token != forced.Token {
		t.Fatal("normal mode must go on when the forces are used up")
	}
	w.clock.Add(15 * time.Hour) // past midnight in Shanghai
	if got := w.stable(true); got.Code != 0 {
		t.Fatalf("first force of the next day: %+v", got)
	}
}

func TestPlainTokenInvalidatesTheEarlierOneAfterFiveMinutes(t *testing.T) {
	w := newWorld(t)
	stable, first := w.stable(false), w.plain()
	second := w.plain()
	if first.Token == second.Token {
		t.Fatal("cgi-bin/token returned the same token twice")
	}
	w.clock.Add(5*time.Minute - time.Second)
	if a, b := w.use(first.Token), w.use(second.Token); a != 0 || b != 0 {
		t.Fatalf("in the overlap: %d and %d, want both good", a, b)
	}
	w.clock.Add(time.Second)
	if a, b, c := w.use(first.Token), w.use(second.Token), w.use(stable.Token); a != 40001 || b != 0 || c != 0 {
		t.Fatalf("after the overlap: old %d, new %d, stable %d, want 40001, 0, and the stable one untouched", a, b, c)
	}
}

func TestTokensThatOthersSpoil(t *testing.T) {
	t.Run("rotated elsewhere: 40001 until stable_token is asked", func(t *testing.T) {
		w := newWorld(t)
		old, plain := w.stable(false), w.plain()
		w.do(w.RotateToken(app))
		if a, b := w.use(old.Token), w.use(plain.Token); a != 40001 || b != 40001 {
			t.Fatalf("old tokens get %d and %d, want 40001", a, b)
		}
		if got := w.stable(false); got.Token == old.Token || w.use(got.Token) != 0 {
			t.Fatal("normal mode does not hand out the token that the other program made")
		}
	})
	t.Run("expired: 42001 until a new one is fetched", func(t *testing.T) {
		w := newWorld(t)
		old := w.stable(false)
		w.do(w.ExpireTokens(app))
		if got := w.use(old.Token); got != 42001 {
			t.Fatalf("expired token gets %d, want 42001", got)
		}
		if got := w.stable(false); got.Token == old.Token || w.use(got.Token) != 0 {
			t.Fatal("normal mode does not hand out a new token")
		}
	})
	t.Run("broken: only a forced refresh helps", func(t *testing.T) {
		w := newWorld(t)
		w.do(w.BreakToken(app))
		old := w.stable(false)
		if again := w.stable(false); again.Token != old.Token || w.use(old.Token) != 40001 {
			t.Fatalf("normal mode returned a token that gets %d, want the same that gets 40001", w.use(again.Token))
		}
		if got := w.stable(true); w.use(got.Token) != 0 {
			t.Fatal("the forced token does not work either")
		}
	})
}

func TestCredentialErrors(t *testing.T) {
	w := newWorld(t)
	body := func(grant, appid, key string) string {
		return fmt.Sprintf(`{"grant_type":%q,"appid":%q,"secret":%q}`, grant, appid, key)
	}
	tests := []struct {
		name, body string
		want       int
	}{
		{"a wrong secret is 40125", body("client_credential", app, "guess"), 40125},
		{"an unknown appid is 40013", body("client_credential", "wx0", secret), 40013},
		{"another grant type is 40002", body("password", app, secret), 40002},
		{"no appid is 41002", body("client_credential", "", secret), 41002},
		{"no secret is 41004", body("client_credential", app, ""), 41004},
		{"no JSON is 47001", "grant_type=client_credential", 47001},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := w.post(PathStableToken, tt.body); got.Code != tt.want || got.Token != "" {
				t.Errorf("%+v, want %d and no token", got, tt.want)
			}
		})
	}
	if got := w.must(w.call(http.MethodGet, PathStableToken, "")); got.Code != 43002 {
		t.Errorf("GET stable_token: %+v, want 43002", got)
	}
	if got := w.post(PathToken, ""); got.Code != 43001 {
		t.Errorf("POST token: %+v, want 43001", got)
	}
	if got := w.must(w.call(http.MethodGet, PathToken+"?grant_type=client_credential&secret=x&appid="+app, "")); got.Code != 40125 {
		t.Errorf("token with a wrong secret: %+v, want 40125", got)
	}
}

func TestAnEscapedTokenIsFound(t *testing.T) {
	w := newWorld(t)
	value, err := w.Token(app)
	w.do(err)
	escaped := ""
	for _, c := range []byte(value) {
		escaped += fmt.Sprintf("%%%02X", c)
	}
	if got := w.must(w.call(http.MethodGet, PathGetTemplate+"?x=1&access_token="+escaped, "")); got.Code != 0 {
		t.Errorf("%+v, want 0", got)
	}
}

func TestTokensAreRememberedWithinBounds(t *testing.T) {
	w := newWorld(t)
	stable := w.stable(false)
	for range 3 * tokensKept {
		w.do(w.RotateToken(app))
	}
	if got := len(w.accounts[app].issued); got > tokensKept+2 {
		t.Errorf("%d tokens are remembered, want about %d", got, tokensKept)
	}
	if got := w.use(stable.Token); got != 40001 {
		t.Errorf("a forgotten token gets %d, want 40001", got)
	}
	current := w.stable(false)
	for range 3 * tokensKept {
		w.plain()
	}
	if got := w.use(current.Token); got != 0 {
		t.Errorf("the current stable token gets %d after many plain ones, want 0", got)
	}
}

func TestTokenLifeFollowsSynctestsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Now = nil })
		first := w.stable(false)
		time.Sleep(2 * time.Hour)
		if got := w.use(first.Token); got != 42001 {
			t.Fatalf("after two hours: %d, want 42001", got)
		}
		if got := w.stable(false); got.Token == first.Token || got.Expires != 7200 {
			t.Fatalf("after two hours: %+v, want a new token", got)
		}
	})
}
