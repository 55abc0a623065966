package wechattest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// tally counts what an account's calls did. Guarded by the account's mu.
type tally struct {
	arrived  map[string]int // by path
	answered map[answerKey]int64
	faults   map[string]int64

	accepted, received int64
	grants, rejects    int64

	calls, sends rate
	pushes       PushTotals
}

type answerKey struct {
	path string
	out  outcome
}

// rate finds the busiest second. Seconds are those of the clock: a burst over the edge of two counts half in each.
type rate struct {
	second   int64
	n, peak  int
	peakTime int64
}

func (r *rate) add(now time.Time) {
	if second := now.Unix(); second != r.second {
		r.second, r.n = second, 0
	}
	r.n++
	if r.n > r.peak {
		r.peak, r.peakTime = r.n, r.second
	}
}

// arrive counts a call and returns which of its path it is.
func (t *tally) arrive(path string, now time.Time) int {
	if t.arrived == nil {
		t.arrived = make(map[string]int)
	}
	t.arrived[path]++
	t.calls.add(now)
	return t.arrived[path]
}

func (t *tally) send(now time.Time) { t.sends.add(now) }

func (t *tally) count(path string, out outcome) {
	if t.answered == nil {
		t.answered = make(map[answerKey]int64)
	}
	if out.answer == AnswerNoMsgID {
		out.answer = AnswerJSON
	}
	t.answered[answerKey{path, out}]++
}

func (t *tally) fault(name string) {
	if t.faults == nil {
		t.faults = make(map[string]int64)
	}
	t.faults[name]++
}

func (t *tally) pushed(out *Outcome) {
	t.pushes.Events++
	t.pushes.Attempts += int64(out.Attempts)
	if !out.Acknowledged {
		t.pushes.GivenUp++
	}
}

// byPath is the answers as path → errcode → number.
func (t *tally) byPath() map[string]map[string]int64 {
	calls := make(map[string]map[string]int64)
	for key, n := range t.answered {
		if calls[key.path] == nil {
			calls[key.path] = make(map[string]int64)
		}
		calls[key.path][key.out.String()] += n
	}
	return calls
}

// Totals is what happened to an account.
type Totals struct {
	AppID string `json:"appid"`

	// Calls counts answers by path, then by errcode in decimal, "0" among them; "cut", "http_502" and "not_json" where no
	// errcode was answered.
	Calls    map[string]map[string]int64 `json:"calls"`
	Accepted int64                       `json:"accepted"` // sends WeChat accepted, whatever it answered
	Received int64                       `json:"received"` // of those, messages that reached their user
	Grants   int64                       `json:"grants"`   // accepts, silent ones among them
	Rejects  int64                       `json:"rejects"`
	Faults   map[string]int64            `json:"faults,omitempty"` // by Fault.Name

	PeakCalls int        `json:"peak_calls_per_second"`
	PeakSends int        `json:"peak_accepted_per_second"`
	PeakAt    time.Time  `json:"peak_at,omitzero"` // the second of PeakSends
	Pushes    PushTotals `json:"pushes"`
}

// PushTotals counts deliveries to the callback.
type PushTotals struct {
	Events   int64 `json:"events"`
	Attempts int64 `json:"attempts"` // requests made: repeats and copies count
	GivenUp  int64 `json:"given_up"` // events of which a copy was never acknowledged
}

// Answered returns how many calls of a path were answered with an errcode, written as in Calls.
func (t *Totals) Answered(path, errcode string) int64 { return t.Calls[path][errcode] }

// Totals returns what happened to the account so far; zero for an account that is not simulated. An appid of ""
// gives the calls that belonged to none: unknown paths, tokens and appids.
func (s *Sim) Totals(appid string) Totals {
	if appid == "" {
		s.strays.mu.Lock()
		defer s.strays.mu.Unlock()
		return Totals{Calls: s.strays.tally.byPath()}
	}
	a := s.accounts[appid]
	if a == nil {
		return Totals{AppID: appid}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.view()
}

func (a *account) view() Totals {
	t := &a.totals
	view := Totals{
		AppID: a.AppID, Calls: t.byPath(), Accepted: t.accepted, Received: t.received, Grants: t.grants, Rejects: t.rejects,
		Faults: maps.Clone(t.faults), PeakCalls: t.calls.peak, PeakSends: t.sends.peak, Pushes: t.pushes,
	}
	if t.sends.peak > 0 {
		view.PeakAt = time.Unix(t.sends.peakTime, 0).UTC()
	}
	return view
}

// User is what WeChat knows of one openid of an account.
type User struct {
	OpenID    string     `json:"openid"`
	Standings []Standing `json:"standings"` // in the order in which they came up
	Messages  []Message  `json:"messages"`  // accepted sends, oldest first; those with an ErrorCode did not arrive
}

// User returns what WeChat knows of the user; empty for one it never saw.
func (s *Sim) User(appid, openID string) User {
	a := s.accounts[appid]
	if a == nil {
		return User{OpenID: openID}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if u := a.users[openID]; u != nil {
		return u.view(s.cfg.KeepPerUser)
	}
	return User{OpenID: openID, Standings: []Standing{}, Messages: []Message{}}
}

func (u *user) view(keep int) User {
	view := User{OpenID: u.openID, Standings: []Standing{}, Messages: []Message{}}
	for i := range u.standings {
		view.Standings = append(view.Standings, u.standings[i].Standing)
	}
	view.Messages = append(view.Messages, u.messages[max(0, len(u.messages)-keep):]...)
	return view
}

// Standing returns the user's relation to one template; the zero Standing for none.
func (s *Sim) Standing(appid, openID, templateID string) Standing {
	for _, st := range s.User(appid, openID).Standings {
		if st.TemplateID == templateID {
			return st
		}
	}
	return Standing{TemplateID: templateID}
}

// Credits returns how many sends of a one-time template the user still allows.
func (s *Sim) Credits(appid, openID, templateID string) int {
	return s.Standing(appid, openID, templateID).Credits
}

// Received returns the messages that reached the user, oldest first; the newest Config.KeepPerUser of them, and none
// with CountOnly.
func (s *Sim) Received(appid, openID string) []Message {
	return slices.DeleteFunc(s.User(appid, openID).Messages, func(m Message) bool { return m.ErrorCode != 0 })
}

// AccountSnapshot is one account in a Snapshot.
type AccountSnapshot struct {
	Totals Totals `json:"totals"`
	Users  []User `json:"users"` // by openid
}

// Snapshot returns everything the simulator holds to be true, by appid; it marshals to JSON.
func (s *Sim) Snapshot() map[string]AccountSnapshot {
	all := make(map[string]AccountSnapshot, len(s.accounts))
	for appid, a := range s.accounts {
		all[appid] = a.snapshot(s.cfg.KeepPerUser)
	}
	return all
}

func (a *account) snapshot(keep int) AccountSnapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	snap := AccountSnapshot{Totals: a.view(), Users: make([]User, 0, len(a.users))}
	for _, u := range a.users {
		snap.Users = append(snap.Users, u.view(keep))
	}
	slices.SortFunc(snap.Users, func(x, y User) int { return strings.Compare(x.OpenID, y.OpenID) })
	return snap
}
