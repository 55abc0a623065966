// Package wechat talks with WeChat: it sends subscription messages, keeps the access token that this needs,
// and reads the message push that WeChat delivers.
//
// The two halves share nothing but the platform:
//
//   - [Client] implements submsg.WeChat. Its first duty is to be exact about what came of a call. WeChat's
//     send takes no idempotency key, so a call whose answer is lost must never be repeated on a guess: a
//     result is "answered", "not sent" (no byte of the request left this process) or unknown, and nothing in
//     between. That is why the client owns its transport, see conn.go.
//   - [Push] checks, decrypts and parses a push. It does no I/O; the HTTP layer hands it the query and the body.
//
// Facts about the platform are cited as "developers.weixin.qq.com, <page title>".
package wechat
