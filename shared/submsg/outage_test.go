package submsg_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yuexin-dev/yuexin/shared/fields"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

var errAway = errors.New("the store is away")

// away is a store that fails after a while: every write, or every listing of templates.
type away struct {
	submsg.Store
	writes, templates bool
	after             time.Duration
}

func (a *away) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	if !a.writes {
		return a.Store.Save(ctx, rec)
	}
	select {
	case <-time.After(a.after):
		return 0, errAway
	case <-ctx.Done():
		return 0, errors.Join(errAway, ctx.Err())
	}
}

func (a *away) List(ctx context.Context, partition, after string, limit int) ([]submsg.Record, error) {
	if a.templates && strings.HasPrefix(partition, submsg.TemplatePartition(appid)) {
		return nil, errAway
	}
	return a.Store.List(ctx, partition, after, limit)
}

// "Busy" tells a caller that others write the same record. A store that takes no writes is another matter: an operator has
// to hear its own words.
func TestAStoreThatTakesNoWritesSaysSoItself(t *testing.T) {
	schedule := func(to submsg.Recipients) func(ctx context.Context, w *submsgtest.World) error {
		return func(ctx context.Context, w *submsgtest.World) error {
			_, _, err := w.Service.CreateSchedule(ctx, appid, "a-schedule", submsg.ScheduleRequest{
				Template: "bill", To: to, RRule: "FREQ=MONTHLY", Start: w.Clock.Now().Add(time.Hour).Truncate(time.Second), Content: submsg.Content{Data: submsgtest.Data("monthly")},
			})
			return err
		}
	}
	for _, tc := range []struct {
		name string
		do   func(ctx context.Context, w *submsgtest.World) error
	}{
		{"a send", func(ctx context.Context, w *submsgtest.World) error {
			_, _, err := w.Service.CreateSend(ctx, appid, "a-send", submsg.SendRequest{OpenID: "user", Template: "order", Data: submsgtest.Data("a-send")})
			return err
		}},
		{"a send that is refused", func(ctx context.Context, w *submsgtest.World) error {
			_, _, err := w.Service.CreateSend(ctx, appid, "a-send", submsg.SendRequest{OpenID: "nobody", Template: "order", Data: submsgtest.Data("a-send")})
			return err
		}},
		{"an async send", func(ctx context.Context, w *submsgtest.World) error {
			_, _, err := w.Service.CreateSend(ctx, appid, "a-send", submsg.SendRequest{OpenID: "user", Template: "order", Data: submsgtest.Data("a-send"), Async: true})
			return err
		}},
		{"a report", func(ctx context.Context, w *submsgtest.World) error {
			_, err := w.Service.ReportGrants(ctx, appid, "", []submsg.GrantReport{accepted("order", w.Clock.Now())})
			return err
		}},
		{"a schedule for an audience", schedule(submsg.Recipients{Audience: &submsg.Audience{}})},
		{"a schedule for one", schedule(submsg.Recipients{OpenID: "user"})},
		{"preferences", func(ctx context.Context, w *submsgtest.World) error {
			return w.Service.SetPreferences(ctx, appid, "user", submsg.Preferences{Muted: map[string]bool{"order": true}})
		}},
		{"an erasure", func(ctx context.Context, w *submsgtest.World) error { return w.Service.Erase(ctx, appid, "user") }},
		{"a cancellation", func(ctx context.Context, w *submsgtest.World) error {
			_, err := w.Service.Cancel(ctx, appid, submsg.SendID(appid, "waits"))
			return err
		}},
	} {
		for name, after := range map[string]time.Duration{"at once": 0, "each after 3 seconds": 3 * time.Second, "never with an answer": time.Hour} {
			t.Run(tc.name+", writes fail "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, nil)
					w.Granted("user", order, 1)
					if _, _, err := w.Send("user", "order", "waits", func(r *submsg.SendRequest) { r.SendAt = w.Clock.Now().Add(time.Hour) }); err != nil {
						t.Fatal(err)
					}
					steady := w.Service.Store
					w.Service.Store = &away{Store: steady, writes: true, after: after}
					ctx, cancel := context.WithTimeout(context.Background(), submsg.DefaultWork)
					defer cancel()
					began := time.Now()
					err := tc.do(ctx, w)
					if p := submsg.AsProblem(err); !errors.Is(err, errAway) || p != nil {
						t.Errorf("%v; want the store's own error", err)
					}
					if took := time.Since(began); took > submsg.DefaultWork+time.Second {
						t.Errorf("the caller waited for %s", took)
					}
					w.Service.Store = steady
					w.Clock.Advance(time.Minute)
					if err := tc.do(context.Background(), w); err != nil {
						t.Errorf("asked again when the store is back: %v", err)
					}
				})
			})
		}
	}
}

