package fields

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The codes of a Problem. They are stable: API answers carry them.
const (
	Missing      = "missing"       // the template has the key, the data has not
	UnknownKey   = "unknown_key"   // the data has the key, the template has not
	Empty        = "empty"         // nothing but blanks; WeChat refuses that
	BadEncoding  = "bad_encoding"  // not valid UTF-8
	BadCharacter = "bad_character" // a control character, a line break, or a sort that the type excludes
	TooLong      = "too_long"      // more than Limit
	BadFormat    = "bad_format"    // not a number, a date, an amount …
	NotAllowed   = "not_allowed"   // not one of the values that the template lists
)

// Problem is one reason why WeChat would refuse the data.
type Problem struct {
	Key           string
	Code          string // one of the constants
	Detail        string // a sentence that names the key and what would do; never the value
	Limit, Length int    // for TooLong, in characters (UTF-16 code units) or digits; else 0
}

// Check returns why WeChat would refuse the data: at most one problem for each key, in the
// template's order, then those of unknown keys by name; nil when it is valid. Valid data is
// checked without allocation.
func (l Layout) Check(data map[string]string) []Problem {
	var problems []Problem
	known := 0
	for i := range l.fields {
		f := &l.fields[i]
		value, ok := data[f.Key]
		if !ok {
			problems = append(problems, Problem{Key: f.Key, Code: Missing, Detail: f.Key + " is missing"})
			continue
		}
		known++
		if p, bad := f.check(value); bad {
			problems = append(problems, p)
		}
	}
	if known == len(data) {
		return problems
	}
	return append(problems, l.unknown(data)...)
}

func (l Layout) unknown(data map[string]string) []Problem {
	var problems []Problem
	for key := range data {
		if l.find(key) == nil {
			problems = append(problems, Problem{Key: key, Code: UnknownKey, Detail: l.explainUnknown(key)})
		}
	}
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Key, b.Key) })
	return problems
}

func (l Layout) explainUnknown(key string) string {
	if bare, found := strings.CutSuffix(key, ".DATA"); found && l.find(bare) != nil {
		return fmt.Sprintf("%s: write %s, the .DATA belongs to the template only", key, bare)
	}
	var keys []string
	for _, f := range l.fields {
		keys = append(keys, f.Key)
	}
	return fmt.Sprintf("%q is not a key of this template, which has %s", clip(key), strings.Join(keys, ", "))
}

// check holds one value to its field.
func (f *field) check(value string) (Problem, bool) {
	blank, n := true, 0
	for i, r := range value {
		switch {
		case r == utf8.RuneError && isBroken(value[i:]):
			return f.problem(BadEncoding, "is not valid UTF-8"), true
		case isControl(r) && !(r == '\n' && f.kind.lines):
			return f.problem(BadCharacter, fmt.Sprintf("has the control character or line break %U", r)), true
		}
		blank = blank && unicode.IsSpace(r)
		n += units(r)
	}
	if blank {
		return f.problem(Empty, "is empty"), true
	}
	if f.allowed != nil {
		if !slices.Contains(f.allowed, value) {
			return f.problem(NotAllowed, "must be one of "+clipList(f.allowed)), true
		}
		return Problem{}, false // what the template lists is right by definition
	}
	if f.kind.form != nil {
		if code, detail := f.kind.form(value); code != "" {
			return f.problem(code, detail), true
		}
	}
	limit, unit := f.kind.limit, "characters"
	if f.kind.measure != nil {
		n, limit = f.kind.measure(value)
	}
	if n <= limit {
		return Problem{}, false
	}
	if f.Type == "number" || f.Type == "amount" {
		unit = "digits"
	}
	return Problem{
		Key: f.Key, Code: TooLong, Limit: limit, Length: n,
		Detail: fmt.Sprintf("%s: %d %s, the limit of %s is %d", f.Key, n, unit, f.Type, limit),
	}, true
}

func (f *field) problem(code, detail string) Problem {
	return Problem{Key: f.Key, Code: code, Detail: f.Key + ": " + detail}
}

// isBroken reports whether the rune at the front of text, read as U+FFFD, is a coding error
// and not that character itself.
func isBroken(text string) bool {
	_, size := utf8.DecodeRuneInString(text)
	return size == 1
}

// isControl: control characters, and the two line breaks that Unicode keeps apart from them.
func isControl(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// clipList names the first values of a list.
func clipList(values []string) string {
	const shown = 10
	if len(values) <= shown {
		return strings.Join(values, ", ")
	}
	return fmt.Sprintf("%s, … (%d in all)", strings.Join(values[:shown], ", "), len(values))
}
