// Package fields knows what may stand in a message: it reads the parameters out of a WeChat
// template's content and holds the values of a message to them before WeChat is asked,
// because WeChat answers a bad value with 47003 only after the call, and names the field in
// a text that may be cut off. It is pure: no I/O, no state.
//
// The limits are those of developers.weixin.qq.com, 发送订阅消息, parameter table, with the
// gaps of that page filled as each type's entry in kinds.go says. Where the page is unclear
// the reading is the lenient one: a value wrongly refused here can never be sent, a value
// wrongly let through costs one call and is reported by WeChat.
package fields

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

const (
	// MaxContent is the longest content Parse reads, in bytes; WeChat's own limit is 200 characters.
	MaxContent = 4096
	// MaxFields is the most parameters a content may have; WeChat's subscription templates have up to 5.
	MaxFields = 32
)

// Field is one parameter of a template.
type Field struct {
	Key   string // as data names it: "thing1"
	Label string // what the template prints before it: "账单月份"; may be ""
	Type  string // the key without its number: "thing"; "keyword" for the old form's free keys
}

// Layout is the parameters of one template in their order. It is immutable and safe for
// concurrent use; the zero Layout has no parameters, so every key is unknown to it.
type Layout struct {
	fields []field
}

// field is a Field with its rule looked up once.
type field struct {
	Field
	kind    kind
	allowed []string // the only values there are; nil when unknown
}

// Error tells where a template's content cannot be read.
type Error struct {
	Line   int    // from 1; 0 when it is the content as a whole
	Detail string // what is wrong and what is expected
}

// Error names the line and what is wrong there.
func (e *Error) Error() string {
	if e.Line == 0 {
		return "template content: " + e.Detail
	}
	return fmt.Sprintf("template content, line %d: %s", e.Line, e.Detail)
}

// Parse reads a template's content as gettemplate returns it, lines such as
// "账单月份:{{time1.DATA}}" with a colon of either width. Text without parameters is left out.
// Content without any parameter, with a malformed or a repeated one, is an *Error.
//
// A key without a number at its end is of the old template messages (first, remark, names
// chosen freely), and so is keyword1: all are of type "keyword". Subscription messages number
// every key, so the two cannot be confused.
func Parse(content string) (Layout, error) {
	if len(content) > MaxContent {
		return Layout{}, &Error{Detail: fmt.Sprintf("%d bytes, the limit is %d", len(content), MaxContent)}
	}
	var layout Layout
	number := 0
	for line := range strings.Lines(content) {
		number++
		for rest := line; ; {
			label, after, found := strings.Cut(rest, "{{")
			if !found {
				if strings.Contains(rest, "}}") {
					return Layout{}, &Error{number, "}} without {{ before it"}
				}
				break
			}
			name, after, found := strings.Cut(after, "}}")
			if !found {
				return Layout{}, &Error{number, "{{ without }} on the same line"}
			}
			key, ok := parameterKey(name)
			if !ok {
				return Layout{}, &Error{number, fmt.Sprintf("{{%s}} is not a parameter; write {{thing1.DATA}}", clip(name))}
			}
			if layout.find(key) != nil {
				return Layout{}, &Error{number, fmt.Sprintf("%s is used twice", key)}
			}
			if len(layout.fields) == MaxFields {
				return Layout{}, &Error{number, fmt.Sprintf("more than %d parameters", MaxFields)}
			}
			f := Field{Key: key, Label: cleanLabel(label), Type: typeOf(key)}
			layout.fields = append(layout.fields, field{Field: f, kind: kindOf(f.Type)})
			rest = after
		}
	}
	if len(layout.fields) == 0 {
		return Layout{}, &Error{Detail: "no parameter such as {{thing1.DATA}}"}
	}
	return layout, nil
}

// Fields returns the parameters in the template's order. The slice is the caller's own.
func (l Layout) Fields() []Field {
	list := make([]Field, len(l.fields))
	for i, f := range l.fields {
		list[i] = f.Field
	}
	return list
}

// WithEnums returns a layout that also knows which values its keys may have. The keys are
// spelt "enum_string2" or, as gettemplate's keywordEnumValueList has them, "enum_string2.DATA";
// keys that the layout lacks and empty lists are left out.
func (l Layout) WithEnums(values map[string][]string) Layout {
	narrowed := Layout{fields: slices.Clone(l.fields)}
	for code, list := range values {
		if f := narrowed.find(strings.TrimSuffix(code, ".DATA")); f != nil && len(list) > 0 {
			f.allowed = slices.Clone(list)
		}
	}
	return narrowed
}

func (l Layout) find(key string) *field {
	for i := range l.fields {
		if l.fields[i].Key == key {
			return &l.fields[i]
		}
	}
	return nil
}

// parameterKey reads what stands between the braces: a key of ASCII letters, digits and
// underscores that begins with a letter, and ".DATA".
func parameterKey(text string) (string, bool) {
	key, found := strings.CutSuffix(strings.TrimSpace(text), ".DATA")
	key = strings.TrimSpace(key)
	if !found || key == "" || !isASCIILetter(rune(key[0])) {
		return "", false
	}
	for _, r := range key {
		if !isASCIILetter(r) && !isDigit(r) && r != '_' {
			return "", false
		}
	}
	return key, true
}

// typeOf returns a key's type: "thing" of "thing1", and "keyword" of keys of the old form.
func typeOf(key string) string {
	name := strings.TrimRightFunc(key, isDigit)
	if name == key {
		return "keyword"
	}
	return name
}

// cleanLabel takes the colon and the space off what stands before a parameter.
func cleanLabel(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return r == ':' || r == '：' || unicode.IsSpace(r) })
}

// clip shortens a text from outside for an error.
func clip(text string) string {
	const limit = 40
	if cut, shorter := prefix(text, limit); shorter {
		return cut + "…"
	}
	return text
}
