package wechat

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// appendMessage appends the JSON body of a send. Both APIs take touser, template_id, page and
// data{key:{value}} (developers.weixin.qq.com, 发送订阅消息 and 发送订阅通知). Values are always strings: numbers
// are refused with 47003. miniprogram_state and lang are always sent, since the page calls them both required and
// defaulted. Keys are ordered, so that the same message always has the same bytes.
func appendMessage(b []byte, a *account, m submsg.Message) []byte {
	b = append(b, `{"touser":`...)
	b = appendString(b, m.OpenID)
	b = append(b, `,"template_id":`...)
	b = appendString(b, m.TemplateID)
	switch {
	case m.Page == "":
	case a.Kind == ServiceAccount && a.Miniprogram != "" && !isWebPage(m.Page):
		b = append(b, `,"miniprogram":{"appid":`...)
		b = appendString(b, a.Miniprogram)
		b = append(b, `,"pagepath":`...)
		b = appendString(b, m.Page)
		b = append(b, '}')
	default:
		b = append(b, `,"page":`...)
		b = appendString(b, m.Page)
	}
	b = append(b, `,"data":`...)
	b = appendData(b, m.Data)
	if a.Kind == MiniProgram { // bizsend has no such fields in the older documentation and in working SDKs
		b = append(b, `,"miniprogram_state":`...)
		b = appendString(b, a.MiniprogramState)
		b = append(b, `,"lang":`...)
		b = appendString(b, a.Lang)
	}
	return append(b, '}')
}

func isWebPage(page string) bool {
	return strings.HasPrefix(page, "https://") || strings.HasPrefix(page, "http://")
}

func appendData(b []byte, data map[string]string) []byte {
	var space [16]string // a template has 5 keywords at most; no allocation for up to 16
	keys := space[:0]
	for k := range data {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, k)
		b = append(b, `:{"value":`...)
		b = appendString(b, data[k])
		b = append(b, '}')
	}
	return append(b, '}')
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD; nothing is escaped for HTML, because
// WeChat shows the characters as they are.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(b, s[start:i]...)
				b = append(b, "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
