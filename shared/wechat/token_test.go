package wechat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

const tokenPath = "/cgi-bin/stable_token"

func (l *lab) mustHaveFetched(n int) {
	l.t.Helper()
	if got := l.wechat.count(tokenPath); got != n {
		l.t.Errorf("stable_token was called %d times, want %d", got, n)
	}
}

func TestTokenIsFetchedOnceByAColdProcess(t *testing.T) {
	l := newLab(t)
	c := l.client()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() { l.send(c) })
	}
	wg.Wait()
	l.mustHaveFetched(1)
	if len(l.wechat.sent) != 64 {
		t.Errorf("%d messages arrived, want 64", len(l.wechat.sent))
	}
	if got := l.store.token(); got.Token != l.wechat.token || got.ExpiresAt != submsg.At(l.wechat.expires) || got.AppID != testApp {
		t.Errorf("the table holds %+v", got)
	}
}

func TestTokenOfAnotherInstanceIsUsed(t *testing.T) {
	l := newLab(t)
	l.mustSend(l.client())
	l.mustSend(l.client())
	l.mustHaveFetched(1)
}

func TestTokenIsRenewedBeforeItsEnd(t *testing.T) {
	l := newLab(t)
	c := l.client()
	l.mustSend(c)
	l.clock.pass(2*time.Hour - 5*time.Minute - time.Second)
	l.mustSend(c)
	l.mustHaveFetched(1)
	l.clock.pass(renewJitter + time.Second) // within the last five minutes, where WeChat hands out a new one
	l.mustSend(c)
	l.mustHaveFetched(2)
	if !strings.HasPrefix(l.store.token().Token, "TOKEN-2-") {
		t.Error("the table does not hold the new token")
	}
}

func TestTokenThatCannotBeRenewedIsUsedToItsEnd(t *testing.T) {
	l := newLab(t)
	c := l.client()
	l.mustSend(c)
	l.wechat.with(func() { l.wechat.refuse = `{"errcode":-1,"errmsg":"system error"}` })
	l.clock.pass(2*time.Hour - 4*time.Minute + time.Second)
	for range 3 {
		l.mustSend(c)
	}
	l.mustHaveFetched(2) // one failed try for all three
	l.clock.pass(renewPause)
	l.mustSend(c)
	l.mustHaveFetched(3)
	cold := l.client() // finds the old token in the table
	l.mustSend(cold)
	l.clock.pass(4 * time.Minute)
	if r := l.send(c); !r.NotSent || r.Code != -1 {
		t.Errorf("after the token's end: %+v", r)
	}
}

func TestSameTokenReturnedNearItsEndIsNotAskedForAgainAtOnce(t *testing.T) {
	l := newLab(t)
	l.wechat.ahead = time.Minute // WeChat renews later than its documentation says
	c := l.client()
	l.mustSend(c)
	l.clock.pass(2*time.Hour - 4*time.Minute + time.Second)
	for range 5 {
		l.mustSend(c)
	}
	l.mustHaveFetched(2)
	l.clock.pass(renewPause)
	l.mustSend(c)
	l.mustHaveFetched(3)
}

func TestRefusedTokenIsReplacedByAnotherInstancesNewerOne(t *testing.T) {
	l := newLab(t)
	a, b := l.client(), l.client()
	l.mustSend(a)
	l.mustSend(b)
	l.clock.pass(time.Hour)
	l.wechat.with(func() { l.wechat.renew(l.clock.now()) }) // someone else's doing
	l.mustSend(a)                                           // fetches normally
	l.mustHaveFetched(2)
	l.mustSend(b) // finds a's in the table
	l.mustHaveFetched(2)
	if l.wechat.forced != 0 {
		t.Error("a renewal was forced")
	}
}

func TestTokenThatIsUnchangedAndRefusedIsForcedOnce(t *testing.T) {
	l := newLab(t)
	c := l.client()
	l.mustSend(c)
	l.wechat.with(func() { l.wechat.refused = l.wechat.token })
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if r := l.send(c); !r.Answered || r.Code != 0 {
				t.Errorf("not accepted: %+v", r)
			}
		})
	}
	wg.Wait()
	if l.wechat.forced != 1 {
		t.Errorf("forced %d times, want once", l.wechat.forced)
	}
	want := submsg.AccessToken{AppID: testApp, Token: l.wechat.token, ExpiresAt: submsg.At(l.wechat.expires),
		ForcedDay: "2025-11-21", Forced: 1, ForcedAt: submsg.At(l.clock.now())}
	if got := l.store.token(); got != want {
		t.Errorf("the table holds %+v, want %+v", got, want)
	}
}

// refuseAll makes the APIs refuse the token that stable_token hands out, now and after each renewal.
func (l *lab) refuseAll() { l.wechat.with(func() { l.wechat.refused = l.wechat.token }) }

