// Package httpapi is the HTTP surface of the ledger: routes, API keys, strict JSON, problem details, request log, the
// OpenAPI document and the console page. It decides nothing: each handler reads a request, asks submsg.Service and
// shows the answer in the shapes that callers rely on.
//
// The same handlers serve three functions and the standalone program; Grant, Send, Manage and All only differ in which
// routes they know.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// Key is one API key, by the hash of what callers present: whoever reads the configuration cannot call with it.
type Key struct {
	Name   string // stands in the request log
	SHA256 [32]byte
	Scopes []string // some of ScopeGrants, ScopeSends, ScopeSchedules, ScopeRead
	Apps   []string // appids, or "*" for all; none is none
}

// The scopes of API keys. A key with the scope of a part may also read in that part; ScopeRead reads everywhere.
const (
	ScopeGrants    = "grants"    // report grants and opens, preferences, erase a person
	ScopeSends     = "sends"     // send and cancel
	ScopeSchedules = "schedules" // schedules, and what an operator does: sync templates, resume what is held
	ScopeRead      = "read"
)

// PushReceiver verifies and reads the message pushes of one app. query is the raw query of the URL. An error that
// implements PushError is the sender's fault; any other is ours, and WeChat is told to deliver again.
type PushReceiver interface {
	// Echo answers WeChat's check of the URL: the text that goes back as it is.
	Echo(ctx context.Context, query string) (string, error)
	// Event reads a delivered push. Nothing of body may be used when there is an error.
	Event(ctx context.Context, query string, body []byte) (submsg.PushEvent, error)
}

// PushError is a push that is not accepted: Code is its stable name, Status the HTTP status it is answered with. Error
// holds nothing of the push's content and no secret.
type PushError interface {
	error
	Code() string
	Status() int
}

// Config is what the handlers are made of. Only Service is needed; zero members take the defaults named.
type Config struct {
	Service   *submsg.Service
	Keys      []Key
	Push      map[string]PushReceiver // by appid
	Log       *slog.Logger            // nil: no log
	Pseudonym func(openid string) string
	// Ready tells why the process cannot serve, or nil. nil: it always can.
	Ready func(ctx context.Context) error

	MaxBody       int64 // bytes of a request's body; 0: DefaultMaxBody
	MaxConcurrent int   // requests worked on at a time, in this process; 0: DefaultMaxConcurrent, negative: no bound
	MaxParallel   int   // sends of one batch under way at a time; 0: DefaultMaxParallel

	// RatePerKey is how many requests per second each API key may make of this process, RateBurst how many at once.
	// 0: no limit; gateways have better ones.
	RatePerKey float64
	RateBurst  int
}

// Defaults of Config.
const (
	DefaultMaxBody       = 1 << 20
	DefaultMaxConcurrent = 1024
	DefaultMaxParallel   = 16
)

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Pseudonym == nil {
		c.Pseudonym = func(string) string { return "-" }
	}
	if c.MaxBody == 0 {
		c.MaxBody = DefaultMaxBody
	}
	if c.MaxConcurrent == 0 {
		c.MaxConcurrent = DefaultMaxConcurrent
	}
	if c.MaxParallel <= 0 {
		c.MaxParallel = DefaultMaxParallel
	}
	return c
}

// Grant serves WeChat's pushes, reports of grants, prompt plans and subscribers.
func Grant(c Config) http.Handler { return newAPI(c, inGrant) }

// Send serves on-demand sends.
func Send(c Config) http.Handler { return newAPI(c, inSend) }

// Manage serves schedules, templates, figures, holds and the console.
func Manage(c Config) http.Handler { return newAPI(c, inManage) }

// All serves every route.
func All(c Config) http.Handler { return newAPI(c, inGrant|inSend|inManage) }
