package submsg

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/recurrence"
)

// ScheduleRequest is what a caller asks for.
type ScheduleRequest struct {
	Template  string
	To        Recipients
	RRule     string
	Start     time.Time // zero: now
	TimeZone  string    // "": the app's
	Content   Content
	Page      string
	ValidFor  time.Duration // 0: until the next occurrence, a week at most
	CatchUp   time.Duration // 0: DefaultCatchUp; negative: none
	Spread    time.Duration
	OnUnknown OnUnknown
}

// Bounds of a schedule.
const (
	maxSeries   = 200
	maxSpread   = 6 * time.Hour
	maxDuration = 31 * 24 * time.Hour
	checkAhead  = 60 // occurrences a new schedule is held against the rules with
)

// CreateSchedule takes a schedule under an idempotency key; replayed is true where the same request was made under it
// before.
//
// Problems: as CreateSend, and CodeBadRRule, CodeBadTimeZone, CodeRuleBroken, CodeHostNotAllowed.
func (s *Service) CreateSchedule(ctx context.Context, appid, key string, req ScheduleRequest) (sch Schedule, replayed bool, err error) {
	s.init()
	app, err := s.Apps.App(appid)
	if err != nil {
		return sch, false, err
	}
	if err := checkKey(key); err != nil {
		return sch, false, err
	}
	id := derive("schedule", appid, key)
	hash := req.digest()
	for try := 0; ; try++ {
		recs, err := s.Store.Load(ctx, ScheduleKey(appid, id))
		if err != nil {
			return sch, false, err
		}
		if stored, ok := recs[0].Body.(*Schedule); ok {
			if stored.RequestHash != hash {
				return sch, false, keyReused()
			}
			return *stored, true, nil
		}
		built, err := s.buildSchedule(ctx, app, req, nil)
		if err != nil {
			return sch, false, err
		}
		built.ID, built.RequestHash, built.CreatedAt = id, hash, built.UpdatedAt
		if err := s.putPlan(ctx, built); err != nil {
			return sch, false, err
		}
		if _, err = s.Store.Save(ctx, Record{Key: ScheduleKey(appid, id), Due: dueOfSchedule(built), Body: built}); err == nil {
			return *built, false, nil
		}
		if err := again(ctx, try, err); err != nil {
			return sch, false, err
		}
	}
}

func (r ScheduleRequest) digest() uint64 {
	start := ""
	if !r.Start.IsZero() {
		start = strconv.FormatInt(r.Start.UnixMilli(), 10)
	}
	body, _ := json.Marshal(r.Content) // maps come out in the order of their keys
	to, _ := json.Marshal(r.To)
	return digest(r.Template, string(to), r.RRule, start, r.TimeZone, string(body), r.Page, r.ValidFor.String(), r.CatchUp.String(), r.Spread.String(), string(r.OnUnknown.orDefault()))
}

