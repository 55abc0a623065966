package submsg_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

const (
	gone  = "wxaaaaaaaaaaaaaaaa" // the app that is taken out of the configuration
	stays = "wxbbbbbbbbbbbbbbbb"
)

// apps is a configuration of several apps, each with the templates that it keeps of "order" and "bill".
func apps(t testing.TB, keeps func(appid, template string) bool, ids ...string) *submsg.Catalog {
	t.Helper()
	var all []*submsg.App
	for _, id := range ids {
		one := catalog(t, func(a *submsg.App) {
			a.Rules.AppID = id
			a.Templates = slices.DeleteFunc(a.Templates, func(tpl submsg.Template) bool { return keeps != nil && !keeps(id, tpl.Name) })
		})
		a, err := one.App(id)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	c, err := submsg.NewCatalog(all)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// postbox is a WeChat that takes every message, of any app.
type postbox struct {
	mu    sync.Mutex
	taken []string // appid and content
}

func (p *postbox) Send(_ context.Context, appid string, m submsg.Message) submsg.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken = append(p.taken, appid+" "+m.OpenID+" "+m.Data["character_string1"])
	return submsg.Result{Answered: true, MsgID: int64(len(p.taken))}
}

func (p *postbox) Templates(context.Context, string) ([]submsg.SyncedTemplate, error) {
	return nil, nil
}

func (p *postbox) sorted() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(slices.Values(p.taken))
}

// mute is a waker whose announcements are lost.
type mute struct{}

func (mute) Wake(context.Context, []submsg.Key) error { return nil }

// due lists what is due now.
func due(t testing.TB, w *submsgtest.World) (items []submsg.DueItem) {
	t.Helper()
	for shard := range submsg.DueShards {
		some, err := w.Base.Due(context.Background(), shard, submsg.At(w.Clock.Now()), 5000)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, some...)
	}
	return items
}

