package submsg

import (
	"encoding/json"
	"fmt"
)

// Subscriber is all that is known of one openid of one app: the unit of consistency. One conditional
// write of it decides credit, cap, preference and duplicate together.
//
// Invariants: Credits never falls below zero; an open reservation of a one-time template has taken
// its credit already; every list is bounded (grant.go and settle.go have the limits).
type Subscriber struct {
	AppID         string         `json:"appid"`
	OpenID        string         `json:"openid"`
	Subscriptions []Subscription `json:"subscriptions,omitempty"` // ordered by template id
	Reservations  []Reservation  `json:"open,omitempty"`          // oldest first
	Seen          []uint64       `json:"seen,omitempty"`          // fingerprints of the last grant events, oldest first
	Topics        []string       `json:"topics,omitempty"`        // ordered
	QuietHours    string         `json:"quiet_hours,omitempty"`   // the subscriber's own, "22:00-08:00"
	TimeZone      string         `json:"time_zone,omitempty"`     // the subscriber's own IANA zone
	ActiveAt      Instant        `json:"active_at,omitempty"`     // last grant event or report
	ErasedAt      Instant        `json:"erased_at,omitempty"`     // the person was erased: what was asked for until then is void
}

// SubscriptionState says what the user last decided on a template.
type SubscriptionState string

// The states of a subscription, as the API shows them. A new state also needs: policy's facts in
// facts.go, the OpenAPI document, docs/states.md.
const (
	StateNone    SubscriptionState = "none"    // nothing to send on: never asked, or one-time credits used up
	StateActive  SubscriptionState = "active"  // credits left, or long-term on
	StateRevoked SubscriptionState = "revoked" // rejected, or WeChat answered 43101
	StateBanned  SubscriptionState = "banned"  // the platform banned the template for this user's prompt
)

// Subscription is the standing relation of the subscriber with one template. Attribute names are short:
// a subscriber should fit in one write unit.
type Subscription struct {
	TemplateID string            `json:"t"`
	State      SubscriptionState `json:"s"`
	Credits    int               `json:"c,omitempty"`
	Generation int               `json:"g,omitempty"`  // counts activations; ties the audience entry to one of them
	Muted      bool              `json:"m,omitempty"`  // the subscriber's preference
	Refusals   int               `json:"n,omitempty"`  // rejects in a row, for prompt_not_nagging
	AcceptedAt Instant           `json:"ay,omitempty"` // the newest accept, by the user's clock
	RejectedAt Instant           `json:"an,omitempty"` // the newest reject, by the user's clock
	PushedNo   Instant           `json:"ap,omitempty"` // the newest reject that WeChat itself told of, by WeChat's clock
	UpdatedAt  Instant           `json:"u,omitempty"`
	Accepts    []Accept          `json:"a,omitempty"` // of the last hours, for pairing the two feeds
	Dropped    []Dropped         `json:"d,omitempty"` // how many of them there was no room for, one for each feed
	Recent     []Recent          `json:"r,omitempty"` // sends of the last days, oldest first
}

// Source names the feed that told of a grant.
type Source string

// The two feeds of grants: WeChat's popup and change events, and the mini program's own report.
const (
	SourcePush   Source = "push"
	SourceReport Source = "report"
)

// Accept remembers one counted accept while the other feed may still announce it.
type Accept struct {
	Source   Source  `json:"s"`
	At       Instant `json:"at"`          // when the user decided, as far as the feed knows
	Arrived  Instant `json:"ar"`          // when it reached us
	Paired   bool    `json:"p,omitempty"` // the other feed has announced it
	Credited bool    `json:"c,omitempty"` // its credit has not been voided since
}

// Dropped counts accepts of one feed that were forgotten before the other feed had announced them.
type Dropped struct {
	Source  Source  `json:"s"`
	N       int     `json:"n"`
	At      Instant `json:"at"` // the newest one, by the user's clock
	Arrived Instant `json:"ar"` // and when it reached us
}

