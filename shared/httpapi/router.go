package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// router finds the route of a request. It is here because net/http's ServeMux knows no "{id}:pause", and because the
// request log, the OpenAPI document and the answer 405 all want the pattern.
type router struct{ paths []*path }

// path is one pattern with what may be done there.
type path struct {
	pattern  string
	segments []segment
	methods  map[string]*route
}

// segment is one part of a pattern between slashes: a literal text, or a parameter with a verb after it or none.
type segment struct{ literal, param, verb string }

func newRouter(in function) *router {
	var rt router
	for i := range routes {
		r := &routes[i]
		if r.in&in == 0 {
			continue
		}
		at := slices.IndexFunc(rt.paths, func(p *path) bool { return p.pattern == r.pattern })
		if at < 0 {
			at = len(rt.paths)
			rt.paths = append(rt.paths, &path{pattern: r.pattern, segments: segmentsOf(r.pattern), methods: map[string]*route{}})
		}
		rt.paths[at].methods[r.method] = r
	}
	return &rt
}

func segmentsOf(pattern string) []segment {
	var list []segment
	for _, part := range strings.Split(pattern, "/")[1:] {
		name, rest, param := strings.Cut(strings.TrimPrefix(part, "{"), "}")
		if param {
			list = append(list, segment{param: name, verb: rest})
		} else {
			list = append(list, segment{literal: part})
		}
	}
	return list
}

// find answers the path that a URL leads to, with the values of its parameters; nil where there is none.
func (rt *router) find(u *url.URL) (*path, map[string]string) {
	parts := strings.Split(u.EscapedPath(), "/")[1:]
	for i := range parts {
		var err error
		if parts[i], err = url.PathUnescape(parts[i]); err != nil {
			return nil, nil
		}
	}
	for _, p := range rt.paths {
		if params, ok := p.match(parts); ok {
			return p, params
		}
	}
	return nil, nil
}

func (p *path) match(parts []string) (map[string]string, bool) {
	if len(parts) != len(p.segments) {
		return nil, false
	}
	var params map[string]string
	for i, s := range p.segments {
		if s.param == "" {
			if parts[i] != s.literal {
				return nil, false
			}
			continue
		}
		value, ok := strings.CutSuffix(parts[i], s.verb)
		if !ok || value == "" {
			return nil, false
		}
		if params == nil {
			params = make(map[string]string, 2)
		}
		params[s.param] = value
	}
	return params, true
}

// route is what the path does with a method; HEAD is a GET whose body the server leaves out.
func (p *path) route(method string) *route {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return p.methods[method]
}

// allow lists the methods, for the header of a 405.
func (p *path) allow() string {
	var list []string
	for m := range p.methods {
		list = append(list, m)
		if m == http.MethodGet {
			list = append(list, http.MethodHead)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
