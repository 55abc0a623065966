package submsg_test

import (
	"context"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/fields"
	"github.com/yuexin-dev/yuexin/shared/memory"
	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

const (
	appid = submsgtest.AppID
	order = submsgtest.Order // one-time, named "order"
	bill  = submsgtest.Bill  // long-term, named "bill"
)

func inMemory(_ testing.TB, now func() time.Time) submsg.Store { return memory.New(now) }

// newWorld is a world in memory whose app has the settings that change gives it; nil leaves it without caps and
// quiet hours.
func newWorld(t testing.TB, change func(*submsg.App)) *submsgtest.World {
	t.Helper()
	w := submsgtest.NewWorld(t, inMemory)
	if change != nil {
		w.Service.Apps = catalog(t, change)
	}
	return w
}

func catalog(t testing.TB, change func(*submsg.App)) *submsg.Catalog {
	t.Helper()
	const content = "订单:{{character_string1.DATA}}\n说明:{{thing2.DATA}}"
	layout, err := fields.Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	none, err := policy.ParseWindow("")
	if err != nil {
		t.Fatal(err)
	}
	app := &submsg.App{
		Rules: policy.App{
			AppID: appid, AccountKind: policy.MiniProgram, Zone: policy.Shanghai, Categories: []string{"finance"},
			Limits: &policy.Limits{}, TemplateLimits: &policy.Limits{}, QuietHours: none,
		},
		Templates: []submsg.Template{
			{Template: policy.Template{ID: order, Name: "order", Kind: policy.OneTime, Title: "订单通知", Content: content}, Layout: layout},
			{Template: policy.Template{ID: bill, Name: "bill", Kind: policy.LongTerm, Title: "账单通知", Content: content}, Layout: layout},
		},
	}
	change(app)
	c, err := submsg.NewCatalog([]*submsg.App{app})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tick runs a tick, which with no waker does the work it finds.
func tick(t testing.TB, w *submsgtest.World) {
	t.Helper()
	if err := w.Service.Tick(context.Background()); err != nil {
		t.Fatalf("tick: %v", err)
	}
}

// stateOf reads a send.
func stateOf(t testing.TB, w *submsgtest.World, id string) submsg.SendView {
	t.Helper()
	view, err := w.Service.Send(context.Background(), appid, id)
	if err != nil {
		t.Fatalf("send %s: %v", id, err)
	}
	return view
}

// problemIs reports whether err is a problem with that code.
func problemIs(err error, code submsg.Code) bool {
	p := submsg.AsProblem(err)
	return p != nil && p.Code == code
}
