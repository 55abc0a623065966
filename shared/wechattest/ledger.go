package wechattest

import (
	"fmt"
	"strings"
	"time"
)

// user is one openid of one account. Guarded by the account's mu.
type user struct {
	openID     string
	known      bool // acted or was added: what KnownUsersOnly asks for
	unfollowed bool
	calls      int // sends that named this user, accepted or not
	inFlight   int // sends under way; a second one gets 43108
	standings  []standing
	messages   []Message
	clientMsgs map[string]clientMsg
}

// standing is what a user agreed to for one template, and what became of it.
type standing struct {
	Standing
	reached map[string]int64 // LongTermLimited: value of the key field → period it was last reached in
}

// Standing is one user's relation to one template, as WeChat sees it.
type Standing struct {
	TemplateID string       `json:"template_id"`
	Kind       TemplateKind `json:"kind"`
	Credits    int          `json:"credits"`  // OneTime: sends still allowed
	Active     bool         `json:"active"`   // LongTerm: on
	Grants     int          `json:"grants"`   // accepts ever, silent ones among them
	Rejects    int          `json:"rejects"`  // refusals ever
	Accepted   int          `json:"accepted"` // sends WeChat accepted, whatever its answer said
	Received   int          `json:"received"` // of those, messages that reached the user
	Refused    int          `json:"refused"`  // sends WeChat refused with 43101
}

// clientMsg remembers a client_msg_id of template/send for its ten minutes.
type clientMsg struct {
	at    time.Time
	msgID int64
}

// Message is a send that WeChat accepted.
type Message struct {
	OpenID     string            `json:"openid"`
	TemplateID string            `json:"template_id"`
	MsgID      int64             `json:"msgid,string"` // as a string: it exceeds what JavaScript can count
	At         time.Time         `json:"at"`
	Path       string            `json:"path"`
	Page       string            `json:"page,omitempty"`
	Data       map[string]string `json:"data"`
	ErrorCode  int               `json:"error_code,omitempty"` // not 0: accepted, but never reached the user
	Fault      string            `json:"fault,omitempty"`      // the fault that hit the call, if any
}

func (u *user) find(templateID string) *standing {
	for i := range u.standings {
		if u.standings[i].TemplateID == templateID {
			return &u.standings[i]
		}
	}
	return nil
}

// standing returns the standing for t, made when missing. The pointer is valid until the next call.
func (u *user) standing(t *template) *standing {
	if st := u.find(t.ID); st != nil {
		return st
	}
	u.standings = append(u.standings, standing{Standing: Standing{TemplateID: t.ID, Kind: t.Kind}})
	return &u.standings[len(u.standings)-1]
}

func (st *standing) grant(n int) {
	st.Grants += n
	if st.Kind == OneTime {
		st.Credits += n
	} else {
		st.Active = true
	}
}

// void takes back what was agreed. WeChat does not document whether refusing a one-time template voids the credits
// already given; users say so, and a back end that sends nothing after a refusal is right either way.
func (st *standing) void() {
	st.Credits, st.Active = 0, false
}

// knownUser is user, for a person who did something.
func (a *account) knownUser(openID string) *user {
	u := a.user(openID)
	u.known = true
	return u
}

// user returns the user with that openid, made when missing. The caller holds a.mu.
func (a *account) user(openID string) *user {
	u := a.users[openID]
	if u == nil {
		openID = strings.Clone(openID) // it may be a piece of a request body
		u = &user{openID: openID}
		a.users[openID] = u
	}
	return u
}

// Decision is what a user chose for one template in the panel: "accept" or "reject".
type Decision struct {
	TemplateID string
	Status     string
}

// The words of a Decision and of the events about it.
const (
	StatusAccept = "accept"
	StatusReject = "reject"
)

// Popup lets a user answer one panel: the decisions count at once, and one popup event tells of all of them.
func (s *Sim) Popup(appid, openID string, decisions ...Decision) error {
	return s.decide(appid, openID, EventPopup, decisions)
}

