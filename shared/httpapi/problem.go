package httpapi

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// Problems that this package finds by itself; those of the core are submsg's. A new one needs its line in kinds, in
// docs/errors.md and in openapi.yaml.
const (
	CodeInvalidJSON      submsg.Code = "invalid_json"
	CodeKeyRequired      submsg.Code = "idempotency_key_required"
	CodeUnauthenticated  submsg.Code = "unauthenticated"
	CodeForbidden        submsg.Code = "forbidden"
	CodeNoRoute          submsg.Code = "no_route"
	CodeMethodNotAllowed submsg.Code = "method_not_allowed"
	CodeTooLarge         submsg.Code = "too_large"
	CodeUnsupportedMedia submsg.Code = "unsupported_media_type"
	CodeTooManyRequests  submsg.Code = "too_many_requests"
	CodeInternal         submsg.Code = "internal"
	CodeUnavailable      submsg.Code = "unavailable"

	// What a push receiver may find; these and no others come from there.
	CodeBadSignature  submsg.Code = "bad_signature"
	CodeBadEncryption submsg.Code = "bad_encryption"
	CodeWrongAppID    submsg.Code = "wrong_appid"
	CodeWrongMode     submsg.Code = "wrong_mode"
	CodeBadBody       submsg.Code = "bad_body"
)

// kind is how a problem is answered. retry is what Retry-After says, where waiting helps.
type kind struct {
	status int
	title  string
	retry  time.Duration
}

var kinds = map[submsg.Code]kind{
	submsg.CodeUnknownApp:      {http.StatusNotFound, "Unknown app", 0},
	submsg.CodeUnknownTemplate: {http.StatusNotFound, "Unknown template", 0},
	submsg.CodeNotFound:        {http.StatusNotFound, "Not found", 0},
	submsg.CodeInvalidFields:   {http.StatusUnprocessableEntity, "The data does not fit the template", 0},
	submsg.CodeInvalidRequest:  {http.StatusUnprocessableEntity, "Invalid request", 0},
	submsg.CodeClockSkew:       {http.StatusUnprocessableEntity, "Implausible time", 0},
	submsg.CodeBadRRule:        {http.StatusUnprocessableEntity, "Invalid recurrence", 0},
	submsg.CodeBadTimeZone:     {http.StatusUnprocessableEntity, "Unknown time zone", 0},
	submsg.CodeKeyReused:       {http.StatusUnprocessableEntity, "Idempotency key used with another request", 0},
	submsg.CodeInProgress:      {http.StatusConflict, "Still under way", time.Second},
	submsg.CodeNotCancellable:  {http.StatusConflict, "Too late to cancel", 0},
	submsg.CodeWrongState:      {http.StatusConflict, "Not possible in this state", 0},
	submsg.CodeRuleBroken:      {http.StatusUnprocessableEntity, "The schedule breaks a rule", 0},
	submsg.CodeHostNotAllowed:  {http.StatusUnprocessableEntity, "Provider host not allowed", 0},
	submsg.CodeBusy:            {http.StatusServiceUnavailable, "Busy", time.Second},
	submsg.CodeTooMany:         {http.StatusRequestEntityTooLarge, "Too many items", 0},
	submsg.CodeWeChatFailed:    {http.StatusBadGateway, "WeChat did not answer", time.Minute},

	CodeInvalidJSON:      {http.StatusBadRequest, "Invalid JSON", 0},
	CodeKeyRequired:      {http.StatusBadRequest, "Idempotency key required", 0},
	CodeUnauthenticated:  {http.StatusUnauthorized, "API key required", 0},
	CodeForbidden:        {http.StatusForbidden, "Not allowed to this API key", 0},
	CodeNoRoute:          {http.StatusNotFound, "No such route", 0},
	CodeMethodNotAllowed: {http.StatusMethodNotAllowed, "Method not allowed", 0},
	CodeTooLarge:         {http.StatusRequestEntityTooLarge, "Body too large", 0},
	CodeUnsupportedMedia: {http.StatusUnsupportedMediaType, "Unsupported media type", 0},
	CodeTooManyRequests:  {http.StatusTooManyRequests, "Too many requests", time.Second},
	CodeInternal:         {http.StatusInternalServerError, "Internal error", 0},
	CodeUnavailable:      {http.StatusServiceUnavailable, "Unavailable", 2 * time.Second},

	CodeBadSignature:  {http.StatusUnauthorized, "Push signature does not match", 0},
	CodeBadEncryption: {http.StatusBadRequest, "Push cannot be decrypted", 0},
	CodeWrongAppID:    {http.StatusForbidden, "Push of another account", 0},
	CodeWrongMode:     {http.StatusBadRequest, "Push in another mode", 0},
	CodeBadBody:       {http.StatusBadRequest, "Push cannot be read", 0},
}

// documentation is where each code is explained; the problem's type leads there.
const documentation = "https://github.com/yuexin-dev/yuexin/blob/main/docs/errors.md#"

// problem is an answer of RFC 9457, and the error that leads to it.
type problem struct {
	Type   string                `json:"type"`
	Title  string                `json:"title"`
	Status int                   `json:"status"`
	Code   submsg.Code           `json:"code"`
	Detail string                `json:"detail"`
	Field  string                `json:"field,omitempty"`
	Errors []submsg.FieldProblem `json:"errors,omitempty"`

	header http.Header
	cause  error // for the log only
}

// Error is the code and the detail.
func (p *problem) Error() string { return string(p.Code) + ": " + p.Detail }

func fail(code submsg.Code, field, detail string) *problem {
	k, ok := kinds[code]
	if !ok {
		k = kind{status: http.StatusUnprocessableEntity, title: strings.ReplaceAll(string(code), "_", " ")}
	}
	p := &problem{Type: documentation + string(code), Title: k.title, Status: k.status, Code: code, Detail: detail, Field: field}
	if k.retry > 0 {
		p = p.set("Retry-After", strconv.Itoa(int(k.retry/time.Second)))
	}
	return p
}

func (p *problem) set(name, value string) *problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// asProblem is how an error is answered. What is neither ours nor the core's word for a bad request is the store's
// fault: the caller learns that it may try again, the log learns why.
func asProblem(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	if sp := submsg.AsProblem(err); sp != nil {
		p := fail(sp.Code, sp.Field, sp.Detail)
		p.Errors = sp.Errors[:min(len(sp.Errors), mostFaults)]
		return p
	}
	p = fail(CodeUnavailable, "", "the request could not be completed and may have been recorded; repeat it under the same idempotency key")
	p.cause = err
	return p
}