// Recent is one send of the last days: for caps, for duplicates, and to find the send a sent event means. One that was
// found "not sent" counts for nothing; its event may still come.
type Recent struct {
	SendID      string  `json:"i"`
	At          Instant `json:"at"`
	NotSent     int     `json:"x,omitempty"` // the attempt that was found so
	Returned    int     `json:"b,omitempty"` // credits given back then
	Fingerprint uint64  `json:"f,omitempty"`
	Trigger     uint64  `json:"g,omitempty"`
	PeriodKey   uint64  `json:"k,omitempty"`
	Urgent      bool    `json:"u,omitempty"`
}

// Reservation is what a send holds on the subscriber between the decision to call WeChat and the
// recorded answer. It outlives the worker: whoever next writes the subscriber settles it from the send.
type Reservation struct {
	SendID      string  `json:"i"`
	TemplateID  string  `json:"t"`
	Attempt     int     `json:"n"`     // 1 for the first call
	Holder      uint64  `json:"h"`     // drawn by the worker that made it
	At          Instant `json:"at"`    // the attempt began
	Until       Instant `json:"until"` // the lease: no call starts after it
	LongTerm    bool    `json:"lt,omitempty"`
	Credit      int     `json:"c,omitempty"` // credits taken: 1, or 0 for long-term and "try anyway"
	Later       int     `json:"l,omitempty"` // accepts that arrived while it was open
	Fingerprint uint64  `json:"f,omitempty"`
	Trigger     uint64  `json:"g,omitempty"`
	PeriodKey   uint64  `json:"k,omitempty"`
	Urgent      bool    `json:"u,omitempty"`
}

// SendState is the state of a send; docs/states.md draws the transitions.
type SendState string

// The states of a send (design: queued → sending → sent → delivered and the ways out). "sending" is
// shown while a reservation is open; it is never stored, since the reservation says it already.
const (
	SendQueued    SendState = "queued"
	SendSending   SendState = "sending"
	SendSent      SendState = "sent"
	SendDelivered SendState = "delivered"
	SendFailed    SendState = "failed"
	SendRejected  SendState = "rejected"
	SendUnknown   SendState = "unknown"
	SendRefused   SendState = "refused"
	SendExpired   SendState = "expired"
	SendCancelled SendState = "cancelled"
)

// CreditEffect says what became of the credit that the last attempt held.
type CreditEffect string

// The effects that a settled attempt has on the subscription.
const (
	CreditNone     CreditEffect = ""         // not settled, or nothing was held
	CreditSpent    CreditEffect = "spent"    // the message used it up
	CreditReturned CreditEffect = "returned" // the grant is intact: given back
	CreditZeroed   CreditEffect = "zeroed"   // 43101: the ledger was wrong, nothing is left
)

// OnUnknown says what follows when evidence shows that an unanswered call did not send.
type OnUnknown string

// The two choices a caller has; fail is the default.
const (
	OnUnknownFail   OnUnknown = "fail"
	OnUnknownResend OnUnknown = "resend"
)

// orDefault is the choice that holds: none made is OnUnknownFail.
func (o OnUnknown) orDefault() OnUnknown {
	if o == "" {
		return OnUnknownFail
	}
	return o
}

// Reason is why a send is in its state: a rule's name or a code of docs/errors.md, and a sentence.
type Reason struct {
	Code     string  `json:"code"`
	Detail   string  `json:"detail,omitempty"`
	DetailZH string  `json:"detail_zh,omitempty"`
	Field    string  `json:"field,omitempty"`
	Word     string  `json:"word,omitempty"`
	Until    Instant `json:"until,omitempty"`
}

// Answer is what WeChat said to the last attempt.
type Answer struct {
	Code int    `json:"errcode"`
	Msg  string `json:"errmsg,omitempty"`
	RID  string `json:"rid,omitempty"`
}

