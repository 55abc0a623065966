package submsg_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// told is what a person's page says of their sends, newest first.
func told(t testing.TB, w *submsgtest.World, openid string) (lines []string) {
	t.Helper()
	view, err := w.Service.Subscriber(context.Background(), appid, openid, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range view.Sends {
		code := ""
		if b.Reason != nil {
			code = b.Reason.Code
		}
		lines = append(lines, fmt.Sprint(b.State, " ", code))
	}
	return lines
}

func TestWhyAPersonGotNothingIsFoundWithThePerson(t *testing.T) {
	w := newWorld(t, nil)
	send := func(key string, change ...func(*submsg.SendRequest)) {
		t.Helper()
		w.Clock.Advance(time.Minute)
		if _, _, err := w.Send("anna", "order", key, change...); err != nil {
			t.Fatal(err)
		}
	}
	send("no-credit")
	w.Granted("anna", order, 2)
	send("goes")
	w.Sim.Script(wechattest.Rules(wechattest.Rule{Times: 1, Fault: wechattest.Refuse(43101)}))
	send("switched-off")
	w.Sim.Script(nil)
	w.Granted("anna", order, 1)
	send("too-late", func(r *submsg.SendRequest) {
		r.SendAt, r.ValidUntil = w.Clock.Now().Add(time.Minute), w.Clock.Now().Add(2*time.Minute)
	})
	w.Clock.Advance(3 * time.Minute)
	tick(t, w)
	want := []string{"expired valid_until", "rejected wechat_43101", "delivered ", "refused one_time_credit"}
	if diff := cmp.Diff(want, told(t, w, "anna")); diff != "" {
		t.Errorf("the person's page (-want +got):\n%s", diff)
	}

	erase(t, w, "anna")
	if got := told(t, w, "anna"); len(got) != 0 {
		t.Errorf("after the erasure: %v", got)
	}
	for _, key := range []string{"no-credit", "switched-off", "too-late"} {
		if b := stored(t, w, submsg.SendKey(appid, submsg.SendID(appid, key))); b != nil {
			t.Errorf("after the erasure the send %s is still there: %+v", key, b)
		}
	}
}

func TestARefusalIsNotForgottenWhereTheWorkerDiesOverIt(t *testing.T) {
	for fail := range 3 {
		w := newWorld(t, nil)
		steady := w.Service.Store
		w.Service.Store = &dying{Store: steady, after: fail}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, _, _ = w.Service.CreateSend(ctx, appid, "a-send", submsg.SendRequest{OpenID: "anna", Template: "order", Data: submsgtest.Data("a-send")})
		cancel()
		w.Service.Store = steady
		_, err := w.Service.Send(context.Background(), appid, submsg.SendID(appid, "a-send"))
		if got := told(t, w, "anna"); err == nil && len(got) != 1 {
			t.Errorf("after %d writes: the send is stored, and the person's page says %v", fail, got)
		}
		if _, _, err := w.Send("anna", "order", "a-send"); err != nil {
			t.Fatal(err)
		}
		if got := told(t, w, "anna"); len(got) != 1 || got[0] != "refused one_time_credit" {
			t.Errorf("after %d writes and asked again: %v", fail, got)
		}
	}
}

// dying is a store that takes no more writes after some.
type dying struct {
	submsg.Store
	after int
}

func (d *dying) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	if d.after--; d.after < 0 {
		return 0, errAway
	}
	return d.Store.Save(ctx, rec)
}

// misfits is an endpoint whose content fits no template.
type misfits struct{}

func (misfits) Provide(_ context.Context, r submsg.ProviderRequest) (map[string]submsg.Provided, error) {
	all := map[string]submsg.Provided{}
	for _, openid := range r.OpenIDs {
		all[openid] = submsg.Provided{Data: map[string]string{"no_such_field": "1"}}
	}
	return all, nil
}

func TestAnOccurrenceWhoseContentDoesNotFitIsFoundWithThePersonToo(t *testing.T) {
	w := newWorld(t, func(a *submsg.App) { a.CheckProvider = func(string) error { return nil } })
	w.Service.Provider = misfits{}
	w.Granted("anna", bill, 1)
	scheduled(t, w, "bills", submsg.Recipients{Audience: &submsg.Audience{}}, provided)
	w.Clock.Advance(time.Hour + time.Minute)
	tick(t, w)
	if diff := cmp.Diff([]string{"refused fields"}, told(t, w, "anna")); diff != "" {
		t.Errorf("the person's page (-want +got):\n%s", diff)
	}
}
