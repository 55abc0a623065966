package wechattest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// always applies a fault to every send.
func always(f Fault) func(Call) Fault { return Rules(Rule{Path: PathSend, Fault: f}) }

func TestEveryFault(t *testing.T) {
	tests := []struct {
		fault   Fault
		status  int    // 0: no answer
		body    string // how the answer begins
		arrives bool   // whether the message reached the user
		counted string // how totals count the answer
	}{
		{Fault{}, 200, `{"errcode":0,"errmsg":"ok","msgid":`, true, "0"},
		{Refuse(45011), 200, `{"errcode":45011,"errmsg":"api minute-quota`, false, "45011"},
		{Refuse(99999), 200, `{"errcode":99999,"errmsg":"error 99999 rid`, false, "99999"},
		{BusyBefore(), 200, `{"errcode":-1,"errmsg":"system error rid`, false, "-1"},
		{BusyAfter(), 200, `{"errcode":-1,"errmsg":"system error rid`, true, "-1"},
		{CutBefore(), 0, "", false, "cut"},
		{CutAfter(), 0, "", true, "cut"},
		{BadGatewayBefore(), 502, "<html>", false, "http_502"},
		{BadGatewayAfter(), 502, "<html>", true, "http_502"},
		{NotJSONBefore(), 200, "<html>", false, "not_json"},
		{NotJSONAfter(), 200, "<html>", true, "not_json"},
		{NoMsgID(), 200, `{"errcode":0,"errmsg":"ok"}`, true, "0"},
		{TokenRotated(), 200, `{"errcode":40001,"errmsg":"invalid credential`, false, "40001"},
		{Fault{Name: "worded", Withhold: true, Code: 40003, Message: "invalid openid hint"}, 200, `{"errcode":40003,"errmsg":"invalid openid hint rid`, false, "40003"},
	}
	for _, tt := range tests {
		name := tt.fault.Name
		if name == "" {
			name = "none"
		}
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			server := httptest.NewServer(w)
			defer server.Close()
			w.do(w.Accept(app, "u", order))
			w.Script(always(tt.fault))
			status, body := overNetwork(t, server.URL+w.sendTarget(), sendBody("u", order))
			if status != tt.status || !strings.HasPrefix(body, tt.body) {
				t.Errorf("over the network: %d %q, want %d %q", status, body, tt.status, tt.body)
			}
			st := w.Standing(app, "u", order)
			if arrived := st.Received == 1; arrived != tt.arrives || (st.Credits == 0) != tt.arrives {
				t.Errorf("standing %+v, arrived should be %t", st, tt.arrives)
			}
			totals := w.Totals(app)
			if totals.Answered(PathSend, tt.counted) != 1 {
				t.Errorf("calls %v, want one %q", totals.Calls, tt.counted)
			}
			if tt.fault.Name != "" && totals.Faults[tt.fault.Name] != 1 {
				t.Errorf("faults %v, want one %s", totals.Faults, tt.fault.Name)
			}
			if m := w.Received(app, "u"); tt.arrives && m[0].Fault != tt.fault.Name {
				t.Errorf("the message names fault %q, want %q", m[0].Fault, tt.fault.Name)
			}
		})
	}
}

// overNetwork posts over a real connection; status 0 where the connection was closed without an answer.
func overNetwork(t *testing.T, target, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(target, "application/json", strings.NewReader(body))
	if err != nil {
		if !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("the connection ended with %v, want EOF or a reset", err)
		}
		return 0, ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestTheTransportCutsLikeTheNetwork(t *testing.T) {
	w := newWorld(t)
	w.do(w.Accept(app, "u", order))
	w.Script(always(CutAfter()))
	if _, _, err := w.call(http.MethodPost, w.sendTarget(), sendBody("u", order)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want an unexpected EOF", err)
	}
	if got := w.Standing(app, "u", order).Received; got != 1 {
		t.Errorf("%d received, want 1", got)
	}
}

func TestAClientThatGivesUpDoesNotStopTheSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Now = nil })
		w.do(w.Accept(app, "u", order))
		target := w.sendTarget()
		w.Script(always(Delayed(10 * time.Second)))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://wechat.invalid"+target, strings.NewReader(sendBody("u", order)))
		w.do(err)
		start := time.Now()
		if _, err := w.http.Do(req); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Fatalf("after %v: %v, want a deadline after 3 s", time.Since(start), err)
		}
		if got := w.Standing(app, "u", order).Received; got != 0 {
			t.Fatalf("%d received before the delay ended", got)
		}
		w.Script(nil)
		if got := w.post(target, sendBody("u", order)); got.Code != 43108 {
			t.Fatalf("a second call meanwhile: %+v, want 43108", got)
		}
		time.Sleep(8 * time.Second)
		synctest.Wait()
		if got := w.Received(app, "u"); len(got) != 1 || got[0].At.Sub(start) != 10*time.Second {
			t.Fatalf("received %+v, want one message ten seconds after the call", got)
		}
		if got := w.post(target, sendBody("u", order)); got.Code != 43101 {
			t.Fatalf("afterwards: %+v, want 43101", got)
		}
	})
}

func TestADelayedAnswerComesAfterTheMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Now = nil })
		w.do(w.Accept(app, "u", order))
		w.Script(always(AnswerDelayed(4 * time.Second)))
		start := time.Now()
		if got := w.send("u", order); got.Code != 0 || time.Since(start) != 4*time.Second {
			t.Fatalf("%+v after %v, want 0 after 4 s", got, time.Since(start))
		}
		if at := w.Received(app, "u")[0].At; !at.Equal(start) {
			t.Errorf("received at %v, want %v", at, start)
		}
	})
}

func TestSimultaneousSendsToOneUser(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		want   int
	}{
		"are refused":                   {func(*Config) {}, 43108},
		"are accepted where configured": {func(c *Config) { c.Accounts[0].AllowSimultaneous = true }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, tt.change)
				w.do(w.Accept(app, "u", bill))
				w.do(w.Accept(app, "v", bill))
				target := w.sendTarget()
				w.Script(Rules(Rule{Nth: 1, Fault: AnswerDelayed(time.Second)}))
				first := make(chan answer)
				go func() {
					got, err := decode(w.call(http.MethodPost, target, sendBody("u", bill)))
					if err != nil {
						t.Error(err)
					}
					first <- got
				}()
				synctest.Wait()
				if got := w.post(target, sendBody("u", bill)); got.Code != tt.want {
					t.Errorf("second call: %+v, want %d", got, tt.want)
				}
				if got := w.post(target, sendBody("v", bill)); got.Code != 0 {
					t.Errorf("another user: %+v, want 0", got)
				}
				if got := <-first; got.Code != 0 {
					t.Errorf("first call: %+v, want 0", got)
				}
				if got := w.post(target, sendBody("u", bill)); got.Code != 0 {
					t.Errorf("afterwards: %+v, want 0", got)
				}
			})
		})
	}
}

func TestCloseReleasesDelayedCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.do(w.Accept(app, "u", order))
		target := w.sendTarget()
		w.Script(always(Delayed(time.Hour)))
		failed := make(chan error)
		go func() {
			_, _, err := w.call(http.MethodPost, target, sendBody("u", order))
			failed <- err
		}()
		synctest.Wait()
		w.Close()
		if err := <-failed; err == nil {
			t.Error("the call was answered, want a cut")
		}
		if got := w.Standing(app, "u", order).Received; got != 0 {
			t.Errorf("%d received, want none", got)
		}
	})
}

func TestFaultsOfTheTokenInterface(t *testing.T) {
	w := newWorld(t)
	w.Script(Rules(Rule{Path: PathStableToken, Times: 1, Fault: Refuse(40164)}))
	if got := w.stable(false); got.Code != 40164 || !strings.Contains(got.Text, "not in whitelist") {
		t.Errorf("%+v, want 40164 with the address", got)
	}
	if got := w.stable(false); got.Code != 0 || got.Token == "" {
		t.Errorf("%+v, want a token", got)
	}
}

