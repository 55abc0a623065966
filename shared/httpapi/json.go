package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bodies are read into a tree of nil, bool, json.Number, string, []any and *object first, because encoding/json alone
// lets pass what hides mistakes: members that occur twice or in another case, unknown ones, bad UTF-8.

// maxDepth bounds how deep a body may nest; the deepest that has a meaning, a series in a schedule, has five levels.
const maxDepth = 16

// object is a JSON object with its members in the order in which they came.
type object struct {
	names  []string
	values map[string]any
}

// parseJSON reads a body. The error is a *problem that says where the fault is.
func parseJSON(body []byte) (any, error) {
	if !utf8.Valid(body) {
		return nil, fail(CodeInvalidJSON, "", "the body is not valid UTF-8")
	}
	var raw json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, fail(CodeInvalidJSON, "", syntaxDetail(body, err))
	}
	if half := halfSurrogate(body); half >= 0 {
		return nil, fail(CodeInvalidJSON, "", fmt.Sprintf("byte %d: a \\u escape names half a character; escape it whole, as \\ud83d\\ude00, or write it as UTF-8", half))
	}
	p := &treeBuilder{dec: json.NewDecoder(bytes.NewReader(body))}
	p.dec.UseNumber()
	return p.value()
}

func syntaxDetail(body []byte, err error) string {
	var syntax *json.SyntaxError
	if len(bytes.TrimSpace(body)) == 0 {
		return "the body is empty; a JSON object is expected"
	}
	if errors.As(err, &syntax) {
		before := body[:min(int(syntax.Offset), len(body))]
		return fmt.Sprintf("line %d, byte %d: %s", 1+bytes.Count(before, []byte("\n")), syntax.Offset, syntax.Error())
	}
	return "the body is no JSON"
}

// halfSurrogate is where a \u escape of valid JSON names half of a surrogate pair, or -1. encoding/json reads it as
// U+FFFD, and a message would go out with it.
func halfSurrogate(body []byte) int {
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		i++
		if body[i] != 'u' {
			continue
		}
		switch r := escaped(body[i:]); {
		case r >= 0xdc00 && r < 0xe000:
			return i - 1
		case r >= 0xd800 && r < 0xdc00:
			if low := bytes.TrimPrefix(body[i+5:], []byte(`\`)); len(low) == len(body)-i-5 || escaped(low) < 0xdc00 || escaped(low) >= 0xe000 {
				return i - 1
			}
			i += 6
		}
		i += 4
	}
	return -1
}

// escaped is the value of u and four hexadecimal digits, or -1 for anything else.
func escaped(s []byte) int64 {
	if len(s) < 5 || s[0] != 'u' {
		return -1
	}
	r, err := strconv.ParseInt(string(s[1:5]), 16, 32)
	if err != nil {
		return -1
	}
	return r
}

// treeBuilder reads one body that is known to be valid JSON.
type treeBuilder struct {
	dec  *json.Decoder
	path []string // to the value that is being read
}

func (p *treeBuilder) where() string { return joinPath(p.path...) }

// joinPath spells a path as grants[0].openid.
func joinPath(parts ...string) string {
	return strings.TrimPrefix(strings.ReplaceAll(strings.Join(parts, "."), ".[", "["), ".")
}

func (p *treeBuilder) value() (any, error) {
	if len(p.path) > maxDepth {
		return nil, fail(CodeInvalidJSON, p.where(), fmt.Sprintf("the body nests deeper than %d levels", maxDepth))
	}
	t, err := p.dec.Token()
	if err != nil {
		return nil, fail(CodeInvalidJSON, p.where(), "the body is no JSON")
	}
	switch t {
	case json.Delim('{'):
		return p.object()
	case json.Delim('['):
		return p.array()
	}
	return t, nil
}

func (p *treeBuilder) object() (any, error) {
	o := &object{values: map[string]any{}}
	for p.dec.More() {
		t, err := p.dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, fail(CodeInvalidJSON, p.where(), "the body is no JSON")
		}
		p.path = append(p.path, name)
		if _, twice := o.values[name]; twice {
			return nil, fail(CodeInvalidJSON, shown(p.where()), "this member occurs twice; which one is meant?")
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		p.path = p.path[:len(p.path)-1]
		o.names, o.values[name] = append(o.names, name), v
	}
	_, err := p.dec.Token()
	return o, err
}

func (p *treeBuilder) array() (any, error) {
	list := []any{}
	for p.dec.More() {
		p.path = append(p.path, "["+strconv.Itoa(len(list))+"]")
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		p.path = p.path[:len(p.path)-1]
		list = append(list, v)
	}
	_, err := p.dec.Token()
	return list, err
}

// shown cuts a path of the caller's making to a length that an answer can hold.
func shown(path string) string {
	if len(path) <= 200 {
		return path
	}
	cut := 200
	for !utf8.RuneStart(path[cut]) {
		cut--
	}
	return path[:cut] + "…"
}

// typeName is what a JSON value is called in a detail.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	default:
		return "an object"
	}
}
