package wechat

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// xmlParser reads the XML of pushes into nodes: elements, text, CDATA, character references. Declarations and
// comments are skipped; a DOCTYPE, and with it every entity that a document could define, is refused.
// encoding/xml would cost more allocations than all the rest of a push.
type xmlParser struct {
	s     string
	pos   int
	nodes int
}

// parseXML reads the XML document that begins at pos and is all there is.
func parseXML(s string, pos int) (*node, error) {
	p := &xmlParser{s: s, pos: pos}
	if err := p.misc(); err != nil {
		return nil, err
	}
	root := new(node)
	if err := p.element(root, 1); err != nil {
		return nil, err
	}
	if err := p.misc(); err != nil {
		return nil, err
	}
	if p.pos != len(s) {
		return nil, p.fail("something follows the root element")
	}
	return root, nil
}

func (p *xmlParser) fail(what string) error {
	return pushError(BadBody, "%s at byte %d of the XML body", what, p.pos)
}

func (p *xmlParser) at(prefix string) bool { return strings.HasPrefix(p.s[p.pos:], prefix) }

// skip moves behind the next occurrence of end and returns what came before it.
func (p *xmlParser) skip(opening, end string) (string, error) {
	from := p.pos + len(opening)
	i := strings.Index(p.s[from:], end)
	if i < 0 {
		return "", p.fail(opening + " does not end")
	}
	p.pos = from + i + len(end)
	return p.s[from : from+i], nil
}

// misc skips what may stand before and after the root element.
func (p *xmlParser) misc() error {
	for {
		p.space()
		var err error
		switch {
		case p.at("<?"):
			_, err = p.skip("<?", "?>")
		case p.at("<!--"):
			_, err = p.skip("<!--", "-->")
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (p *xmlParser) space() {
	for p.pos < len(p.s) && isSpace(p.s[p.pos]) {
		p.pos++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c == ':'
}

func (p *xmlParser) tagName() string {
	start := p.pos
	for p.pos < len(p.s) && isNameByte(p.s[p.pos]) {
		p.pos++
	}
	return p.s[start:p.pos]
}

// element reads an element with all it holds into n.
func (p *xmlParser) element(n *node, depth int) error {
	if depth > maxDepth {
		return p.fail("nesting is too deep")
	}
	if p.nodes++; p.nodes > maxNodes {
		return p.fail("too many elements")
	}
	if !p.at("<") {
		return p.fail("an element is missing")
	}
	p.pos++
	n.name = p.tagName()
	if n.name == "" || n.name[0] >= '0' && n.name[0] <= '9' || n.name[0] == '-' || n.name[0] == '.' {
		return p.fail("markup that pushes do not have, such as a DOCTYPE,")
	}
	empty, err := p.attributes()
	if empty || err != nil {
		return err
	}
	return p.content(n, depth)
}

// attributes skips to the end of a start tag.
func (p *xmlParser) attributes() (empty bool, err error) {
	for {
		before := p.pos
		p.space()
		switch {
		case p.at(">"):
			p.pos++
			return false, nil
		case p.at("/>"):
			p.pos += 2
			return true, nil
		}
		if p.pos == before || p.tagName() == "" {
			return false, p.fail("a tag is not closed")
		}
		p.space()
		if !p.at("=") {
			return false, p.fail("an attribute has no value")
		}
		p.pos++
		p.space()
		quote := `"`
		if p.at("'") {
			quote = "'"
		}
		if !p.at(quote) {
			return false, p.fail("an attribute has no quotes")
		}
		value, err := p.skip(quote, quote)
		if err != nil {
			return false, err
		}
		if strings.IndexByte(value, '<') >= 0 {
			return false, p.fail("an attribute is not closed")
		}
	}
}

// content reads what stands between a start tag and its end tag.
func (p *xmlParser) content(n *node, depth int) error {
	for {
		i := strings.IndexByte(p.s[p.pos:], '<')
		if i < 0 {
			return p.fail("an element is not closed")
		}
		if i > 0 {
			if err := p.text(n, p.s[p.pos:p.pos+i]); err != nil {
				return err
			}
			p.pos += i
		}
		switch {
		case p.at("</"):
			p.pos += 2
			if p.tagName() != n.name {
				return p.fail("an end tag does not fit its start tag")
			}
			p.space()
			if !p.at(">") {
				return p.fail("an end tag is not closed")
			}
			p.pos++
			return nil
		case p.at("<![CDATA["):
			text, err := p.skip("<![CDATA[", "]]>")
			if err != nil {
				return err
			}
			n.text = join(n.text, text)
		case p.at("<!--"):
			if _, err := p.skip("<!--", "-->"); err != nil {
				return err
			}
		case p.at("<?"):
			if _, err := p.skip("<?", "?>"); err != nil {
				return err
			}
		default:
			if n.kids == nil {
				n.kids = make([]node, 0, 8)
			}
			n.kids = append(n.kids, node{})
			if err := p.element(&n.kids[len(n.kids)-1], depth+1); err != nil {
				return err
			}
		}
	}
}

// join adds text to what an element holds already, usually nothing.
func join(a, b string) string {
	if strings.TrimSpace(a) == "" {
		return b
	}
	return a + b
}

// text adds character data, with its references replaced. Indentation between elements is dropped.
func (p *xmlParser) text(n *node, raw string) error {
	if strings.TrimSpace(raw) == "" && n.text != "" || len(n.kids) > 0 && strings.TrimSpace(raw) == "" {
		return nil
	}
	if strings.IndexByte(raw, '&') < 0 {
		n.text = join(n.text, raw)
		return nil
	}
	b := make([]byte, 0, len(raw))
	for raw != "" {
		before, after, found := strings.Cut(raw, "&")
		b = append(b, before...)
		if !found {
			break
		}
		name, rest, found := strings.Cut(after, ";")
		r, ok := reference(name)
		if !found || !ok {
			return p.fail("an unknown character reference follows")
		}
		b = utf8.AppendRune(b, r)
		raw = rest
	}
	n.text = join(n.text, string(b))
	return nil
}

// reference is the character that a reference stands for: one of XML's five names, or a number.
func reference(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "apos":
		return '\'', true
	case "quot":
		return '"', true
	}
	digits, numeric := strings.CutPrefix(name, "#")
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	if !numeric || err != nil || !utf8.ValidRune(rune(n)) || n == 0 {
		return 0, false
	}
	return rune(n), true
}
