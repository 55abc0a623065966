package wechattest

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// maxBody bounds every request body.
const maxBody = 1 << 20

// sendRequest is the body of a send. Its strings may share memory with the body.
type sendRequest struct {
	openID      string
	templateID  string
	page        string
	clientMsgID string // template/send only
	data        []datum
	badData     bool // data is present but not an object
}

// datum is one entry of data. text is false where the entry is not {"value": "a string"}: WeChat answers 47003 to
// numbers.
type datum struct {
	key, value string
	text       bool
}

var errNotJSON = errors.New("wechattest: body is not a JSON object")

// parseSend reads the body of a send. It is a hand-written reader because it runs on every call of a load test, where
// encoding/json would cost as much as everything else here; FuzzParseSend holds it to encoding/json's verdicts.
func parseSend(body string) (sendRequest, error) {
	if !utf8.ValidString(body) {
		return sendRequest{}, errNotJSON
	}
	var req sendRequest
	p := jsonReader{text: body}
	err := p.object(func(key string) error {
		switch key {
		case "touser":
			return p.text1(&req.openID)
		case "template_id":
			return p.text1(&req.templateID)
		case "page":
			return p.text1(&req.page)
		case "client_msg_id":
			return p.text1(&req.clientMsgID)
		case "data":
			return p.data(&req)
		}
		return p.skip(0)
	})
	if err != nil {
		return sendRequest{}, err
	}
	if p.space(); p.at != len(p.text) {
		return sendRequest{}, errNotJSON
	}
	return req, nil
}

// jsonReader walks over one JSON text.
type jsonReader struct {
	text string
	at   int
}

// data reads the value of "data" into req.
func (p *jsonReader) data(req *sendRequest) error {
	req.data, req.badData = req.data[:0], false
	if p.space(); p.peek() != '{' {
		req.badData = true
		return p.skip(0)
	}
	return p.object(func(key string) error {
		d := datum{key: key}
		if p.space(); p.peek() != '{' {
			if err := p.skip(1); err != nil {
				return err
			}
		} else if err := p.object(func(inner string) error {
			if inner != "value" {
				return p.skip(2)
			}
			if p.space(); p.peek() != '"' {
				d.value, d.text = "", false
				return p.skip(2)
			}
			var err error
			d.value, err = p.string()
			d.text = err == nil
			return err
		}); err != nil {
			return err
		}
		for i := range req.data { // a repeated key replaces the earlier one
			if req.data[i].key == key {
				req.data[i] = d
				return nil
			}
		}
		req.data = append(req.data, d)
		return nil
	})
}

// text1 reads a string into dst; any other value counts as absent, which the later checks refuse by its errcode.
func (p *jsonReader) text1(dst *string) error {
	*dst = ""
	if p.space(); p.peek() != '"' {
		return p.skip(0)
	}
	s, err := p.string()
	*dst = s
	return err
}

func (p *jsonReader) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *jsonReader) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// take consumes c after white space, or reports that something else is there.
func (p *jsonReader) take(c byte) bool {
	p.space()
	if p.peek() != c {
		return false
	}
	p.at++
	return true
}

// object reads an object and calls member at each value, which must consume it.
func (p *jsonReader) object(member func(key string) error) error {
	if !p.take('{') {
		return errNotJSON
	}
	if p.take('}') {
		return nil
	}
	for {
		if p.space(); p.peek() != '"' {
			return errNotJSON
		}
		key, err := p.string()
		if err != nil {
			return err
		}
		if !p.take(':') {
			return errNotJSON
		}
		if err := member(key); err != nil {
			return err
		}
		if p.take('}') {
			return nil
		}
		if !p.take(',') {
			return errNotJSON
		}
	}
}

// string reads a string literal; without escapes it is a piece of the input, not a copy.
func (p *jsonReader) string() (string, error) {
	start := p.at
	p.at++
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return p.text[start+1 : p.at-1], nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", errNotJSON
		}
		p.at++
	}
	return "", errNotJSON
}

// escaped reads the literal that begins at start and has an escape at p.at.
func (p *jsonReader) escaped(start int) (string, error) {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case '"':
			p.at++
			var s string
			if err := json.Unmarshal([]byte(p.text[start:p.at]), &s); err != nil {
				return "", errNotJSON
			}
			return s, nil
		case '\\':
			p.at++
		}
		p.at++
	}
	return "", errNotJSON
}

// maxDepth bounds nesting, so that a hostile body cannot exhaust the stack.
const maxDepth = 64

// skip consumes one value of any kind.
func (p *jsonReader) skip(depth int) error {
	if depth > maxDepth {
		return errNotJSON
	}
	p.space()
	switch c := p.peek(); {
	case c == '{':
		return p.object(func(string) error { return p.skip(depth + 1) })
	case c == '[':
		return p.array(depth)
	case c == '"':
		_, err := p.string()
		return err
	}
	end := p.at
	for end < len(p.text) && !strings.ContainsRune(" \t\n\r,]}", rune(p.text[end])) {
		end++
	}
	literal := p.text[p.at:end]
	if literal == "" || !json.Valid([]byte(literal)) {
		return errNotJSON
	}
	p.at = end
	return nil
}

func (p *jsonReader) array(depth int) error {
	p.at++
	if p.take(']') {
		return nil
	}
	for {
		if err := p.skip(depth + 1); err != nil {
			return err
		}
		if p.take(']') {
			return nil
		}
		if !p.take(',') {
			return errNotJSON
		}
	}
}

// appendJSONString appends s as a JSON string.
func appendJSONString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(s) // cannot fail for a string
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
