package httpapi

import (
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// scheduleView is a schedule as callers see it. start, next_at and occurrences have the offset of the schedule's zone,
// so that nine o'clock can be read as nine o'clock.
type scheduleView struct {
	ID          string               `json:"id"`
	AppID       string               `json:"appid"`
	State       submsg.ScheduleState `json:"state"`
	TemplateID  string               `json:"template_id"`
	Template    string               `json:"template,omitempty"`
	To          recipientsView       `json:"to"`
	RRule       string               `json:"rrule"`
	Start       string               `json:"start"`
	TimeZone    string               `json:"time_zone"`
	Content     contentView          `json:"content"`
	NextAt      string               `json:"next_at,omitempty"`
	ValidFor    string               `json:"valid_for,omitempty"` // left out: until the next occurrence
	CatchUp     string               `json:"catch_up"`
	Spread      string               `json:"spread"`
	Page        string               `json:"page,omitempty"`
	OnUnknown   submsg.OnUnknown     `json:"on_unknown,omitempty"`
	Missed      int                  `json:"missed"`
	PauseReason *reason              `json:"pause_reason,omitempty"`
	CreatedAt   string               `json:"created_at"`
	UpdatedAt   string               `json:"updated_at"`
}

type recipientsView struct {
	OpenID   string        `json:"openid,omitempty"`
	Audience *audienceView `json:"audience,omitempty"`
}

type audienceView struct {
	Topic string `json:"topic,omitempty"`
}

type contentView struct {
	Data     map[string]string `json:"data,omitempty"`
	Series   []partView        `json:"series,omitempty"`
	Provider *providerView     `json:"provider,omitempty"`
}

type partView struct {
	Data map[string]string `json:"data"`
}

type providerView struct {
	URL string `json:"url"`
}

type occurrenceView struct {
	At     string         `json:"at"`
	State  string         `json:"state"`
	Detail string         `json:"detail,omitempty"`
	Counts map[string]int `json:"counts,omitempty"`
}

// zoneOf is the zone that a schedule is shown in.
func zoneOf(s *submsg.Schedule) *time.Location {
	if z, err := time.LoadLocation(s.TimeZone); err == nil {
		return z
	}
	return time.UTC
}

func showSchedule(app *submsg.App, s *submsg.Schedule) scheduleView {
	zone := zoneOf(s)
	v := scheduleView{
		ID: s.ID, AppID: s.AppID, State: s.State, TemplateID: s.TemplateID, Template: nameOf(app, s.TemplateID), To: recipientsView{OpenID: s.To.OpenID},
		RRule: s.RRule, Start: showTimeIn(s.Start, zone), TimeZone: s.TimeZone, Content: contentView{Data: s.Content.Data}, NextAt: showTimeIn(s.NextAt, zone),
		CatchUp: showDuration(s.CatchUp), Spread: showDuration(s.Spread), Page: s.Page, OnUnknown: s.OnUnknown, Missed: s.Missed,
		PauseReason: showStored(s.PauseReason), CreatedAt: showTime(s.CreatedAt), UpdatedAt: showTime(s.UpdatedAt),
	}
	if s.ValidFor > 0 {
		v.ValidFor = showDuration(s.ValidFor)
	}
	if s.To.Audience != nil {
		v.To.Audience = &audienceView{s.To.Audience.Topic}
	}
	for _, part := range s.Content.Series {
		v.Content.Series = append(v.Content.Series, partView{part})
	}
	if s.Content.Provider != "" {
		v.Content.Provider = &providerView{s.Content.Provider}
	}
	return v
}

func scheduleAnswer(c *call, sch *submsg.Schedule, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	return ok(showSchedule(c.app, sch))
}

func showOccurrences(s *submsg.Schedule, list []submsg.OccurrenceView) []occurrenceView {
	zone := zoneOf(s)
	out := make([]occurrenceView, len(list))
	for i, o := range list {
		out[i] = occurrenceView{showTimeIn(o.At, zone), o.State, o.Detail, o.Counts}
	}
	return out
}
