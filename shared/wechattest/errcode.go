package wechattest

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// errTexts are the errmsg texts. Those of the codes seen in the wild (40001, 43101, 47003, 45009, …) are the real
// ones; the others say the same in WeChat's manner. A client must decide by code and use the text for reading only,
// except for the field name in 47003.
var errTexts = map[int]string{
	-1:    "system error",
	40001: "invalid credential, access_token is invalid or not latest",
	40002: "invalid grant_type",
	40003: "invalid openid",
	40013: "invalid appid",
	40014: "invalid access_token",
	40037: "invalid template_id",
	40066: "invalid url",
	40125: "invalid appsecret",
	40164: "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist",
	40165: "invalid weapp pagepath",
	40243: "AppSecret is frozen",
	41001: "access_token missing",
	41002: "appid missing",
	41004: "appsecret missing",
	41030: "invalid page",
	42001: "access_token expired",
	43001: "require GET method",
	43002: "require POST method",
	43004: "require subscribe",
	43101: "user refuse to accept the msg",
	43107: "subscribe message capability is banned",
	43108: "concurrent messages to one user",
	45009: "reach max api daily quota limit",
	45011: "api minute-quota reach limit, must slower, retry next minute",
	45168: "hit sensitive words",
	47001: "data format error",
	47003: "argument invalid!",
	48001: "api unauthorized",
	48004: "api forbidden for irregularities",
	50002: "user limited",
	61007: "api is unauthorized to component",
	76021: "cgi_path not found, please check",
}

func errText(code int) string {
	if text, ok := errTexts[code]; ok {
		return text
	}
	return "error " + strconv.Itoa(code)
}

// rid makes a request id as WeChat appends it to every errmsg: three groups of eight hexadecimal digits, the first
// being the time.
func (s *Sim) rid(now time.Time) string {
	n := s.rids.Add(1)
	h := mix(n ^ s.cfg.Seed)
	var raw [12]byte
	for i := range 4 {
		raw[i] = byte(now.Unix() >> (24 - 8*i))
		raw[4+i] = byte(h >> (56 - 8*i))
		raw[8+i] = byte(n >> (24 - 8*i))
	}
	text := hex.EncodeToString(raw[:])
	return text[:8] + "-" + text[8:16] + "-" + text[16:]
}

// errBody is the body of an error answer.
func (s *Sim) errBody(code int, text string, now time.Time) []byte {
	if text == "" {
		text = errText(code)
	}
	b := append(make([]byte, 0, 160), `{"errcode":`...)
	b = strconv.AppendInt(b, int64(code), 10)
	b = append(b, `,"errmsg":`...)
	b = appendJSONString(b, text+" rid: "+s.rid(now))
	return append(b, '}')
}

// strayCalls counts calls that belong to no account: an unknown path, token or appid.
type strayCalls struct {
	mu    sync.Mutex
	tally tally
}

// strayPaths bounds how many paths are counted by name: anyone may invent more.
const strayPaths = 200

// stray answers a call that belongs to no account.
func (s *Sim) stray(w http.ResponseWriter, path string, code int) {
	now := s.cfg.Now()
	s.strays.mu.Lock()
	if code == 40066 && len(s.strays.tally.answered) >= strayPaths {
		path = "other"
	}
	s.strays.tally.count(path, outcome{code: code})
	s.strays.mu.Unlock()
	writeJSON(w, s.errBody(code, "", now))
}

// jsonType is shared by all answers to save an allocation on the send path; never modified.
var jsonType = []string{"application/json; encoding=utf-8"}

func writeJSON(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	_, _ = w.Write(body) // the client may have gone; WeChat would not notice either
}
