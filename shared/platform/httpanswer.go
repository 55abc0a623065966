package platform

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"
)

// answer is an http.ResponseWriter that keeps the whole answer: every gateway wants it in one piece.
type answer struct {
	header   http.Header // what the handler writes to
	sent     http.Header // header as it was when the status was written; nil until then
	status   int
	body     bytes.Buffer
	overflow bool
}

func newAnswer() *answer { return &answer{header: http.Header{}} }

var errAnswerTooLarge = errors.New("platform: the answer is larger than the platform can carry")

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	// As in net/http, the first status counts, and informational ones are not the answer.
	if a.sent != nil || status < 200 {
		return
	}
	a.status = status
	a.sent = a.header.Clone()
}

func (a *answer) Write(p []byte) (int, error) {
	if a.sent == nil {
		if a.header.Get("Content-Type") == "" && len(p) > 0 {
			a.header.Set("Content-Type", http.DetectContentType(p))
		}
		a.WriteHeader(http.StatusOK)
	}
	if a.body.Len()+len(p) > MaxAnswer {
		a.overflow = true
		return 0, errAnswerTooLarge
	}
	return a.body.Write(p)
}

// finish completes an answer whose handler has returned.
func (a *answer) finish(method string) {
	a.WriteHeader(http.StatusOK)
	for _, name := range []string{"Connection", "Content-Length", "Keep-Alive", "Transfer-Encoding"} {
		a.sent.Del(name) // the connection belongs to the gateway
	}
	if method == http.MethodHead || a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		a.body.Reset()
	}
}

// text returns the body as the string of a JSON answer, and whether that string is base64. Only what is not
// text is encoded: base64 costs a third of the size limit, and a gateway that ignores the flag then spoils
// nothing but binary answers. Control characters do not make text: JSON writes each of them as six bytes.
func (a *answer) text() (body string, isBase64 bool) {
	b := a.body.Bytes()
	binary := func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' }
	if !utf8.Valid(b) || bytes.ContainsFunc(b, binary) {
		return base64.StdEncoding.EncodeToString(b), true
	}
	return string(b), false
}

// joined returns the headers with one value each. Repeated ones are joined by a comma, which HTTP allows for
// all but Set-Cookie (RFC 9110, section 5.3); those are returned apart.
func (a *answer) joined() (header map[string]string, cookies []string) {
	header = make(map[string]string, len(a.sent))
	for name, values := range a.sent {
		if name == "Set-Cookie" {
			cookies = values
			continue
		}
		header[name] = strings.Join(values, ", ")
	}
	return header, cookies
}

// callHTTP runs the handler. A panic becomes a problem document that says nothing of its cause.
func callHTTP(app *App, r *http.Request) (a *answer) {
	a = newAnswer()
	defer func() {
		if v := recover(); v != nil {
			if v != http.ErrAbortHandler { //nolint:errorlint // the value of a panic, which net/http compares so too
				logPanic(r.Context(), app.log(), "http", v)
			}
			a = problemAnswer(http.StatusInternalServerError, problemInternal, problemInternalDetail)
		}
		a.finish(r.Method)
	}()
	app.HTTP.ServeHTTP(a, r)
	return a
}

// What the caller of a handler that panicked is told.
const (
	problemInternal       = "internal"
	problemInternalDetail = "Something went wrong on our side. It has been logged."
)

// problemAnswer makes a finished RFC 9457 answer.
func problemAnswer(status int, code, detail string) *answer {
	a := newAnswer()
	writeProblem(a, status, code, detail)
	a.finish(http.MethodGet)
	return a
}

// writeProblem writes the problem document that the whole API uses for its errors.
func writeProblem(w http.ResponseWriter, status int, code, detail string) {
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(status), status, code, detail})
	if err != nil {
		panic("platform: a problem of plain strings cannot fail to encode: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone away needs no answer
}

// marshal is json.Marshal without the escaping of <, > and &, which only makes an answer larger here.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
