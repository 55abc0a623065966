package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// What the README says of the tour, as the tour prints it with an audience of 200.
var tourPromises = []string{
	"pushed the event 3 times (secure mode, XML), the mini program reported it 3 times: 1 credit",
	"a second message: refused, one_time_credit — ",
	"3. 200 users agree to the monthly bill",
	"198 sent, 1 unknown",
	"it was not sent, so it went again, once: delivered",
	"an advertisement: refused, no_marketing — ",
	"bills delivered                199      199",
	"of the audience, none            1        1",
	"Nobody received more than agreed, nobody less than promised.",
}

func TestTourShowsWhatTheReadmePromises(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := playTour(t.Context(), 200, &out, nil); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range tourPromises {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tour does not print %q", want)
		}
	}
	if strings.Contains(out.String(), "✗") {
		t.Error("the tour found a fault and did not fail")
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestTourOfTheProgramEndsWell(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := runProgram(t, nil, "tour")
	if code != 0 || stderr != "" {
		t.Errorf("tour ended with %d and said %q", code, stderr)
	}
	if !strings.Contains(stdout, "3. 1000 users agree to the monthly bill") || !strings.Contains(stdout, "Nobody received more than agreed") {
		t.Errorf("tour printed\n%s", stdout)
	}
}

// A tour that cannot fail shows nothing: each of these breaks what one side hears of the other, and must be found out.
func TestTourFailsWhereTheTwoSidesDisagree(t *testing.T) {
	t.Parallel()
	const victim = `"oTour-bill-0003"`
	sendsToVictim := func(r *http.Request) bool {
		return r.URL.Path == wechattest.PathSend && strings.Contains(body(r), victim)
	}
	for name, broken := range map[string]struct {
		meddle func(w http.ResponseWriter, r *http.Request, next http.Handler)
		want   string
	}{
		"WeChat accepts a message and loses it": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if sendsToVictim(r) {
				_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok","msgid":1988810812324364289}`)
				return
			}
			next.ServeHTTP(w, r)
		}, "1 subscribers' ledgers disagree"},
		"a message goes out twice": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if sendsToVictim(r) {
				again := r.Clone(r.Context())
				again.Body = io.NopCloser(strings.NewReader(body(r)))
				next.ServeHTTP(httptest.NewRecorder(), again)
			}
			next.ServeHTTP(w, r)
		}, "1 subscribers' ledgers disagree"},
		"an accept is acknowledged and forgotten": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if strings.HasPrefix(r.URL.Path, "/wechat/") && r.URL.Query().Get("openid") == strings.Trim(victim, `"`) {
				_, _ = io.WriteString(w, "success")
				return
			}
			next.ServeHTTP(w, r)
		}, "38 of 40 bills were delivered"},
		"a report cannot be told from its repetition": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if strings.HasSuffix(r.URL.Path, "/grants") {
				text := occurredAt.ReplaceAllString(body(r), "")
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
			}
			next.ServeHTTP(w, r)
		}, "one accept gave 3 credits"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var out bytes.Buffer
			err := playTour(ctx, 40, &out, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { broken.meddle(w, r, next) })
			})
			if err == nil || !strings.Contains(err.Error(), broken.want) || !strings.Contains(out.String(), "✗") {
				t.Errorf("the tour ended with %v, want an error with %q\n%s", err, broken.want, &out)
			}
			if strings.Contains(out.String(), "Nobody received more than agreed") {
				t.Error("the tour claims that all is well")
			}
		})
	}
}

var occurredAt = regexp.MustCompile(`"occurred_at":"[^"]*",`)

// body reads a request's body and leaves it to be read again.
func body(r *http.Request) string {
	raw, _ := io.ReadAll(r.Body) // of a recorded request, or one that the server has a deadline for
	r.Body = io.NopCloser(bytes.NewReader(raw))
	return string(raw)
}
