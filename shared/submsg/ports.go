package submsg

import "context"

// Message is what one call to WeChat carries.
type Message struct {
	OpenID     string
	TemplateID string
	Data       map[string]string
	Page       string
}

// Result is what came of one call to WeChat.
//
// Exactly one of three holds: Answered (Code, Msg, RID and MsgID are WeChat's); NotSent (the call
// certainly never reached WeChat: no token could be had, the connection was refused); neither, an
// unknown outcome: the request may have been acted on.
type Result struct {
	Answered bool
	NotSent  bool
	Code     int
	Msg      string
	RID      string
	MsgID    int64 // 0 where WeChat left it out
	Err      error // why there is no answer; holds no token and no secret
}

// WeChat is the platform as the core needs it. A token that WeChat refuses (40001, 40014, 42001, 41001)
// is renewed inside Send, and the call repeated once: such an answer is a definite "not sent".
type WeChat interface {
	// Send makes one call for one message. It returns within ctx; a ctx that ends during the call makes
	// the result unknown.
	Send(ctx context.Context, appid string, m Message) Result
	// Templates lists the account's own templates (gettemplate). WeChat allows few of these a day.
	Templates(ctx context.Context, appid string) ([]SyncedTemplate, error)
}

// Waker announces that records are due now, so that a worker need not wait for the next tick. The table is
// the truth: a lost, doubled or late wake-up changes nothing but latency, so errors are only logged.
type Waker interface {
	Wake(ctx context.Context, keys []Key) error
}

// ProviderRequest asks an app's own endpoint for the content of one occurrence, for up to 100 subscribers.
type ProviderRequest struct {
	AppID      string
	URL        string
	ScheduleID string
	TemplateID string
	Occurrence Instant
	OpenIDs    []string
}

// Provided is a provider's answer for one subscriber.
type Provided struct {
	Skip bool
	Data map[string]string
	Page string
}

// Provider asks the app's endpoint. An error means that nothing is known of any of them: the job tries
// again later. An openid that is missing from the answer is an error of the endpoint, reported as such.
type Provider interface {
	Provide(ctx context.Context, r ProviderRequest) (map[string]Provided, error)
}

// Webhook delivers notices to an app's own endpoint. nil error: it was taken.
type Webhook interface {
	Post(ctx context.Context, n Notice) error
}

// Metrics counts what happens; implementations must not block. Names and labels are listed in docs/errors.md.
type Metrics interface {
	Count(appid, templateID, what string, n int)
	Observe(appid, what string, value float64)
}
