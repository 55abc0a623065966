package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// Templates lists the account's own templates (developers.weixin.qq.com, 获取个人模板列表: GET
// /wxaapi/newtmpl/gettemplate). The API has a small daily quota that is documented nowhere and ends in 45009, so
// callers keep the answer for hours. A refusal is an *APIError.
func (c *Client) Templates(ctx context.Context, appid string) ([]submsg.SyncedTemplate, error) {
	a := c.apps[appid]
	if a == nil {
		return nil, fmt.Errorf("wechat: app %s is not configured", appid)
	}
	t, err := a.tokens.get(ctx)
	if err != nil {
		return nil, err
	}
	list, err := c.list(ctx, a, t)
	var refused *APIError
	if errors.As(err, &refused) && tokenRefused(refused.Code) {
		if t, err = a.tokens.renew(ctx, t); err != nil {
			return nil, err
		}
		list, err = c.list(ctx, a, t)
	}
	return list, err
}

// list makes the one HTTP call.
func (c *Client) list(ctx context.Context, a *account, t *token) ([]submsg.SyncedTemplate, error) {
	u := a.endpoint("/wxaapi/newtmpl/gettemplate")
	u.RawQuery = "access_token=" + url.QueryEscape(t.value)
	body, err := c.do(ctx, "GET", u, nil, maxList, t.value)
	if err != nil {
		return nil, fmt.Errorf("wechat: gettemplate of app %s: %w", a.AppID, err)
	}
	var reply struct {
		Code *int   `json:"errcode"`
		Msg  string `json:"errmsg"`
		Data []struct {
			ID      string `json:"priTmplId"`
			Title   string `json:"title"`
			Content string `json:"content"`
			Example string `json:"example"`
			Type    int    `json:"type"`
			Enums   []struct {
				Keyword string   `json:"keywordCode"` // with a suffix: enum_string2.DATA
				Values  []string `json:"enumValueList"`
			} `json:"keywordEnumValueList"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &reply); err != nil || (reply.Code == nil && reply.Data == nil) {
		return nil, fmt.Errorf("wechat: gettemplate of app %s: the answer is not the expected JSON", a.AppID)
	}
	if reply.Code != nil && *reply.Code != 0 {
		msg := redact(reply.Msg, t.value)
		return nil, &APIError{AppID: a.AppID, Call: "gettemplate", Code: *reply.Code, Msg: msg, RID: ridOf(msg)}
	}
	now := submsg.At(c.now())
	list := make([]submsg.SyncedTemplate, 0, len(reply.Data))
	for _, d := range reply.Data {
		s := submsg.SyncedTemplate{
			AppID: a.AppID, TemplateID: d.ID, Title: d.Title, Content: d.Content, Example: d.Example,
			Type: d.Type, SyncedAt: now,
		}
		for _, e := range d.Enums {
			if s.Enums == nil {
				s.Enums = make(map[string][]string)
			}
			s.Enums[strings.TrimSuffix(e.Keyword, ".DATA")] = e.Values
		}
		list = append(list, s)
	}
	return list, nil
}
