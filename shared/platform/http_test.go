package platform_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/yuexin-dev/yuexin/shared/platform"
)

// gateways make the smallest event of each HTTP source for a path and a raw query string.
var gateways = map[string]func(method, path, query string) string{
	"HTTP API": func(method, path, query string) string {
		return object(map[string]any{"rawPath": path, "rawQueryString": query,
			"requestContext": map[string]any{"domainName": "api.example.com", "http": map[string]string{"method": method}}})
	},
	"Lambda function URL": func(method, path, query string) string {
		return object(map[string]any{"rawPath": path, "rawQueryString": query,
			"requestContext": map[string]any{"domainName": "abc.lambda-url.eu-west-1.on.aws", "http": map[string]string{"method": method}}})
	},
	"SCF function URL": func(method, path, query string) string {
		values, err := url.ParseQuery(query)
		if err != nil {
			panic(err)
		}
		return object(map[string]any{"httpMethod": method, "path": path, "queryString": values, "headers": map[string]string{}, "body": ""})
	},
	"SCF API gateway": func(method, path, query string) string {
		values, err := url.ParseQuery(query)
		if err != nil {
			panic(err)
		}
		return object(map[string]any{"httpMethod": method, "path": path, "queryString": values, "headers": map[string]string{}, "body": "",
			"requestContext": map[string]string{"serviceId": "service-1"}})
	},
}

func object(v any) string {
	encoded, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

func TestThePathArrivesAsTheClientWroteIt(t *testing.T) {
	tests := []struct{ gateway, path, wantPath, wantEscaped string }{
		{"Lambda function URL", "/a%2Fb/%E7%BA%A6", "/a/b/约", "/a%2Fb/%E7%BA%A6"},
		{"Lambda function URL", "/plain-_.~/sends:batch", "/plain-_.~/sends:batch", "/plain-_.~/sends:batch"},
		{"Lambda function URL", "/100%", "/100%", "/100%25"},
		{"Lambda function URL", "", "/", "/"},
		{"HTTP API", "/a%2Fb", "/a%2Fb", "/a%252Fb"}, // decoded by the gateway: the client wrote %252F
		{"HTTP API", "/约 ?#", "/约 ?#", "/%E7%BA%A6%20%3F%23"},
		{"SCF function URL", "/a%2Fb", "/a/b", "/a%2Fb"},
		{"SCF API gateway", "/release/wechat/wx1", "/release/wechat/wx1", "/release/wechat/wx1"},
	}
	for _, test := range tests {
		t.Run(test.gateway+" "+test.path, func(t *testing.T) {
			var path, escaped, uri string
			app := platform.App{HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				path, escaped, uri = r.URL.Path, r.URL.EscapedPath(), r.RequestURI
			})}
			if _, err := app.Invoke(t.Context(), []byte(gateways[test.gateway]("GET", test.path, "q=1"))); err != nil {
				t.Fatal(err)
			}
			if path != test.wantPath || escaped != test.wantEscaped || uri != test.wantEscaped+"?q=1" {
				t.Errorf("path %q, escaped %q, request URI %q; want %q and %q", path, escaped, uri, test.wantPath, test.wantEscaped)
			}
		})
	}
}

func TestTheQueryArrivesWithTheSameValuesFromEveryGateway(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := rapid.StringN(1, 8, -1)
		values := url.Values(rapid.MapOfN(names, rapid.SliceOfN(rapid.String(), 1, 3), 0, 4).Draw(rt, "values"))
		for gateway, event := range gateways {
			var got url.Values
			app := platform.App{HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.URL.Query() })}
			if _, err := app.Invoke(t.Context(), []byte(event("GET", "/", values.Encode()))); err != nil {
				rt.Fatalf("%s: %v", gateway, err)
			}
			if diff := cmp.Diff(values, got); diff != "" {
				rt.Fatalf("%s: the query changed (-want +got):\n%s", gateway, diff)
			}
		}
	})
}

// response is the union of the gateways' answers.
type response struct {
	StatusCode      int            `json:"statusCode"`
	Headers         map[string]any `json:"headers"`
	Cookies         []string       `json:"cookies"`
	Body            string         `json:"body"`
	IsBase64Encoded bool           `json:"isBase64Encoded"`
}

func answerOf(t testing.TB, handler http.HandlerFunc, event string) response {
	t.Helper()
	raw, err := platform.App{HTTP: handler, Log: slog.New(slog.DiscardHandler)}.Invoke(t.Context(), []byte(event))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.DisallowUnknownFields()
	var r response
	if err := decoder.Decode(&r); err != nil {
		t.Fatalf("the answer %s: %v", raw, err)
	}
	return r
}

