package submsg_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// onSave is a store that asks a test how each write goes.
type onSave struct {
	submsg.Store
	hook func(rec submsg.Record, real func() (submsg.Version, error)) (submsg.Version, error)
}

func (s *onSave) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	return s.hook(rec, func() (submsg.Version, error) { return s.Store.Save(ctx, rec) })
}

func TestAConfirmedCancellationIsNotUndoneByAWorkerThatRepeatsItsWrite(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, nil)
	w.Granted("user", order, 1)
	w.Sim.Script(ofUser(wechattest.Refuse(43108)))
	done := false
	w.Service.Store = &onSave{w.Service.Store, func(rec submsg.Record, real func() (submsg.Version, error)) (submsg.Version, error) {
		b, ok := rec.Body.(*submsg.Send)
		if !ok || done || b.Attempts != 1 || b.State != submsg.SendQueued {
			return real()
		}
		done = true
		if _, err := real(); err != nil {
			t.Error(err)
		}
		if v, err := w.Service.Cancel(ctx, appid, theSend); err != nil || v.State != submsg.SendCancelled {
			t.Errorf("cancel: %v %s", err, v.State)
		}
		return 0, errors.New("the reply was lost")
	}}
	if _, _, err := w.Send("user", "order", "the-send"); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		w.Clock.Advance(time.Minute)
		tick(t, w)
	}
	if got := stateOf(t, w, theSend); got.State != submsg.SendCancelled || receivedOf(w, "user", "the-send") != 0 {
		t.Errorf("the send is %s, received %d times", got.State, receivedOf(w, "user", "the-send"))
	}
}

// A subscriber who was not known when the cancellation began may accept, and be sent to, before it is written.
func TestACancellationIsNotConfirmedForAMessageThatIsOnItsWay(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, nil)
	at := w.Clock.Now().Add(time.Hour)
	v, _, err := w.Service.CreateSend(ctx, appid, "the-send", submsg.SendRequest{OpenID: "user", Template: "order", Data: submsgtest.Data("the-send"), SendAt: at})
	if err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(time.Hour + time.Second)
	calling, answered, ticked := make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.Service.WeChat = &onCall{w.Service.WeChat, func(_ submsg.Message, real func() submsg.Result) submsg.Result {
		close(calling)
		<-answered
		return real()
	}}
	w.Service.Store = &onSave{w.Service.Store, func(rec submsg.Record, real func() (submsg.Version, error)) (submsg.Version, error) {
		if b, ok := rec.Body.(*submsg.Send); ok && b.State == submsg.SendCancelled {
			w.Granted("user", order, 1)
			go func() { defer close(ticked); _ = w.Service.Tick(ctx) }()
			<-calling
		}
		return real()
	}}
	got, err := w.Service.Cancel(ctx, appid, v.ID)
	close(answered)
	<-ticked
	if n := receivedOf(w, "user", "the-send"); err == nil && got.State == submsg.SendCancelled && n > 0 {
		t.Errorf("the cancellation was confirmed, and the message received; the send is %s", stateOf(t, w, v.ID).State)
	}
}
