package policy

import "time"

// Sent is one earlier message to the subscriber, open reservations included.
// It is small, because the subscriber's record carries a list of them.
type Sent struct {
	TemplateID  string
	At          time.Time
	Fingerprint uint64 // of the content, see Fingerprint; 0 = not known
	Trigger     uint64 // hash of what caused it (the order, the menu tap); 0 = none
	PeriodKey   uint64 // hash of the key field's value, for LongTermLimited; 0 = none
	Urgent      bool   // was exempt from caps, and so does not count towards them
}

// Hold keeps a template or an app from sending for a while. Sends under a hold
// wait; they do not fail.
type Hold struct {
	Rule    string    // RuleSuspended or RuleDailyQuota
	Until   time.Time // zero = until an operator resumes
	Scope   Scope     // what is held
	Code    int       // WeChat's errcode, 0 = none
	Strikes int       // how many suspensions there have been, this one included
}

// active reports whether the hold stands at t.
func (h Hold) active(t time.Time) bool {
	return h.Until.IsZero() || h.Until.After(t)
}

// Request is everything known about one message at the moment of the decision.
type Request struct {
	Now      time.Time
	App      *App
	Template *Template

	// Credits is how many one-time sends the subscriber's grants still allow,
	// open reservations taken off.
	Credits int
	// Active says that the long-term subscription is on, or, for a template
	// message, that the user agreed to it.
	Active bool
	// Revoked says that the user's last word was a refusal. It stops TryAnyway too.
	Revoked bool
	// Banned says that WeChat reported the template as banned for this subscriber.
	Banned bool
	// TryAnyway asks for a send without a known credit, since the ledger is only
	// an estimate. Sends of a schedule do not get it.
	TryAnyway bool
	// Scheduled says that a schedule sends, not something the user just did.
	Scheduled bool

	Muted      bool           // the subscriber muted this template
	QuietHours *Window        // the subscriber's own; nil = the template's or the app's
	Zone       *time.Location // the subscriber's own; nil = the app's

	History []Sent // earlier sends to this subscriber, newest last, this send not among them
	Data    map[string]string

	Fingerprint uint64 // of this content; 0 = not checked for repetition
	Trigger     uint64
	PeriodKey   uint64

	ValidUntil time.Time // zero = for ever
	Suspended  []Hold    // holds of the template and of the app
	JitterSeed uint64    // spreads sends after quiet hours; 0 = no jitter

	// Problems are refusals that the caller found itself, such as RuleFields:
	// they count like the engine's own, so that one answer holds everything.
	Problems []Reason
}

// zone is the one quiet hours are told in: the subscriber's, else the app's.
func (r *Request) zone() *time.Location {
	if r.Zone != nil {
		return r.Zone
	}
	return r.App.zone()
}

// Outcome is what becomes of a message.
type Outcome string

// The outcomes, weakest first: where several rules speak, the last in this
// list prevails.
const (
	Send   Outcome = "send"
	Defer  Outcome = "defer"
	Refuse Outcome = "refuse"
	Expire Outcome = "expire"
)

// Reason is one rule's word on a message: enough for a machine to act on and
// for a person to understand.
type Reason struct {
	Code     string // the rule's name, one of the Rule… constants
	Detail   string // English, one sentence for the person who has to act
	DetailZH string // the same in Chinese

	Field string // data key, where one is meant
	Word  string // the word as it stands in the text
	Entry string // the entry of the word list that it matched
	List  string // the word list the entry is from

	Until       time.Time   // when this rule would let the message pass; zero = not by waiting
	Earlier     []time.Time // the earlier sends that triggered it, oldest first
	Occurrences []time.Time // the first occurrences of a schedule that break the rule
}

// Decision is the answer to a Request.
type Decision struct {
	Outcome Outcome
	// Due is when to send: the moment asked about for Send; for Defer the first
	// moment that every rule allows, jitter added.
	Due time.Time
	// Held says that a hold decides Due. A hold may be ended early by an
	// operator, and one without an end is looked at again at Due.
	Held    bool
	Reasons []Reason // every rule that applies, not only the first; nil for a plain Send
}

// Allowed reports whether the message may go at once.
func (d Decision) Allowed() bool { return d.Outcome == Send }
