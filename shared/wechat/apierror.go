package wechat

import "fmt"

// APIError is WeChat's refusal of a call other than a send: of a token, or of a list.
type APIError struct {
	AppID string
	Call  string // the API's name: stable_token, gettemplate
	Code  int    // errcode; Lookup explains it
	Msg   string // errmsg; for 40164 it names the IP address that the call came from
	RID   string // WeChat's request id, where errmsg has one
}

// Error says what was refused, WeChat's words, and what they mean.
func (e *APIError) Error() string {
	text := fmt.Sprintf("wechat: %s of app %s was refused with %d: %s", e.Call, e.AppID, e.Code, e.Msg)
	if c, ok := Lookup(e.Code); ok {
		text += " (" + c.EN + ")"
	}
	return text
}

// tokenRefused reports whether a code says that the access token was at fault, so that the call had no effect:
// 40001 and 40014 invalid, 41001 missing, 42001 expired (developers.weixin.qq.com, 发送订阅消息, 错误码).
func tokenRefused(code int) bool {
	return code == 40001 || code == 40014 || code == 41001 || code == 42001
}
