package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// api is the handler of one function.
type api struct {
	Config
	router *router
	limits *limits
}

func newAPI(c Config, in function) *api {
	c = c.withDefaults()
	return &api{Config: c, router: newRouter(in), limits: newLimits(c)}
}

// call is one request on its way through a handler.
type call struct {
	context.Context
	r      *http.Request
	w      http.ResponseWriter // for the bound on the body only; handlers answer
	params map[string]string
	appid  string
	app    *submsg.App // nil on routes without an app
	entry  *entry
}

// answer is what a handler says. body is marshalled, or written as it is where it is a []byte of the type that header
// names; nil is no body.
type answer struct {
	status int
	header http.Header
	body   any
}

func ok(body any) (answer, error) { return answer{status: http.StatusOK, body: body}, nil }

func (a *api) now() time.Time {
	if a.Service.Now != nil {
		return a.Service.Now()
	}
	return time.Now()
}

// ServeHTTP serves one request: everything that is the same for all routes.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &recorder{ResponseWriter: w}
	e := &entry{id: requestID(r), began: time.Now()}
	defer a.finish(out, r, e)
	protect(out.Header())
	out.Header().Set("X-Request-Id", e.id)
	c := &call{Context: r.Context(), r: r, w: out, entry: e}
	ans, err := a.dispatch(c)
	if err != nil {
		ans = a.refusal(c, err)
	}
	a.write(out, ans)
}

// dispatch finds the route, lets in whom it is for, and calls its handler. Nothing of the body is read before that.
func (a *api) dispatch(c *call) (answer, error) {
	p, params := a.router.find(c.r.URL)
	if p == nil {
		return answer{}, fail(CodeNoRoute, "", "there is nothing at this path; /openapi.json lists what there is")
	}
	c.entry.pattern, c.params, c.appid = p.pattern, params, params["appid"]
	r := p.route(c.r.Method)
	if r == nil {
		return answer{}, fail(CodeMethodNotAllowed, "", "this path takes "+p.allow()).set("Allow", p.allow())
	}
	if r.scopes != nil { // a place is taken by who may be here: strangers, and slow bodies of theirs, keep nobody out
		if err := a.admit(c, r); err != nil {
			return answer{}, err
		}
		leave, err := a.limits.enter()
		if err != nil {
			return answer{}, err
		}
		defer leave()
	}
	if id, named := c.params["id"]; named && !submsg.IsID(id) {
		return answer{}, fail(submsg.CodeNotFound, "id", "nothing with this id is known")
	}
	c.entry.concerns(c.params["openid"])
	c.entry.concerns(c.r.URL.Query().Get("openid"))
	return r.serve(a, c)
}

func (a *api) admit(c *call, r *route) error {
	key, err := a.authenticate(c.r)
	if err != nil {
		return err
	}
	c.entry.key = key.Name
	if err := a.limits.spend(key); err != nil {
		return err
	}
	if err := key.authorize(r, c.appid); err != nil {
		return err
	}
	c.entry.appid = c.appid
	if c.appid != "" {
		c.app, err = a.Service.Apps.App(c.appid)
	}
	return err
}

// refusal is the answer to an error, noted for the log.
func (a *api) refusal(c *call, err error) answer {
	p := asProblem(err)
	c.entry.code, c.entry.cause = string(p.Code), p.cause
	header := http.Header{}
	for name, values := range p.header {
		header[name] = values
	}
	header.Set("Content-Type", "application/problem+json")
	return answer{status: p.Status, header: header, body: p}
}

func (a *api) write(w http.ResponseWriter, ans answer) {
	for name, values := range ans.header {
		w.Header()[name] = values
	}
	if ans.body == nil {
		w.WriteHeader(ans.status)
		return
	}
	raw, plain := ans.body.([]byte)
	if !plain {
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", "application/json")
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(ans.body); err != nil {
			panic(err) // a shape of ours that cannot be marshalled: a bug
		}
		raw = b.Bytes()
	}
	w.WriteHeader(ans.status)
	_, _ = w.Write(raw) // the caller hung up: there is nobody to tell
}
