package submsg

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/fields"
	"github.com/yuexin-dev/yuexin/shared/policy"
)

// App is one WeChat account as it was configured; it never changes while the process runs.
type App struct {
	Rules        policy.App    // ID, zone, categories, limits: what the rules need to know
	Rate         int           // sends per second, shared by the jobs of an occurrence, and for each process on demand; 0: no limit
	Webhook      bool          // notices are posted to the app's own endpoint
	UnknownAfter time.Duration // how long a sent event is waited for before evidence decides; at least 30 s
	Templates    []Template

	// CheckProvider answers why content may not be asked for at an address: it is no https address, or
	// its host is not on the app's allow list.
	CheckProvider func(address string) error

	byName map[string]*Template
	engine *policy.Engine
}

// Template is one template of an app as it was configured.
type Template struct {
	policy.Template
	Layout fields.Layout // parsed Content; the zero Layout where the content is only known from a sync

	whole bool // nothing of it is left to a sync
}

// LongTerm reports whether one accept of the template allows many sends.
func (t *Template) LongTerm() bool {
	return t.Kind == policy.LongTerm || t.Kind == policy.LongTermLimited
}

// Catalog is every configured app.
type Catalog struct {
	byID map[string]*App
	ids  []string
}

// NewCatalog indexes the apps and prepares their rules; words that cannot be used are its error. The
// order of apps is kept.
func NewCatalog(apps []*App) (*Catalog, error) {
	c := &Catalog{byID: make(map[string]*App, len(apps))}
	for _, a := range apps {
		a.byName = make(map[string]*Template, 2*len(a.Templates))
		for i := range a.Templates {
			t := &a.Templates[i]
			a.byName[t.ID] = t
			t.whole = t.Content != "" && !slices.ContainsFunc(t.Layout.Fields(), func(f fields.Field) bool { return strings.HasPrefix(f.Type, "enum") || f.Type == "const" })
			if t.Name != "" {
				a.byName[t.Name] = t
			}
		}
		engine, err := policy.NewEngine(&a.Rules)
		if err != nil {
			return nil, fmt.Errorf("app %s: %w", a.Rules.AppID, err)
		}
		a.engine = engine
		if a.UnknownAfter == 0 {
			a.UnknownAfter = DefaultUnknownAfter
		}
		c.byID[a.Rules.AppID] = a
		c.ids = append(c.ids, a.Rules.AppID)
	}
	return c, nil
}

// App finds an app by its id, or answers CodeUnknownApp.
func (c *Catalog) App(appid string) (*App, error) {
	if a := c.byID[appid]; a != nil {
		return a, nil
	}
	return nil, problem(CodeUnknownApp, "appid", "no app with this appid is configured")
}

// IDs lists the configured appids in the order of the configuration.
func (c *Catalog) IDs() []string { return c.ids }

// Template finds a template by WeChat's id or by its configured name, or answers CodeUnknownTemplate.
func (a *App) Template(idOrName string) (*Template, error) {
	if t := a.byName[idOrName]; t != nil {
		return t, nil
	}
	return nil, problem(CodeUnknownTemplate, "template", "app "+a.Rules.AppID+" has no template with this id or name; templates are listed in the configuration")
}