func TestAnswersTakeTheFormOfTheirGateway(t *testing.T) {
	cookies := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header().Add("Vary", "Accept")
		w.Header().Add("Vary", "Origin")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"名":"<约信>"}`)
	}
	control := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = io.WriteString(w, "a\x00b")
	}
	binary := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write([]byte{0xff, 0x00, 0xfe})
	}
	one := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "a=1") }

	aws := response{StatusCode: 201, Headers: map[string]any{"Vary": "Accept, Origin"}, Body: `{"名":"<约信>"}`,
		Cookies: []string{"a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT", "b=2"}}
	tencent := response{StatusCode: 201, Body: `{"名":"<约信>"}`, Headers: map[string]any{"Vary": "Accept, Origin",
		"Set-Cookie": []any{"a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT", "b=2"}}}
	encoded := response{StatusCode: 200, Headers: map[string]any{"Content-Type": "application/octet-stream"},
		Body: base64.StdEncoding.EncodeToString([]byte{0xff, 0x00, 0xfe}), IsBase64Encoded: true}

	null := response{StatusCode: 200, Headers: map[string]any{}, Body: "YQBi", IsBase64Encoded: true}

	tests := map[string]struct {
		gateway string
		handler http.HandlerFunc
		want    response
	}{
		"and so are control characters":            {"HTTP API", control, null},
		"cookies have a field of their own on AWS": {"HTTP API", cookies, aws},
		"and so they have at a function URL":       {"Lambda function URL", cookies, aws},
		"cookies are a list on SCF":                {"SCF function URL", cookies, tencent},
		"and so they are at its gateway":           {"SCF API gateway", cookies, tencent},
		"one cookie is a string on SCF":            {"SCF function URL", one, response{StatusCode: 200, Headers: map[string]any{"Set-Cookie": "a=1"}}},
		"bytes that are no text are base64 on AWS": {"HTTP API", binary, encoded},
		"bytes that are no text are base64 on SCF": {"SCF function URL", binary, encoded},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := answerOf(t, test.handler, gateways[test.gateway]("GET", "/", ""))
			delete(got.Headers, "Content-Type")
			delete(test.want.Headers, "Content-Type")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheAnswerIsWhatNetHTTPWouldHaveSent(t *testing.T) {
	tests := map[string]struct {
		method  string
		handler http.HandlerFunc
		want    response
	}{
		"silence is an empty 200": {"GET", func(http.ResponseWriter, *http.Request) {}, response{StatusCode: 200, Headers: map[string]any{}}},
		"the type is detected": {"GET", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
			response{StatusCode: 200, Headers: map[string]any{"Content-Type": "text/html; charset=utf-8"}, Body: "<html>"}},
		"the first status counts": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK)
		}, response{StatusCode: 418, Headers: map[string]any{}}},
		"headers set after the status are too late": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			w.Header().Set("Late", "1")
		}, response{StatusCode: 418, Headers: map[string]any{}}},
		"HEAD has no body": {"HEAD", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "text") },
			response{StatusCode: 200, Headers: map[string]any{"Content-Type": "text/plain; charset=utf-8"}}},
		"304 has no body": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotModified)
			_, _ = io.WriteString(w, "text")
		}, response{StatusCode: 304, Headers: map[string]any{}}},
		"the connection is the gateway's business": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			w.Header().Set("Content-Length", "99")
		}, response{StatusCode: 200, Headers: map[string]any{}}},
		"an aborted answer is an error": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half of it")
			panic(http.ErrAbortHandler)
		}, internalError},
		"a panic after half an answer is only an error": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Secret", "1")
			_, _ = io.WriteString(w, "half of it")
			panic("secret")
		}, internalError},
		"an answer of more than the platform can carry is an error": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			chunk := make([]byte, 1<<20)
			for range 8 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, tooLarge},
		"and so is one that grows too large in base64": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Repeat("\xff", 5<<20)))
		}, tooLarge},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for gateway, event := range gateways {
				got := answerOf(t, test.handler, event(test.method, "/", ""))
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", gateway, diff)
				}
			}
		})
	}
}

var (
	problemHeaders = map[string]any{"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
	internalError  = response{StatusCode: 500, Headers: problemHeaders,
		Body: `{"type":"about:blank","title":"Internal Server Error","status":500,"code":"internal","detail":"Something went wrong on our side. It has been logged."}`}
	tooLarge = response{StatusCode: 500, Headers: problemHeaders,
		Body: `{"type":"about:blank","title":"Internal Server Error","status":500,"code":"response_too_large","detail":"The answer is larger than the platform can carry. Ask for less at once."}`}
)

func TestAnAbortedAnswerIsNoNewsForTheLog(t *testing.T) {
	var log bytes.Buffer
	app := platform.App{
		HTTP: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		Log:  slog.New(slog.NewTextHandler(&log, nil)),
	}
	if _, err := app.Invoke(t.Context(), []byte(gateways["HTTP API"]("GET", "/", ""))); err != nil || log.Len() > 0 {
		t.Errorf("got %v and the log:\n%s", err, &log)
	}
}

func TestTheLargestAnswerPasses(t *testing.T) {
	size := platform.MaxAnswer - 1024 // room for the rest of the JSON
	got := answerOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(strings.Repeat("x", size))) },
		gateways["HTTP API"]("GET", "/", ""))
	if got.StatusCode != 200 || len(got.Body) != size {
		t.Errorf("status %d with %d bytes, want 200 with %d", got.StatusCode, len(got.Body), size)
	}
}

func TestTheClientsAddressHasTheFormOfNetHTTP(t *testing.T) {
	for given, want := range map[string]string{
		"203.0.113.7":      "203.0.113.7:0",
		"203.0.113.7:4711": "203.0.113.7:4711",
		"2001:db8::1":      "[2001:db8::1]:0",
		"unknown":          "",
		"":                 "",
	} {
		var got string
		app := platform.App{HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })}
		event := object(map[string]any{"httpMethod": "GET", "path": "/", "headers": map[string]string{"x-scf-remote-addr": given}})
		if _, err := app.Invoke(t.Context(), []byte(event)); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%q became %q, want %q", given, got, want)
		}
	}
}
