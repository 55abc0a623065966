package platformtest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// HTTPAPI returns an API Gateway HTTP API in front of a function: it turns each request into an event of
// payload format 2.0 and the function's answer into a response. Serve it with httptest.NewServer.
func HTTPAPI(function Runtime) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		event := map[string]any{
			"version":         "2.0",
			"routeKey":        "$default",
			"rawPath":         r.URL.Path, // decoded, as the gateway does
			"rawQueryString":  r.URL.RawQuery,
			"headers":         lowerHeaders(r, ","),
			"isBase64Encoded": false,
			"requestContext": map[string]any{
				"accountId": "123456789012", "apiId": "test", "domainName": r.Host, "domainPrefix": "test",
				"http": map[string]string{
					"method": r.Method, "path": r.URL.Path, "protocol": r.Proto, "sourceIp": clientIP(r), "userAgent": r.UserAgent(),
				},
				"requestId": "test=", "routeKey": "$default", "stage": "$default",
			},
		}
		if cookies := r.Header.Values("Cookie"); len(cookies) > 0 {
			event["cookies"] = strings.Split(strings.Join(cookies, "; "), "; ")
		}
		// The gateway passes as text what is declared to be text, and everything else as base64.
		if len(body) > 0 {
			if kind := r.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/") || strings.HasPrefix(kind, "application/json") {
				event["body"] = string(body)
			} else {
				event["body"], event["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
			}
		}
		relay(w, r, function, event, http.StatusInternalServerError)
	})
}

// SCFURL returns a Tencent SCF function URL in front of a function.
func SCFURL(function Runtime) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !utf8.Valid(body) {
			http.Error(w, "the body is not text, which is all that an event function can receive", http.StatusBadRequest)
			return
		}
		query := map[string]string{}
		for name, values := range r.URL.Query() {
			query[name] = values[0]
		}
		headers := lowerHeaders(r, ", ")
		headers["x-scf-remote-addr"] = clientIP(r)
		if cookies := r.Header.Values("Cookie"); len(cookies) > 0 {
			headers["cookie"] = strings.Join(cookies, "; ")
		}
		relay(w, r, function, map[string]any{
			"body": string(body), "headers": headers, "httpMethod": r.Method, "path": r.URL.EscapedPath(), "queryString": query,
		}, 433)
	})
}

// relay invokes the function and writes its answer; failed is the status of the gateway's own error.
func relay(w http.ResponseWriter, r *http.Request, function Runtime, event map[string]any, failed int) {
	payload, err := json.Marshal(event)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	raw, err := function.Invoke(r.Context(), payload)
	if err != nil {
		var failure *FunctionError
		if !errors.As(err, &failure) {
			failed = http.StatusBadGateway
		}
		http.Error(w, err.Error(), failed)
		return
	}
	var answer struct {
		StatusCode      int                        `json:"statusCode"`
		Headers         map[string]json.RawMessage `json:"headers"`
		Cookies         []string                   `json:"cookies"`
		Body            string                     `json:"body"`
		IsBase64Encoded bool                       `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || answer.StatusCode == 0 {
		http.Error(w, "the function's answer is not one for a gateway", http.StatusBadGateway)
		return
	}
	for name, value := range answer.Headers {
		var one string
		var many []string
		if json.Unmarshal(value, &one) == nil {
			many = []string{one}
		} else if json.Unmarshal(value, &many) != nil {
			http.Error(w, "the function's answer has a header that is neither a string nor a list", http.StatusBadGateway)
			return
		}
		for _, v := range many {
			w.Header().Add(name, v)
		}
	}
	for _, cookie := range answer.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	body := []byte(answer.Body)
	if answer.IsBase64Encoded {
		if body, err = base64.StdEncoding.DecodeString(answer.Body); err != nil {
			http.Error(w, "the function's answer calls itself base64 and is not", http.StatusBadGateway)
			return
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(body) // a client that has gone away needs no answer
}

func lowerHeaders(r *http.Request, separator string) map[string]string {
	headers := map[string]string{"host": r.Host}
	for name, values := range r.Header {
		if name != "Cookie" {
			headers[strings.ToLower(name)] = strings.Join(values, separator)
		}
	}
	headers["x-forwarded-proto"] = "http"
	return headers
}

func clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}