// Send is one message to one subscriber under one idempotency key. Its id is derived, so the record is
// the duplicate check too.
type Send struct {
	ID          string            `json:"id"`
	AppID       string            `json:"appid"`
	OpenID      string            `json:"openid"`
	TemplateID  string            `json:"template_id"`
	State       SendState         `json:"state"`
	Data        map[string]string `json:"data,omitempty"`
	Page        string            `json:"page,omitempty"`
	Trigger     string            `json:"trigger,omitempty"`
	SendAt      Instant           `json:"send_at,omitempty"`
	ValidUntil  Instant           `json:"valid_until,omitempty"`
	OnUnknown   OnUnknown         `json:"on_unknown,omitempty"`
	TryAnyway   bool              `json:"try_anyway,omitempty"`
	RequestHash uint64            `json:"request_hash,omitempty"`
	Claim       uint64            `json:"claim,omitempty"`      // drawn by the worker that stored it to work on it at once
	Schedule    string            `json:"schedule,omitempty"`   // id of the schedule that made it
	Occurrence  Instant           `json:"occurrence,omitempty"` // and of which due instant
	Attempts    int               `json:"attempts,omitempty"`   // calls begun
	AttemptAt   Instant           `json:"attempt_at,omitempty"` // the last one began
	NotSent     int               `json:"not_sent,omitempty"`   // the attempt that a verdict found "not sent"
	Credit      CreditEffect      `json:"credit,omitempty"`
	MsgID       int64             `json:"msgid,omitempty"`
	WeChat      *Answer           `json:"wechat,omitempty"`
	Reason      *Reason           `json:"reason,omitempty"`
	Besides     []Reason          `json:"besides,omitempty"`  // the other rules that said no
	EventAt     Instant           `json:"event_at,omitempty"` // the sent event's own time
	EventPrint  uint64            `json:"event,omitempty"`    // and its fingerprint, so that its copies change nothing
	OpenedAt    Instant           `json:"opened_at,omitempty"`
	CreatedAt   Instant           `json:"created_at"`
	UpdatedAt   Instant           `json:"updated_at"`
}

// AudienceEntry marks a long-term subscription in one shard of its template's audience, or of a topic in it.
// Derived from the subscriber; a stale one is harmless, a missing one is not.
type AudienceEntry struct {
	OpenID     string `json:"openid"`
	Generation int    `json:"generation"`
}

// GrantHistory is one line of a subscriber's history: append-only, keyed by the event's fingerprint.
type GrantHistory struct {
	At         Instant `json:"at"`
	Event      string  `json:"event"`
	Source     Source  `json:"source"`
	TemplateID string  `json:"template_id"`
	Decision   string  `json:"decision"`
	Effect     string  `json:"effect"` // credited, paired, activated, revoked, ignored …
	Scene      string  `json:"scene,omitempty"`
	Arrived    Instant `json:"arrived"`
}

// AccessToken is WeChat's token for one app, shared by all instances.
type AccessToken struct {
	AppID     string  `json:"appid"`
	Token     string  `json:"token"`
	ExpiresAt Instant `json:"expires_at"`
	ForcedDay string  `json:"forced_day,omitempty"` // day (Asia/Shanghai) of Forced
	Forced    int     `json:"forced,omitempty"`     // forced refreshes on that day
	ForcedAt  Instant `json:"forced_at,omitempty"`  // WeChat wants 30 s between two
}

// Hold keeps sends of an app or of one template back: a suspension, or the daily quota.
type Hold struct {
	TemplateID string  `json:"template_id,omitempty"` // "": the whole app
	Rule       string  `json:"rule"`
	Code       int     `json:"errcode,omitempty"`
	Strike     int     `json:"strike,omitempty"` // of a suspension: its ordinal within its scope
	Since      Instant `json:"since"`
	Until      Instant `json:"until,omitempty"` // 0: until an operator resumes
}

// Health is what is known of one app's health at WeChat.
type Health struct {
	AppID    string         `json:"appid"`
	Holds    []Hold         `json:"holds,omitempty"`
	Strikes  map[string]int `json:"strikes,omitempty"`  // by template id; "" for the app
	Evidence Instant        `json:"evidence,omitempty"` // latest attempt whose sent event arrived

	WatchAt Instant           `json:"watch_at,omitempty"` // when the figures of its templates are looked at next
	Told    map[string]string `json:"told,omitempty"`     // the day of the last notice, by event and template
	Pausing []Pausing         `json:"pausing,omitempty"`  // spikes whose schedules are still being paused
}

