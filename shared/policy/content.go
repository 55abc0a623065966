package policy

import (
	"regexp"
	"strings"
	"sync"
)

// The audit reads content with a parser of its own, since it must see what is
// malformed; what the send path uses accepts only what is right.

// content is the text of a template taken apart.
type content struct {
	text  string
	lines []contentLine
}

// contentLine is one line that is not blank.
type contentLine struct {
	number int // from 1
	text   string
	label  string // before the colon, "" where there is none
	wide   bool   // the colon is the full-width one
	params []string
}

// The patterns are compiled when an audit first needs them: a function that starts cold does not wait for them.

// paramPattern is a well-formed parameter: {{name.DATA}}.
var paramPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{\{([A-Za-z][A-Za-z0-9_]*)\.DATA\}\}`) })

// adjacentPattern is two parameters with nothing but blanks between them.
var adjacentPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\{\{[A-Za-z][A-Za-z0-9_]*\.DATA\}\}[ \t　]*\{\{[A-Za-z][A-Za-z0-9_]*\.DATA\}\}`)
})

// bracePattern is a stretch in braces, closed or not.
var bracePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[{｛][^}｝\n]*(?:[ 　]*[}｝])*|[}｝]+`) })

func parseContent(text string) content {
	c := content{text: text}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		l := contentLine{number: number, text: line}
		head := line
		if i := strings.IndexAny(line, "{｛"); i >= 0 {
			head = line[:i]
		}
		if i := strings.IndexAny(head, ":："); i >= 0 {
			l.label = strings.TrimSpace(head[:i])
			l.wide = strings.HasPrefix(head[i:], "：")
		}
		for _, m := range paramPattern().FindAllStringSubmatch(line, -1) {
			l.params = append(l.params, m[1])
		}
		c.lines = append(c.lines, l)
	}
	return c
}

// fixed is the text without its parameters, whether they are well formed or not.
func (c content) fixed() string {
	return bracePattern().ReplaceAllString(paramPattern().ReplaceAllString(c.text, ""), "")
}

// has reports whether a parameter of that name occurs.
func (c content) has(name string) bool {
	for _, l := range c.lines {
		for _, p := range l.params {
			if p == name {
				return true
			}
		}
	}
	return false
}

// keywords are the lines that name a value: all but {{first.DATA}} and {{remark.DATA}}.
func (c content) keywords() []contentLine {
	var lines []contentLine
	for _, l := range c.lines {
		if l.only("first") || l.only("remark") {
			continue
		}
		lines = append(lines, l)
	}
	return lines
}

// labels are the keywords' names.
func (c content) labels() []string {
	var labels []string
	for _, l := range c.keywords() {
		if l.label != "" {
			labels = append(labels, l.label)
		}
	}
	return labels
}

// only reports whether the line is the parameter of that name and nothing else.
func (l contentLine) only(name string) bool {
	return len(l.params) == 1 && l.params[0] == name && l.text == "{{"+name+".DATA}}"
}