// buildSchedule validates a request. With was, the schedule it replaces, what has occurred stays.
func (s *Service) buildSchedule(ctx context.Context, app *App, req ScheduleRequest, was *Schedule) (*Schedule, error) {
	tpl, err := s.template(ctx, app, req.Template)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	sch := &Schedule{AppID: app.Rules.AppID, State: ScheduleActive, TemplateID: tpl.ID, To: req.To, RRule: strings.TrimSpace(req.RRule), Content: req.Content,
		Page: pageOf(tpl, req.Page), OnUnknown: req.OnUnknown, ValidFor: req.ValidFor.Milliseconds(), Spread: req.Spread.Milliseconds(), UpdatedAt: At(now)}
	switch {
	case req.CatchUp == 0:
		sch.CatchUp = DefaultCatchUp.Milliseconds()
	case req.CatchUp > 0:
		sch.CatchUp = req.CatchUp.Milliseconds()
	}
	for _, d := range []struct {
		field string
		d     time.Duration
		most  time.Duration
	}{{"valid_for", req.ValidFor, maxDuration}, {"catch_up", req.CatchUp, maxDuration}, {"spread", req.Spread, maxSpread}} {
		if d.d < 0 && d.field != "catch_up" || d.d > d.most {
			return nil, problem(CodeInvalidRequest, d.field, fmt.Sprintf("%s is between 0 and %s", d.field, d.most))
		}
	}
	if err := checkRecipients(req.To, tpl); err != nil {
		return nil, err
	}
	if req.OnUnknown != "" && req.OnUnknown != OnUnknownFail && req.OnUnknown != OnUnknownResend {
		return nil, problem(CodeInvalidRequest, "on_unknown", `on_unknown is "fail" or "resend"`)
	}
	if len(req.Page) > maxPage {
		return nil, problem(CodeInvalidRequest, "page", fmt.Sprintf("page has at most %d bytes", maxPage))
	}
	zone := app.Rules.Zone
	sch.TimeZone = req.TimeZone
	if sch.TimeZone == "" {
		sch.TimeZone = zone.String()
	} else if zone, err = time.LoadLocation(sch.TimeZone); err != nil || sch.TimeZone == "Local" {
		return nil, problem(CodeBadTimeZone, "time_zone", fmt.Sprintf("%q is no zone of the IANA database, such as Asia/Shanghai", sch.TimeZone))
	}
	start := req.Start
	if start.IsZero() {
		start = now.Truncate(time.Minute) // "at nine" means 09:00:00, not the second in which it was asked for
		if was != nil {
			start = was.Start.Time()
		}
	}
	start = start.Truncate(time.Second)
	if start.After(now.Add(10*maxAhead)) || start.Before(now.Add(-10*maxAhead)) {
		return nil, problem(CodeInvalidRequest, "start", "start is more than ten years away")
	}
	sch.Start = At(start)
	if sch.RRule == "" {
		return nil, problem(CodeBadRRule, "rrule", "rrule is needed, such as FREQ=MONTHLY;BYMONTHDAY=5;BYHOUR=9;BYMINUTE=0")
	}
	rule, err := recurrence.Parse(sch.RRule, start.In(zone), zone)
	if err != nil {
		return nil, problem(CodeBadRRule, "rrule", err.Error())
	}
	from := start.Add(-time.Second)
	if now.After(from) {
		from = now
	}
	first, ok := rule.After(from)
	if !ok {
		return nil, problem(CodeBadRRule, "rrule", "this rule has no occurrence after now")
	}
	sch.NextAt = At(first)
	if len(req.Content.Series) > 0 || usesNumber(req.Content) {
		if sch.NextIndex, ok = rule.Index(first); !ok {
			return nil, problem(CodeBadRRule, "rrule", "the start lies too many occurrences back to number this one; choose a later start")
		}
		if !hasContent(sch, sch.NextIndex) {
			return nil, problem(CodeInvalidRequest, "content.series", "every occurrence of the series lies in the past")
		}
	}
	if err := s.checkContent(app, tpl, sch, rule, zone); err != nil {
		return nil, err
	}
	if was == nil || was.RRule != sch.RRule || was.Start != sch.Start || was.TimeZone != sch.TimeZone || was.TemplateID != sch.TemplateID {
		if err := checkScheduleRules(app, tpl, sch, rule, from); err != nil {
			return nil, err
		}
	}
	return sch, nil
}

func usesNumber(c Content) bool {
	for _, v := range c.Data {
		if strings.Contains(v, "number") {
			return true
		}
	}
	return false
}

func checkRecipients(to Recipients, tpl *Template) error {
	switch {
	case (to.OpenID == "") == (to.Audience == nil):
		return problem(CodeInvalidRequest, "to", `"to" names either an openid or an audience`)
	case to.OpenID != "":
		if err := CheckOpenID(to.OpenID); err != nil {
			AsProblem(err).Field = "to.openid"
			return err
		}
	case !tpl.LongTerm():
		return problem(CodeInvalidRequest, "to.audience", "an audience is made of long-term subscriptions; this template gives one send for each accept")
	default:
		return CheckTopic(to.Audience.Topic, "to.audience.topic")
	}
	return nil
}

