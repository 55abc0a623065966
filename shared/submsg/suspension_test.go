package submsg_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

const aDay = 24 * time.Hour

func TestASuspensionHoldsSendsAndFailsNone(t *testing.T) {
	for _, tc := range []struct {
		code   int
		others bool // it covers other templates too
	}{{43107, false}, {48001, true}, {48004, true}, {50002, true}} {
		t.Run(fmt.Sprint(tc.code), func(t *testing.T) {
			w := newWorld(t, nil)
			w.Granted("user", order, 3)
			w.Granted("user", bill, 1)
			w.Sim.Script(wechattest.Rules(wechattest.Rule{Times: 1, Fault: wechattest.Refuse(tc.code)}))
			_, hit := send(t, w, "order", "hit")
			_, same := send(t, w, "order", "same-template")
			_, other := send(t, w, "bill", "other-template")

			if hit.State != submsg.SendQueued || hit.Reason == nil || hit.Reason.Code != policy.RuleSuspended || hit.WeChat == nil || hit.WeChat.Code != tc.code || hit.Due == 0 {
				t.Errorf("the send that met the suspension: %+v", hit)
			}
			if same.State != submsg.SendQueued || same.Reason == nil || same.Reason.Code != policy.RuleSuspended || same.Attempts != 0 {
				t.Errorf("the next one: %+v", same)
			}
			want := submsg.SendSent
			if tc.others {
				want = submsg.SendQueued
			}
			if other.State != want {
				t.Errorf("a send of another template is %s, want %s", other.State, want)
			}
			// Ticks while it stands hold what is held, call nobody and spend nothing.
			calls := w.Sim.Totals(appid).Calls[wechattest.PathSend]
			for range 12 {
				w.Clock.Advance(aDay / 2)
				tick(t, w)
			}
			if diff := cmp.Diff(calls, w.Sim.Totals(appid).Calls[wechattest.PathSend]); diff != "" {
				t.Errorf("WeChat was called during the suspension: %s", diff)
			}
			if got := stateOf(t, w, hit.ID).State; got != submsg.SendQueued {
				t.Errorf("after six days the send is %s", got)
			}
			w.Clock.Advance(aDay + time.Minute)
			tick(t, w)
			for _, v := range []submsg.SendView{hit, same, other} {
				if got := stateOf(t, w, v.ID).State; got != submsg.SendSent {
					t.Errorf("after the term ended, send %s is %s", v.ID, got)
				}
			}
			w.Recover()
			if st := w.Sim.Standing(appid, "user", order); st.Received != 2 || st.Credits != 1 {
				t.Errorf("received %d on 3 grants, %d credits left; want 2 and 1", st.Received, st.Credits)
			}
		})
	}
}

func TestStrikesLengthenSuspensions(t *testing.T) {
	w := newWorld(t, nil)
	w.Granted("user", bill, 1)
	suspended := wechattest.Rules(wechattest.Rule{Fault: wechattest.Refuse(43107)})
	for strike, term := range []time.Duration{7 * aDay, 30 * aDay, 0} {
		w.Sim.Script(suspended)
		_, held := send(t, w, "bill", fmt.Sprintf("strike-%d", strike+1))
		h, err := w.Service.Holds(context.Background(), appid)
		if err != nil {
			t.Fatal(err)
		}
		now := submsg.At(w.Clock.Now())
		if len(h.Holds) != 1 || h.Strikes[bill] != strike+1 || h.Holds[0].Strike != strike+1 {
			t.Fatalf("strike %d: %+v", strike+1, h)
		}
		hold := h.Holds[0]
		if hold.TemplateID != bill || hold.Code != 43107 || hold.Rule != policy.RuleSuspended {
			t.Errorf("strike %d: %+v", strike+1, hold)
		}
		if term == 0 {
			if hold.Until != 0 {
				t.Errorf("the third strike ends at %s", hold.Until.Time())
			}
			w.Sim.Script(nil)
			for range 40 {
				w.Clock.Advance(10 * aDay)
				tick(t, w)
			}
			if got := stateOf(t, w, held.ID); got.State != submsg.SendQueued || got.Due == 0 {
				t.Errorf("a year into a suspension for good the send is %s, due %d", got.State, got.Due)
			}
			continue
		}
		if left := hold.Until.Sub(now); left > term || left < term-time.Minute {
			t.Errorf("strike %d holds for %s, want %s", strike+1, left, term)
		}
		w.Sim.Script(nil)
		w.Clock.Advance(term + time.Minute)
		tick(t, w)
		if got := stateOf(t, w, held.ID).State; got != submsg.SendSent {
			t.Errorf("strike %d: after its term the send is %s", strike+1, got)
		}
		if h, err = w.Service.Holds(context.Background(), appid); err != nil || len(h.Holds) != 0 || h.Strikes[bill] != strike+1 {
			t.Errorf("after the term: %v %+v", err, h)
		}
	}
}