func TestForcedRenewalsAreAtLeastThirtySecondsApart(t *testing.T) {
	l := newLab(t)
	c := l.client()
	l.mustSend(c)
	l.refuseAll()
	l.mustSend(c)
	l.refuseAll()
	l.clock.pass(forceSpacing - time.Second)
	if r := l.send(c); !r.NotSent || !strings.Contains(r.Err.Error(), "30s") {
		t.Errorf("29 s later: %+v", r)
	} else if r.Code != 40001 {
		t.Errorf("29 s later the refusal is told as %d, want 40001", r.Code)
	}
	if l.wechat.forced != 1 {
		t.Errorf("forced %d times, want once", l.wechat.forced)
	}
	l.clock.pass(failurePause + time.Second)
	l.mustSend(c)
	if l.wechat.forced != 2 {
		t.Errorf("forced %d times, want twice", l.wechat.forced)
	}
}

func TestForcedRenewalsAreAtMostTwentyADay(t *testing.T) {
	l := newLab(t)
	c := l.client()
	l.mustSend(c)
	for range forcePerDay {
		l.refuseAll()
		l.clock.pass(time.Minute)
		l.mustSend(c)
	}
	l.refuseAll()
	l.clock.pass(time.Minute)
	if r := l.send(c); !r.NotSent || !strings.Contains(r.Err.Error(), "20 times today") {
		t.Errorf("the 21st: %+v", r)
	}
	if l.wechat.forced != forcePerDay {
		t.Errorf("forced %d times", l.wechat.forced)
	}
	// 08:00 UTC + 21 minutes is 16:21 in China; the day ends in 7 h 39 min. The old token has ended by then, so the
	// client fetches, is refused, and may force again.
	l.clock.pass(7*time.Hour + 40*time.Minute)
	l.mustSend(c)
	l.refuseAll()
	l.mustSend(c)
	if got := l.store.token(); got.ForcedDay != "2025-11-22" || got.Forced != 1 {
		t.Errorf("on the next day the table holds %+v", got)
	}
}

func TestTwoInstancesForceOnce(t *testing.T) {
	l := newLab(t)
	a, b := l.client(), l.client()
	l.mustSend(a)
	l.mustSend(b)
	l.refuseAll()
	// b acts at the moment a is about to take the lease, so a loses it.
	var once sync.Once
	l.store.before = func() { once.Do(func() { l.store.before = nil; l.mustSend(b) }) }
	l.mustSend(a)
	if l.wechat.forced != 1 {
		t.Errorf("forced %d times, want once", l.wechat.forced)
	}
}

func TestWithoutTheTableNothingIsForced(t *testing.T) {
	l := newLab(t)
	c := l.client()
	l.mustSend(c)
	l.refuseAll()
	l.store.broken = true
	if r := l.send(c); !r.NotSent || l.wechat.forced != 0 {
		t.Errorf("forced %d times: %+v", l.wechat.forced, r)
	}
}

func TestTokenSurvivesAnOutageOfTheTable(t *testing.T) {
	l := newLab(t)
	l.store.broken = true
	c := l.client()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() { l.send(c) })
	}
	wg.Wait()
	for range 100 {
		l.mustSend(c)
	}
	l.mustHaveFetched(1) // no stampede
}

func TestHangingTableDelaysTheFirstSendOnly(t *testing.T) {
	l := newLab(t)
	l.store.hangs = true
	c := l.client()
	start := time.Now()
	l.mustSend(c)
	if took := time.Since(start); took > 3*storeTimeout {
		t.Errorf("took %s", took)
	}
	l.mustSend(c)
	l.mustHaveFetched(1)
}

func TestRefusalOfATokenIsToldWithItsCodeAndNotAskedForAgainAtOnce(t *testing.T) {
	l := newLab(t)
	l.wechat.refuse = `{"errcode":40164,"errmsg":"invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 5f1e0c1b-2a3b4c5d-6e7f8a9b"}`
	c := l.client()
	for range 10 {
		r := l.send(c)
		if !r.NotSent || r.Code != 40164 || r.RID != "5f1e0c1b-2a3b4c5d-6e7f8a9b" || !strings.Contains(r.Err.Error(), "203.0.113.9") {
			t.Fatalf("got %+v", r)
		}
	}
	l.mustHaveFetched(1)
	l.wechat.with(func() { l.wechat.refuse = "" })
	l.clock.pass(refusedPause)
	l.mustSend(c)
}

func TestABusyWeChatIsAskedForATokenAgainSoon(t *testing.T) {
	l := newLab(t)
	l.wechat.refuse = `{"errcode":-1,"errmsg":"system error rid: 1"}`
	c := l.client()
	if r := l.send(c); !r.NotSent {
		t.Fatalf("got %+v", r)
	}
	l.wechat.with(func() { l.wechat.refuse = "" })
	l.clock.pass(failurePause)
	l.mustSend(c)
}

