package platform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// scfRequest is what Tencent's two HTTP triggers have in common. The function URL sends the first five fields
// only (cloud.tencent.com/document/product/583/96099); the API gateway, which can no longer be created but
// still runs, adds the others and more (cloud.tencent.com/document/product/583/12513).
type scfRequest struct {
	HTTPMethod  string                `json:"httpMethod"`
	Path        string                `json:"path"`
	Headers     map[string]manyValues `json:"headers"`
	QueryString map[string]manyValues `json:"queryString"`
	Body        string                `json:"body"`

	IsBase64Encoded bool `json:"isBase64Encoded"`
	RequestContext  *struct {
		SourceIP string `json:"sourceIp"`
	} `json:"requestContext"`
}

// scfAnswer is the answer both triggers read. isBase64Encoded is documented for the gateway only, so it is
// left out unless needed.
type scfAnswer struct {
	StatusCode      int            `json:"statusCode"`
	Headers         map[string]any `json:"headers"`
	Body            string         `json:"body"`
	IsBase64Encoded bool           `json:"isBase64Encoded,omitempty"`
}

// decodeSCFRequest reads a request of an SCF function URL or of the API gateway's trigger.
//
// The raw query string is lost on the way, so it is put together again, sorted by name. The gateway's path
// is kept whole: the prefix under which an API was published is part of it.
func decodeSCFRequest(payload []byte) (event, error) {
	source := "SCF function URL"
	var in scfRequest
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, decodeError(source, err)
	}
	header := make(http.Header, len(in.Headers))
	for name, values := range in.Headers {
		for _, value := range values {
			header.Add(name, value)
		}
	}
	// Set by the function URL itself; a client cannot.
	clientIP := header.Get("X-Scf-Remote-Addr")
	if in.RequestContext != nil {
		source = "SCF API gateway trigger"
		clientIP = in.RequestContext.SourceIP
	}
	body, err := decodeBody(in.Body, in.IsBase64Encoded)
	if err != nil {
		return nil, fmt.Errorf("platform: %s: %w", source, err)
	}
	query := make(url.Values, len(in.QueryString))
	for name, values := range in.QueryString {
		query[name] = values
	}
	return newHTTPEvent(source, gatewayRequest{
		method:      in.HTTPMethod,
		path:        in.Path,
		pathEscaped: true,
		rawQuery:    query.Encode(),
		header:      header,
		clientIP:    clientIP,
		body:        body,
	}, encodeSCF)
}

func encodeSCF(a *answer) ([]byte, error) {
	joined, cookies := a.joined()
	header := make(map[string]any, len(joined)+1)
	for name, value := range joined {
		header[name] = value
	}
	switch len(cookies) {
	case 0:
	case 1:
		header["Set-Cookie"] = cookies[0]
	default:
		header["Set-Cookie"] = cookies // the gateway takes a list where a name repeats
	}
	body, isBase64 := a.text()
	return marshal(scfAnswer{a.status, header, body, isBase64})
}

// manyValues is a value that Tencent writes as a string, as a list of strings where the name repeats, and as
// a bool where the name came without a value ("?debug").
type manyValues []string

var errNotManyValues = errors.New("neither a string, a bool nor a list of them")

// UnmarshalJSON implements json.Unmarshaler.
func (v *manyValues) UnmarshalJSON(data []byte) error {
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] == '[' {
		var list []json.RawMessage
		if err := json.Unmarshal(data, &list); err != nil {
			return err
		}
		*v = make(manyValues, 0, len(list))
		for _, item := range list {
			value, err := oneValue(item)
			if err != nil {
				return err
			}
			*v = append(*v, value)
		}
		return nil
	}
	value, err := oneValue(data)
	*v = manyValues{value}
	return err
}

func oneValue(data []byte) (string, error) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	switch value := value.(type) {
	case string:
		return value, nil
	case json.Number:
		return value.String(), nil
	case bool, nil:
		return "", nil // present, without a value
	}
	return "", errNotManyValues
}