func accepts(t testing.TB, w *submsgtest.World, id, openid string, templates ...string) {
	t.Helper()
	for _, template := range templates {
		if _, err := w.Service.ReportGrants(context.Background(), id, "", []submsg.GrantReport{{OpenID: openid, Template: template, Decision: "accept"}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWorkOfWhatIsNotConfiguredAnyMoreWaitsUntilItIsAgain(t *testing.T) {
	for _, tc := range []struct {
		name   string
		apps   []string // that are left
		keeps  func(appid, template string) bool
		reason submsg.Code
		fires  bool // schedules of audiences still fire; their jobs wait
	}{
		{"its app is taken out", []string{stays}, nil, submsg.CodeUnknownApp, false},
		{"its templates are taken out", []string{gone, stays}, func(id, _ string) bool { return id != gone }, submsg.CodeUnknownTemplate, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			box := &postbox{}
			w.Service.WeChat, w.Service.Apps = box, apps(t, nil, gone, stays)
			for _, id := range []string{gone, stays} {
				accepts(t, w, id, "anna", "order", "order", "bill")
			}
			want, keys := planned(t, w, gone, stays)
			w.Clock.Advance(2*time.Minute + time.Second)

			w.Service.Apps = apps(t, tc.keeps, tc.apps...)
			began := w.Clock.Now()
			tick(t, w)
			if left := due(t, w); len(left) != 0 {
				t.Errorf("after one tick %d records are still due: %v", len(left), left)
			}
			for what, k := range keys {
				recs, err := w.Base.Load(context.Background(), k)
				if err != nil {
					t.Fatal(err)
				}
				if what == "schedule of an audience" && tc.fires {
					continue
				}
				if in := recs[0].Due.Sub(submsg.At(began)); in < 4*time.Minute || in > 6*time.Minute {
					t.Errorf("the %s falls due in %s, want in about five minutes", what, in)
				}
				if b, ok := recs[0].Body.(*submsg.Send); ok && (b.State != submsg.SendQueued || b.Reason == nil || b.Reason.Code != string(tc.reason) || b.Reason.Detail == "") {
					t.Errorf("the %s is %s, %+v; want that it is queued because of %s", what, b.State, b.Reason, tc.reason)
				}
			}
			for range 20 {
				w.Clock.Advance(time.Minute)
				tick(t, w)
			}
			ofStays := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return s[:len(gone)] == gone })
			if got := box.sorted(); !slices.Equal(got, ofStays) {
				t.Errorf("meanwhile %q went, want %q", got, ofStays)
			}
			w.Service.Apps = apps(t, nil, gone, stays)
			for range 65 {
				w.Clock.Advance(time.Minute)
				tick(t, w)
			}
			if got := box.sorted(); !slices.Equal(got, want) {
				t.Errorf("after it was configured again %q had gone, want %q", got, want)
			}
		})
	}
}

// planned makes work of every kind for the next two minutes, the same for each app. It returns the messages that are to
// come of it, and the records of the first app.
func planned(t testing.TB, w *submsgtest.World, ids ...string) (want []string, keys map[string]submsg.Key) {
	t.Helper()
	ctx := context.Background()
	keys = map[string]submsg.Key{}
	w.Service.Waker = mute{} // jobs are made and nobody takes them up
	at := w.Clock.Now().Add(time.Minute)
	schedule := func(id, key string, to submsg.Recipients, start time.Time) submsg.Schedule {
		sch, _, err := w.Service.CreateSchedule(ctx, id, key, submsg.ScheduleRequest{Template: "bill", To: to, RRule: "FREQ=DAILY", Start: start, CatchUp: 12 * time.Hour, Content: submsg.Content{Data: submsgtest.Data(key)}})
		if err != nil {
			t.Fatal(err)
		}
		return sch
	}
	made := map[string]submsg.Schedule{}
	for _, id := range ids {
		made[id] = schedule(id, "fired", submsg.Recipients{Audience: &submsg.Audience{}}, at)
	}
	w.Clock.Advance(61 * time.Second)
	tick(t, w)
	at = w.Clock.Now().Add(time.Minute)
	for i, id := range ids {
		audiences := schedule(id, "everybodys", submsg.Recipients{Audience: &submsg.Audience{}}, at)
		own := schedule(id, "own", submsg.Recipients{OpenID: "anna"}, at)
		for _, key := range []string{"later", "async"} {
			req := submsg.SendRequest{OpenID: "anna", Template: "order", Data: submsgtest.Data(key), Async: true}
			if key == "later" {
				req.SendAt = at
			}
			view, _, err := w.Service.CreateSend(ctx, id, key, req)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				keys["send, "+key] = submsg.SendKey(id, view.ID)
			}
		}
		if i == 0 {
			keys["schedule of an audience"] = submsg.ScheduleKey(id, audiences.ID)
			keys["schedule of a person"] = submsg.ScheduleKey(id, own.ID)
			jobs, err := w.Base.List(ctx, submsg.JobPartition(id, made[id].ID, made[id].NextAt), "", 1)
			if err != nil || len(jobs) == 0 {
				t.Fatalf("%v, no job", err)
			}
			keys["job"] = jobs[0].Key
		}
		for _, text := range []string{"fired", "everybodys", "own", "later", "async"} {
			want = append(want, id+" anna "+text)
		}
	}
	w.Service.Waker = nil
	slices.Sort(want)
	return want, keys
}

// A tick takes up so many records of a shard, the longest due first. Those of an app that is gone must not be these for ever.
func TestManySendsOfAnAppThatIsGoneDoNotKeepAnotherAppsFromGoing(t *testing.T) {
	const many = 1001 // more than a tick takes up of one shard
	w := newWorld(t, nil)
	box := &postbox{}
	w.Service.WeChat, w.Service.Apps = box, apps(t, nil, gone, stays)
	accepts(t, w, stays, "bo", "order")
	at := w.Clock.Now().Add(time.Minute)
	shard := submsg.SendKey(stays, submsg.SendID(stays, "the-send")).Shard()
	for i, n := 0, 0; n < many; i++ {
		key := fmt.Sprint("many-", i)
		if submsg.SendKey(gone, submsg.SendID(gone, key)).Shard() != shard {
			continue
		}
		n++
		if _, _, err := w.Service.CreateSend(context.Background(), gone, key, submsg.SendRequest{OpenID: "anna", Template: "order", Data: submsgtest.Data(key), SendAt: at}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := w.Service.CreateSend(context.Background(), stays, "the-send", submsg.SendRequest{OpenID: "bo", Template: "order", Data: submsgtest.Data("the-send"), SendAt: at.Add(time.Second)}); err != nil {
		t.Fatal(err)
	}
	w.Service.Apps = apps(t, nil, stays)
	w.Clock.Advance(2 * time.Minute)
	for range 2 {
		tick(t, w)
	}
	if got := box.sorted(); !slices.Equal(got, []string{stays + " bo the-send"}) {
		t.Errorf("after two ticks %q went, want the other app's send", got)
	}
	if left := due(t, w); len(left) != 0 {
		t.Errorf("%d records are still due", len(left))
	}
}
