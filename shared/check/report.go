package check

import (
	"cmp"
	"io"
	"slices"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// What is found and is no rule of package policy goes under these names.
const (
	ruleConfiguration = "configuration" // a setting that cannot be read or makes no sense
	ruleStore         = "store"
	ruleTemplateFile  = "templates" // the file of templates cannot be read
)

// finding is one thing found, with its place in a file. Line is 0 where it concerns the file as a whole.
type finding struct {
	policy.Finding
	File  string
	Line  int
	AppID string
}

// report is everything that one run found, and what it looked at.
type report struct {
	source   string
	findings []finding
	looked   []string
}

func (r *report) add(f finding) { r.findings = append(r.findings, f) }

// count says how many findings have a severity.
func (r *report) count(s policy.Severity) (n int) {
	for _, f := range r.findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// inOrder are the findings as a reader goes through the file; those of one line keep their order.
func (r *report) inOrder() []finding {
	list := slices.Clone(r.findings)
	slices.SortStableFunc(list, func(a, b finding) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) })
	return list
}

// formats write a report; lang is that of the text format, the others hold both languages.
var formats = map[string]func(w io.Writer, r report, lang string) error{"text": writeText, "json": writeJSON, "sarif": writeSARIF}
