package wechattest

import (
	"fmt"
	"sync"
	"time"
)

// Fault is what goes wrong with one call. The zero Fault is none: WeChat acts and answers. The constructors below name
// the usual ones; And joins two.
type Fault struct {
	Name string // for totals and messages

	RotateToken bool          // someone else refreshes the token just before: this call gets 40001
	Delay       time.Duration // before acting; the call acts even if the client has gone by then
	Withhold    bool          // do not act, and check nothing
	AnswerDelay time.Duration // after acting
	Answer      Answer        // what comes back
	Code        int           // the errcode answered, whatever happened; 0: the true one
	Message     string        // the errmsg with Code; WeChat's usual text when empty

	Sent SentPlan // what becomes of the sent event
}

// Answer is the form of what comes back.
type Answer int

// The forms of an answer.
const (
	AnswerJSON       Answer = iota // the documented one
	AnswerCut                      // nothing: the connection closes
	AnswerBadGateway               // HTTP 502 with an HTML page
	AnswerNotJSON                  // HTTP 200 with an HTML page
	AnswerNoMsgID                  // success without msgid
)

// SentPlan says when and how the sent event of an accepted message is pushed. The zero SentPlan: once, after the
// answer, telling success.
type SentPlan struct {
	When   SentTime
	Delay  time.Duration // with SentLater
	Copies int           // times it is pushed, each acknowledged or not; 1 when zero
	Code   int           // its ErrorCode; not 0: the message did not reach the user, its credit stays spent
	Status string        // its ErrorStatus; "success" or "failed" when empty
}

// SentTime is the moment of the sent event.
type SentTime int

// The moments of a sent event.
const (
	SentAfterAnswer  SentTime = iota
	SentBeforeAnswer          // even with ManualPushes: the callback has answered before the call does
	SentLater                 // Delay after the answer
	SentNot                   // never
)

// Refuse answers code without acting. Every errcode of the documentation can be had this way.
func Refuse(code int) Fault {
	return Fault{Name: fmt.Sprintf("refuse_%d", code), Withhold: true, Code: code}
}

// BusyBefore answers -1 and does nothing; BusyAfter acts and answers -1.
func BusyBefore() Fault { return Fault{Name: "busy_before", Withhold: true, Code: -1} }

// BusyAfter acts and answers -1.
func BusyAfter() Fault { return Fault{Name: "busy_after", Code: -1} }

// CutBefore closes the connection without acting.
func CutBefore() Fault { return Fault{Name: "cut_before", Withhold: true, Answer: AnswerCut} }

// CutAfter acts, then closes the connection without an answer.
func CutAfter() Fault { return Fault{Name: "cut_after", Answer: AnswerCut} }

// BadGatewayBefore answers HTTP 502 with an HTML page without acting.
func BadGatewayBefore() Fault {
	return Fault{Name: "bad_gateway_before", Withhold: true, Answer: AnswerBadGateway}
}

// BadGatewayAfter acts and answers HTTP 502 with an HTML page.
func BadGatewayAfter() Fault { return Fault{Name: "bad_gateway_after", Answer: AnswerBadGateway} }

// NotJSONBefore answers HTTP 200 with an HTML page without acting.
func NotJSONBefore() Fault {
	return Fault{Name: "not_json_before", Withhold: true, Answer: AnswerNotJSON}
}

// NotJSONAfter acts and answers HTTP 200 with an HTML page.
func NotJSONAfter() Fault { return Fault{Name: "not_json_after", Answer: AnswerNotJSON} }

// Delayed waits before acting. A client that gives up earlier is wrong about the outcome: the call still acts.
func Delayed(d time.Duration) Fault { return Fault{Name: "delayed", Delay: d} }

// AnswerDelayed acts at once and answers late.
func AnswerDelayed(d time.Duration) Fault { return Fault{Name: "answer_delayed", AnswerDelay: d} }

// TokenRotated lets another program refresh the account's token just before the call.
func TokenRotated() Fault { return Fault{Name: "token_rotated", RotateToken: true} }

// NoMsgID acts and answers success without a msgid.
func NoMsgID() Fault { return Fault{Name: "no_msgid", Answer: AnswerNoMsgID} }

// SentEarly pushes the sent event before the call is answered.
func SentEarly() Fault { return Fault{Name: "sent_early", Sent: SentPlan{When: SentBeforeAnswer}} }

// SentLate pushes the sent event d after the answer.
func SentLate(d time.Duration) Fault {
	return Fault{Name: "sent_late", Sent: SentPlan{When: SentLater, Delay: d}}
}