func TestRules(t *testing.T) {
	call := func(openID string, roll float64) Call {
		return Call{AppID: app, Path: PathSend, OpenID: openID, TemplateID: order, Roll: roll}
	}
	names := func(script func(Call) Fault, calls ...Call) []string {
		var got []string
		for _, c := range calls {
			got = append(got, script(c).Name)
		}
		return got
	}
	u, v := call("u", 0), call("v", 0)
	tests := []struct {
		name  string
		rules []Rule
		calls []Call
		want  []string
	}{
		{"a rule without conditions applies to all", []Rule{{Fault: CutAfter()}}, []Call{u, v}, []string{"cut_after", "cut_after"}},
		{"an openid narrows it", []Rule{{OpenID: "v", Fault: CutAfter()}}, []Call{u, v}, []string{"", "cut_after"}},
		{"a template narrows it", []Rule{{TemplateID: bill, Fault: CutAfter()}}, []Call{u}, []string{""}},
		{"an appid narrows it", []Rule{{AppID: "wx", Fault: CutAfter()}}, []Call{u}, []string{""}},
		{"a path narrows it", []Rule{{Path: PathToken, Fault: CutAfter()}}, []Call{u}, []string{""}},
		{"nth counts what matches", []Rule{{OpenID: "v", Nth: 2, Fault: CutAfter()}}, []Call{v, u, v, v}, []string{"", "", "cut_after", ""}},
		{"times bounds it", []Rule{{Times: 1, Fault: CutAfter()}, {Fault: BusyAfter()}}, []Call{u, u}, []string{"cut_after", "busy_after"}},
		{"the first that applies decides", []Rule{{OpenID: "v", Fault: CutAfter()}, {Fault: BusyAfter()}}, []Call{u, v}, []string{"busy_after", "cut_after"}},
		{"nth counts calls that another rule decides", []Rule{{Nth: 1, Fault: CutAfter()}, {Nth: 2, Fault: BusyAfter()}}, []Call{u, u, u}, []string{"cut_after", "busy_after", ""}},
		{"shares add up", []Rule{{Percent: 10, Fault: CutAfter()}, {Percent: 5, Fault: BusyAfter()}},
			[]Call{call("u", 0.09), call("u", 0.10), call("u", 0.149), call("u", 0.15)}, []string{"cut_after", "busy_after", "busy_after", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, names(Rules(tt.rules...), tt.calls...)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRollsRepeatWithTheSeedAndSpreadEvenly(t *testing.T) {
	rolls := func(seed uint64) []float64 {
		s := &Sim{cfg: Config{Seed: seed}}
		var got []float64
		for user := range 100 {
			for n := 1; n <= 20; n++ {
				got = append(got, s.roll(&Call{AppID: app, Path: PathSend, OpenID: "user" + string(rune('0'+user)), UserN: n}))
			}
		}
		return got
	}
	first := rolls(7)
	if diff := cmp.Diff(first, rolls(7)); diff != "" {
		t.Error("the same seed gave other rolls")
	}
	if cmp.Equal(first, rolls(8)) {
		t.Error("another seed gave the same rolls")
	}
	tenths := make([]int, 10)
	for _, r := range first {
		tenths[int(r*10)]++
	}
	for i, n := range tenths {
		if n < 140 || n > 260 {
			t.Errorf("%d of 2000 rolls lie in tenth %d, want about 200", n, i)
		}
	}
}

func TestScriptsSeeTheCall(t *testing.T) {
	w := newWorld(t)
	w.do(w.Accept(app, "u", bill))
	var seen []Call
	w.Script(func(c Call) Fault {
		if c.Path == PathSend {
			seen = append(seen, c)
		}
		return Fault{}
	})
	w.send("u", bill)
	w.send("v", bill)
	w.send("u", bill)
	for i := range seen {
		seen[i].Roll = 0
	}
	at := w.clock.Now()
	want := []Call{
		{AppID: app, Path: PathSend, OpenID: "u", TemplateID: bill, At: at, N: 1, UserN: 1},
		{AppID: app, Path: PathSend, OpenID: "v", TemplateID: bill, At: at, N: 2, UserN: 1},
		{AppID: app, Path: PathSend, OpenID: "u", TemplateID: bill, At: at, N: 3, UserN: 2},
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestAndJoinsFaults(t *testing.T) {
	got := CutAfter().And(SentLate(time.Second)).And(Delayed(2 * time.Second))
	want := Fault{Name: "cut_after+sent_late+delayed", Answer: AnswerCut, Delay: 2 * time.Second, Sent: SentPlan{When: SentLater, Delay: time.Second}}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