// Accept lets a user accept templates in one panel: one-time +1 each, long-term on.
func (s *Sim) Accept(appid, openID string, templateIDs ...string) error {
	return s.decide(appid, openID, EventPopup, decisionsOf(StatusAccept, templateIDs))
}

// Reject lets a user refuse templates in one panel, which voids what was agreed before.
func (s *Sim) Reject(appid, openID string, templateIDs ...string) error {
	return s.decide(appid, openID, EventPopup, decisionsOf(StatusReject, templateIDs))
}

// ChangeReject lets a user refuse templates on the settings page: a change event, and nothing left.
func (s *Sim) ChangeReject(appid, openID string, templateIDs ...string) error {
	return s.decide(appid, openID, EventChange, decisionsOf(StatusReject, templateIDs))
}

// SilentAccept is an accept under 总是保持以上选择 ("always keep"): it counts, but no panel opens and no event is pushed.
func (s *Sim) SilentAccept(appid, openID string, templateIDs ...string) error {
	return s.decide(appid, openID, "", decisionsOf(StatusAccept, templateIDs))
}

// Grant gives n silent accepts of a template at once: for load tests.
func (s *Sim) Grant(appid, openID, templateID string, n int) error {
	a, err := s.account(appid)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.template(templateID)
	if t == nil || n < 0 {
		return fmt.Errorf("wechattest: cannot grant %d of template %q of account %s", n, templateID, appid)
	}
	a.knownUser(openID).standing(t).grant(n)
	a.totals.grants += int64(n)
	return nil
}

func decisionsOf(status string, templateIDs []string) []Decision {
	list := make([]Decision, len(templateIDs))
	for i, id := range templateIDs {
		list[i] = Decision{TemplateID: id, Status: status}
	}
	return list
}

// decide records decisions and pushes one event of the given kind, or none when kind is empty.
func (s *Sim) decide(appid, openID string, kind EventKind, decisions []Decision) error {
	a, err := s.account(appid)
	if err != nil {
		return err
	}
	if openID == "" || len(decisions) == 0 {
		return fmt.Errorf("wechattest: a decision needs an openid and a template")
	}
	event := Event{AppID: appid, Kind: kind, OpenID: openID, At: s.cfg.Now()}
	if err := a.record(openID, decisions, &event); err != nil {
		return err
	}
	if kind != "" {
		s.pushes.add(s, Delivery{Event: event})
	}
	return nil
}

func (a *account) record(openID string, decisions []Decision, event *Event) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range decisions { // all or none: a test with a wrong template must not half succeed
		if t := a.template(d.TemplateID); t == nil || t.Kind == TemplateMessage {
			return fmt.Errorf("wechattest: account %s has no subscription template %q", a.AppID, d.TemplateID)
		}
		if d.Status != StatusAccept && d.Status != StatusReject {
			return fmt.Errorf("wechattest: status %q is neither %s nor %s", d.Status, StatusAccept, StatusReject)
		}
	}
	u := a.knownUser(openID)
	for _, d := range decisions {
		st := u.standing(a.template(d.TemplateID))
		item := EventItem{TemplateID: d.TemplateID, Status: d.Status}
		if a.Kind == ServiceAccount {
			item.PopupScene = 1 // a web page; 0 is a mini program page
		}
		event.Items = append(event.Items, item)
		if d.Status == StatusAccept {
			st.grant(1)
			a.totals.grants++
			continue
		}
		st.Rejects++
		st.void()
		a.totals.rejects++
	}
	return nil
}

// AddUser makes an openid known, for accounts with KnownUsersOnly.
func (s *Sim) AddUser(appid, openID string) error {
	return s.setFollowing(appid, openID, true)
}

// Unfollow lets a user stop following a service account: template/send gives 43004. Subscriptions are untouched.
func (s *Sim) Unfollow(appid, openID string) error {
	return s.setFollowing(appid, openID, false)
}

func (s *Sim) setFollowing(appid, openID string, follows bool) error {
	a, err := s.account(appid)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.knownUser(openID).unfollowed = !follows
	return nil
}
