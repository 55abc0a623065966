package setup

import (
	"time"

	"github.com/yuexin-dev/yuexin/shared/endpoint"
	"github.com/yuexin-dev/yuexin/shared/fields"
	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// rules is the app as the rules know it.
func (a *AppConfig) rules() (policy.App, error) {
	r := policy.App{
		AppID: a.AppID, AccountKind: a.Kind, Categories: a.Categories, Zone: policy.Shanghai, MaxTemplatesPerPrompt: a.MaxTemplatesPerPrompt, Brands: a.Brands, Words: a.Words,
		NoBurst: time.Duration(a.NoBurst), RefusalWait: time.Duration(a.RefusalWait), ShelfLife: time.Duration(a.ShelfLife),
		Limits: a.Limits.rules(), TemplateLimits: a.TemplateLimits.rules(),
	}
	if r.AccountKind == "" {
		r.AccountKind = policy.MiniProgram
	}
	if z, err := time.LoadLocation("Asia/Shanghai"); err == nil {
		r.Zone = z
	}
	if a.TimeZone != "" {
		z, err := time.LoadLocation(a.TimeZone)
		if err != nil {
			return r, err
		}
		r.Zone = z
	}
	if a.QuietHours != nil {
		w, err := policy.ParseWindow(*a.QuietHours)
		if err != nil {
			return r, err
		}
		r.QuietHours = w
	}
	if a.Spread != nil {
		if r.Spread = time.Duration(*a.Spread); r.Spread == 0 {
			r.Spread = -1 // written down as 0s: not at all
		}
	}
	return r, nil
}

func (l *LimitsConfig) rules() *policy.Limits {
	if l == nil {
		return nil
	}
	return &policy.Limits{PerDay: l.PerDay, PerWeek: l.PerWeek}
}

// rules is the template as the rules know it; windows were validated.
func (t *TemplateConfig) rules() policy.Template {
	r := policy.Template{
		ID: t.ID, Name: t.Name, Kind: policy.Kind(t.Kind), Title: t.Title, Content: t.Content, Page: t.Page, Limits: t.Limits.rules(), Class: policy.Class(t.Class),
		Scenes: t.Scenes, PromptCopy: t.PromptCopy, KeyField: t.KeyField, Period: t.Period, Unasked: t.Unasked, DisclaimerField: t.DisclaimerField,
	}
	if t.QuietHours != nil {
		if w, err := policy.ParseWindow(*t.QuietHours); err == nil {
			r.QuietHours = &w
		}
	}
	for _, e := range t.Exceptions {
		r.Exceptions = append(r.Exceptions, policy.Exception{Word: e.Word, Reason: e.Reason, Field: e.Field})
	}
	return r
}

// Catalog is the configured apps as the core knows them.
func (c *Config) Catalog() (*submsg.Catalog, error) {
	apps := make([]*submsg.App, len(c.Apps))
	for i := range c.Apps {
		a := &c.Apps[i]
		rules, err := a.rules()
		if err != nil {
			return nil, err
		}
		apps[i] = &submsg.App{
			Rules: rules, Rate: a.Rate, UnknownAfter: time.Duration(a.UnknownAfter), Webhook: a.Webhook.URL != "",
			CheckProvider: endpoint.App{Hosts: a.Provider.Hosts}.Allowed,
		}
		for n := range a.Templates {
			t := submsg.Template{Template: a.Templates[n].rules()}
			if t.Content != "" {
				if t.Layout, err = fields.Parse(t.Content); err != nil {
					return nil, err
				}
			}
			apps[i].Templates = append(apps[i].Templates, t)
		}
	}
	return submsg.NewCatalog(apps)
}