// CheckTopic answers a problem for what cannot be a topic; "" is none.
func CheckTopic(topic, field string) error {
	if len(topic) > 64 || strings.ContainsFunc(topic, func(r rune) bool { return r <= 0x20 || r == 0x7f || r == '#' || r == 0xfffd }) {
		return problem(CodeInvalidRequest, field, "a topic has at most 64 bytes, without spaces, '#' and control characters")
	}
	return nil
}

// checkContent holds the content against the template, with the variables filled in as at the next occurrences: what fits
// on the 9th may be too long on the 10th.
func (s *Service) checkContent(app *App, tpl *Template, sch *Schedule, rule recurrence.Rule, zone *time.Location) error {
	c := sch.Content
	kinds := 0
	for _, set := range []bool{c.Data != nil, c.Series != nil, c.Provider != ""} {
		if set {
			kinds++
		}
	}
	if kinds != 1 {
		return problem(CodeInvalidRequest, "content", "content is exactly one of data, series and provider")
	}
	if c.Provider != "" {
		return s.checkProvider(app, c.Provider)
	}
	if c.Series != nil && (len(c.Series) == 0 || len(c.Series) > maxSeries) {
		return problem(CodeInvalidRequest, "content.series", fmt.Sprintf("a series has 1 to %d parts", maxSeries))
	}
	topic := "topic"
	if sch.To.Audience != nil && sch.To.Audience.Topic != "" {
		topic = sch.To.Audience.Topic
	}
	check := func(data map[string]string, field string, at time.Time, index int) error {
		filled, err := fill(data, at.In(zone), index, topic)
		if p := AsProblem(err); p != nil {
			p.Field = field + "." + p.Field
			return p
		}
		if p := checkData(tpl, filled, field); p != nil {
			return p
		}
		for _, r := range app.engine.CheckWords(&app.Rules, &tpl.Template, filled) {
			p := &Problem{Code: CodeRuleBroken, Field: field + "." + r.Field, Detail: r.Code + ": " + r.Detail}
			p.Errors = []FieldProblem{{Field: p.Field, Code: r.Code, Detail: r.Detail}}
			return p
		}
		return nil
	}
	at, index := sch.NextAt.Time(), sch.NextIndex
	for range checkAhead {
		data, field := c.Data, "content.data"
		if c.Series != nil {
			data, field = c.Series[index], fmt.Sprintf("content.series[%d].data", index)
		}
		if err := check(data, field, at, index); err != nil {
			return err
		}
		next, ok := rule.After(at)
		if at, index = next, index+1; !ok || !hasContent(sch, index) {
			break
		}
	}
	for i := range c.Series { // those of the past, or too far ahead
		if err := check(c.Series[i], fmt.Sprintf("content.series[%d].data", i), sch.NextAt.Time(), i); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) checkProvider(app *App, address string) error {
	if s.Provider == nil || app.CheckProvider == nil {
		return problem(CodeHostNotAllowed, "content.provider.url", "this app has no allow list of provider hosts")
	}
	if err := app.CheckProvider(address); err != nil {
		return problem(CodeHostNotAllowed, "content.provider.url", err.Error())
	}
	return nil
}

// checkScheduleRules refuses a schedule that by itself breaks a rule, showing the first occurrences that would.
func checkScheduleRules(app *App, tpl *Template, sch *Schedule, rule recurrence.Rule, from time.Time) error {
	next, _ := rule.Between(from, from.Add(10*maxAhead), checkAhead)
	if n := len(sch.Content.Series); n > 0 && len(next) > n-sch.NextIndex {
		next = next[:n-sch.NextIndex]
	}
	reasons := policy.CheckSchedule(&app.Rules, &tpl.Template, next)
	if len(reasons) == 0 {
		return nil
	}
	p := problem(CodeRuleBroken, "rrule", reasons[0].Code+": "+reasons[0].Detail)
	for _, r := range reasons {
		detail := r.Detail
		for i, at := range r.Occurrences {
			if i < 3 {
				detail += " " + at.Format(time.RFC3339)
			}
		}
		p.Errors = append(p.Errors, FieldProblem{Field: "rrule", Code: r.Code, Detail: detail})
	}
	return p
}

// Schedule reads one schedule.
func (s *Service) Schedule(ctx context.Context, appid, id string) (Schedule, error) {
	s.init()
	_, sch, err := s.scheduleOf(ctx, appid, id)
	if err != nil {
		return Schedule{}, err
	}
	return *sch, nil
}

func (s *Service) scheduleOf(ctx context.Context, appid, id string) (Record, *Schedule, error) {
	if _, err := s.Apps.App(appid); err != nil {
		return Record{}, nil, err
	}
	recs, err := s.Store.Load(ctx, ScheduleKey(appid, id))
	if err != nil {
		return Record{}, nil, err
	}
	sch, ok := recs[0].Body.(*Schedule)
	if !ok {
		return Record{}, nil, problem(CodeNotFound, "id", "no schedule with this id is known")
	}
	return recs[0], sch, nil
}

// Schedules lists an app's schedules, at most limit of them, and a cursor for the rest ("" at the end). Their order is
// stable and means nothing.
func (s *Service) Schedules(ctx context.Context, appid, cursor string, limit int) ([]Schedule, string, error) {
	s.init()
	if _, err := s.Apps.App(appid); err != nil {
		return nil, "", err
	}
	shard, after := 0, ""
	if cursor != "" {
		n, rest, ok := strings.Cut(cursor, ".")
		var err error
		if shard, err = strconv.Atoi(n); !ok || err != nil || shard < 0 || shard >= ScheduleShards {
			return nil, "", problem(CodeInvalidRequest, "cursor", "the cursor is not one that a listing answered")
		}
		after = rest
	}
	var list []Schedule
	for ; shard < ScheduleShards; shard, after = shard+1, "" {
		recs, err := s.Store.List(ctx, SchedulePartition(appid, shard), after, limit-len(list))
		if err != nil {
			return nil, "", err
		}
		for _, r := range recs {
			list = append(list, *r.Body.(*Schedule))
		}
		if len(list) == limit {
			return list, strconv.Itoa(shard) + "." + list[len(list)-1].ID, nil
		}
	}
	return list, "", nil
}

// changeSchedule applies change to a schedule; change gets a copy.
func (s *Service) changeSchedule(ctx context.Context, appid, id string, change func(*App, *Schedule) error) (Schedule, error) {
	s.init()
	for try := 0; ; try++ {
		rec, sch, err := s.scheduleOf(ctx, appid, id)
		if err != nil {
			return Schedule{}, err
		}
		app, err := s.Apps.App(appid)
		if err != nil {
			return Schedule{}, err
		}
		next := *sch
		if err := change(app, &next); err != nil {
			return Schedule{}, err
		}
		next.UpdatedAt = s.now()
		if err := s.leaveTrail(ctx, sch); err != nil {
			return Schedule{}, err
		}
		if _, err = s.Store.Save(ctx, Record{Key: rec.Key, Version: rec.Version, Due: dueOfSchedule(&next), Body: &next}); err == nil {
			return next, nil
		}
		if err := again(ctx, try, err); err != nil {
			return Schedule{}, err
		}
	}
}

// ReplaceSchedule puts another rule, recipients or content in the place of a schedule's. What has occurred stays, and
// so does a pause.
func (s *Service) ReplaceSchedule(ctx context.Context, appid, id string, req ScheduleRequest) (Schedule, error) {
	return s.changeSchedule(ctx, appid, id, func(app *App, sch *Schedule) error {
		next, err := s.buildSchedule(ctx, app, req, sch)
		if err != nil {
			return err
		}
		next.ID, next.CreatedAt, next.RequestHash, next.Past, next.Missed = sch.ID, sch.CreatedAt, sch.RequestHash, sch.Past, sch.Missed
		if sch.State == SchedulePaused {
			next.State, next.PauseReason = sch.State, sch.PauseReason
		}
		*sch = *next
		return s.putPlan(ctx, sch)
	})
}

// PauseSchedule stops a schedule until it is resumed. Jobs of an occurrence that fired already go on.
func (s *Service) PauseSchedule(ctx context.Context, appid, id string) (Schedule, error) {
	return s.changeSchedule(ctx, appid, id, func(_ *App, sch *Schedule) error {
		if sch.State == ScheduleEnded {
			return problem(CodeWrongState, "", "the schedule has ended")
		}
		sch.State, sch.PauseReason = SchedulePaused, nil
		return nil
	})
}

// ResumeSchedule lets a paused schedule go on with its next occurrence from now: what came due while it was paused is
// not caught up.
func (s *Service) ResumeSchedule(ctx context.Context, appid, id string) (Schedule, error) {
	return s.changeSchedule(ctx, appid, id, func(_ *App, sch *Schedule) error {
		if sch.State != SchedulePaused {
			if sch.State == ScheduleActive {
				return nil
			}
			return problem(CodeWrongState, "", "the schedule has ended")
		}
		rule, err := sch.rule()
		if err != nil {
			return err
		}
		for sch.NextAt != 0 && sch.NextAt <= s.now() {
			next, ok := rule.After(sch.NextAt.Time())
			if sch.NextAt = At(next); !ok {
				sch.NextAt = 0
			}
			sch.NextIndex++
		}
		sch.State, sch.PauseReason = ScheduleActive, nil
		if sch.NextAt == 0 || !hasContent(sch, sch.NextIndex) {
			sch.State, sch.NextAt = ScheduleEnded, 0
		}
		return nil
	})
}

// DeleteSchedule removes a schedule. Messages of occurrences that fired already still go.
func (s *Service) DeleteSchedule(ctx context.Context, appid, id string) error {
	s.init()
	for try := 0; ; try++ {
		rec, sch, err := s.scheduleOf(ctx, appid, id)
		if err != nil {
			return err
		}
		if err := s.leaveTrail(ctx, sch); err != nil {
			return err
		}
		if err = s.Store.Delete(ctx, rec.Key, rec.Version); err == nil {
			return nil
		}
		if err := again(ctx, try, err); err != nil {
			return err
		}
	}
}

// OccurrenceView is one occurrence of a schedule: past ones with what became of them and, for audiences, how many
// sends are in which state; coming ones as "upcoming".
type OccurrenceView struct {
	At     Instant
	State  string // fired, missed, running, done, upcoming
	Detail string
	Counts map[string]int
}

// Occurrences lists the last few occurrences of a schedule and the next n.
func (s *Service) Occurrences(ctx context.Context, appid, id string, n int) (past, next []OccurrenceView, err error) {
	s.init()
	_, sch, err := s.scheduleOf(ctx, appid, id)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range sch.Past {
		v := OccurrenceView{At: o.At, State: o.State, Detail: o.Detail}
		if o.State == "fired" && (sch.To.Audience != nil || sch.Content.Provider != "") {
			jobs, err := s.listAll(ctx, JobPartition(appid, id, o.At))
			if err != nil {
				return nil, nil, err
			}
			done := 0
			v.Counts = map[string]int{}
			for _, r := range jobs {
				j := r.Body.(*Job)
				for what, k := range j.Counts {
					v.Counts[what] += k
				}
				if j.Done {
					done++
				}
				if j.LastError != "" {
					v.Detail = j.LastError
				}
			}
			if v.State = "running"; done == len(jobs) {
				v.State = "done"
			}
		}
		past = append(past, v)
	}
	rule, err := sch.rule()
	if err != nil {
		return nil, nil, err
	}
	at, index := sch.NextAt, sch.NextIndex
	for ; n > 0 && at != 0 && hasContent(sch, index); n, index = n-1, index+1 {
		next = append(next, OccurrenceView{At: at, State: "upcoming"})
		following, ok := rule.After(at.Time())
		if at = At(following); !ok {
			at = 0
		}
	}
	return past, next, nil
}
