// Package wechattest simulates the part of WeChat that subscription messages touch, and keeps its own truth.
//
// A Sim is an http.Handler that answers like api.weixin.qq.com for any number of accounts, lets simulated users
// accept and refuse templates, and pushes the resulting events to a callback, signed and encrypted as WeChat does.
// It is the judge of the test-suite and the sandbox of the standalone program: what a user agreed to, and what
// reached that user, is recorded here independently of the program under test, and the two accounts are compared.
//
// For that reason the package shares no code with the client it judges: signatures, AES, JSON and XML shapes and
// field limits are implemented a second time, from the standard library alone. Where WeChat's behaviour is not
// documented, the simulator takes the stricter reading, so that what passes here should pass there; each such choice
// is named where it is made.
//
// # Use
//
//	sim, err := wechattest.New(wechattest.Config{Accounts: []wechattest.Account{{
//		AppID: "wx0123456789abcdef", Secret: "secret", Kind: wechattest.MiniProgram,
//		Templates: []wechattest.Template{{ID: "T1", Kind: wechattest.OneTime, Content: "订单:{{thing1.DATA}}"}},
//	}}})
//	server := httptest.NewServer(sim)                     // or an http.Client with sim.Transport(), without a network
//	sim.Accept("wx0123456789abcdef", "openid", "T1")      // the user taps "allow": one credit, one popup event
//	sim.Script(wechattest.Rules(wechattest.Rule{Nth: 2, Fault: wechattest.CutAfter()}))
//	…
//	sim.Received("wx0123456789abcdef", "openid")          // what really arrived
//
// # Time
//
// Stored times, token lifetimes and quotas follow Config.Now. Waiting — a delayed answer, a late event, the five
// seconds a callback has — uses the time package's timers, which testing/synctest controls. A program with a
// simulated clock and no synctest delivers pushes by hand: Config.ManualPushes, then DeliverDue.
//
// The /_sim/ routes let anyone who can reach the handler act as any user. They are for a loopback sandbox.
package wechattest
