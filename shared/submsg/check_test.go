package submsg_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// strict gives the app caps and quiet hours.
func strict(t testing.TB) func(*submsg.App) {
	night, err := policy.ParseWindow("22:00-08:00")
	if err != nil {
		t.Fatal(err)
	}
	return func(a *submsg.App) {
		a.Rules.QuietHours = night
		a.Rules.Limits, a.Rules.TemplateLimits = &policy.Limits{PerDay: 3}, &policy.Limits{PerDay: 1}
	}
}

func check(t testing.TB, w *submsgtest.World, req submsg.SendRequest) policy.Decision {
	t.Helper()
	d, err := w.Service.Check(context.Background(), appid, req)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range d.Reasons {
		if r.Code != policy.RuleFields && (r.Detail == "" || r.DetailZH == "") {
			t.Errorf("%s says nothing: %+v", r.Code, r)
		}
	}
	return d
}

func codes(d policy.Decision) map[string]int {
	all := map[string]int{}
	for _, r := range d.Reasons {
		all[r.Code]++
	}
	return all
}

// One message that has everything against it: each rule says so, and nothing is touched.
func TestACheckListsEveryRuleThatApplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, strict(t))
		ctx, late := context.Background(), "20:00-12:00"
		w.Granted("user", order, 1)
		sale := map[string]string{"character_string1": "1", "thing2": "领红包"}
		if _, v, err := w.Send("user", "order", "first"); err != nil || v.State != submsg.SendSent { // spends the credit and the day's cap
			t.Fatalf("%v %+v", err, v)
		}
		if err := w.Service.SetPreferences(ctx, appid, "user", submsg.Preferences{Muted: map[string]bool{"order": true}, QuietHours: &late}); err != nil {
			t.Fatal(err)
		}
		w.Granted("other", order, 1)
		w.Sim.Script(wechattest.Rules(wechattest.Rule{Times: 1, Fault: wechattest.Refuse(43107)}))
		if _, v, err := w.Send("other", "order", "suspends"); err != nil || v.State != submsg.SendQueued {
			t.Fatalf("%v %+v", err, v)
		}
		time.Sleep(15 * time.Hour) // 23:00 in Shanghai

		counting := &submsgtest.Process{}
		w.Service = &submsg.Service{Apps: w.Service.Apps, Store: counting.Store(w.Base), WeChat: w.Service.WeChat, Now: w.Clock.Now}
		calls := len(w.Sim.Totals(appid).Calls[wechattest.PathSend])
		got := check(t, w, submsg.SendRequest{OpenID: "user", Template: "order", Data: sale})
		want := map[string]int{policy.RuleOneTimeCredit: 1, policy.RulePreference: 1, policy.RuleNoMarketing: 1, policy.RuleFrequencyCap: 1, policy.RuleQuietHours: 1, policy.RuleSuspended: 1}
		if diff := cmp.Diff(want, codes(got)); got.Outcome != policy.Refuse || diff != "" {
			t.Errorf("%s: %s\n%+v", got.Outcome, diff, got.Reasons)
		}
		for _, r := range got.Reasons {
			switch r.Code {
			case policy.RuleNoMarketing:
				if r.Word != "红包" || r.Field != "thing2" && r.Field != "data.thing2" {
					t.Errorf("the word %q in %q", r.Word, r.Field)
				}
			case policy.RuleSuspended, policy.RuleFrequencyCap, policy.RuleQuietHours:
				if !r.Until.After(time.Now()) {
					t.Errorf("%s until %s", r.Code, r.Until)
				}
			}
		}

		// The same content as before, with a field too long, past its moment.
		long := submsgtest.Data("first")
		long["character_string1"], long["thing9"] = "first-and-much-more-than-thirty-two-characters", "x"
		got = check(t, w, submsg.SendRequest{OpenID: "user", Template: "order", Data: long, ValidUntil: time.Now().Add(-time.Minute)})
		for _, code := range []string{policy.RuleFields, policy.RuleValidUntil, policy.RuleOneTimeCredit, policy.RulePreference} {
			if codes(got)[code] == 0 {
				t.Errorf("%s is missing: %v", code, codes(got))
			}
		}
		if got.Outcome != policy.Expire {
			t.Errorf("past its moment: %s", got.Outcome)
		}
		if codes(got)[policy.RuleFields] != 2 {
			t.Errorf("two fields are wrong: %v", codes(got))
		}

		if counting.Effects() != 0 {
			t.Errorf("a check wrote %d times", counting.Effects())
		}
		if n := len(w.Sim.Totals(appid).Calls[wechattest.PathSend]); n != calls {
			t.Error("a check called WeChat")
		}
	})
}

func TestACheckAgreesWithTheSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, strict(t))
		time.Sleep(2 * time.Hour) // 10:00 in Shanghai
		w.Granted("user", order, 5)
		req := func(n string) submsg.SendRequest {
			return submsg.SendRequest{OpenID: "user", Template: "order", Data: submsgtest.Data(n)}
		}
		if d := check(t, w, req("one")); d.Outcome != policy.Send || len(d.Reasons) != 0 {
			t.Errorf("%+v", d)
		}
		if _, v, err := w.Send("user", "order", "one"); err != nil || v.State != submsg.SendSent {
			t.Fatalf("%v %+v", err, v)
		}
		d := check(t, w, req("two"))
		if d.Outcome != policy.Defer || codes(d)[policy.RuleFrequencyCap] != 1 {
			t.Errorf("%+v", d)
		}
		_, v, err := w.Send("user", "order", "two")
		if err != nil || v.State != submsg.SendQueued || v.Reason == nil || v.Reason.Code != policy.RuleFrequencyCap {
			t.Fatalf("%v %+v", err, v)
		}
		// Both name the moment the cap ends; quiet hours strew, so the send's may be a little later.
		if late := v.Due.Time().Sub(d.Due).Abs(); late > time.Hour {
			t.Errorf("the check says %s, the send %s", d.Due, v.Due.Time())
		}
		if d := check(t, w, submsg.SendRequest{OpenID: "user", Template: "order", Data: submsgtest.Data("three"), SendAt: time.Now().Add(25 * time.Hour)}); d.Outcome != policy.Send {
			t.Errorf("asked about tomorrow: %+v", d)
		}
	})
}
