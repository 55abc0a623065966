package wechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
)

// answer is what a sending API replied.
type answer struct {
	code  int
	msg   string
	msgid int64 // 0 where it was left out
}

var errNotAnAnswer = errors.New("the answer is not JSON with an integer errcode")

// parseAnswer reads errcode, errmsg and msgid. The page of the API lists only the first two; msgid is there for
// most accounts, as a number above 2^53 (developers.weixin.qq.com, 发送订阅消息; 订阅消息事件推送). An answer
// without an integer errcode is an error: it may come from a proxy, so it says nothing.
func parseAnswer(body []byte) (answer, error) {
	if a, ok := scanAnswer(body); ok {
		return a, nil
	}
	var full struct {
		Code  *int32          `json:"errcode"`
		Msg   any             `json:"errmsg"`
		MsgID json.RawMessage `json:"msgid"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(body, bom), &full); err != nil || full.Code == nil {
		return answer{}, errNotAnAnswer
	}
	a := answer{code: int(*full.Code)}
	a.msg, _ = full.Msg.(string)
	// A msgid that cannot be read costs a correlation, not the answer.
	a.msgid, _ = strconv.ParseInt(strings.Trim(string(full.MsgID), `"`), 10, 64)
	return a, nil
}

var bom = []byte("\xef\xbb\xbf")

// scanAnswer is the fast path: one flat object of plain strings and integers, which is what WeChat sends. It
// reports false for anything else, right or wrong.
func scanAnswer(b []byte) (a answer, ok bool) {
	s := scanner{rest: b}
	found := false
	if !s.take('{') {
		return answer{}, false
	}
	for {
		key, ok := s.str()
		if !ok || !s.take(':') {
			return answer{}, false
		}
		switch string(key) { // the compiler does not allocate for this conversion
		case "errcode":
			n, ok := s.integer()
			if !ok || n < math.MinInt32 || n > math.MaxInt32 {
				return answer{}, false
			}
			a.code, found = int(n), true
		case "msgid":
			n, ok := s.integer()
			if !ok {
				return answer{}, false
			}
			a.msgid = n
		case "errmsg":
			text, ok := s.str()
			if !ok {
				return answer{}, false
			}
			if string(text) == "ok" {
				a.msg = "ok"
			} else {
				a.msg = string(text)
			}
		default:
			return answer{}, false
		}
		if s.take(',') {
			continue
		}
		return a, s.take('}') && s.end() && found
	}
}

// scanner takes tokens off the front of an answer.
type scanner struct{ rest []byte }

func (s *scanner) space() {
	for len(s.rest) > 0 && (s.rest[0] == ' ' || s.rest[0] == '\n' || s.rest[0] == '\r' || s.rest[0] == '\t') {
		s.rest = s.rest[1:]
	}
}

func (s *scanner) end() bool { s.space(); return len(s.rest) == 0 }

func (s *scanner) take(c byte) bool {
	s.space()
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// str takes a string without escapes, of printable ASCII.
func (s *scanner) str() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	for i, c := range s.rest {
		switch {
		case c == '"':
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			return text, true
		case c == '\\' || c < ' ' || c >= 0x7f:
			return nil, false
		}
	}
	return nil, false
}

// integer takes a JSON integer that fits an int64.
func (s *scanner) integer() (n int64, ok bool) {
	s.space()
	i, neg := 0, false
	if len(s.rest) > 0 && s.rest[0] == '-' {
		i, neg = 1, true
	}
	first := i
	for ; i < len(s.rest) && i-first < 19 && s.rest[i] >= '0' && s.rest[i] <= '9'; i++ {
		if n > (math.MaxInt64-9)/10 {
			return 0, false
		}
		n = n*10 + int64(s.rest[i]-'0')
	}
	if i == first || (s.rest[first] == '0' && i > first+1) {
		return 0, false
	}
	if i < len(s.rest) && s.rest[i] != ',' && s.rest[i] != '}' && s.rest[i] != ' ' && s.rest[i] != '\n' && s.rest[i] != '\r' && s.rest[i] != '\t' {
		return 0, false
	}
	s.rest = s.rest[i:]
	if neg {
		n = -n
	}
	return n, true
}

// ridOf finds the request id that WeChat puts at the end of errmsg: "… rid: 5f1e0c1b-2a3b4c5d-6e7f8a9b".
// /cgi-bin/openapi/rid/get explains it for 7 days.
func ridOf(errmsg string) string {
	_, after, found := strings.Cut(errmsg, "rid:")
	if !found {
		return ""
	}
	after = strings.TrimLeft(after, " ")
	for i := range len(after) {
		if c := after[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return after[:i]
		}
	}
	return after
}
