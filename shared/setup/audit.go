package setup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// Finding is what the rules say of a configured app or template, and where.
type Finding struct {
	policy.Finding
	AppID string
	Path  string // apps[0].templates[1].content line 2
	Line  int
}

// Audit holds the settings and the templates of every app against the rules. What Read refuses already, as a Fault that
// names its rule, is left out.
func (c *Config) Audit() []Finding {
	var all []Finding
	for i := range c.Apps {
		all = append(all, c.auditApp(fmt.Sprintf("apps[%d]", i), &c.Apps[i], true)...)
	}
	return slices.DeleteFunc(all, Finding.forbidden)
}

// Source is the file that the configuration was read from.
func (c *Config) Source() string { return c.source }

// Rules is a configured app as the rules know it, with its templates. The empty appid means the first app. It is false
// where there is none, or where the app's settings cannot be read.
func (c *Config) Rules(appid string) (policy.App, []policy.Template, bool) {
	for i := range c.Apps {
		a := &c.Apps[i]
		if appid != "" && a.AppID != appid {
			continue
		}
		rules, err := a.rules()
		return rules, a.templates(), err == nil
	}
	return policy.App{}, nil, false
}

// templates are the app's templates as the rules know them.
func (a *AppConfig) templates() []policy.Template {
	list := make([]policy.Template, len(a.Templates))
	for i := range a.Templates {
		list[i] = a.Templates[i].rules()
	}
	return list
}

// auditApp judges the app at a path of the file. Unless it is thorough, it looks only where something may be forbidden:
// that much is done at every start of a function.
func (c *Config) auditApp(at string, a *AppConfig, thorough bool) []Finding {
	rules, err := a.rules()
	if err != nil {
		return nil // a setting that cannot be read is a fault of its own
	}
	var all []Finding
	add := func(at string, found []policy.Finding) {
		for _, f := range found {
			path := at + "." + f.Place
			all = append(all, Finding{Finding: f, AppID: a.AppID, Path: path, Line: c.Line(path)})
		}
	}
	add(at, policy.CheckApp(rules))
	templates := a.templates()
	for i, t := range templates {
		var others []policy.Template
		switch {
		case thorough:
			others = slices.Concat(templates[:i:i], templates[i+1:])
		case t.Kind != policy.LongTerm && t.Kind != policy.LongTermLimited:
			continue
		}
		add(fmt.Sprintf("%s.templates[%d]", at, i), policy.Audit(rules, t, t.Kind == policy.TemplateMessage, others))
	}
	return all
}

// forbidden reports whether a configuration with this finding is not accepted: settings that switch off what is
// official, and long-term templates of an app that WeChat gives none.
func (f Finding) forbidden() bool {
	return f.Severity == policy.Error && (f.Template == "" || f.Rule == policy.RuleLongTermCat)
}

// Line is where a member stands in the file; for one that is not there, where what should hold it does.
func (c *Config) Line(path string) int {
	for at := path; at != ""; {
		if n := c.lines[at]; n != 0 {
			return n
		}
		i := strings.LastIndexAny(at, ".[ ")
		if i < 0 {
			break
		}
		at = strings.TrimSuffix(at[:i], " line")
	}
	return 1
}
