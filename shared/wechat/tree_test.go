package wechat

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParserRefuses(t *testing.T) {
	cases := map[string]string{
		"an empty body":                   "",
		"space":                           " \n",
		"a byte order mark alone":         "\xef\xbb\xbf",
		"a word":                          "success",
		"a JSON string":                   `"a"`,
		"an open object":                  `{`,
		"an object closed by a bracket":   `{"a":1]`,
		"a second object":                 `{} {}`,
		"a trailing comma in an array":    `{"a":[1,]}`,
		"a comma alone":                   `{,}`,
		"a member without a value":        `{"a":}`,
		"a member without a colon":        `{"a" 1}`,
		"a member without quotes":         `{a:1}`,
		"an octal number":                 `{"a":01}`,
		"a plus sign":                     `{"a":+1}`,
		"a number cut off":                `{"a":-}`,
		"a fraction cut off":              `{"a":1.}`,
		"an exponent cut off":             `{"a":1e}`,
		"a word cut off":                  `{"a":tru}`,
		"a line break in a string":        "{\"a\":\"\n\"}",
		"a line break after an escape":    "{\"a\":\"\\t\n\"}",
		"an unknown escape":               `{"a":"\x"}`,
		"an escape cut off":               `{"a":"\u12"}`,
		"an escape at the end":            `{"a":"\`,
		"arrays nested too deep":          `{"a":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`,
		"too many elements":               `{"a":[` + strings.Repeat("1,", maxNodes) + `1]}`,
		"XML nested too deep":             strings.Repeat("<a>", 50) + strings.Repeat("</a>", 50),
		"too many XML elements":           "<a>" + strings.Repeat("<b/>", maxNodes) + "</a>",
		"an end tag that does not fit":    "<a><b></a></b>",
		"an element not closed":           "<a><b></b>",
		"a tag not closed":                "<a",
		"two roots":                       "<a/><b/>",
		"text behind the root":            "<a/>b",
		"an unknown entity":               "<a>&nbsp;</a>",
		"a reference without end":         "<a>&amp</a>",
		"a reference to NUL":              "<a>&#0;</a>",
		"a reference beyond Unicode":      "<a>&#x1fffff;</a>",
		"CDATA not closed":                "<a><![CDATA[b]]</a>",
		"a comment not closed":            "<a><!-- b</a>",
		"a DOCTYPE":                       "<!DOCTYPE a><a/>",
		"a DOCTYPE inside":                "<a><!DOCTYPE a></a>",
		"an attribute without a value":    "<a b></a>",
		"an attribute without quotes":     "<a b=c></a>",
		"an attribute that does not end":  `<a b="></a>`,
		"a name that begins with a digit": "<1/>",
	}
	for name, body := range cases {
		n, err := parseBody([]byte(body))
		var fault *PushError
		if n != nil || !errors.As(err, &fault) || fault.Fault != BadBody {
			t.Errorf("%s: %+v, %v; want bad_body", name, n, err)
		}
	}
}

func TestTrailingCommaIsNamed(t *testing.T) {
	_, err := parseBody([]byte("{\"a\":1,\n}"))
	if err == nil || !strings.Contains(err.Error(), "trailing comma") || !strings.Contains(err.Error(), "byte 8") {
		t.Errorf("got %v; want the trailing comma and its place", err)
	}
}

// checkAgainstStandardLibrary holds the two parsers against encoding/json and encoding/xml: what ours accept,
// those accept too and read the same.
func checkAgainstStandardLibrary(t *testing.T, body []byte) {
	n, err := parseBody(body)
	body = bytes.TrimPrefix(body, bom)
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	if len(trimmed) > 0 && trimmed[0] == '{' {
		var want any
		wantErr := json.Unmarshal(body, &want)
		if err == nil && wantErr != nil {
			t.Fatalf("accepted, but encoding/json says: %v", wantErr)
		}
		if err != nil {
			if wantErr == nil && utf8.Valid(body) && !strings.Contains(err.Error(), "too") {
				t.Fatalf("refused (%v), but encoding/json accepts it", err)
			}
			return
		}
		compareJSON(t, n, json.NewDecoder(bytes.NewReader(body)))
		return
	}
	if err != nil {
		return
	}
	compareXML(t, n, body)
}

// compareJSON walks encoding/json's tokens and ours side by side.
func compareJSON(t *testing.T, root *node, dec *json.Decoder) {
	dec.UseNumber()
	next := func() json.Token {
		tok, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	var object func(n *node)
	var value func(n *node, i *int, name string)
	value = func(n *node, i *int, name string) {
		switch tok := next().(type) {
		case json.Delim:
			if tok == '[' {
				for dec.More() {
					value(n, i, name)
				}
				next()
				return
			}
			kid := take(t, n, i, name)
			object(kid)
		case string:
			if kid := take(t, n, i, name); kid.text != tok {
				t.Fatalf("%q, encoding/json reads %q", kid.text, tok)
			}
		case json.Number:
			if kid := take(t, n, i, name); kid.text != tok.String() {
				t.Fatalf("%q, encoding/json reads %q", kid.text, tok)
			}
		default: // true, false, null
			take(t, n, i, name)
		}
	}
	object = func(n *node) {
		i := 0
		for dec.More() {
			name, _ := next().(string)
			value(n, &i, name)
		}
		next()
		if i != len(n.kids) {
			t.Fatalf("%d children, encoding/json sees %d", len(n.kids), i)
		}
	}
	next()
	object(root)
}

func take(t *testing.T, n *node, i *int, name string) *node {
	if *i == len(n.kids) || n.kids[*i].name != name {
		t.Fatalf("child %d is not %q", *i, name)
	}
	*i++
	return &n.kids[*i-1]
}

// compareXML checks names and texts against encoding/xml, which stops earlier at characters that XML forbids.
func compareXML(t *testing.T, root *node, body []byte) {
	dec := xml.NewDecoder(bytes.NewReader(body))
	type open struct {
		n    *node
		next int
		text strings.Builder
	}
	var stack []*open
	for {
		tok, err := dec.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			n := root
			if len(stack) > 0 {
				top := stack[len(stack)-1]
				n = &top.n.kids[top.next]
				top.next++
			}
			name := tok.Name.Local
			if tok.Name.Space != "" {
				name = tok.Name.Space + ":" + name
			}
			if n.name != name {
				t.Fatalf("element %q, encoding/xml sees %q", n.name, name)
			}
			stack = append(stack, &open{n: n})
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].text.Write(tok)
			}
		case xml.EndElement:
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if top.next != len(top.n.kids) {
				t.Fatalf("%d children, encoding/xml sees %d", len(top.n.kids), top.next)
			}
			squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
			if got, want := squeeze(top.n.text), squeeze(top.text.String()); got != want {
				t.Fatalf("text %q, encoding/xml reads %q", got, want)
			}
		}
	}
}

func TestParsersAgreeWithTheStandardLibraryOnEverySample(t *testing.T) {
	for _, s := range readManifest(t).Pushes {
		t.Run(s.File, func(t *testing.T) { checkAgainstStandardLibrary(t, readSample(t, s.File)) })
	}
}
