package submsgtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// scheduled begins the data of messages that a schedule of a random history sends.
const scheduled = "S:"

// Histories runs n random short histories from the given seed on: grants in every order and number of copies, sends,
// schedules, faults of WeChat, crashes at any effect, two workers at once. Each ends with a recovery and the
// comparison with the simulator's truth. A failure names its seed; the same seed gives the same choices again.
func Histories(t *testing.T, open Open, from uint64, n int) {
	for seed := from; seed < from+uint64(n); seed++ {
		History(t, open, seed)
	}
}

// History runs the one random history of a seed; see Histories.
func History(t *testing.T, open Open, seed uint64) {
	h := &historian{rng: rand.New(rand.NewPCG(seed, 2026)), w: NewWorld(t, open), users: users(3)}
	h.run()
	if t.Failed() {
		t.Fatalf("history with seed %d went wrong:\n%s", seed, strings.Join(h.steps, "\n"))
	}
}

// historian makes one history up as it goes.
type historian struct {
	rng   *rand.Rand
	w     *World
	users []string
	mu    sync.Mutex
	asked []Asked
	sent  int
	sched int
	steps []string
}

func (h *historian) note(format string, args ...any) {
	h.steps = append(h.steps, fmt.Sprintf(format, args...))
}

func (h *historian) pick(of ...string) string { return of[h.rng.IntN(len(of))] }

func (h *historian) run() {
	for range 6 + h.rng.IntN(18) {
		h.step()
		h.w.Clock.Advance(2 * time.Second) // an event tells its time in seconds: closer sends to one user could not be told apart
		if h.w.Process.Dead() {
			h.note("the process died; the next begins")
			h.w.Start(h.mortal())
		}
	}
	h.w.Recover()
	h.w.Judge(h.asked, h.users...)
}

// mortal is a process that may die some effects from now.
func (h *historian) mortal() *Process {
	if h.rng.IntN(2) == 0 {
		return nil
	}
	return &Process{DieAt: 1 + h.rng.IntN(12), After: h.rng.IntN(2) == 0}
}

func (h *historian) step() {
	user, w := h.pick(h.users...), h.w
	switch h.rng.IntN(12) {
	case 0, 1, 2:
		template := h.pick(Order, Order, Bill)
		h.note("%s accepts %s", user, template[:4])
		if err := w.Sim.Accept(AppID, user, template); err != nil {
			w.T.Fatal(err)
		}
		if h.rng.IntN(2) == 0 {
			h.note("… and it is reported")
			at := w.Clock.Now()
			if err := w.Report(user, template, "accept", at); err != nil { // who got no answer asks again
				w.Start(nil)
				if err := w.Report(user, template, "accept", at); err != nil {
					w.T.Fatal(err)
				}
			}
		}
		w.Clock.Advance(time.Second)
	case 3:
		if h.rng.IntN(3) > 0 {
			return
		}
		template := h.pick(Order, Bill)
		h.note("%s rejects %s", user, template[:4])
		if err := w.Sim.Reject(AppID, user, template); err != nil {
			w.T.Fatal(err)
		}
		w.Clock.Advance(time.Second)
	case 4:
		h.note("pushes arrive, shuffled")
		w.Sim.Shuffle()
		w.Sim.DeliverAll()
	case 5, 6:
		h.send(user, h.pick("order", "order", "bill"))
	case 7:
		h.note("two senders at once")
		var group sync.WaitGroup
		for _, template := range []string{"order", "bill"} {
			group.Go(h.sender(user, template))
		}
		group.Wait()
	case 8:
		h.schedule(user)
	case 9:
		f := h.fault()
		h.note("WeChat will %s", f.Name)
		w.Sim.Script(wechattest.Rules(wechattest.Rule{Times: 1 + h.rng.IntN(3), Fault: f}))
	case 10:
		d := time.Duration(h.rng.IntN(200)) * time.Second
		h.note("%s pass, and a tick", d)
		w.Clock.Advance(d)
		_ = w.Service.Tick(context.Background())
	case 11:
		h.note("the process will die")
		w.Start(h.mortal())
	}
}

func (h *historian) fault() wechattest.Fault {
	all := []wechattest.Fault{
		wechattest.CutBefore(), wechattest.CutAfter(), wechattest.BusyBefore(), wechattest.BusyAfter(), wechattest.BadGatewayAfter(), wechattest.NotJSONBefore(),
		wechattest.NoMsgID(), wechattest.SentEarly(), wechattest.SentTwice(), wechattest.SentFailed(1, "failed: system failed"),
		wechattest.Refuse(43108), wechattest.Refuse(45011), wechattest.Refuse(40003), wechattest.Refuse(47003), wechattest.CutAfter().And(wechattest.SentTwice()),
	}
	return all[h.rng.IntN(len(all))]
}

func (h *historian) send(user, template string) { h.sender(user, template)() }

// sender prepares a send; all choices are made before it runs, so that two at once leave the history repeatable.
func (h *historian) sender(user, template string) func() {
	h.sent++
	key := fmt.Sprintf("n%d", h.sent)
	async, resend, repeat := h.rng.IntN(3) == 0, h.rng.IntN(2) == 0, h.rng.IntN(4) == 0
	var wait time.Duration
	if h.rng.IntN(5) == 0 {
		wait = time.Duration(h.rng.IntN(100)) * time.Second
	}
	h.note("send %s of %s to %s (async %v, resend %v, in %s, repeated %v)", key, template, user, async, resend, wait, repeat)
	change := func(r *submsg.SendRequest) {
		r.Async = async
		if resend {
			r.OnUnknown = submsg.OnUnknownResend
		}
		if wait > 0 {
			r.SendAt = h.w.Clock.Now().Add(wait)
		}
	}
	return func() {
		a, view, err := h.w.Send(user, template, key, change)
		if err == nil && view.State == submsg.SendRefused && view.Reason == nil {
			h.w.T.Errorf("send %s was refused without a reason", key)
		}
		if repeat && wait == 0 {
			if b, _, err := h.w.Send(user, template, key, change); err == nil {
				a.Accepted = a.Accepted || b.Accepted
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.asked = append(h.asked, a)
	}
}

func (h *historian) schedule(user string) {
	h.sched++
	to := submsg.Recipients{Audience: &submsg.Audience{}}
	if h.rng.IntN(2) == 0 {
		to = submsg.Recipients{OpenID: user}
	}
	key := fmt.Sprintf("%s%d", scheduled, h.sched)
	wait := time.Duration(1+h.rng.IntN(90)) * time.Second
	h.note("schedule %s in %s, personal %v", key, wait, to.OpenID != "")
	req := submsg.ScheduleRequest{
		Template: "bill", To: to, RRule: "FREQ=DAILY;COUNT=2", Start: h.w.Clock.Now().Add(wait).Truncate(time.Second),
		Content: submsg.Content{Data: map[string]string{"character_string1": key + "-{{date}}", "thing2": "账单"}}, CatchUp: time.Hour,
	}
	err := h.w.asks(func() error {
		_, _, err := h.w.Service.CreateSchedule(context.Background(), AppID, key, req)
		return err
	})
	if p := submsg.AsProblem(err); p != nil {
		h.w.T.Errorf("schedule: %v", p)
	}
}
