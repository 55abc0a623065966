package httpapi

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func readSchedule(body any) (submsg.ScheduleRequest, error) {
	var bad faults
	f := newForm(body, &bad)
	req := submsg.ScheduleRequest{
		Template: f.needed("template"), RRule: f.text("rrule"), Start: f.time("start"), TimeZone: f.text("time_zone"), Page: f.text("page"),
		OnUnknown: submsg.OnUnknown(f.choice("on_unknown", string(submsg.OnUnknownFail), string(submsg.OnUnknownResend))),
	}
	if to, present := f.object("to"); present {
		req.To.OpenID = to.text("openid")
		if audience, present := to.object("audience"); present {
			req.To.Audience = &submsg.Audience{Topic: audience.text("topic")}
			if _, named := audience.get("topic"); named && req.To.Audience.Topic == "" {
				bad.add(audience.at("topic"), faultMissing, "topic is empty: leave it out to send to the whole audience")
			}
			audience.close()
		}
		to.close()
	} else {
		bad.add("to", faultMissing, `to is needed: {"openid": …} or {"audience": {…}}`)
	}
	if content, present := f.object("content"); present {
		req.Content = readContent(content)
	} else {
		bad.add("content", faultMissing, "content is needed: data, series or provider")
	}
	var set bool
	if req.ValidFor, set = f.duration("valid_for"); set && req.ValidFor == 0 {
		bad.add("valid_for", faultDuration, "valid_for is 0s: no message could ever go; leave it out for the default")
	}
	req.Spread, _ = f.duration("spread")
	if req.CatchUp, set = f.duration("catch_up"); set && req.CatchUp == 0 {
		req.CatchUp = -1 // written down as 0s: not at all, which is not the default
	}
	f.close()
	return req, bad.err()
}

func readContent(f form) submsg.Content {
	content := submsg.Content{Data: f.data("data")}
	if items, present := f.list("series"); present {
		content.Series = make([]map[string]string, len(items))
		for i, it := range items {
			part := openForm(it, fmt.Sprintf("%s.series[%d]", f.path, i), f.faults)
			content.Series[i] = part.data("data")
			part.close()
		}
	}
	if provider, present := f.object("provider"); present {
		content.Provider = provider.needed("url")
		provider.close()
	}
	f.close()
	return content
}

func (a *api) createSchedule(c *call) (answer, error) {
	key, err := c.key(true)
	if err != nil {
		return answer{}, err
	}
	req, err := a.scheduleRequest(c)
	if err != nil {
		return answer{}, err
	}
	sch, replayed, err := a.Service.CreateSchedule(c, c.appid, key, req)
	if err != nil {
		return answer{}, err
	}
	return created(replayed, "/v1/apps/"+url.PathEscape(c.appid)+"/schedules/"+sch.ID, showSchedule(c.app, &sch)), nil
}

func (a *api) scheduleRequest(c *call) (submsg.ScheduleRequest, error) {
	body, err := a.body(c)
	if err != nil {
		return submsg.ScheduleRequest{}, err
	}
	req, err := readSchedule(body)
	c.entry.concerns(req.To.OpenID)
	return req, err
}

func (a *api) getSchedule(c *call) (answer, error) {
	sch, err := a.Service.Schedule(c, c.appid, c.params["id"])
	return scheduleAnswer(c, &sch, err)
}

func (a *api) replaceSchedule(c *call) (answer, error) {
	req, err := a.scheduleRequest(c)
	if err != nil {
		return answer{}, err
	}
	sch, err := a.Service.ReplaceSchedule(c, c.appid, c.params["id"], req)
	return scheduleAnswer(c, &sch, err)
}

func (a *api) pauseSchedule(c *call) (answer, error) {
	if err := a.nothing(c); err != nil {
		return answer{}, err
	}
	sch, err := a.Service.PauseSchedule(c, c.appid, c.params["id"])
	return scheduleAnswer(c, &sch, err)
}

func (a *api) resumeSchedule(c *call) (answer, error) {
	if err := a.nothing(c); err != nil {
		return answer{}, err
	}
	sch, err := a.Service.ResumeSchedule(c, c.appid, c.params["id"])
	return scheduleAnswer(c, &sch, err)
}

func (a *api) deleteSchedule(c *call) (answer, error) {
	return answer{status: http.StatusNoContent}, a.Service.DeleteSchedule(c, c.appid, c.params["id"])
}

// nothing reads the body of a request that needs none: absent, or an empty object.
func (a *api) nothing(c *call) error {
	body, err := a.optionalBody(c)
	if err != nil {
		return err
	}
	var bad faults
	newForm(body, &bad).close()
	return bad.err()
}

// The schedules of one page of a listing.
const (
	usualPage = 50
	mostPage  = 200
)

// listSchedules answers one page. With a state, a page may hold fewer than its limit, even none, and yet not be the
// last: next_cursor tells.
func (a *api) listSchedules(c *call) (answer, error) {
	q := c.query()
	limit, state := q.number("limit", usualPage, 1, mostPage), submsg.ScheduleState(q.Get("state"))
	if state != "" && state != submsg.ScheduleActive && state != submsg.SchedulePaused && state != submsg.ScheduleEnded {
		q.add("state", faultValue, "state is one of active, paused, ended")
	}
	if err := q.err(); err != nil {
		return answer{}, err
	}
	list, next, err := a.Service.Schedules(c, c.appid, q.Get("cursor"), limit)
	if err != nil {
		return answer{}, err
	}
	out := struct {
		Schedules []scheduleView `json:"schedules"`
		Next      string         `json:"next_cursor,omitempty"`
	}{[]scheduleView{}, next}
	for i := range list {
		if state == "" || list[i].State == state {
			out.Schedules = append(out.Schedules, showSchedule(c.app, &list[i]))
		}
	}
	return ok(out)
}

// The coming occurrences that a preview shows.
const (
	usualPreview = 10
	mostPreview  = 200
)

func (a *api) occurrences(c *call) (answer, error) {
	q := c.query()
	n := q.number("n", usualPreview, 0, mostPreview)
	if err := q.err(); err != nil {
		return answer{}, err
	}
	sch, err := a.Service.Schedule(c, c.appid, c.params["id"])
	if err != nil {
		return answer{}, err
	}
	past, next, err := a.Service.Occurrences(c, c.appid, sch.ID, n)
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]any{"past": showOccurrences(&sch, past), "next": showOccurrences(&sch, next)})
}
