package wechat

import (
	"context"
	"errors"
	"fmt"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// Send makes one call for one message, see submsg.WeChat. A refused token is renewed and the call repeated
// once. Where no token can be had the result is NotSent, with WeChat's code if it gave one: an operator
// has to act on 40125, 40164 or 40243, so the caller may hold further sends back.
func (c *Client) Send(ctx context.Context, appid string, m submsg.Message) submsg.Result {
	a := c.apps[appid]
	if a == nil {
		return submsg.Result{NotSent: true, Err: fmt.Errorf("wechat: app %s is not configured", appid)}
	}
	t, err := a.tokens.get(ctx)
	if err != nil {
		return notSent(err)
	}
	payload := appendMessage(make([]byte, 0, 512), a, m)
	r := c.post(ctx, a, t, m.OpenID, payload)
	if !r.Answered || !tokenRefused(r.Code) {
		return r
	}
	t, err = a.tokens.renew(ctx, t)
	if err != nil {
		none := notSent(err)
		if none.Code == 0 { // what WeChat said to the message is all that it said
			none.Code, none.Msg, none.RID = r.Code, r.Msg, r.RID
		}
		return none
	}
	r = c.post(ctx, a, t, m.OpenID, payload)
	if r.Answered && tokenRefused(r.Code) {
		r.Answered, r.NotSent = false, true
		r.Err = &APIError{AppID: appid, Call: "send with a renewed token", Code: r.Code, Msg: r.Msg, RID: r.RID}
	}
	return r
}

// post makes the one HTTP call.
func (c *Client) post(ctx context.Context, a *account, t *token, openid string, payload []byte) submsg.Result {
	body, err := c.do(ctx, "POST", t.sendURL, payload, maxAnswer, t.value)
	if err != nil {
		var call *callError
		return submsg.Result{
			NotSent: errors.As(err, &call) && call.unsent,
			Err:     fmt.Errorf("wechat: send of app %s: %w", a.AppID, err),
		}
	}
	ans, err := parseAnswer(body)
	if err != nil {
		return submsg.Result{Err: fmt.Errorf("wechat: send of app %s: outcome unknown: %w", a.AppID, err)}
	}
	r := submsg.Result{Answered: true, Code: ans.code, Msg: ans.msg, MsgID: ans.msgid}
	if r.Code != 0 {
		r.Msg = redact(r.Msg, t.value, openid)
		r.RID = ridOf(r.Msg)
	}
	return r
}

// notSent is the result where no token could be had.
func notSent(err error) submsg.Result {
	r := submsg.Result{NotSent: true, Err: err}
	var refused *APIError
	if errors.As(err, &refused) {
		r.Code, r.Msg, r.RID = refused.Code, refused.Msg, refused.RID
	}
	return r
}
