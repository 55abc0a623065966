package wechattest_test

import (
	"bytes"
	"fmt"
	"io"

	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// A user accepts once; the second of two messages is refused. The connection is cut after the first was accepted, so
// the sender cannot know: the simulator does.
func Example() {
	const app, template = "wx0123456789abcdef", "T1"
	sim, err := wechattest.New(wechattest.Config{Accounts: []wechattest.Account{{
		AppID: app, Secret: "secret", Kind: wechattest.MiniProgram,
		Templates: []wechattest.Template{{ID: template, Kind: wechattest.OneTime, Content: "商品:{{thing1.DATA}}"}},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sim.Close()
	sim.Script(wechattest.Rules(wechattest.Rule{Nth: 1, Path: wechattest.PathSend, Fault: wechattest.CutAfter()}))
	if err := sim.Accept(app, "openid", template); err != nil {
		fmt.Println(err)
		return
	}
	token, err := sim.Token(app)
	if err != nil {
		fmt.Println(err)
		return
	}
	body := []byte(`{"touser":"openid","template_id":"T1","data":{"thing1":{"value":"苹果"}}}`)
	for range 2 {
		resp, err := sim.Client().Post("http://wechat.invalid"+wechattest.PathSend+"?access_token="+token, "application/json", bytes.NewReader(body))
		if err != nil {
			fmt.Println("no answer")
			continue
		}
		answer, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Printf("%.59s\n", answer)
	}
	for _, m := range sim.Received(app, "openid") {
		fmt.Println("received:", m.Data["thing1"])
	}
	// Output:
	// no answer
	// {"errcode":43101,"errmsg":"user refuse to accept the msg ri
	// received: 苹果
}
