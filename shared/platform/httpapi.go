package platform

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// httpAPIRequest is payload format 2.0, which API Gateway's HTTP API and Lambda's function URL share
// (docs.aws.amazon.com, "Working with AWS Lambda proxy integrations for HTTP APIs" and "Invoking Lambda
// function URLs").
type httpAPIRequest struct {
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	RequestContext  struct {
		DomainName string `json:"domainName"`
		HTTP       struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
	} `json:"requestContext"`
}

// httpAPIAnswer is the answer of payload format 2.0. Repeated headers are joined by commas; cookies are
// the one kind that has a field of its own.
type httpAPIAnswer struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Cookies         []string          `json:"cookies,omitempty"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

// decodeHTTPAPI reads a request of payload format 2.0.
//
// The path is the one of the gateway: a stage other than $default is part of it and stays. In spite of its
// name, rawPath has already been decoded by an HTTP API, while a function URL leaves the escapes in; decoding
// an HTTP API's path again would turn %252F into a slash. The query string is raw in both.
func decodeHTTPAPI(payload []byte) (event, error) {
	const source = "API Gateway HTTP API or Lambda function URL"
	var in httpAPIRequest
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, decodeError(source, err)
	}
	body, err := decodeBody(in.Body, in.IsBase64Encoded)
	if err != nil {
		return nil, fmt.Errorf("platform: %s: %w", source, err)
	}
	header := make(http.Header, len(in.Headers)+1)
	for name, value := range in.Headers {
		header.Set(name, value)
	}
	if len(in.Cookies) > 0 {
		header.Set("Cookie", strings.Join(in.Cookies, "; "))
	}
	return newHTTPEvent(source, gatewayRequest{
		method:      in.RequestContext.HTTP.Method,
		host:        in.RequestContext.DomainName,
		path:        in.RawPath,
		pathEscaped: strings.Contains(in.RequestContext.DomainName, ".lambda-url."),
		rawQuery:    in.RawQueryString,
		header:      header,
		clientIP:    in.RequestContext.HTTP.SourceIP,
		body:        body,
	}, encodeHTTPAPI)
}

func encodeHTTPAPI(a *answer) ([]byte, error) {
	header, cookies := a.joined()
	body, isBase64 := a.text()
	return marshal(httpAPIAnswer{a.status, header, cookies, body, isBase64})
}

// decodeError names the field of an event that has another type than documented. encoding/json's own text
// would quote a number or a bad character of the event.
func decodeError(source string, err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		return fmt.Errorf("platform: %s: the field %s is not of the documented type", source, wrongType.Field)
	}
	return fmt.Errorf("platform: %s: the event has fields that are not of the documented types", source)
}
