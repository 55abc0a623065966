package submsg

import "errors"

// Code is the stable name of a problem with a request. docs/errors.md explains each; a new one needs a
// line there and a status in httpapi.
type Code string

// Problems with a request. Nothing was recorded when one is returned.
const (
	CodeUnknownApp      Code = "unknown_app"
	CodeUnknownTemplate Code = "unknown_template"
	CodeNotFound        Code = "not_found"
	CodeInvalidFields   Code = "invalid_fields"  // data that the template does not take
	CodeInvalidRequest  Code = "invalid_request" // any other member of the request
	CodeClockSkew       Code = "clock_skew"      // occurred_at is not within the accepted window
	CodeBadRRule        Code = "bad_rrule"       // recurrence that cannot be read, or never occurs
	CodeBadTimeZone     Code = "bad_time_zone"   // not an IANA zone
	CodeKeyReused       Code = "idempotency_key_reused"
	CodeInProgress      Code = "in_progress"      // the first request under this key, or a send, is still under way
	CodeNotCancellable  Code = "not_cancellable"  // the send is past the point where it could be stopped
	CodeWrongState      Code = "wrong_state"      // the schedule is not in a state that allows this
	CodeRuleBroken      Code = "rule_broken"      // a schedule that by itself breaks a rule
	CodeHostNotAllowed  Code = "host_not_allowed" // a provider outside the app's allow list
	CodeBusy            Code = "busy"             // too many writers on one record; try again
	CodeTooMany         Code = "too_many"         // more items than one request may carry
	CodeWeChatFailed    Code = "wechat_failed"    // WeChat did not answer a listing
)

// FieldProblem is one fault of one field of a request.
type FieldProblem struct {
	Field  string `json:"field"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Problem is a request that was not taken: why, where, and what to do. It never holds a secret or an
// openid.
type Problem struct {
	Code   Code
	Field  string
	Detail string
	Errors []FieldProblem
}

// Error is the code and the detail.
func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

func problem(code Code, field, detail string) *Problem {
	return &Problem{Code: code, Field: field, Detail: detail}
}

// AsProblem finds the Problem in an error, or nil: then the fault is ours.
func AsProblem(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return nil
}

// isNotFound reports whether err says that a record with this id is not known.
func isNotFound(err error) bool {
	p := AsProblem(err)
	return p != nil && p.Code == CodeNotFound
}