// SentTwice pushes the sent event twice.
func SentTwice() Fault { return Fault{Name: "sent_twice", Sent: SentPlan{Copies: 2}} }

// SentNever pushes no sent event.
func SentNever() Fault { return Fault{Name: "sent_never", Sent: SentPlan{When: SentNot}} }

// SentFailed accepts the message, does not deliver it, and says so in the sent event.
func SentFailed(code int, status string) Fault {
	return Fault{Name: "sent_failed", Sent: SentPlan{Code: code, Status: status}}
}

// And joins two faults: CutAfter().And(SentNever()). Where both set a field, other wins.
func (f Fault) And(other Fault) Fault {
	if f.Name != "" && other.Name != "" {
		f.Name += "+"
	}
	f.Name += other.Name
	f.RotateToken = f.RotateToken || other.RotateToken
	f.Withhold = f.Withhold || other.Withhold
	overlay(&f.Delay, other.Delay)
	overlay(&f.AnswerDelay, other.AnswerDelay)
	overlay(&f.Answer, other.Answer)
	overlay(&f.Code, other.Code)
	overlay(&f.Message, other.Message)
	overlay(&f.Sent.When, other.Sent.When)
	overlay(&f.Sent.Delay, other.Sent.Delay)
	overlay(&f.Sent.Copies, other.Sent.Copies)
	overlay(&f.Sent.Code, other.Sent.Code)
	overlay(&f.Sent.Status, other.Sent.Status)
	return f
}

func overlay[T comparable](field *T, value T) {
	var zero T
	if value != zero {
		*field = value
	}
}

// Call is what a script sees of a call.
type Call struct {
	AppID      string
	Path       string
	OpenID     string // of a send
	TemplateID string // of a send
	At         time.Time
	N          int     // the account's N-th call of this path, from 1
	UserN      int     // the N-th send that named this user, from 1
	Roll       float64 // in [0,1), the same for the same seed, account, path, user and UserN (or N without a user)
}

// Script sets what goes wrong: f is asked once per call and may be asked by many goroutines. nil: nothing.
func (s *Sim) Script(f func(Call) Fault) {
	if f == nil {
		s.script.Store(nil)
		return
	}
	s.script.Store(&f)
}

// Rule applies a fault to the calls that match. Empty fields match everything.
type Rule struct {
	AppID, Path, OpenID, TemplateID string

	Nth     int     // only the N-th call that matches the fields above, from 1
	Times   int     // at most this many times
	Percent float64 // this share of them, by Call.Roll; 0 means all. Shares of one list add up: 10 and 5 hit 15 of 100
	Fault   Fault
}

// Rules makes a script of a list: the first rule that applies decides.
func Rules(rules ...Rule) func(Call) Fault {
	var mu sync.Mutex
	matched, used := make([]int, len(rules)), make([]int, len(rules))
	return func(c Call) Fault {
		mu.Lock()
		defer mu.Unlock()
		below := 0.0
		hit := -1
		for i := range rules {
			r := &rules[i]
			if !r.matches(c) {
				continue
			}
			matched[i]++ // also when an earlier rule decides: what Nth counts must not depend on other rules
			share := below
			below += r.Percent
			switch {
			case hit >= 0:
			case r.Nth > 0 && matched[i] != r.Nth:
			case r.Times > 0 && used[i] >= r.Times:
			case r.Percent > 0 && (c.Roll*100 < share || c.Roll*100 >= below):
			default:
				hit = i
			}
		}
		if hit < 0 {
			return Fault{}
		}
		used[hit]++
		return rules[hit].Fault
	}
}

func (r *Rule) matches(c Call) bool {
	return (r.AppID == "" || r.AppID == c.AppID) &&
		(r.Path == "" || r.Path == c.Path) &&
		(r.OpenID == "" || r.OpenID == c.OpenID) &&
		(r.TemplateID == "" || r.TemplateID == c.TemplateID)
}

// mix spreads the bits of x evenly (the finaliser of splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// roll draws the call's share in [0,1) from what identifies it, so that it does not depend on how goroutines interleave.
func (s *Sim) roll(c *Call) float64 {
	h := s.cfg.Seed
	for _, part := range [...]string{c.AppID, c.Path, c.OpenID} {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * 1099511628211
		}
		h = mix(h)
	}
	n := c.UserN
	if c.OpenID == "" {
		n = c.N
	}
	return float64(mix(h^uint64(n))>>11) / (1 << 53)
}
