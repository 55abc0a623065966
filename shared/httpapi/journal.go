package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// entry is what the request log says of one request. It holds the route's pattern instead of the path, and never the
// query or a body: openids stand there.
type entry struct {
	id      string
	began   time.Time
	pattern string
	key     string
	appid   string
	code    string   // of the problem it was answered with
	cause   error    // of an answer that is our fault, or that an operator should see
	openids []string // that the request is about: taken out of cause
}

// mostNoted bounds the openids that are noted of one request: those of a full list of reports.
const mostNoted = 100

// concerns notes an openid that texts of the log may not show; "" is none.
func (e *entry) concerns(openid string) {
	if openid != "" && len(e.openids) < mostNoted {
		e.openids = append(e.openids, openid)
	}
}

// knownID is what a caller may choose as the id of a request.
var knownID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_.=-]{1,64}$`) })

func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); id != "" && knownID().MatchString(id) {
		return id
	}
	var raw [12]byte
	_, _ = rand.Read(raw[:]) // never fails
	return hex.EncodeToString(raw[:])
}

// finish turns a panic into an answer, and writes the log.
func (a *api) finish(out *recorder, r *http.Request, e *entry) {
	if v := recover(); v != nil {
		if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it like this
			panic(v)
		}
		p := fail(CodeInternal, "", "an error of the server; the log of this request id says more")
		p.cause = submsg.Panicked(v)
		a.Log.ErrorContext(r.Context(), "panic", "request_id", e.id, "route", e.pattern, "error", p.cause.Error(), "stack", string(debug.Stack()))
		if ans := a.refusal(&call{entry: e}, p); !out.wrote {
			a.write(out, ans)
		}
	}
	level, attrs := slog.LevelInfo, []slog.Attr{
		slog.String("request_id", e.id), slog.String("method", method(r)), slog.String("route", e.pattern), slog.Int("status", out.status),
		slog.Float64("ms", float64(time.Since(e.began).Microseconds())/1000), slog.Int64("bytes", out.bytes),
	}
	for _, opt := range [...]struct{ name, value string }{{"key", e.key}, {"appid", e.appid}, {"code", e.code}} {
		if opt.value != "" {
			attrs = append(attrs, slog.String(opt.name, opt.value))
		}
	}
	if len(e.openids) > 0 {
		attrs = append(attrs, slog.String("subscriber", a.Pseudonym(e.openids[0])))
	}
	if e.cause != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("error", a.discreet(e)))
	}
	if out.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	a.Log.LogAttrs(context.WithoutCancel(r.Context()), level, "request", attrs...)
}

// method is the request's method where it is one of the usual; else a caller could write to the log what it likes.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch:
		return r.Method
	}
	return "other"
}

// discreet is the text of the cause without the openids that the request is about: a store may name the record that
// it failed on.
func (a *api) discreet(e *entry) string {
	text := e.cause.Error()
	for _, openid := range e.openids {
		text = strings.ReplaceAll(text, openid, a.Pseudonym(openid))
	}
	return text
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	wrote  bool
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	if !w.wrote {
		w.status, w.wrote = http.StatusOK, true
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController and http.MaxBytesReader.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// protect sets what every answer tells browsers: nothing here is to be framed, sniffed, cached or run.
func protect(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}