// Pausing is the work that a spike of revocations leaves: an app may have a million schedules, so it goes on from
// tick to tick.
type Pausing struct {
	TemplateID string `json:"template_id"`
	Cursor     string `json:"cursor,omitempty"` // of Service.Schedules
	Paused     int    `json:"paused,omitempty"`
	Reason     Reason `json:"reason"`
}

// SyncedTemplate is a template as WeChat listed it.
type SyncedTemplate struct {
	AppID      string              `json:"appid"`
	TemplateID string              `json:"template_id"`
	Title      string              `json:"title"`
	Content    string              `json:"content"`
	Example    string              `json:"example,omitempty"`
	Type       int                 `json:"type"` // 2 one-time, 3 long-term
	Enums      map[string][]string `json:"enums,omitempty"`
	SyncedAt   Instant             `json:"synced_at"`
}

// Counter adds up figures of one app and template on one day (Asia/Shanghai). Approximate: an
// instance that dies loses its last seconds.
type Counter struct {
	AppID      string           `json:"appid"`
	TemplateID string           `json:"template_id"`
	Day        string           `json:"day"`
	Counts     map[string]int64 `json:"counts"`
}

// The names of the record kinds, as stores spell them.
const (
	KindSubscriber = "subscriber"
	KindSend       = "send"
	KindAudience   = "audience"
	KindHistory    = "history"
	KindSchedule   = "schedule"
	KindJob        = "job"
	KindTemplate   = "template"
	KindCounter    = "counter"
	KindToken      = "token"
	KindHealth     = "health"
	KindNotice     = "notice"
	KindPlan       = "plan"
	KindUnsent     = "unsent"
)

// Kind names the record; see Body.
func (*Subscriber) Kind() string { return KindSubscriber }

// Kind names the record; see Body.
func (*Send) Kind() string { return KindSend }

// Kind names the record; see Body.
func (*AudienceEntry) Kind() string { return KindAudience }

// Kind names the record; see Body.
func (*GrantHistory) Kind() string { return KindHistory }

// Kind names the record; see Body.
func (*AccessToken) Kind() string { return KindToken }

// Kind names the record; see Body.
func (*Health) Kind() string { return KindHealth }

// Kind names the record; see Body.
func (*SyncedTemplate) Kind() string { return KindTemplate }

// Kind names the record; see Body.
func (*Counter) Kind() string { return KindCounter }

// EncodeBody is the stored form of a body: one JSON object, whose members a store may spread over native
// attributes.
func EncodeBody(b Body) ([]byte, error) { return json.Marshal(b) }

// DecodeBody is the inverse of EncodeBody. An unknown kind, or JSON of another shape, is an error: the
// table was written by a newer version, or by something else.
func DecodeBody(kind string, data []byte) (Body, error) {
	var b Body
	switch kind {
	case KindSubscriber:
		b = new(Subscriber)
	case KindSend:
		b = new(Send)
	case KindAudience:
		b = new(AudienceEntry)
	case KindHistory:
		b = new(GrantHistory)
	case KindSchedule:
		b = new(Schedule)
	case KindJob:
		b = new(Job)
	case KindTemplate:
		b = new(SyncedTemplate)
	case KindCounter:
		b = new(Counter)
	case KindToken:
		b = new(AccessToken)
	case KindHealth:
		b = new(Health)
	case KindNotice:
		b = new(Notice)
	case KindPlan:
		b = new(PlanEntry)
	case KindUnsent:
		b = new(UnsentEntry)
	default:
		return nil, fmt.Errorf("submsg: record of unknown kind %q: was it written by a newer version?", kind)
	}
	if err := json.Unmarshal(data, b); err != nil {
		return nil, fmt.Errorf("submsg: %s record cannot be read: %w", kind, err)
	}
	return b, nil
}
