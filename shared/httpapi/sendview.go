package httpapi

import (
	"strconv"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// sendView is a send as callers see it. msgid is a string: it exceeds 2^53, where JavaScript's numbers lose digits.
type sendView struct {
	ID         string            `json:"id"`
	AppID      string            `json:"appid"`
	OpenID     string            `json:"openid"`
	TemplateID string            `json:"template_id"`
	Template   string            `json:"template,omitempty"`
	State      submsg.SendState  `json:"state"`
	Reason     *reason           `json:"reason,omitempty"`
	Reasons    []*reason         `json:"reasons,omitempty"` // all of them, where more rules than one refused it
	Attempts   int               `json:"attempts"`
	MsgID      string            `json:"msgid,omitempty"`
	WeChat     *wechatAnswer     `json:"wechat,omitempty"`
	Credit     string            `json:"credit,omitempty"`
	Data       map[string]string `json:"data,omitempty"`
	Page       string            `json:"page,omitempty"`
	Trigger    string            `json:"trigger,omitempty"`
	OnUnknown  submsg.OnUnknown  `json:"on_unknown,omitempty"`
	Schedule   string            `json:"schedule,omitempty"`
	Occurrence string            `json:"occurrence,omitempty"`
	SendAt     string            `json:"send_at,omitempty"`
	ValidUntil string            `json:"valid_until,omitempty"`
	Due        string            `json:"due,omitempty"`
	AttemptAt  string            `json:"attempt_at,omitempty"`
	EventAt    string            `json:"event_at,omitempty"`
	OpenedAt   string            `json:"opened_at,omitempty"`
	CreatedAt  string            `json:"created_at"`
	UpdatedAt  string            `json:"updated_at"`
}

type wechatAnswer struct {
	Code int    `json:"errcode"`
	Msg  string `json:"errmsg"`
	RID  string `json:"rid,omitempty"`
}

// reason is why something is as it is: a rule's name or a code of docs/errors.md, and a sentence in two languages.
type reason struct {
	Code     string `json:"code"`
	Detail   string `json:"detail"`
	DetailZH string `json:"detail_zh,omitempty"`
	Field    string `json:"field,omitempty"`
	Word     string `json:"word,omitempty"`
	Until    string `json:"until,omitempty"`
}

func showSend(app *submsg.App, s submsg.SendView) sendView {
	v := sendView{
		ID: s.ID, AppID: s.AppID, OpenID: s.OpenID, TemplateID: s.TemplateID, Template: nameOf(app, s.TemplateID), State: s.State, Reason: showStored(s.Reason),
		Attempts: s.Attempts, Credit: string(s.Credit), Data: s.Data, Page: s.Page, Trigger: s.Trigger, OnUnknown: s.OnUnknown, Schedule: s.Schedule, Occurrence: showTime(s.Occurrence),
		SendAt: showTime(s.SendAt), ValidUntil: showTime(s.ValidUntil), Due: showTime(s.Due), AttemptAt: showTime(s.AttemptAt), EventAt: showTime(s.EventAt),
		OpenedAt: showTime(s.OpenedAt), CreatedAt: showTime(s.CreatedAt), UpdatedAt: showTime(s.UpdatedAt),
	}
	if len(s.Besides) > 0 {
		v.Reasons = append(v.Reasons, v.Reason)
		for i := range s.Besides {
			v.Reasons = append(v.Reasons, showStored(&s.Besides[i]))
		}
	}
	if s.MsgID != 0 {
		v.MsgID = strconv.FormatInt(s.MsgID, 10)
	}
	if s.WeChat != nil {
		v.WeChat = &wechatAnswer{s.WeChat.Code, s.WeChat.Msg, s.WeChat.RID}
	}
	return v
}

// showStored is the reason that a record keeps; nil for none.
func showStored(r *submsg.Reason) *reason {
	if r == nil {
		return nil
	}
	return &reason{r.Code, r.Detail, r.DetailZH, r.Field, r.Word, showTime(r.Until)}
}

// showReason is a rule's word.
func showReason(r policy.Reason) *reason {
	return &reason{r.Code, r.Detail, r.DetailZH, r.Field, r.Word, showTime(submsg.At(r.Until))}
}

type checkView struct {
	Outcome policy.Outcome `json:"outcome"`
	Due     string         `json:"due,omitempty"`
	Reasons []*reason      `json:"reasons"`
}

// showDecision is the answer of a dry run. A message whose moment has passed is refused as far as the caller is
// concerned; the reason says which rule it was.
func showDecision(d policy.Decision, now time.Time) checkView {
	v := checkView{Outcome: d.Outcome, Reasons: make([]*reason, len(d.Reasons))}
	if d.Outcome == policy.Expire {
		v.Outcome = policy.Refuse
	}
	if d.Outcome == policy.Defer || d.Outcome == policy.Send && d.Due.After(now) {
		v.Due = showTime(submsg.At(d.Due))
	}
	for i, r := range d.Reasons {
		v.Reasons[i] = showReason(r)
	}
	return v
}