func TestEveryFetchedTokenIsCounted(t *testing.T) {
	l := newLab(t)
	counted := &counts{}
	counting := func(cfg *Config) { cfg.Metrics = counted }
	c := l.client(counting)
	l.mustSend(c)
	l.mustSend(c)
	l.mustSend(l.client(counting)) // finds it in the table
	l.refuseAll()                  // asked for again, and then forced
	l.mustSend(c)
	l.mustHaveFetched(3)
	if got, want := counted.String(), "[wx0123456789abcdef token_refresh 1] [wx0123456789abcdef token_refresh 1] [wx0123456789abcdef token_refresh 1] "; got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
}

// counts are metrics that tell what they were told.
type counts struct{ strings.Builder }

func (c *counts) Count(appid, _, what string, n int) { fmt.Fprintf(c, "[%s %s %d] ", appid, what, n) }

func (c *counts) Observe(string, string, float64) {}

func TestRotatedSecretIsPickedUp(t *testing.T) {
	l := newLab(t)
	var reads []bool
	current := testSecret
	l.secret = func(_ context.Context, refresh bool) (string, error) {
		reads = append(reads, refresh)
		if refresh {
			current = "rotatedSecret"
		}
		return current, nil
	}
	l.wechat.secret = "rotatedSecret"
	l.mustSend(l.client())
	if len(reads) != 2 || reads[0] || !reads[1] {
		t.Errorf("secret was read with refresh = %v", reads)
	}
	l.mustHaveFetched(2)
}

func TestWrongSecretIsTold(t *testing.T) {
	l := newLab(t)
	l.wechat.secret = "another"
	r := l.send(l.client())
	if !r.NotSent || r.Code != 40125 || !strings.Contains(r.Err.Error(), "AppSecret is wrong") {
		t.Errorf("got %+v", r)
	}
	l.mustHaveFetched(1) // the same secret is not tried twice
}

func TestRefusedSecretThatCannotBeReadAgainIsToldWithBothReasons(t *testing.T) {
	l := newLab(t)
	l.secret = func(_ context.Context, refresh bool) (string, error) {
		if refresh {
			return "", errors.New("parameter store: access denied, not " + testSecret)
		}
		return testSecret, nil
	}
	l.wechat.secret = "another"
	r := l.send(l.client())
	if !r.NotSent || r.Code != 40125 || !strings.Contains(r.Err.Error(), "AppSecret is wrong") || !strings.Contains(r.Err.Error(), "access denied") {
		t.Errorf("got %+v", r)
	}
	if strings.Contains(r.Err.Error(), testSecret) {
		t.Errorf("the secret is told: %v", r.Err)
	}
	l.mustHaveFetched(1)
}

func TestSecretThatCannotBeReadIsTold(t *testing.T) {
	l := newLab(t)
	l.secret = func(context.Context, bool) (string, error) { return "", errors.New("parameter store: access denied") }
	if r := l.send(l.client()); !r.NotSent || r.Code != 0 || !strings.Contains(r.Err.Error(), "access denied") {
		t.Errorf("got %+v", r)
	}
	l.mustHaveFetched(0)
}

func TestTokenAnswersThatMakeNoSenseAreNotUsed(t *testing.T) {
	for _, answer := range []string{`<html>`, `{}`, `{"access_token":"TOKEN-0"}`, `{"access_token":"TOKEN-0","expires_in":0}`, `{"expires_in":7200}`, `[]`} {
		l := newLab(t)
		l.wechat.refuse = answer
		if r := l.send(l.client()); !r.NotSent || l.wechat.count("/cgi-bin/message/subscribe/send") != 0 {
			t.Errorf("%s: %+v", answer, r)
		}
	}
}

func TestTokenRefusedTwiceIsNotSent(t *testing.T) {
	l := newLab(t)
	c := l.client()
	l.mustSend(c)
	l.wechat.with(func() {
		l.wechat.token, l.wechat.refused = "", "" // the APIs refuse everything from here on
		l.wechat.refuse = `{"access_token":"TOKEN-9","expires_in":7200}`
	})
	r := l.send(c)
	if !r.NotSent || r.Answered || r.Code != 40001 || r.Err == nil {
		t.Errorf("got %+v", r)
	}
	if got := l.wechat.count("/cgi-bin/message/subscribe/send"); got != 3 {
		t.Errorf("%d sends were tried, want the first one and two of the second", got)
	}
}

func TestEveryTokenCodeRenews(t *testing.T) {
	for code, want := range map[int]bool{40001: true, 40014: true, 41001: true, 42001: true, 0: false, -1: false, 43101: false, 40125: false} {
		if tokenRefused(code) != want {
			t.Errorf("%d: %t", code, !want)
		}
	}
}

func TestWaitForATokenEndsWithTheCallersContext(t *testing.T) {
	l := newLab(t)
	l.store.hangs = true
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	r := l.client().Send(ctx, testApp, testMessage)
	if !r.NotSent || !errors.Is(r.Err, context.DeadlineExceeded) {
		t.Errorf("got %+v", r)
	}
}
