package wechat

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// node is one element of a push's body, whether it came as XML or as JSON. An array is what XML makes of it:
// its elements side by side under the same name. So <List> once or several times, "List":{…} and "List":[{…},{…}]
// are one shape, and events are read in one place.
type node struct {
	name string
	text string // of a scalar: a string's content, or a number as it was written
	kids []node
}

// Bounds of a body; far beyond what WeChat sends.
const (
	maxDepth = 16
	maxNodes = 4096
)

// value is the text of the first child of that name, without space around it, or "".
func (n *node) value(name string) string {
	for i := range n.kids {
		if n.kids[i].name == name {
			return strings.TrimSpace(n.kids[i].text)
		}
	}
	return ""
}

// parseBody reads a JSON or XML body; which one it is shows in the first character.
func parseBody(body []byte) (*node, error) {
	body = bytes.TrimPrefix(body, bom)
	if !utf8.Valid(body) {
		return nil, pushError(BadBody, "the body is not UTF-8")
	}
	text := string(body)
	for i := range len(text) {
		switch text[i] {
		case ' ', '\t', '\r', '\n':
			continue
		case '{':
			return parseJSON(text, i)
		case '<':
			return parseXML(text, i)
		}
		break
	}
	return nil, pushError(BadBody, "the body is neither a JSON object nor XML")
}
