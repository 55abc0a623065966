package httpapi

import (
	"slices"
	"strings"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// figures are counts by what they count: sends by state, grants by effect, sends by reason, and messages opened. A send
// counts in every state that it came to, so a delivered one counts as sent too.
type figures struct {
	Sends   map[string]int64 `json:"sends"`
	Grants  map[string]int64 `json:"grants"`
	Reasons map[string]int64 `json:"reasons"`
	Opened  int64            `json:"opened"`
}

func newFigures() figures {
	return figures{Sends: map[string]int64{}, Grants: map[string]int64{}, Reasons: map[string]int64{}}
}

// add takes in the counts of one counter, whose names are the core's: a state, grant_<effect>, reason_<code>, opened.
func (f *figures) add(counts map[string]int64) {
	for what, n := range counts {
		group, name, found := strings.Cut(what, "_")
		switch {
		case found && group == "grant":
			f.Grants[name] += n
		case found && group == "reason":
			f.Reasons[name] += n
		case what == "opened":
			f.Opened += n
		default:
			f.Sends[what] += n
		}
	}
}

type statsView struct {
	AppID     string              `json:"appid"`
	From      string              `json:"from"`
	To        string              `json:"to"`
	TimeZone  string              `json:"time_zone"`
	Totals    figures             `json:"totals"`
	Templates []templateStatsView `json:"templates"`
}

type templateStatsView struct {
	TemplateID string    `json:"template_id"`
	Template   string    `json:"template,omitempty"`
	Flags      []string  `json:"flags"`
	Totals     figures   `json:"totals"`
	Days       []dayView `json:"days"`
}

type dayView struct {
	Day string `json:"day"`
	figures
}

// The days of statistics.
const (
	usualDays = 7
	mostDays  = 90
)

// stats answers the figures of the last days, today among them: days as WeChat counts them.
func (a *api) stats(c *call) (answer, error) {
	q := c.query()
	days := q.number("days", usualDays, 1, mostDays)
	if err := q.err(); err != nil {
		return answer{}, err
	}
	counters, err := a.Service.Stats(c, c.appid, days)
	if err != nil {
		return answer{}, err
	}
	flags, err := a.Service.Flags(c, c.appid)
	if err != nil {
		return answer{}, err
	}
	today := a.now().In(policy.Shanghai)
	v := statsView{
		AppID: c.appid, From: today.AddDate(0, 0, 1-days).Format("2006-01-02"), To: today.Format("2006-01-02"), TimeZone: "Asia/Shanghai",
		Totals: newFigures(), Templates: []templateStatsView{},
	}
	for i := range c.app.Templates { // in the order of the configuration, then what it names no more
		v.template(c.app, c.app.Templates[i].ID)
	}
	for id, list := range flags {
		v.template(c.app, id).Flags = list
	}
	for _, counter := range counters {
		t := v.template(c.app, counter.TemplateID)
		day := newFigures()
		day.add(counter.Counts)
		t.Days = append(t.Days, dayView{counter.Day, day})
		t.Totals.add(counter.Counts)
		v.Totals.add(counter.Counts)
	}
	return ok(v)
}

// template is the entry of a template in the answer.
func (v *statsView) template(app *submsg.App, id string) *templateStatsView {
	at := slices.IndexFunc(v.Templates, func(t templateStatsView) bool { return t.TemplateID == id })
	if at < 0 {
		at = len(v.Templates)
		v.Templates = append(v.Templates, templateStatsView{TemplateID: id, Template: nameOf(app, id), Flags: []string{}, Totals: newFigures(), Days: []dayView{}})
	}
	return &v.Templates[at]
}

type holdsView struct {
	AppID   string       `json:"appid"`
	Holds   []holdView   `json:"holds"`
	Strikes []strikeView `json:"strikes"`
}

type holdView struct {
	TemplateID string `json:"template_id,omitempty"` // left out: the whole app
	Template   string `json:"template,omitempty"`
	Rule       string `json:"rule"`
	Code       int    `json:"errcode,omitempty"`
	Since      string `json:"since"`
	Until      string `json:"until,omitempty"` // left out: until an operator resumes
}

type strikeView struct {
	TemplateID string `json:"template_id,omitempty"`
	Template   string `json:"template,omitempty"`
	Count      int    `json:"count"`
}

func showHealth(app *submsg.App, h *submsg.Health) holdsView {
	v := holdsView{AppID: app.Rules.AppID, Holds: []holdView{}, Strikes: []strikeView{}}
	for _, x := range h.Holds {
		v.Holds = append(v.Holds, holdView{x.TemplateID, nameOf(app, x.TemplateID), x.Rule, x.Code, showTime(x.Since), showTime(x.Until)})
	}
	for id, n := range h.Strikes {
		v.Strikes = append(v.Strikes, strikeView{id, nameOf(app, id), n})
	}
	slices.SortFunc(v.Strikes, func(x, y strikeView) int { return strings.Compare(x.TemplateID, y.TemplateID) })
	return v
}

func (a *api) holds(c *call) (answer, error) {
	h, err := a.Service.Holds(c, c.appid)
	if err != nil {
		return answer{}, err
	}
	return ok(showHealth(c.app, h))
}

// resumeHolds ends the holds of a template, or those of the app as a whole.
func (a *api) resumeHolds(c *call) (answer, error) {
	body, err := a.optionalBody(c)
	if err != nil {
		return answer{}, err
	}
	template, err := readResume(body)
	if err != nil {
		return answer{}, err
	}
	h, err := a.Service.Resume(c, c.appid, template)
	if err != nil {
		return answer{}, err
	}
	return ok(showHealth(c.app, h))
}

func readResume(body any) (template string, err error) {
	var bad faults
	f := newForm(body, &bad)
	template = f.text("template")
	f.close()
	return template, bad.err()
}
