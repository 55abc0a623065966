package submsg_test

import (
	"context"
	"testing"

	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// WeChat's sent event may be quicker than the answer to the call. However the two come, a message was sent once and
// delivered once.
func TestAMessageCountsAsSentOnceAndAsDeliveredOnce(t *testing.T) {
	for name, fault := range map[string]wechattest.Fault{
		"the event comes after the answer": {}, "the event comes before the answer": wechattest.SentEarly(), "the event comes twice": wechattest.SentTwice(),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.Granted("user", order, 1)
			w.Sim.Script(wechattest.Rules(wechattest.Rule{Times: 1, Fault: fault}))
			if _, _, err := w.Send("user", "order", "once"); err != nil {
				t.Fatal(err)
			}
			w.Sim.DeliverAll()
			if err := w.Service.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
			days, err := w.Service.Stats(context.Background(), appid, 1)
			if err != nil || len(days) != 1 {
				t.Fatalf("%v, %d days", err, len(days))
			}
			if got := days[0].Counts; got["sent"] != 1 || got["delivered"] != 1 {
				t.Errorf("counted %v", got)
			}
		})
	}
}
