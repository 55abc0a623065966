package wechat

import "github.com/yuexin-dev/yuexin/shared/submsg"

// PushEvent is the event in the core's words.
func (e Event) PushEvent() submsg.PushEvent {
	p := submsg.PushEvent{Name: e.Name, OpenID: e.OpenID, At: submsg.At(e.At), Fingerprint: e.Fingerprint}
	for _, it := range e.Items {
		item := submsg.PushItem{TemplateID: it.TemplateID, Status: it.Status, Scene: it.Scene, MsgID: it.MsgID, Code: it.ErrorCode}
		if it.ErrorStatus != "" {
			item.Status = it.ErrorStatus
		}
		p.Items = append(p.Items, item)
	}
	return p
}
