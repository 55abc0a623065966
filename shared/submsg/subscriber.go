package submsg

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// GrantReport is one decision as the mini program's own back end reports it: the raw result of
// wx.requestSubscribeMessage for one template.
type GrantReport struct {
	OpenID     string
	Template   string
	Decision   string
	OccurredAt time.Time // when the user decided; zero: now. With it a repeated report counts once
	Scene      string
	Topics     []string
}

// The window in which a reported occurred_at is believed: a clock that is a day off would tear the two feeds apart
// and count one accept twice.
const (
	reportPast   = 12 * time.Hour
	reportFuture = 5 * time.Minute

	maxReports  = 100
	maxDecision = 64
)

// Reported is what one report did.
type Reported struct {
	Report GrantReport
	Effect Effect
}

// ReportGrants records up to 100 reports. key, if not empty, makes reports without occurred_at repeatable. Either all are
// valid or nothing is recorded.
func (s *Service) ReportGrants(ctx context.Context, appid, key string, reports []GrantReport) ([]Reported, error) {
	s.init()
	app, err := s.Apps.App(appid)
	if err != nil {
		return nil, err
	}
	if len(reports) == 0 || len(reports) > maxReports {
		return nil, problem(CodeTooMany, "grants", fmt.Sprintf("grants holds 1 to %d reports", maxReports))
	}
	now := s.Now()
	grants := make(map[string][]Grant)
	var order []string
	place := make(map[string][]int)
	for i, r := range reports {
		t, err := checkReport(app, r, i, now)
		if err != nil {
			return nil, err
		}
		at := r.OccurredAt
		if at.IsZero() {
			at = now
		}
		g := Grant{TemplateID: t.ID, LongTerm: t.LongTerm(), Decision: r.Decision, Source: SourceReport, Event: "report", At: At(at), Arrived: At(now), Scene: r.Scene, Topics: r.Topics}
		switch {
		case !r.OccurredAt.IsZero():
			g.Fingerprint = digest("report", r.OpenID, t.ID, r.Decision, strconv.FormatInt(r.OccurredAt.UnixMilli(), 10))
		case key != "":
			g.Fingerprint = digest("report", r.OpenID, t.ID, r.Decision, key, strconv.Itoa(i))
		default:
			g.Fingerprint = uint64(NewVersion())
		}
		if grants[r.OpenID] == nil {
			order = append(order, r.OpenID)
		}
		grants[r.OpenID] = append(grants[r.OpenID], g)
		place[r.OpenID] = append(place[r.OpenID], i)
	}
	ctx, cancel := s.work(ctx)
	defer cancel()
	out := make([]Reported, len(reports))
	for _, openid := range order {
		effects, err := s.applyGrants(ctx, app, openid, grants[openid])
		if err != nil {
			return nil, err
		}
		for n, i := range place[openid] {
			out[i] = Reported{reports[i], effects[n]}
		}
	}
	return out, nil
}

