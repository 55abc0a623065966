package submsg

// ScheduleState is the state of a schedule.
type ScheduleState string

// The states of a schedule, as the API shows them.
const (
	ScheduleActive ScheduleState = "active"
	SchedulePaused ScheduleState = "paused"
	ScheduleEnded  ScheduleState = "ended"
	// ScheduleDeleted is what is left of a deleted one, so that a late repetition of its request does not make it again.
	// Nobody but that request ever sees it.
	ScheduleDeleted ScheduleState = "deleted"
)

// Recipients says to whom a schedule sends: one subscriber, or an audience.
type Recipients struct {
	OpenID   string    `json:"openid,omitempty"`
	Audience *Audience `json:"audience,omitempty"`
}

// Audience is every active long-term subscriber of the schedule's template, narrowed by Topic if set.
type Audience struct {
	Topic string `json:"topic,omitempty"`
}

// Content says what a schedule sends; exactly one member is set.
type Content struct {
	Data     map[string]string   `json:"data,omitempty"`
	Series   []map[string]string `json:"series,omitempty"` // one per occurrence; the schedule ends after the last
	Provider string              `json:"provider,omitempty"`
}

// Occurred is one past occurrence of a schedule.
type Occurred struct {
	At     Instant `json:"at"`
	State  string  `json:"state"` // fired, missed
	Detail string  `json:"detail,omitempty"`
}

// Schedule is a rule that says when and to whom.
type Schedule struct {
	ID          string        `json:"id"`
	AppID       string        `json:"appid"`
	State       ScheduleState `json:"state"`
	TemplateID  string        `json:"template_id"`
	To          Recipients    `json:"to"`
	RRule       string        `json:"rrule"`
	Start       Instant       `json:"start"`
	TimeZone    string        `json:"time_zone"`
	Content     Content       `json:"content"`
	Page        string        `json:"page,omitempty"`
	ValidFor    int64         `json:"valid_for,omitempty"` // milliseconds; 0: until the next occurrence, see validUntil
	CatchUp     int64         `json:"catch_up,omitempty"`  // milliseconds
	Spread      int64         `json:"spread,omitempty"`    // milliseconds
	OnUnknown   OnUnknown     `json:"on_unknown,omitempty"`
	NextAt      Instant       `json:"next_at,omitempty"` // the next occurrence; 0 once ended
	NextIndex   int           `json:"next_index"`        // its ordinal, from 0
	Past        []Occurred    `json:"past,omitempty"`    // the last few, oldest first
	Missed      int           `json:"missed,omitempty"`
	RequestHash uint64        `json:"request_hash"`
	PauseReason *Reason       `json:"pause_reason,omitempty"`
	CreatedAt   Instant       `json:"created_at"`
	UpdatedAt   Instant       `json:"updated_at"`
}

// Job is one resumable piece of fan-out: an occurrence of a schedule × one shard of its audience (or its one
// subscriber), with a cursor.
type Job struct {
	ID         string            `json:"id"`
	AppID      string            `json:"appid"`
	ScheduleID string            `json:"schedule_id"`
	TemplateID string            `json:"template_id"`
	Occurrence Instant           `json:"occurrence"`
	Index      int               `json:"index"` // ordinal of the occurrence
	Shard      int               `json:"shard"`
	Shards     int               `json:"shards"`
	To         Recipients        `json:"to"`
	Data       map[string]string `json:"data,omitempty"` // variables already filled in
	Provider   string            `json:"provider,omitempty"`
	Page       string            `json:"page,omitempty"`
	ValidUntil Instant           `json:"valid_until,omitempty"`
	OnUnknown  OnUnknown         `json:"on_unknown,omitempty"`
	Cursor     string            `json:"cursor,omitempty"`
	Done       bool              `json:"done,omitempty"`
	Failures   int               `json:"failures,omitempty"` // pages given up and tried again, for backoff
	LastError  string            `json:"last_error,omitempty"`
	Counts     map[string]int    `json:"counts,omitempty"` // sends by state, skipped
	CreatedAt  Instant           `json:"created_at"`
	UpdatedAt  Instant           `json:"updated_at"`
}

// Kind names the record; see Body.
func (*Schedule) Kind() string { return KindSchedule }

// Kind names the record; see Body.
func (*Job) Kind() string { return KindJob }

// Notice tells an app's own webhook of something an operator should know: a hold, a spike of revocations. It
// stays due until the webhook took it.
type Notice struct {
	ID         string            `json:"id"`
	AppID      string            `json:"appid"`
	Event      string            `json:"event"`
	TemplateID string            `json:"template_id,omitempty"`
	At         Instant           `json:"at"`
	Detail     map[string]string `json:"detail,omitempty"`
	Attempts   int               `json:"attempts,omitempty"`
}

// Kind names the record; see Body.
func (*Notice) Kind() string { return KindNotice }

// PlanEntry leads from a subscriber to a schedule made for that subscriber alone. Derived and written before the
// schedule; a stale one is harmless.
type PlanEntry struct {
	ScheduleID string `json:"schedule_id"`
}

// Kind names the record; see Body.
func (*PlanEntry) Kind() string { return KindPlan }
