package wechattest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// TemplateKind says what one agreement of a user is worth.
type TemplateKind string

// The kinds of template.
const (
	OneTime         TemplateKind = "one_time"          // one accept, one message, at any later time
	LongTerm        TemplateKind = "long_term"         // one accept, any number until refused
	LongTermLimited TemplateKind = "long_term_limited" // long-term, but one message per period and value of a key field
	TemplateMessage TemplateKind = "template_message"  // the service account's old template message: to followers, unasked
)

// Period is the span within which a LongTermLimited template reaches a user once per value of its key field.
type Period string

// Periods are of Shanghai's calendar.
const (
	Daily   Period = "day"
	Monthly Period = "month"
)

// Template is an approved template of an account.
type Template struct {
	ID      string
	Title   string
	Kind    TemplateKind
	Content string              // lines like 订单:{{thing1.DATA}}
	Enums   map[string][]string // allowed values of an enum key, e.g. enum_string2; any value up to 20 characters without

	KeyField string // LongTermLimited: the field whose value is limited
	Period   Period // LongTermLimited: Monthly when empty
}

// template is a Template with what was read from its content.
type template struct {
	Template
	fields []field
	banned bool
}

// field is one {{key.DATA}} of a template's content.
type field struct {
	key  string
	kind string // "thing" of thing1
}

func (a *account) addTemplate(t Template) error {
	if t.ID == "" {
		return fmt.Errorf("wechattest: account %s has a template without an id", a.AppID)
	}
	switch t.Kind {
	case OneTime, LongTerm, TemplateMessage:
	case LongTermLimited:
		if t.Period == "" {
			t.Period = Monthly
		}
		if t.Period != Daily && t.Period != Monthly {
			return fmt.Errorf("wechattest: template %s has period %q, want %s or %s", t.ID, t.Period, Daily, Monthly)
		}
	default:
		return fmt.Errorf("wechattest: template %s has kind %q", t.ID, t.Kind)
	}
	fields := parseContent(t.Content)
	if len(fields) == 0 {
		return fmt.Errorf("wechattest: template %s: its content has no {{key.DATA}}", t.ID)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.template(t.ID) != nil {
		return fmt.Errorf("wechattest: account %s has template %s twice", a.AppID, t.ID)
	}
	a.templates = append(a.templates, &template{Template: t, fields: fields})
	return nil
}

// template finds a template by its id, nil when there is none. The caller holds a.mu. Accounts have 25 at most.
func (a *account) template(id string) *template {
	for _, t := range a.templates {
		if t.ID == id {
			return t
		}
	}
	return nil
}

func parseContent(content string) []field {
	var fields []field
	for {
		_, rest, found := strings.Cut(content, "{{")
		name, after, closed := strings.Cut(rest, "}}")
		if !found || !closed {
			return fields
		}
		if key, ok := strings.CutSuffix(strings.TrimSpace(name), ".DATA"); ok && key != "" {
			fields = append(fields, field{key: key, kind: strings.TrimRight(key, "0123456789")})
		}
		content = after
	}
}

// AddTemplate adds an approved template to an account.
func (s *Sim) AddTemplate(appid string, t Template) error {
	a, err := s.account(appid)
	if err != nil {
		return err
	}
	return a.addTemplate(t)
}

// DeleteTemplate removes a template: sends get 40037, and the users' grants are lost, even if it is added again.
func (s *Sim) DeleteTemplate(appid, templateID string) error {
	a, err := s.account(appid)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, t := range a.templates {
		if t.ID != templateID {
			continue
		}
		a.templates = append(a.templates[:i:i], a.templates[i+1:]...)
		for _, u := range a.users {
			if st := u.find(templateID); st != nil {
				st.void()
			}
		}
		return nil
	}
	return fmt.Errorf("wechattest: account %s has no template %s", appid, templateID)
}

// BanTemplate makes WeChat ban a template (sends get 43107), or lift the ban.
func (s *Sim) BanTemplate(appid, templateID string, banned bool) error {
	a, err := s.account(appid)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.template(templateID)
	if t == nil {
		return fmt.Errorf("wechattest: account %s has no template %s", appid, templateID)
	}
	t.banned = banned
	return nil
}

// serveGetTemplate lists the account's subscription templates; old template messages have a list of their own.
func (s *Sim) serveGetTemplate(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		s.stray(w, PathGetTemplate, 43001)
		return
	}
	x := exchange{w: w, path: PathGetTemplate}
	if !s.authenticate(&x, r) {
		return
	}
	s.perform(&x, func(time.Time, *Fault) reply {
		x.account.mu.Lock()
		defer x.account.mu.Unlock()
		body, err := json.Marshal(map[string]any{"errcode": 0, "errmsg": "ok", "data": x.account.templateList()})
		if err != nil {
			return reply{code: -1, text: err.Error()}
		}
		return reply{body: body}
	})
}

// listedTemplate is an entry of gettemplate: developers.weixin.qq.com, 获取已有模板列表.
type listedTemplate struct {
	ID      string       `json:"priTmplId"`
	Title   string       `json:"title"`
	Content string       `json:"content"`
	Example string       `json:"example"`
	Type    int          `json:"type"` // 2 one-time, 3 long-term
	Enums   []listedEnum `json:"keywordEnumValueList,omitempty"`
}

type listedEnum struct {
	Code   string   `json:"keywordCode"` // with the suffix .DATA
	Values []string `json:"enumValueList"`
}

func (a *account) templateList() []listedTemplate {
	list := []listedTemplate{} // an empty array, never null
	for _, t := range a.templates {
		entry := listedTemplate{ID: t.ID, Title: t.Title, Content: t.Content, Type: 3}
		switch t.Kind {
		case TemplateMessage:
			continue
		case OneTime:
			entry.Type = 2
		}
		for _, f := range t.fields {
			if values := t.Enums[f.key]; len(values) > 0 {
				entry.Enums = append(entry.Enums, listedEnum{Code: f.key + ".DATA", Values: values})
			}
		}
		list = append(list, entry)
	}
	return list
}
