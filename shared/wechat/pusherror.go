package wechat

import (
	"fmt"
	"net/http"
)

// PushFault is the stable name of what is wrong with a push.
type PushFault string

// The faults of a push. A new one needs its line in docs/errors.md.
const (
	BadSignature  PushFault = "bad_signature"  // not signed with the configured token: not from WeChat
	BadEncryption PushFault = "bad_encryption" // signed, but not encrypted with the configured key
	WrongAppID    PushFault = "wrong_appid"    // meant for another account
	WrongMode     PushFault = "wrong_mode"     // plain where encryption is configured, or the other way round
	BadBody       PushFault = "bad_body"       // not readable as an event
	TooLarge      PushFault = "too_large"
)

// PushError is a push that is not accepted.
type PushError struct {
	Fault  PushFault
	Detail string // for the operator: what, where, what to do. Holds nothing of the push's content
}

// Error is the fault and the detail.
func (e *PushError) Error() string { return "wechat: push: " + string(e.Fault) + ": " + e.Detail }

// Code is the fault, as problems spell it.
func (e *PushError) Code() string { return string(e.Fault) }

// Status is the HTTP status that the push is answered with. None of them is a 2xx, so WeChat delivers such a push
// up to three times, and warns the account's operator.
func (e *PushError) Status() int {
	switch e.Fault {
	case BadSignature:
		return http.StatusUnauthorized
	case WrongAppID:
		return http.StatusForbidden
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	default:
		return http.StatusBadRequest
	}
}

func pushError(fault PushFault, format string, args ...any) *PushError {
	return &PushError{Fault: fault, Detail: fmt.Sprintf(format, args...)}
}