func TestManyAnswersOfOneSuspensionAreOneStrike(t *testing.T) {
	const senders = 20
	w := newWorld(t, nil)
	var under sync.WaitGroup
	under.Add(senders)
	for i := range senders {
		w.Granted(fmt.Sprintf("user-%d", i), bill, 1)
	}
	w.Sim.Script(func(wechattest.Call) wechattest.Fault {
		under.Done()
		under.Wait() // nobody is answered before all have called
		return wechattest.Refuse(48001)
	})
	var group sync.WaitGroup
	for i := range senders {
		group.Go(func() {
			key := fmt.Sprintf("at-once-%d", i)
			if _, v, err := w.Send(fmt.Sprintf("user-%d", i), "bill", key); err != nil || v.State != submsg.SendQueued {
				t.Errorf("%s: %v %s", key, err, v.State)
			}
		})
	}
	group.Wait()
	h, err := w.Service.Holds(context.Background(), appid)
	if err != nil || h.Strikes[""] != 1 || len(h.Holds) != 1 {
		t.Errorf("%v %+v", err, h)
	}
}

func TestAHoldIsOneStrikeAndOneNoticeThoughTheStoresReplyIsLost(t *testing.T) {
	for n := 1; ; n++ {
		w := newWorld(t, nil)
		hook := newWebhook(t, w)
		w.Granted("user", bill, 1)
		w.Sim.Script(wechattest.Rules(wechattest.Rule{Times: 1, Fault: wechattest.Refuse(43107)}))
		lossy := &lossyStore{Store: w.Base, at: n}
		w.Service.Store = lossy
		_, v := send(t, w, "bill", "suspended")
		if v.State != submsg.SendQueued {
			t.Errorf("reply %d lost: the send is %s", n, v.State)
		}
		w.Clock.Advance(time.Minute)
		tick(t, w)
		h, err := w.Service.Holds(context.Background(), appid)
		if err != nil || h.Strikes[bill] != 1 || len(h.Holds) != 1 {
			t.Errorf("reply %d lost: %v %+v", n, err, h)
		}
		if taken, _ := hook.notices(); len(taken) != 1 {
			t.Errorf("reply %d lost: %d notices", n, len(taken))
		}
		if lossy.lost == "" {
			if n < 4 {
				t.Errorf("only %d writes were made", n-1)
			}
			return
		}
	}
}

// lossyStore loses the reply of one write: it is stored, and an error comes back.
type lossyStore struct {
	submsg.Store
	at int

	mu   sync.Mutex
	n    int
	lost string // the kind of the record
}

func (s *lossyStore) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	v, err := s.Store.Save(ctx, rec)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n++; s.n == s.at && err == nil {
		s.lost = rec.Body.Kind()
		return 0, errors.New("the reply was lost")
	}
	return v, err
}

