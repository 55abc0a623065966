package httpapi

import (
	"net/http"
	"strconv"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

type subscriberView struct {
	AppID         string             `json:"appid"`
	OpenID        string             `json:"openid"`
	Subscriptions []subscriptionView `json:"subscriptions"`
	Preferences   preferencesView    `json:"preferences"`
	Topics        []string           `json:"topics"`
	History       []historyView      `json:"history"`
	Sends         []sendView         `json:"sends"`
	ActiveAt      string             `json:"active_at,omitempty"`
}

type subscriptionView struct {
	TemplateID string                   `json:"template_id"`
	Template   string                   `json:"template,omitempty"`
	Kind       string                   `json:"kind,omitempty"` // of a template that is configured no more: left out
	Credits    int                      `json:"credits"`
	State      submsg.SubscriptionState `json:"state"`
	Muted      bool                     `json:"muted,omitempty"`
	UpdatedAt  string                   `json:"updated_at,omitempty"`
}

type preferencesView struct {
	Muted      []string `json:"muted"` // by name, or by id where a template has none
	QuietHours string   `json:"quiet_hours"`
	TimeZone   string   `json:"time_zone"`
}

type historyView struct {
	At         string        `json:"at"`
	Event      string        `json:"event"`
	Source     submsg.Source `json:"source"`
	TemplateID string        `json:"template_id"`
	Template   string        `json:"template,omitempty"`
	Decision   string        `json:"decision"`
	Effect     string        `json:"effect"`
	Scene      string        `json:"scene,omitempty"`
	ReceivedAt string        `json:"received_at,omitempty"`
}

func (a *api) showSubscriber(app *submsg.App, v *submsg.SubscriberView) subscriberView {
	out := subscriberView{
		AppID: v.AppID, OpenID: v.OpenID, Subscriptions: []subscriptionView{}, Topics: append([]string{}, v.Topics...), History: []historyView{}, Sends: []sendView{},
		Preferences: preferencesView{Muted: []string{}, QuietHours: v.QuietHours, TimeZone: v.TimeZone}, ActiveAt: showTime(v.ActiveAt),
	}
	for i := range v.Subscriptions {
		s := a.showSubscription(app, &v.Subscriptions[i])
		out.Subscriptions = append(out.Subscriptions, s)
		if s.Muted {
			name := s.Template
			if name == "" {
				name = s.TemplateID
			}
			out.Preferences.Muted = append(out.Preferences.Muted, name)
		}
	}
	for _, h := range v.History {
		out.History = append(out.History, historyView{
			At: showTime(h.At), Event: h.Event, Source: h.Source, TemplateID: h.TemplateID, Template: nameOf(app, h.TemplateID), Decision: h.Decision, Effect: h.Effect, Scene: h.Scene,
			ReceivedAt: showTime(h.Arrived),
		})
	}
	for _, s := range v.Sends {
		out.Sends = append(out.Sends, showSend(app, submsg.SendView{Send: *s}))
	}
	return out
}

// showSubscription is a subscription as callers see it: a one-time one is active while credits are left that count
// now, a long-term one while it is on.
func (a *api) showSubscription(app *submsg.App, s *submsg.Subscription) subscriptionView {
	v := subscriptionView{TemplateID: s.TemplateID, Credits: s.Credits, State: s.State, Muted: s.Muted, UpdatedAt: showTime(s.UpdatedAt)}
	t, err := app.Template(s.TemplateID)
	if err == nil {
		v.Template, v.Kind = t.Name, string(t.Kind)
	}
	if life := app.Rules.ShelfLife; life > 0 && submsg.At(a.now()).Sub(s.AcceptedAt) > life {
		v.Credits = 0
	}
	if v.State == "" || v.State == submsg.StateActive && v.Credits == 0 && (err != nil || !t.LongTerm()) {
		v.State = submsg.StateNone
	}
	return v
}

// nameOf is the configured name of a template, or "".
func nameOf(app *submsg.App, templateID string) string {
	if t, err := app.Template(templateID); err == nil {
		return t.Name
	}
	return ""
}

// The lines of history that a subscriber is shown with.
const (
	usualHistory = 50
	mostHistory  = 200
)

func (a *api) subscriber(c *call) (answer, error) {
	q := c.query()
	lines := q.number("history", usualHistory, 1, mostHistory)
	if err := q.err(); err != nil {
		return answer{}, err
	}
	v, err := a.Service.Subscriber(c, c.appid, c.params["openid"], lines)
	if err != nil {
		return answer{}, err
	}
	return ok(a.showSubscriber(c.app, &v))
}

func (a *api) erase(c *call) (answer, error) {
	return answer{status: http.StatusNoContent}, a.Service.Erase(c, c.appid, c.params["openid"])
}

// preferences is a body of the preferences route. muted is a map that changes what it names, or a list that replaces
// what is muted.
type preferences struct {
	submsg.Preferences
	only    []string
	replace bool
}

func readPreferences(body any) (preferences, error) {
	var bad faults
	var p preferences
	f := newForm(body, &bad)
	if raw, present := f.get("muted"); present {
		switch muted := raw.(type) {
		case []any:
			p.only, _ = f.texts("muted")
			p.replace = true
		case *object:
			m := openForm(muted, "muted", &bad)
			p.Muted = make(map[string]bool, len(muted.names))
			for _, name := range muted.names {
				p.Muted[name] = m.flag(name)
			}
		default:
			bad.add("muted", faultType, "a list of templates, or an object of template and true or false, is expected, not "+typeName(raw))
		}
	}
	if v, present := member[string](f, "quiet_hours", "a string"); present {
		p.QuietHours = &v
	}
	if v, present := member[string](f, "time_zone", "a string"); present {
		p.TimeZone = &v
	}
	if v, present := f.texts("topics"); present {
		p.Topics = &v
	}
	f.close()
	return p, bad.err()
}

// setPreferences changes what is named and answers with the subscriber as it is then.
func (a *api) setPreferences(c *call) (answer, error) {
	body, err := a.body(c)
	if err != nil {
		return answer{}, err
	}
	p, err := readPreferences(body)
	if err != nil {
		return answer{}, err
	}
	openid := c.params["openid"]
	if p.replace {
		if err := a.replaceMuted(c, openid, &p); err != nil {
			return answer{}, err
		}
	}
	if err := a.Service.SetPreferences(c, c.appid, openid, p.Preferences); err != nil {
		if sp := submsg.AsProblem(err); sp != nil && sp.Code == submsg.CodeUnknownTemplate {
			return answer{}, fail(sp.Code, "muted", sp.Detail)
		}
		return answer{}, err
	}
	v, err := a.Service.Subscriber(c, c.appid, openid, usualHistory)
	if err != nil {
		return answer{}, err
	}
	return ok(a.showSubscriber(c.app, &v))
}

// replaceMuted turns a list into changes: what is on it is muted, what is muted and not on it no more.
func (a *api) replaceMuted(c *call, openid string, p *preferences) error {
	p.Muted = map[string]bool{}
	v, err := a.Service.Subscriber(c, c.appid, openid, 1)
	if err != nil {
		return err
	}
	for _, s := range v.Subscriptions {
		if _, err := c.app.Template(s.TemplateID); err == nil && s.Muted {
			p.Muted[s.TemplateID] = false
		}
	}
	for i, name := range p.only {
		t, err := c.app.Template(name)
		if err != nil {
			sp := submsg.AsProblem(err)
			return fail(sp.Code, joinPath("muted", "["+strconv.Itoa(i)+"]"), sp.Detail)
		}
		p.Muted[t.ID] = true
	}
	return nil
}
