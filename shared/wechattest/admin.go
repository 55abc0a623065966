package wechattest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// adminRoutes are the /_sim/ routes, by which a person at a terminal plays user and WeChat:
//
//	POST /_sim/{appid}/accept          {"openid": …, "template_id": …}   the user taps "allow"; answers the user
//	POST /_sim/{appid}/reject          the same body; refuses in the panel
//	POST /_sim/{appid}/change_reject   the same body; refuses on the settings page
//	POST /_sim/{appid}/silent_accept   the same body; accepts under "always keep": no event
//	GET  /_sim/{appid}/users/{openid}  credits and messages
//	GET  /_sim/{appid}/totals          what happened to the account
//	POST /_sim/{appid}/faults          {"faults": [{"fault": "cut_after", "nth": 2}]}; an empty list heals
//
// template_id may also be a list.
func (s *Sim) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	for name, act := range map[string]func(appid, openID string, templateIDs ...string) error{
		"accept":        s.Accept,
		"reject":        s.Reject,
		"change_reject": s.ChangeReject,
		"silent_accept": s.SilentAccept,
	} {
		mux.HandleFunc("POST /_sim/{appid}/"+name, s.forAccount(func(w http.ResponseWriter, r *http.Request, a *account) {
			var body struct {
				OpenID     string       `json:"openid"`
				TemplateID oneOrSeveral `json:"template_id"`
			}
			if !readAdmin(w, r, &body) {
				return
			}
			if err := act(a.AppID, body.OpenID, body.TemplateID...); err != nil {
				adminError(w, err)
				return
			}
			writeAdmin(w, http.StatusOK, s.User(a.AppID, body.OpenID))
		}))
	}
	mux.HandleFunc("GET /_sim/{appid}/users/{openid}", s.forAccount(func(w http.ResponseWriter, r *http.Request, a *account) {
		writeAdmin(w, http.StatusOK, s.User(a.AppID, r.PathValue("openid")))
	}))
	mux.HandleFunc("GET /_sim/{appid}/totals", s.forAccount(func(w http.ResponseWriter, _ *http.Request, a *account) {
		writeAdmin(w, http.StatusOK, s.Totals(a.AppID))
	}))
	mux.HandleFunc("POST /_sim/{appid}/faults", s.forAccount(adminFaults))
	return mux
}

func (s *Sim) forAccount(h func(http.ResponseWriter, *http.Request, *account)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, err := s.account(r.PathValue("appid"))
		if err != nil {
			writeAdmin(w, http.StatusNotFound, map[string]string{"error": err.Error()})
			return
		}
		h(w, r, a)
	}
}

// oneOrSeveral reads a string or a list of strings.
type oneOrSeveral []string

func (o *oneOrSeveral) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*o = oneOrSeveral{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(o))
}

// faultRule is a Rule as the admin route spells it.
type faultRule struct {
	Fault      string  `json:"fault"` // a name of namedFaults
	Code       int     `json:"code"`  // for refuse and sent_failed
	Delay      string  `json:"delay"` // for delayed, answer_delayed and sent_late, like "2s"
	Path       string  `json:"path"`
	OpenID     string  `json:"openid"`
	TemplateID string  `json:"template_id"`
	Nth        int     `json:"nth"`
	Times      int     `json:"times"`
	Percent    float64 `json:"percent"`
}

