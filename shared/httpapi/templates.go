package httpapi

import (
	"fmt"
	"slices"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// templateView is a template as configured, and as WeChat listed it at the last sync.
type templateView struct {
	TemplateID string      `json:"template_id"`
	Template   string      `json:"template,omitempty"`
	Configured bool        `json:"configured"`
	Kind       string      `json:"kind,omitempty"`
	Title      string      `json:"title,omitempty"`
	Content    string      `json:"content,omitempty"`
	Page       string      `json:"page,omitempty"`
	Class      string      `json:"class,omitempty"`
	Scenes     []string    `json:"scenes,omitempty"`
	Fields     []fieldView `json:"fields,omitempty"`
	Synced     *syncedView `json:"synced,omitempty"`
}

type fieldView struct {
	Key   string `json:"key"`
	Label string `json:"label,omitempty"`
	Type  string `json:"type"`
}

type syncedView struct {
	Title    string              `json:"title"`
	Content  string              `json:"content"`
	Example  string              `json:"example,omitempty"`
	Kind     string              `json:"kind,omitempty"`
	Enums    map[string][]string `json:"enums,omitempty"`
	SyncedAt string              `json:"synced_at"`
}

// syncedKinds are WeChat's numbers for kinds (developers.weixin.qq.com, 获取个人模板列表).
var syncedKinds = map[int]policy.Kind{2: policy.OneTime, 3: policy.LongTerm}

func showTemplates(configured []submsg.Template, synced []submsg.SyncedTemplate) []templateView {
	list := make([]templateView, 0, len(configured))
	for i := range configured {
		t := &configured[i]
		v := templateView{
			TemplateID: t.ID, Template: t.Name, Configured: true, Kind: string(t.Kind), Title: t.Title, Content: t.Content, Page: t.Page, Class: string(t.Class), Scenes: t.Scenes,
		}
		for _, f := range t.Layout.Fields() {
			v.Fields = append(v.Fields, fieldView{f.Key, f.Label, f.Type})
		}
		list = append(list, v)
	}
	for _, s := range synced {
		at := slices.IndexFunc(list, func(v templateView) bool { return v.TemplateID == s.TemplateID })
		if at < 0 {
			at = len(list)
			list = append(list, templateView{TemplateID: s.TemplateID})
		}
		list[at].Synced = &syncedView{s.Title, s.Content, s.Example, string(syncedKinds[s.Type]), s.Enums, showTime(s.SyncedAt)}
	}
	return list
}

func (a *api) listTemplates(c *call) (answer, error) {
	configured, synced, err := a.Service.Templates(c, c.appid)
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]any{"templates": showTemplates(configured, synced)})
}

func (a *api) syncTemplates(c *call) (answer, error) {
	if err := a.nothing(c); err != nil {
		return answer{}, err
	}
	if _, err := a.Service.SyncTemplates(c, c.appid); err != nil {
		return answer{}, err
	}
	return a.listTemplates(c)
}

// auditTemplate is a template to be audited. Legacy says that it is an old one that is in use.
type auditTemplate struct {
	policy.Template
	Legacy bool
}

// readAudit reads the templates of an audit; given is false where the body names none: then the configured ones are
// meant.
func readAudit(body any) (list []auditTemplate, given bool, err error) {
	var bad faults
	f := newForm(body, &bad)
	items, given := f.list("templates")
	for i, it := range items {
		t := openForm(it, fmt.Sprintf("templates[%d]", i), &bad)
		kind := t.choice("kind", string(policy.OneTime), string(policy.LongTerm), string(policy.LongTermLimited), string(policy.TemplateMessage))
		if kind == "" {
			kind = string(policy.OneTime)
		}
		list = append(list, auditTemplate{policy.Template{Title: t.needed("title"), Content: t.needed("content"), Name: t.text("name"), Kind: policy.Kind(kind)}, t.flag("legacy")})
		t.close()
	}
	f.close()
	if len(items) > maxAudit {
		return nil, given, fail(submsg.CodeTooMany, "templates", fmt.Sprintf("an audit takes at most %d templates", maxAudit))
	}
	return list, given, bad.err()
}

// maxAudit is the most templates of one audit: each is compared with each.
const maxAudit = 200

type findingView struct {
	Template string          `json:"template"`
	Rule     string          `json:"rule"`
	Severity policy.Severity `json:"severity"`
	Place    string          `json:"place"`
	Detail   string          `json:"detail"`
	DetailZH string          `json:"detail_zh,omitempty"`
	Advice   string          `json:"advice"`
	AdviceZH string          `json:"advice_zh,omitempty"`
}

// audit holds templates against the rules: those given, beside the configured ones that they must not repeat, or the
// configured ones themselves.
func (a *api) audit(c *call) (answer, error) {
	body, err := a.optionalBody(c)
	if err != nil {
		return answer{}, err
	}
	list, given, err := readAudit(body)
	if err != nil {
		return answer{}, err
	}
	var found []policy.Finding
	if given {
		found = auditGiven(c.app, list)
	} else if found, err = a.Service.Audit(c.appid, nil); err != nil {
		return answer{}, err
	}
	findings := make([]findingView, len(found))
	for i, f := range found {
		findings[i] = findingView(f)
	}
	return ok(map[string]any{"findings": findings})
}

// auditGiven judges templates that are about to be submitted or are in use elsewhere. A configured one with the very
// same title and content is the same template and no duplicate.
func auditGiven(app *submsg.App, list []auditTemplate) []policy.Finding {
	var found []policy.Finding
	for i, t := range list {
		var others []policy.Template
		for n, o := range list {
			if n != i {
				others = append(others, o.Template)
			}
		}
		for n := range app.Templates {
			if o := app.Templates[n].Template; o.Title != t.Title || o.Content != t.Content {
				others = append(others, o)
			}
		}
		found = append(found, policy.Audit(app.Rules, t.Template, t.Legacy, others)...)
	}
	return found
}
