package wechat

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonParser reads JSON into nodes. encoding/json would need several times the allocations, and could keep
// neither a MsgID above 2^53 nor a number's own spelling without a type for every shape of an event.
type jsonParser struct {
	s     string
	pos   int
	nodes int
}

// parseJSON reads the JSON object that begins at pos and is all there is.
func parseJSON(s string, pos int) (*node, error) {
	p := &jsonParser{s: s, pos: pos}
	root := new(node)
	if err := p.object(root, 1); err != nil {
		return nil, err
	}
	p.space()
	if p.pos != len(s) {
		return nil, p.fail("something follows the JSON object")
	}
	return root, nil
}

func (p *jsonParser) fail(what string) error {
	return pushError(BadBody, "%s at byte %d of the JSON body", what, p.pos)
}

func (p *jsonParser) space() {
	for p.pos < len(p.s) {
		switch p.s[p.pos] {
		case ' ', '\t', '\r', '\n':
			p.pos++
		default:
			return
		}
	}
}

// peek skips space and returns the next byte, or 0 at the end.
func (p *jsonParser) peek() byte {
	p.space()
	if p.pos == len(p.s) {
		return 0
	}
	return p.s[p.pos]
}

// object reads the members of an object into n.
func (p *jsonParser) object(n *node, depth int) error {
	if depth > maxDepth {
		return p.fail("nesting is too deep")
	}
	p.pos++ // the brace
	if p.peek() == '}' {
		p.pos++
		return nil
	}
	n.kids = make([]node, 0, 8)
	for {
		if p.peek() != '"' {
			return p.fail("a member's name in quotes is missing")
		}
		name, err := p.str()
		if err != nil {
			return err
		}
		if p.peek() != ':' {
			return p.fail("a colon is missing")
		}
		p.pos++
		if err := p.member(n, name, depth); err != nil {
			return err
		}
		if done, err := p.next('}'); done || err != nil {
			return err
		}
	}
}

// next takes the comma that leads to another element, or the closing bracket.
func (p *jsonParser) next(closing byte) (done bool, err error) {
	switch p.peek() {
	case closing:
		p.pos++
		return true, nil
	case ',':
		p.pos++
		if c := p.peek(); c == '}' || c == ']' {
			return false, p.fail("trailing comma, as in the samples that WeChat prints: not valid JSON")
		}
		return false, nil
	}
	return false, p.fail("a comma or a closing bracket is missing")
}

// member reads one value and adds it to n under the name; of an array, each element.
func (p *jsonParser) member(n *node, name string, depth int) error {
	if p.peek() == '[' {
		if depth > maxDepth {
			return p.fail("nesting is too deep")
		}
		p.pos++
		if p.peek() == ']' {
			p.pos++
			return nil
		}
		for {
			if err := p.member(n, name, depth+1); err != nil {
				return err
			}
			if done, err := p.next(']'); done || err != nil {
				return err
			}
		}
	}
	if p.nodes++; p.nodes > maxNodes {
		return p.fail("too many elements")
	}
	n.kids = append(n.kids, node{name: name})
	kid := &n.kids[len(n.kids)-1]
	var err error
	switch c := p.peek(); {
	case c == '{':
		return p.object(kid, depth+1)
	case c == '"':
		kid.text, err = p.str()
	case c == '-' || c >= '0' && c <= '9':
		kid.text, err = p.number()
	case c == 't':
		kid.text, err = p.word("true")
	case c == 'f':
		kid.text, err = p.word("false")
	case c == 'n':
		_, err = p.word("null")
	default:
		return p.fail("a value is missing")
	}
	return err
}

func (p *jsonParser) word(w string) (string, error) {
	if !strings.HasPrefix(p.s[p.pos:], w) {
		return "", p.fail("a value is not JSON")
	}
	p.pos += len(w)
	return w, nil
}

// number takes a number by JSON's grammar and returns it as it is written.
func (p *jsonParser) number() (string, error) {
	start := p.pos
	digits := func() bool {
		from := p.pos
		for p.pos < len(p.s) && p.s[p.pos] >= '0' && p.s[p.pos] <= '9' {
			p.pos++
		}
		return p.pos > from
	}
	at := func(set string) bool {
		if p.pos < len(p.s) && strings.IndexByte(set, p.s[p.pos]) >= 0 {
			p.pos++
			return true
		}
		return false
	}
	at("-")
	if !at("0") && !digits() {
		return "", p.fail("a number is not JSON")
	}
	if at(".") && !digits() {
		return "", p.fail("a number is not JSON")
	}
	if at("eE") {
		at("+-")
		if !digits() {
			return "", p.fail("a number is not JSON")
		}
	}
	return p.s[start:p.pos], nil
}

// str takes a string; without escapes it is a part of the body.
func (p *jsonParser) str() (string, error) {
	p.pos++ // the quote
	start := p.pos
	for p.pos < len(p.s) {
		switch c := p.s[p.pos]; {
		case c == '"':
			text := p.s[start:p.pos]
			p.pos++
			return text, nil
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			return "", p.fail("a control character stands in a string")
		}
		p.pos++
	}
	return "", p.fail("a string does not end")
}

// escaped finishes a string that began at start and has an escape at the current position.
func (p *jsonParser) escaped(start int) (string, error) {
	b := append(make([]byte, 0, p.pos-start+32), p.s[start:p.pos]...)
	for p.pos < len(p.s) {
		c := p.s[p.pos]
		switch {
		case c == '"':
			p.pos++
			return string(b), nil
		case c < ' ':
			return "", p.fail("a control character stands in a string")
		case c != '\\':
			b = append(b, c)
			p.pos++
			continue
		}
		if p.pos+1 == len(p.s) {
			break
		}
		c = p.s[p.pos+1]
		if c == 'u' {
			r, err := p.rune()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, r)
			continue
		}
		i := strings.IndexByte(`"\/bfnrt`, c)
		if i < 0 {
			return "", p.fail("an escape is not JSON")
		}
		b = append(b, "\"\\/\b\f\n\r\t"[i])
		p.pos += 2
	}
	return "", p.fail("a string does not end")
}

// rune takes a \u escape, or two that make a surrogate pair. A surrogate alone becomes U+FFFD.
func (p *jsonParser) rune() (rune, error) {
	r, ok := p.hex4()
	if !ok {
		return 0, p.fail("an escape is not JSON")
	}
	p.pos += 6
	if utf16.IsSurrogate(r) {
		if low, ok := p.hex4(); ok {
			if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
				p.pos += 6
				return full, nil
			}
		}
		return utf8.RuneError, nil
	}
	return r, nil
}

// hex4 looks at a \uXXXX at the current position.
func (p *jsonParser) hex4() (rune, bool) {
	rest := p.s[p.pos:]
	if len(rest) < 6 || rest[0] != '\\' || rest[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(rest[2:6], 16, 16)
	return rune(n), err == nil
}