func TestAnOperatorsResumeLetsHeldSendsGo(t *testing.T) {
	for _, after := range []time.Duration{time.Minute, 3 * aDay} {
		for _, code := range []int{43107, 48004} {
			t.Run(fmt.Sprintf("%d, resumed after %s", code, after), func(t *testing.T) {
				w := newWorld(t, nil)
				w.Granted("user", bill, 1)
				w.Sim.Script(wechattest.Rules(wechattest.Rule{Times: 1, Fault: wechattest.Refuse(code)}))
				_, held := send(t, w, "bill", "held")
				w.Clock.Advance(after)
				tick(t, w)
				template := ""
				if code == 43107 {
					template = "bill"
				}
				h, err := w.Service.Resume(context.Background(), appid, template)
				if err != nil || len(h.Holds) != 0 {
					t.Fatalf("resume: %v %+v", err, h)
				}
				if h.Strikes[held.TemplateID]+h.Strikes[""] != 1 {
					t.Errorf("the strike was forgotten: %+v", h)
				}
				if _, fresh := send(t, w, "bill", "fresh"); fresh.State != submsg.SendSent {
					t.Errorf("a new send after the resume is %s (%+v)", fresh.State, fresh.Reason)
				}
				// A held send looks again soon after a short hold, and within six hours of any.
				w.Clock.Advance(min(2*after, 6*time.Hour) + time.Minute)
				tick(t, w)
				if got := stateOf(t, w, held.ID); got.State != submsg.SendSent {
					t.Errorf("the held send is %s, due in %s", got.State, got.Due.Sub(submsg.At(w.Clock.Now())))
				}
			})
		}
	}
}

func TestAHeldSendStillExpires(t *testing.T) {
	w := newWorld(t, nil)
	w.Granted("user", order, 1)
	w.Sim.Script(wechattest.Rules(wechattest.Rule{Fault: wechattest.Refuse(48001)}))
	_, held, err := w.Send("user", "order", "urgent-for-an-hour", func(r *submsg.SendRequest) { r.ValidUntil = w.Clock.Now().Add(time.Hour) })
	if err != nil || held.State != submsg.SendQueued {
		t.Fatalf("%v %+v", err, held)
	}
	for range 8 {
		w.Clock.Advance(10 * time.Minute)
		tick(t, w)
	}
	if got := stateOf(t, w, held.ID); got.State != submsg.SendExpired || got.Reason.Code != policy.RuleValidUntil {
		t.Errorf("%s %+v", got.State, got.Reason)
	}
}

func TestASpentDailyQuotaWaitsForTheNextDayInShanghai(t *testing.T) {
	synctest.Test(t, spentDailyQuota)
}

func spentDailyQuota(t *testing.T) {
	w := newWorld(t, nil)
	w.Granted("user", bill, 1)
	w.Sim.Script(wechattest.Rules(wechattest.Rule{Times: 1, Fault: wechattest.Refuse(45009)}))
	_, held := send(t, w, "bill", "over-the-quota")
	_, next := send(t, w, "bill", "after-it")
	y, m, d := w.Clock.Now().In(policy.Shanghai).Date()
	midnight := submsg.At(time.Date(y, m, d+1, 0, 0, 0, 0, policy.Shanghai))
	for _, v := range []submsg.SendView{held, next} {
		if v.State != submsg.SendQueued || v.Reason == nil || v.Reason.Code != policy.RuleDailyQuota || v.Due < midnight || v.Due > midnight.Add(10*time.Minute) {
			t.Errorf("%s %+v, due %s; midnight is %s", v.State, v.Reason, v.Due.Time(), midnight.Time())
		}
	}
	h, err := w.Service.Holds(context.Background(), appid)
	if err != nil || len(h.Holds) != 1 || len(h.Strikes) != 0 {
		t.Errorf("a spent quota is no strike: %v %+v", err, h)
	}
	w.Clock.Advance(midnight.Sub(submsg.At(w.Clock.Now())) - time.Minute)
	tick(t, w)
	if got := stateOf(t, w, held.ID).State; got != submsg.SendQueued {
		t.Errorf("a minute to midnight the send is %s", got)
	}
	w.Clock.Advance(11 * time.Minute)
	tick(t, w)
	for _, v := range []submsg.SendView{held, next} {
		if got := stateOf(t, w, v.ID).State; got != submsg.SendSent {
			t.Errorf("the next day send %s is %s", v.ID, got)
		}
	}
}

// send asks for a send to "user"; a test's key is its content too.
func send(t testing.TB, w *submsgtest.World, template, key string) (submsgtest.Asked, submsg.SendView) {
	t.Helper()
	a, v, err := w.Send("user", template, key)
	if err != nil {
		t.Fatalf("send %s: %v", key, err)
	}
	return a, v
}
