package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/setup"
)

// templateFile is the file of --templates: what templates:audit takes over the API.
type templateFile struct {
	Templates []struct {
		Name    string      `json:"name"`
		Title   string      `json:"title"`
		Content string      `json:"content"`
		Kind    policy.Kind `json:"kind"` // "" is one_time
		Legacy  bool        `json:"legacy"`
	} `json:"templates"`
}

// templateFile audits a file of templates, as those of an app where a configuration is named.
func (o order) templateFile() report {
	r := report{source: o.templates}
	refuse := func(line int, detail string) report {
		r.add(finding{File: o.templates, Line: line, Finding: policy.Finding{Rule: ruleTemplateFile, Severity: policy.Error, Detail: detail}})
		return r
	}
	raw, err := os.ReadFile(o.templates)
	if err != nil {
		return refuse(0, err.Error())
	}
	file, line, err := readTemplates(raw)
	if err != nil {
		return refuse(line, err.Error())
	}
	app, others, ok := o.judge(&r)
	if !ok {
		return r
	}
	lines := templateLines(raw, len(file.Templates))
	list := make([]policy.Template, len(file.Templates))
	for i, t := range file.Templates {
		list[i] = policy.Template{Name: t.Name, Title: t.Title, Content: t.Content, Kind: t.Kind}
		switch {
		case t.Kind == "":
			list[i].Kind = policy.OneTime
		case t.Kind != policy.TemplateMessage && !t.Kind.Subscribed():
			return refuse(lines[i], fmt.Sprintf("kind %q is none of one_time, long_term, long_term_limited, template_message", t.Kind))
		}
	}
	for i, t := range list {
		beside := append(append([]policy.Template(nil), list[:i]...), list[i+1:]...)
		for _, x := range others { // a configured one with the same title and content is this very template
			if x.Title != t.Title || x.Content != t.Content {
				beside = append(beside, x)
			}
		}
		for _, f := range policy.Audit(app, t, file.Templates[i].Legacy, beside) {
			if f.Rule == policy.RuleLongTermCat && !o.named {
				continue // what categories the app has is not known
			}
			r.add(finding{File: o.templates, Line: lines[i], AppID: app.AppID, Finding: f})
		}
	}
	r.looked = append(r.looked, fmt.Sprintf("%d %s", len(list), plural("template", len(list))))
	if !o.named {
		r.looked = append(r.looked, "no --config: brands, categories and other templates of the app were not looked at")
	}
	return r
}

// judge is the app that templates are judged as, with the templates it has already.
func (o order) judge(r *report) (policy.App, []policy.Template, bool) {
	if !o.named {
		return policy.App{}, nil, true
	}
	c, err := setup.Read(o.config)
	if c == nil {
		r.faults(o.config, err)
		return policy.App{}, nil, false
	}
	app, templates, ok := c.Rules(o.app)
	switch {
	case ok:
	case o.app != "" && !slices.ContainsFunc(c.Apps, func(a setup.AppConfig) bool { return a.AppID == o.app }):
		r.add(finding{File: o.config, Finding: policy.Finding{Rule: ruleConfiguration, Severity: policy.Error, Detail: fmt.Sprintf("app %s is not configured", o.app)}})
	default:
		r.faults(o.config, err)
	}
	return app, templates, ok
}

// readTemplates reads the file; on error it says at which line.
func readTemplates(raw []byte) (file templateFile, line int, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		at := dec.InputOffset()
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			at = syntax.Offset
		case errors.As(err, &kind):
			return file, lineAt(raw, kind.Offset), fmt.Errorf("%s cannot be a JSON %s", kind.Field, kind.Value)
		}
		return file, lineAt(raw, at), fmt.Errorf("it is not {\"templates\":[{\"title\",\"content\",\"kind\",\"legacy\"}]}: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return file, lineAt(raw, dec.InputOffset()), errors.New("something follows the JSON object")
	}
	if len(file.Templates) == 0 {
		return file, 0, errors.New(`it holds no templates; it is to be {"templates":[{"title","content","kind","legacy"}]}`)
	}
	return file, 0, nil
}

// templateLines finds the line that each of the n templates begins at; 0 where that cannot be told.
func templateLines(raw []byte, n int) []int {
	lines := make([]int, n)
	dec := json.NewDecoder(bytes.NewReader(raw))
	for range 3 { // {, "templates", [
		if _, err := dec.Token(); err != nil {
			return lines
		}
	}
	for i := 0; dec.More() && i < n; i++ {
		at := dec.InputOffset()
		at += int64(max(bytes.IndexByte(raw[at:], '{'), 0))
		lines[i] = lineAt(raw, at)
		if err := dec.Decode(new(json.RawMessage)); err != nil {
			return lines
		}
	}
	return lines
}

func lineAt(raw []byte, offset int64) int {
	return 1 + bytes.Count(raw[:min(max(offset, 0), int64(len(raw)))], []byte("\n"))
}
