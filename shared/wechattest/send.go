package wechattest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// clientMsgLife is how long template/send remembers a client_msg_id: developers.weixin.qq.com, 发送模板消息.
const clientMsgLife = 10 * time.Minute

// serveSend answers the three interfaces that send a message.
func (s *Sim) serveSend(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if r.Method != http.MethodPost {
		s.stray(w, path, 43002)
		return
	}
	body, err := readBody(r)
	if err != nil {
		panic(http.ErrAbortHandler) // the client broke off inside its request: there is nobody to answer
	}
	x := exchange{w: w, path: path}
	if !s.authenticate(&x, r) {
		return
	}
	req, parseErr := parseSend(body)
	x.send = &req
	s.perform(&x, func(now time.Time, f *Fault) reply {
		if parseErr != nil {
			return reply{code: 47001}
		}
		return x.account.accept(path, &req, now, f)
	})
}

// bodyBuffers are reused from call to call; io.Copy would allocate 32 KB for each.
var bodyBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readBody reads at most maxBody bytes.
func readBody(r *http.Request) (string, error) {
	buf := bodyBuffers.Get().(*bytes.Buffer)
	defer bodyBuffers.Put(buf)
	buf.Reset()
	_, err := buf.ReadFrom(io.LimitReader(r.Body, maxBody))
	return buf.String(), err
}

// accept is the moment of truth of a send: every check that WeChat makes, then the credit is spent and the message
// is the user's. The order of the checks is not documented; a refusal never costs a credit.
func (a *account) accept(path string, req *sendRequest, now time.Time, f *Fault) reply {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, refusal := a.check(path, req)
	if refusal.code != 0 {
		return refusal
	}
	u := a.user(req.openID)
	if msgID, repeated := u.repeats(req.clientMsgID, now); path == PathTemplateSend && repeated {
		return reply{msgID: msgID}
	}
	st := u.standing(t)
	if !st.spend(t, req, now) {
		st.Refused++
		return reply{code: 43101}
	}
	return a.deliver(path, t, u, st, req, now, f)
}

// check refuses what does not depend on the user's agreement.
func (a *account) check(path string, req *sendRequest) (*template, reply) {
	if (path == PathSend) != (a.Kind == MiniProgram) {
		return nil, reply{code: 48001}
	}
	if a.suspended != 0 {
		return nil, reply{code: a.suspended}
	}
	if req.openID == "" || a.KnownUsersOnly && !a.users[req.openID].isKnown() {
		return nil, reply{code: 40003}
	}
	t := a.template(req.templateID)
	if t == nil || (path == PathTemplateSend) != (t.Kind == TemplateMessage) {
		return nil, reply{code: 40037}
	}
	if t.banned {
		return nil, reply{code: 43107}
	}
	if path == PathSend && len(a.Pages) > 0 && req.page != "" {
		page, _, _ := strings.Cut(strings.TrimPrefix(req.page, "/"), "?")
		if !slices.Contains(a.Pages, page) {
			return nil, reply{code: 41030}
		}
	}
	if !a.sim.cfg.SkipData {
		if text := t.checkData(req); text != "" {
			return nil, reply{code: 47003, text: text}
		}
	}
	if u := a.users[req.openID]; t.Kind == TemplateMessage && u != nil && u.unfollowed {
		return nil, reply{code: 43004}
	}
	return t, reply{}
}

func (u *user) isKnown() bool { return u != nil && u.known }

// repeats reports whether the client_msg_id was used in the last ten minutes, and with which msgid.
func (u *user) repeats(id string, now time.Time) (int64, bool) {
	for old, m := range u.clientMsgs {
		if now.Sub(m.at) >= clientMsgLife {
			delete(u.clientMsgs, old)
		}
	}
	m, ok := u.clientMsgs[id]
	return m.msgID, ok && id != ""
}

// spend takes what one message costs, or reports that the user's agreement does not cover it.
func (st *standing) spend(t *template, req *sendRequest, now time.Time) bool {
	switch t.Kind {
	case OneTime:
		if st.Credits == 0 {
			return false
		}
		st.Credits--
		return true
	case LongTerm:
		return st.Active
	case LongTermLimited:
		return st.Active && st.reach(t, req, now)
	case TemplateMessage:
		return true
	}
	return false
}

// reach records that the user was reached in this period for this value of the key field, once. WeChat's code for a
// second message is not documented; 43101 is what the same refusal gives elsewhere.
func (st *standing) reach(t *template, req *sendRequest, now time.Time) bool {
	period := dayOf(now)
	if t.Period == Monthly {
		local := now.In(shanghai)
		period = int64(local.Year())*12 + int64(local.Month())
	}
	value := ""
	for _, d := range req.data {
		if d.key == t.KeyField {
			value = d.value
		}
	}
	if last, ok := st.reached[value]; ok && last == period {
		return false
	}
	if st.reached == nil {
		st.reached = make(map[string]int64)
	}
	st.reached[strings.Clone(value)] = period
	return true
}

// deliver records the accepted message and prepares its event.
func (a *account) deliver(path string, t *template, u *user, st *standing, req *sendRequest, now time.Time, f *Fault) reply {
	msgID := a.sim.msgIDs.Add(1)
	st.Accepted++
	a.totals.accepted++
	a.totals.send(now)
	if f.Sent.Code == 0 {
		st.Received++
		a.totals.received++
	}
	if path == PathTemplateSend && req.clientMsgID != "" {
		if u.clientMsgs == nil {
			u.clientMsgs = make(map[string]clientMsg)
		}
		u.clientMsgs[strings.Clone(req.clientMsgID)] = clientMsg{at: now, msgID: msgID}
	}
	if !a.sim.cfg.CountOnly {
		u.keep(Message{
			OpenID: u.openID, TemplateID: t.ID, MsgID: msgID, At: now, Path: path, Page: req.page,
			Data: dataMap(req.data), ErrorCode: f.Sent.Code, Fault: f.Name,
		}, a.sim.cfg.KeepPerUser)
	}
	rep := reply{msgID: msgID}
	if a.OmitMsgID {
		rep.msgID = 0
	}
	if a.callback.set() {
		rep.event = sentEvent(a.AppID, path, u.openID, t.ID, msgID, now, &f.Sent)
	}
	return rep
}

// keep stores a message and forgets the oldest beyond the bound; in batches, so that it costs little per message.
func (u *user) keep(m Message, bound int) {
	u.messages = append(u.messages, m)
	if len(u.messages) >= 2*bound {
		u.messages = append(u.messages[:0], u.messages[len(u.messages)-bound:]...)
	}
}

func dataMap(data []datum) map[string]string {
	m := make(map[string]string, len(data))
	for _, d := range data {
		m[d.key] = d.value
	}
	return m
}

func sentEvent(appid, path, openID, templateID string, msgID int64, now time.Time, plan *SentPlan) *Event {
	status := plan.Status
	if status == "" {
		status = "success"
		if plan.Code != 0 {
			status = "failed"
		}
	}
	kind := EventSent
	if path == PathTemplateSend {
		kind = EventTemplateFinish
		if plan.Code != 0 && plan.Status == "" {
			status = "failed: system failed"
		}
	}
	item := EventItem{TemplateID: templateID, MsgID: msgID, ErrorCode: plan.Code, ErrorStatus: status}
	return &Event{AppID: appid, Kind: kind, OpenID: openID, At: now, Items: []EventItem{item}}
}