// What a template is like is read from the store where the configuration leaves it out. That it cannot be read now is no
// reason to take a long-term template for one that needs a credit.
func TestASendWaitsWhileItsTemplateCannotBeRead(t *testing.T) {
	const content = "订单:{{character_string1.DATA}}\n说明:{{thing2.DATA}}"
	for _, tc := range []struct {
		name   string
		change func(*submsg.SendRequest)
	}{
		{"async", async},
		{"for later", func(r *submsg.SendRequest) { r.SendAt = time.Now().Add(30 * time.Second) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(a *submsg.App) {
					a.Templates[1].Title, a.Templates[1].Content, a.Templates[1].Layout = "", "", fields.Layout{}
				})
				known := &submsg.SyncedTemplate{AppID: appid, TemplateID: bill, Title: "账单通知", Content: content, Type: 3}
				if _, err := w.Base.Save(context.Background(), submsg.Record{Key: submsg.TemplateKey(appid, bill), Body: known}); err != nil {
					t.Fatal(err)
				}
				w.Granted("user", bill, 1)
				_, waits, err := w.Send("user", "bill", "the-send", tc.change)
				if err != nil {
					t.Fatal(err)
				}
				steady := w.Service.Store
				w.Service.Store = &away{Store: steady, templates: true}
				for range 5 { // past the time for which an instance trusts what it read
					w.Clock.Advance(time.Minute)
					tick(t, w)
				}
				w.Service.Store = steady
				if got := stateOf(t, w, waits.ID); got.State != submsg.SendQueued {
					t.Errorf("while its template could not be read the send became %s %+v", got.State, got.Reason)
				}
				w.Clock.Advance(time.Minute)
				tick(t, w)
				if got := stateOf(t, w, waits.ID); got.State != submsg.SendSent || len(w.Sim.Received(appid, "user")) != 1 {
					t.Errorf("afterwards the send is %s %+v", got.State, got.Reason)
				}
			})
		})
	}
}

// One message at a time goes to a user. The next one goes when the one before has ended, and not only when the lease that
// its worker took for the worst case has.
func TestAScheduledSendFollowsTheMessageUnderWay(t *testing.T) {
	const call = 3 * time.Second
	for _, tc := range []struct {
		name string
		to   submsg.Recipients
	}{{"to one", submsg.Recipients{OpenID: "user"}}, {"to an audience", submsg.Recipients{Audience: &submsg.Audience{}}}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				w.Granted("user", order, 1)
				w.Granted("user", bill, 1)
				due := w.Clock.Now().Add(time.Minute).Truncate(time.Second)
				_, _, err := w.Service.CreateSchedule(context.Background(), appid, "a-schedule", submsg.ScheduleRequest{
					Template: "bill", To: tc.to, RRule: "FREQ=MONTHLY", Start: due, Content: submsg.Content{Data: submsgtest.Data("scheduled")},
				})
				if err != nil {
					t.Fatal(err)
				}
				moveTo(w, due)
				w.Sim.Script(wechattest.Rules(wechattest.Rule{TemplateID: order, Fault: wechattest.Delayed(call)}))
				var group sync.WaitGroup
				group.Go(func() { send(t, w, "order", "under-way") })
				synctest.Wait()
				began := w.Clock.Now()
				for range 10 { // a wake-up, or a tick, each second
					group.Go(func() { tick(t, w) })
					time.Sleep(time.Second)
				}
				group.Wait()
				messages := w.Sim.Received(appid, "user")
				if len(messages) != 2 {
					t.Fatalf("%d messages within 10 seconds, want 2", len(messages))
				}
				for _, m := range messages {
					if m.TemplateID == bill && (m.At.Sub(began) < call || m.At.Sub(began) > call+2*time.Second) {
						t.Errorf("the scheduled one was sent after %s, the one before it after %s", m.At.Sub(began), call)
					}
				}
			})
		})
	}
}
