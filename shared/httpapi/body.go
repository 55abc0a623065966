package httpapi

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// body reads the request's JSON body.
func (a *api) body(c *call) (any, error) {
	raw, err := a.jsonBytes(c)
	if err != nil {
		return nil, err
	}
	return parseJSON(raw)
}

// optionalBody is body where none means an empty object.
func (a *api) optionalBody(c *call) (any, error) {
	raw, err := a.jsonBytes(c)
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return &object{}, nil
	}
	return parseJSON(raw)
}

func (a *api) jsonBytes(c *call) ([]byte, error) {
	if declared := c.r.Header.Get("Content-Type"); declared != "" {
		kind, params, err := mime.ParseMediaType(declared)
		json := kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
		if charset := params["charset"]; err != nil || !json || charset != "" && !strings.EqualFold(charset, "utf-8") {
			return nil, fail(CodeUnsupportedMedia, "Content-Type", "the body is taken as application/json in UTF-8 only; with curl: -H 'Content-Type: application/json'")
		}
	}
	return readBody(c, a.MaxBody)
}

func readBody(c *call, most int64) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, most))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, fail(CodeTooLarge, "", fmt.Sprintf("the body has more than %d bytes", most))
	case err != nil:
		return nil, fail(CodeInvalidJSON, "", "the body was cut off")
	}
	return raw, nil
}

// key is the idempotency key; "" and needed is a problem.
func (c *call) key(needed bool) (string, error) {
	key := c.r.Header.Get("Idempotency-Key")
	if key == "" && needed {
		return "", fail(CodeKeyRequired, "Idempotency-Key", "send the header Idempotency-Key: your own name of this one message or schedule, the same each time you repeat the request")
	}
	if len(c.r.Header.Values("Idempotency-Key")) > 1 {
		return "", fail(submsg.CodeInvalidRequest, "Idempotency-Key", "there is more than one header Idempotency-Key")
	}
	return key, nil
}

// query reads the parameters of the query; what is not known is ignored.
type query struct {
	url.Values
	*faults
}

func (c *call) query() query { return query{c.r.URL.Query(), &faults{}} }

func (q query) number(name string, def, least, most int) int {
	text := q.Get(name)
	if text == "" {
		return def
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		q.add(name, faultValue, fmt.Sprintf("%s is a number from %d to %d", name, least, most))
		return def
	}
	return n
}

func (q query) needed(name string) string {
	v := q.Get(name)
	if v == "" {
		q.add(name, faultMissing, name+" is needed")
	}
	return v
}

// time reads a time. A "+" that was not escaped has become a blank.
func (q query) time(name string) time.Time {
	t, err := readTime(strings.ReplaceAll(q.Get(name), " ", "+"))
	if err != nil {
		q.add(name, faultTime, name+err.Error())
	}
	return t
}

// invalid is a fault of a request that its shape allows.
func invalid(field, detail string) error { return fail(submsg.CodeInvalidRequest, field, detail) }