func checkReport(app *App, r GrantReport, i int, now time.Time) (*Template, error) {
	field := func(name string) string { return fmt.Sprintf("grants[%d].%s", i, name) }
	if err := CheckOpenID(r.OpenID); err != nil {
		p := AsProblem(err)
		p.Field = field(p.Field)
		return nil, p
	}
	t, err := app.Template(r.Template)
	if err != nil {
		p := AsProblem(err)
		p.Field = field(p.Field)
		return nil, p
	}
	switch {
	case r.Decision == "" || len(r.Decision) > maxDecision:
		return nil, problem(CodeInvalidRequest, field("decision"), "decision is WeChat's own word for this template: accept, reject, ban, filter …")
	case len(r.Scene) > maxKey:
		return nil, problem(CodeInvalidRequest, field("scene"), fmt.Sprintf("scene has at most %d bytes", maxKey))
	case len(r.Topics) > maxTopics:
		return nil, problem(CodeInvalidRequest, field("topics"), fmt.Sprintf("a subscriber follows at most %d topics", maxTopics))
	case !r.OccurredAt.IsZero() && (r.OccurredAt.Before(now.Add(-reportPast)) || r.OccurredAt.After(now.Add(reportFuture))):
		return nil, problem(CodeClockSkew, field("occurred_at"), fmt.Sprintf("occurred_at is not within the last %s: check the reporter's clock, or leave it out", reportPast))
	}
	for _, topic := range r.Topics {
		if err := checkTopicNamed(topic, field("topics")); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func checkTopicNamed(topic, field string) error {
	if topic == "" {
		return problem(CodeInvalidRequest, field, "a topic is not empty")
	}
	return CheckTopic(topic, field)
}

// SubscriberView is a subscriber as callers see it: every open reservation counted as its send stands.
type SubscriberView struct {
	Subscriber
	Open    map[string]*Send // the sends of open reservations that have a record
	Sends   []*Send          // open and recent ones, newest first
	History []GrantHistory   // newest first
}

// Subscriber reads a subscriber. One that nothing is known of has no subscriptions and no history. Reservations past
// their lease are put in order on the way, so that what is shown is final or called unknown.
func (s *Service) Subscriber(ctx context.Context, appid, openid string, history int) (SubscriberView, error) {
	s.init()
	if _, err := s.Apps.App(appid); err != nil {
		return SubscriberView{}, err
	}
	if err := CheckOpenID(openid); err != nil {
		return SubscriberView{}, err
	}
	key := SubscriberKey(appid, openid)
	view := SubscriberView{Subscriber: Subscriber{AppID: appid, OpenID: openid}}
	for tidied := false; ; tidied = true {
		sub, _, open, err := s.withSends(ctx, appid, openid)
		if err != nil {
			return view, err
		}
		view.Open = open
		dead := slices.ContainsFunc(sub.Reservations, func(r Reservation) bool { return blocking(r, view.Open[r.SendID], s.now()) && s.now() > r.Until })
		if dead && !tidied {
			if err := s.tidy(ctx, key); err != nil {
				return view, err
			}
			continue
		}
		view.Subscriber = *settle(sub, view.Open, s.now())
		break
	}
	if err := s.recentSends(ctx, &view); err != nil {
		return view, err
	}
	lines, err := s.Store.List(ctx, HistoryPartition(appid, openid), "", history)
	if err != nil {
		return view, err
	}
	for _, l := range lines {
		view.History = append(view.History, *l.Body.(*GrantHistory))
	}
	return view, nil
}

// withSends reads a subscriber, an empty one where nothing is known, and the sends that its open reservations name.
func (s *Service) withSends(ctx context.Context, appid, openid string) (sub *Subscriber, version Version, sends map[string]*Send, err error) {
	recs, err := s.Store.Load(ctx, SubscriberKey(appid, openid))
	if err != nil {
		return nil, 0, nil, err
	}
	sub, ok := recs[0].Body.(*Subscriber)
	if !ok {
		sub = &Subscriber{AppID: appid, OpenID: openid}
	}
	named, err := s.loadSends(ctx, appid, sendsNamed(sub, ""))
	return sub, recs[0].Version, bodies(named), err
}

// settledSubscriber reads a subscriber with the open reservations counted as their sends stand; an empty one where nothing
// is known.
func (s *Service) settledSubscriber(ctx context.Context, appid, openid string) (*Subscriber, error) {
	sub, _, sends, err := s.withSends(ctx, appid, openid)
	if err != nil {
		return nil, err
	}
	return settle(sub, sends, s.now()), nil
}

// shownSends is how many sends a subscriber is shown with.
const shownSends = 20

// Preferences are what a subscriber chose. A nil member leaves it as it is.
type Preferences struct {
	Muted      map[string]bool // by template id or name
	QuietHours *string         // "22:00-08:00"; "" for none of the subscriber's own
	TimeZone   *string         // IANA; "" for the app's
	Topics     *[]string
}

// SetPreferences changes what is named and leaves the rest.
func (s *Service) SetPreferences(ctx context.Context, appid, openid string, p Preferences) error {
	s.init()
	app, err := s.Apps.App(appid)
	if err != nil {
		return err
	}
	if err := CheckOpenID(openid); err != nil {
		return err
	}
	muted := make(map[string]bool, len(p.Muted))
	for name, m := range p.Muted {
		t, err := app.Template(name)
		if err != nil {
			return err
		}
		muted[t.ID] = m
	}
	if p.QuietHours != nil {
		if _, err := policy.ParseWindow(*p.QuietHours); err != nil {
			return problem(CodeInvalidRequest, "quiet_hours", err.Error())
		}
	}
	if p.TimeZone != nil && *p.TimeZone != "" {
		if _, err := time.LoadLocation(*p.TimeZone); err != nil || *p.TimeZone == "Local" {
			return problem(CodeBadTimeZone, "time_zone", fmt.Sprintf("%q is no zone of the IANA database, such as Asia/Shanghai", *p.TimeZone))
		}
	}
	if p.Topics != nil {
		if len(*p.Topics) > maxTopics {
			return problem(CodeInvalidRequest, "topics", fmt.Sprintf("a subscriber follows at most %d topics", maxTopics))
		}
		for _, topic := range *p.Topics {
			if err := checkTopicNamed(topic, "topics"); err != nil {
				return err
			}
		}
	}
	for try := 0; ; try++ {
		recs, err := s.Store.Load(ctx, SubscriberKey(appid, openid))
		if err != nil {
			return err
		}
		sub, ok := recs[0].Body.(*Subscriber)
		if !ok {
			sub = &Subscriber{AppID: appid, OpenID: openid}
		}
		next := sub.clone()
		for id, m := range muted {
			next.subscription(id).Muted = m
		}
		if p.QuietHours != nil {
			next.QuietHours = *p.QuietHours
		}
		if p.TimeZone != nil {
			next.TimeZone = *p.TimeZone
		}
		if p.Topics != nil {
			next.setTopics(*p.Topics)
		}
		if err := s.joinAudiences(ctx, app, sub, next); err != nil {
			return err
		}
		if _, err = s.Store.Save(ctx, subscriberRecord(next, recs[0].Version)); err == nil {
			return s.leaveAudiences(ctx, sub, next)
		}
		if err := again(ctx, try, err); err != nil {
			return err
		}
	}
}

// erasedFor is how long an erased person's waiting and finished sends may be around unfound: as long as one may wait and is
// kept.
const erasedFor = maxAhead + keepFinal

// Erase removes what is known of a person: personal schedules, the history, places in audiences, the sends that can be
// found, and the subscriber's own record, in whose place the moment is kept: sends of before that nothing leads to are void
// from then on, and deleted when they are come across. An erasure that was cut off is finished by the next one.
// CodeInProgress, and nothing erased yet, while a message is on its way.
func (s *Service) Erase(ctx context.Context, appid, openid string) error {
	s.init()
	app, err := s.Apps.App(appid)
	if err != nil {
		return err
	}
	if err := CheckOpenID(openid); err != nil {
		return err
	}
	ctx, cancel := s.work(ctx)
	defer cancel()
	for try := 0; ; try++ {
		recs, err := s.Store.Load(ctx, SubscriberKey(appid, openid))
		if err != nil {
			return err
		}
		sub, ok := recs[0].Body.(*Subscriber)
		if !ok {
			sub = &Subscriber{AppID: appid, OpenID: openid}
		}
		unsent, err := s.listAll(ctx, UnsentPartition(appid, openid))
		if err != nil {
			return err
		}
		ids := sendsNamed(sub, "")
		for _, c := range candidates(sub, "") {
			ids = append(ids, c.sendID)
		}
		for _, e := range unsent {
			ids = append(ids, e.Body.(*UnsentEntry).SendID)
		}
		slices.Sort(ids)
		named, err := s.loadSends(ctx, appid, slices.Compact(ids))
		if err != nil {
			return err
		}
		sends := bodies(named)
		if slices.ContainsFunc(sub.Reservations, func(r Reservation) bool { return blocking(r, sends[r.SendID], s.now()) && s.now() <= r.Until }) {
			return problem(CodeInProgress, "", "a message to this subscriber is on its way; erase again in a moment")
		}
		if err := s.eraseTraces(ctx, app, sub, append(slices.Collect(maps.Values(named)), unsent...)); err != nil {
			return err
		}
		if _, err = s.Store.Save(ctx, subscriberRecord(&Subscriber{AppID: appid, OpenID: openid, ErasedAt: s.now()}, recs[0].Version)); err == nil {
			return nil
		}
		if err := again(ctx, try, err); err != nil {
			return err
		}
	}
}

// eraseTraces deletes what else there is of a person: sends, then what leads to them. The subscriber, which leads to it, goes last.
func (s *Service) eraseTraces(ctx context.Context, app *App, sub *Subscriber, sends []Record) error {
	if err := s.erasePlans(ctx, sub.AppID, sub.OpenID); err != nil {
		return err
	}
	lines, err := s.listAll(ctx, HistoryPartition(sub.AppID, sub.OpenID))
	if err != nil {
		return err
	}
	if err := s.deleteAll(ctx, append(lines, sends...)); err != nil {
		return err
	}
	for _, p := range everyPlace(app, sub) {
		if err := s.removeEntry(ctx, sub.AppID, sub.OpenID, p); err != nil {
			return err
		}
	}
	return nil
}

// erasePlans deletes the schedules that were made for one subscriber alone, and what leads to them.
func (s *Service) erasePlans(ctx context.Context, appid, openid string) error {
	plans, err := s.listAll(ctx, PlanPartition(appid, openid))
	if err != nil {
		return err
	}
	for _, p := range plans {
		id := p.Body.(*PlanEntry).ScheduleID
		sch, err := s.Schedule(ctx, appid, id)
		if err == nil && sch.To.OpenID == openid { // else it has been given other recipients since
			if err = s.eraseJobs(ctx, &sch); err == nil {
				err = s.DeleteSchedule(ctx, appid, id)
			}
		}
		if err != nil && !isNotFound(err) {
			return err
		}
	}
	return s.deleteAll(ctx, plans)
}

// eraseJobs deletes what is under way, or done, for one subscriber's occurrences.
func (s *Service) eraseJobs(ctx context.Context, sch *Schedule) error {
	for _, o := range sch.Past {
		jobs, err := s.listAll(ctx, JobPartition(sch.AppID, sch.ID, o.At))
		if err != nil {
			return err
		}
		if err := s.deleteAll(ctx, jobs); err != nil {
			return err
		}
	}
	return nil
}

// deleteAll deletes records as they were loaded. One that has changed or gone meanwhile is left.
func (s *Service) deleteAll(ctx context.Context, recs []Record) error {
	for _, r := range recs {
		if err := s.Store.Delete(ctx, r.Key, r.Version); lost(err) {
			return err
		}
	}
	return nil
}