// namedFaults are the faults that the admin route offers.
var namedFaults = map[string]func(code int, delay time.Duration) Fault{
	"refuse":             func(code int, _ time.Duration) Fault { return Refuse(code) },
	"busy_before":        func(int, time.Duration) Fault { return BusyBefore() },
	"busy_after":         func(int, time.Duration) Fault { return BusyAfter() },
	"cut_before":         func(int, time.Duration) Fault { return CutBefore() },
	"cut_after":          func(int, time.Duration) Fault { return CutAfter() },
	"bad_gateway_before": func(int, time.Duration) Fault { return BadGatewayBefore() },
	"bad_gateway_after":  func(int, time.Duration) Fault { return BadGatewayAfter() },
	"not_json_before":    func(int, time.Duration) Fault { return NotJSONBefore() },
	"not_json_after":     func(int, time.Duration) Fault { return NotJSONAfter() },
	"delayed":            func(_ int, d time.Duration) Fault { return Delayed(d) },
	"answer_delayed":     func(_ int, d time.Duration) Fault { return AnswerDelayed(d) },
	"token_rotated":      func(int, time.Duration) Fault { return TokenRotated() },
	"no_msgid":           func(int, time.Duration) Fault { return NoMsgID() },
	"sent_early":         func(int, time.Duration) Fault { return SentEarly() },
	"sent_late":          func(_ int, d time.Duration) Fault { return SentLate(d) },
	"sent_twice":         func(int, time.Duration) Fault { return SentTwice() },
	"sent_never":         func(int, time.Duration) Fault { return SentNever() },
	"sent_failed":        func(code int, _ time.Duration) Fault { return SentFailed(code, "") },
}

// rule turns the spelling into a Rule of the account.
func (f *faultRule) rule(appid string) (Rule, error) {
	build := namedFaults[f.Fault]
	if build == nil {
		names := make([]string, 0, len(namedFaults))
		for name := range namedFaults {
			names = append(names, name)
		}
		slices.Sort(names)
		return Rule{}, fmt.Errorf("wechattest: fault %q is none of %s", f.Fault, strings.Join(names, ", "))
	}
	needsCode := f.Fault == "refuse" || f.Fault == "sent_failed"
	if needsCode && f.Code == 0 {
		return Rule{}, fmt.Errorf("wechattest: fault %s needs a code other than 0", f.Fault)
	}
	var delay time.Duration
	if f.Fault == "delayed" || f.Fault == "answer_delayed" || f.Fault == "sent_late" {
		var err error
		if delay, err = time.ParseDuration(f.Delay); err != nil || delay <= 0 {
			return Rule{}, fmt.Errorf("wechattest: fault %s needs a delay like \"2s\", not %q", f.Fault, f.Delay)
		}
	}
	if f.Percent < 0 || f.Percent > 100 || f.Nth < 0 || f.Times < 0 {
		return Rule{}, fmt.Errorf("wechattest: fault %s: nth and times start at 0, percent goes from 0 to 100", f.Fault)
	}
	return Rule{
		AppID: appid, Path: f.Path, OpenID: f.OpenID, TemplateID: f.TemplateID,
		Nth: f.Nth, Times: f.Times, Percent: f.Percent, Fault: build(f.Code, delay),
	}, nil
}

// adminFaults replaces the account's own rules; a script of the Sim stays.
func adminFaults(w http.ResponseWriter, r *http.Request, a *account) {
	var body struct {
		Faults []faultRule `json:"faults"`
	}
	if !readAdmin(w, r, &body) {
		return
	}
	rules := make([]Rule, 0, len(body.Faults))
	for i := range body.Faults {
		rule, err := body.Faults[i].rule(a.AppID)
		if err != nil {
			adminError(w, err)
			return
		}
		rules = append(rules, rule)
	}
	var script func(Call) Fault
	if len(rules) > 0 {
		script = Rules(rules...)
	}
	a.mu.Lock()
	a.rules = script
	a.mu.Unlock()
	writeAdmin(w, http.StatusOK, map[string]int{"faults": len(rules)})
}

func readAdmin(w http.ResponseWriter, r *http.Request, body any) bool {
	d := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(body); err != nil {
		adminError(w, fmt.Errorf("wechattest: body: %w", err))
		return false
	}
	return true
}

func adminError(w http.ResponseWriter, err error) {
	writeAdmin(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
}

func writeAdmin(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(body) // the client may have gone
}
