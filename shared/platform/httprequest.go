package platform

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// httpEvent is a request that a gateway turned into an event.
type httpEvent struct {
	source  string
	request *http.Request
	// encode writes an answer in the form this gateway reads.
	encode func(*answer) ([]byte, error)
}

// gatewayRequest holds what the gateways' events have in common, before it becomes an *http.Request.
type gatewayRequest struct {
	method      string
	host        string // used where the headers name none
	path        string
	pathEscaped bool // path still carries its percent escapes
	rawQuery    string
	header      http.Header
	clientIP    string
	body        []byte
}

// request builds the *http.Request that net/http would have made of the original one: Host is moved out of
// the headers, the length is that of the body, RemoteAddr is an address with a port (0, as no gateway tells
// it). Unlike there, the URL is complete, scheme and host included, because a function has no other way to
// know under which address it was called.
func (g gatewayRequest) request() (*http.Request, error) {
	if g.method == "" {
		return nil, errors.New("the event names no HTTP method")
	}
	host := g.header.Get("Host")
	if host == "" {
		host = g.host
	}
	scheme := "https"
	if strings.EqualFold(g.header.Get("X-Forwarded-Proto"), "http") {
		scheme = "http"
	}
	// The body is complete and no longer framed in any way, whatever these said about it on the wire.
	g.header.Del("Host")
	g.header.Del("Transfer-Encoding")
	g.header.Del("Content-Length")

	u := &url.URL{Scheme: scheme, Host: host, RawQuery: g.rawQuery}
	setPath(u, g.path, g.pathEscaped)
	r := &http.Request{
		Method:        strings.ToUpper(g.method),
		URL:           u,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        g.header,
		Body:          http.NoBody,
		ContentLength: int64(len(g.body)),
		Host:          host,
		RemoteAddr:    remoteAddr(g.clientIP),
		RequestURI:    u.RequestURI(),
	}
	if len(g.body) > 0 {
		r.Body = readCloser{bytes.NewReader(g.body)}
	}
	return r, nil
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// setPath sets the path of u so that u.EscapedPath gives back an escaped path as it came. A path with a
// malformed escape is taken literally: a gateway that passes "/100%" has decoded it already.
func setPath(u *url.URL, path string, escaped bool) {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	u.Path = path
	if !escaped {
		return
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return
	}
	u.Path = decoded
	if u.EscapedPath() != path {
		u.RawPath = path
	}
}

// remoteAddr returns the client's address in the form "IP:port" of http.Request.RemoteAddr, or "" when the
// gateway named none.
func remoteAddr(client string) string {
	if _, err := netip.ParseAddrPort(client); err == nil {
		return client
	}
	if ip, err := netip.ParseAddr(client); err == nil {
		return net.JoinHostPort(ip.String(), "0")
	}
	return ""
}

// decodeBody undoes the base64 that gateways wrap around what is not text.
func decodeBody(body string, isBase64 bool) ([]byte, error) {
	if !isBase64 {
		return []byte(body), nil
	}
	decoded, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		return nil, errors.New("the event calls its body base64 and it is not")
	}
	return decoded, nil
}

// newHTTPEvent finishes a decoder's work.
func newHTTPEvent(source string, g gatewayRequest, encode func(*answer) ([]byte, error)) (event, error) {
	r, err := g.request()
	if err != nil {
		return nil, fmt.Errorf("platform: %s: %w", source, err)
	}
	return httpEvent{source: source, request: r, encode: encode}, nil
}

func (e httpEvent) serve(ctx context.Context, app *App) ([]byte, error) {
	if app.HTTP == nil {
		return nil, fmt.Errorf("platform: %s: %w", e.source, ErrNotServed)
	}
	a := callHTTP(app, e.request.WithContext(ctx))
	if !a.overflow {
		encoded, err := e.encode(a)
		if err != nil {
			return nil, fmt.Errorf("platform: %s: encoding the answer: %w", e.source, err)
		}
		if len(encoded) <= MaxAnswer {
			return encoded, nil
		}
	}
	app.log().ErrorContext(ctx, "an HTTP answer was too large for the platform and was replaced by an error", "limit_bytes", MaxAnswer)
	return e.encode(problemAnswer(http.StatusInternalServerError, "response_too_large", "The answer is larger than the platform can carry. Ask for less at once."))
}
