package submsg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/recurrence"
)

// rule is the schedule's recurrence, in its zone.
func (sch *Schedule) rule() (recurrence.Rule, error) {
	zone, err := time.LoadLocation(sch.TimeZone)
	if err != nil {
		return recurrence.Rule{}, fmt.Errorf("schedule %s: zone %s is not known to this machine: %w", sch.ID, sch.TimeZone, err)
	}
	return recurrence.Parse(sch.RRule, sch.Start.Time().In(zone), zone)
}

// fireAudiences turns due schedules of audiences into jobs, and returns the keys that workers have to see to: those
// jobs, and the personal schedules.
func (s *Service) fireAudiences(ctx context.Context, keys []Key) []Key {
	const page = 100
	var wake []Key
	for len(keys) > 0 {
		now := keys[:min(page, len(keys))]
		keys = keys[len(now):]
		recs, err := s.Store.Load(ctx, now...)
		if err != nil {
			s.Log.WarnContext(ctx, "due schedules could not be read; the next tick tries again", "error", err)
			return wake
		}
		for _, rec := range recs {
			sch, ok := rec.Body.(*Schedule)
			switch {
			case !ok || rec.Due == 0 || rec.Due > s.now():
			case sch.To.Audience == nil:
				wake = append(wake, rec.Key)
			default:
				jobs, err := s.fireRecord(ctx, rec, sch)
				if err = s.putOff(ctx, rec.Key, err); err != nil {
					s.Log.WarnContext(ctx, "schedule could not be fired; it stays due", "schedule", sch.ID, "error", err)
				}
				wake = append(wake, jobs...)
			}
		}
	}
	return wake
}

// fire works on one due schedule, whichever its recipients.
func (s *Service) fire(ctx context.Context, k Key) error {
	ctx, cancel := s.work(ctx)
	defer cancel()
	recs, err := s.Store.Load(ctx, k)
	if err != nil {
		return err
	}
	sch, ok := recs[0].Body.(*Schedule)
	if !ok || recs[0].Due == 0 || recs[0].Due > s.now() {
		return nil
	}
	jobs, err := s.fireRecord(ctx, recs[0], sch)
	s.wake(ctx, jobs...)
	return err
}

// fireRecord sends or hands on what is due of a schedule, then moves it on. A crash between the two repeats
// harmlessly: jobs are put if absent, and a send's id is derived from its occurrence.
func (s *Service) fireRecord(ctx context.Context, rec Record, sch *Schedule) ([]Key, error) {
	app, err := s.Apps.App(sch.AppID)
	if err != nil {
		return nil, err
	}
	rule, err := sch.rule()
	if err != nil {
		return nil, err
	}
	lateness := 2 * s.TickEvery
	if sch.To.OpenID != "" {
		lateness += time.Duration(sch.Spread) * time.Millisecond
	}
	f := moveOn(sch, rule, s.Now(), lateness)
	var jobs []Key
	for i, o := range f.fire {
		job, err := s.jobOf(app, sch, rule, o.At, f.index[i])
		if err != nil {
			return nil, err
		}
		if sch.To.OpenID != "" && job.Provider == "" {
			if err := s.sendPersonal(ctx, app, job); err != nil {
				return nil, err
			}
			continue
		}
		keys, err := s.putJobs(ctx, sch, job)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, keys...)
	}
	if f.next.Missed > sch.Missed {
		if err := s.leaveTrail(ctx, sch, newlyMissed(sch, f.next)...); err != nil {
			return jobs, err
		}
	}
	if err := s.offer(ctx, Record{Key: rec.Key, Version: rec.Version, Due: f.due, Body: f.next}); err != nil {
		return jobs, err
	}
	if n := f.next.Missed - sch.Missed; n > 0 {
		s.Metrics.Count(sch.AppID, sch.TemplateID, "occurrence_missed", n)
		s.Log.WarnContext(ctx, "occurrences were missed", "appid", sch.AppID, "schedule", sch.ID, "missed", n)
	}
	return jobs, nil
}

// jobOf is the work of one occurrence, with its content filled in; Shard is still to be set.
func (s *Service) jobOf(app *App, sch *Schedule, rule recurrence.Rule, at Instant, index int) (*Job, error) {
	j := &Job{
		AppID: sch.AppID, ScheduleID: sch.ID, TemplateID: sch.TemplateID, Occurrence: at, Index: index, To: sch.To, Provider: sch.Content.Provider,
		Page: sch.Page, ValidUntil: validUntil(sch, rule, at), OnUnknown: sch.OnUnknown, CreatedAt: s.now(), UpdatedAt: s.now(),
	}
	data := sch.Content.Data
	if len(sch.Content.Series) > 0 {
		data = sch.Content.Series[index]
	}
	if data != nil {
		zone, err := time.LoadLocation(sch.TimeZone)
		if err != nil {
			return nil, err
		}
		topic := ""
		if sch.To.Audience != nil {
			topic = sch.To.Audience.Topic
		}
		if j.Data, err = fill(data, at.Time().In(zone), index, topic); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// putJobs writes one job per shard of the audience, where it is not there yet. The spread staggers them. One subscriber
// takes one job.
func (s *Service) putJobs(ctx context.Context, sch *Schedule, job *Job) ([]Key, error) {
	shards := AudienceShards
	if sch.To.OpenID != "" {
		shards = 1
	}
	keys := make([]Key, shards)
	errs := make([]error, shards)
	var group sync.WaitGroup
	for shard := range shards {
		group.Go(func() {
			j := *job
			j.Shard, j.Shards = shard, shards
			keys[shard] = JobKey(j.AppID, j.ScheduleID, j.Occurrence, shard)
			j.ID = derive("job", j.AppID, j.ScheduleID, strconv.FormatInt(int64(j.Occurrence), 10), strconv.Itoa(shard))
			due := j.Occurrence + Instant(sch.Spread*int64(shard)/int64(shards))
			errs[shard] = s.caught(ctx, func() error {
				return s.offer(ctx, Record{Key: keys[shard], Due: max(due, 1), Body: &j})
			})
		})
	}
	group.Wait()
	return keys, errors.Join(errs...)
}

// occurrenceSend is the send of one occurrence to one subscriber. Its id is the same however often it is made.
func (j *Job) occurrenceSend(openid string, content Provided, now Instant) *Send {
	page := content.Page
	if page == "" {
		page = j.Page
	}
	return &Send{
		ID:    OccurrenceSendID(j.AppID, j.ScheduleID, j.Occurrence, openid),
		AppID: j.AppID, OpenID: openid, TemplateID: j.TemplateID, State: SendQueued, Data: content.Data, Page: page,
		ValidUntil: j.ValidUntil, OnUnknown: j.OnUnknown, Schedule: j.ScheduleID, Occurrence: j.Occurrence, CreatedAt: now, UpdatedAt: now,
	}
}

// OccurrenceSendID is the id of the send of one occurrence of a schedule to one subscriber: the answer to "why did this
// person get nothing" begins here.
func OccurrenceSendID(appid, scheduleID string, occurrence Instant, openid string) string {
	return derive("occurrence", appid, scheduleID, strconv.FormatInt(int64(occurrence), 10), openid)
}

// sendPersonal sends one occurrence of a schedule for one subscriber. The schedule itself stays due until that is
// done, so the reservation needs nothing else to lead to it.
func (s *Service) sendPersonal(ctx context.Context, app *App, j *Job) error {
	c, err := s.occurrenceCarriage(ctx, app, j, j.To.OpenID)
	if err != nil {
		return err
	}
	if c.send.Version != 0 {
		return nil // a record falls due by itself
	}
	_, err = s.carryOccurrence(ctx, c)
	return err
}

// newlyMissed are the occurrences from sch's next one on that next records as missed.
func newlyMissed(sch, next *Schedule) (all []Instant) {
	for _, o := range next.Past {
		if o.At >= sch.NextAt && o.State == "missed" {
			all = append(all, o.At)
		}
	}
	return all
}

// leaveTrail makes the sends of the occurrences at NextAt and at fall due by themselves where a worker holds a reservation
// for one, or died holding it: the schedule, which leads to them otherwise, is about to move on or to go away.
func (s *Service) leaveTrail(ctx context.Context, sch *Schedule, at ...Instant) error {
	if sch.To.OpenID == "" || sch.NextAt == 0 {
		return nil
	}
	recs, err := s.Store.Load(ctx, SubscriberKey(sch.AppID, sch.To.OpenID))
	if err != nil {
		return err
	}
	sub, ok := recs[0].Body.(*Subscriber)
	if !ok {
		return nil
	}
	of := map[string]Instant{}
	for _, o := range append(at, sch.NextAt) {
		of[OccurrenceSendID(sch.AppID, sch.ID, o, sch.To.OpenID)] = o
	}
	for _, r := range sub.Reservations {
		o, ok := of[r.SendID]
		if !ok {
			continue
		}
		b := &Send{ID: r.SendID, AppID: sch.AppID, OpenID: sub.OpenID, TemplateID: r.TemplateID, State: SendQueued, Schedule: sch.ID, Occurrence: o, CreatedAt: r.At, UpdatedAt: s.now()}
		if err := s.offer(ctx, sendRecord(b, 0, r.Until+1)); err != nil { // one that is stored already does the same
			return err
		}
	}
	return nil
}

func (s *Service) occurrenceCarriage(ctx context.Context, app *App, j *Job, openid string) (*carriage, error) {
	tpl, err := s.template(ctx, app, j.TemplateID)
	if err != nil {
		return nil, err
	}
	b := j.occurrenceSend(openid, Provided{Data: j.Data}, s.now())
	c := &carriage{app: app, tpl: tpl, send: Record{Key: SendKey(b.AppID, b.ID), Body: b}}
	return c, s.load(ctx, c)
}

// patient is how long a scheduled send waits in place for a cap that is just about to end, before it is written down
// as deferred: a daily message is due a blink before yesterday's turns twenty-four hours old.
const patient = 3 * time.Second

// carryOccurrence carries a scheduled send, after its content was held against the template.
func (s *Service) carryOccurrence(ctx context.Context, c *carriage) (Record, error) {
	b := c.sendBody()
	if c.send.Version == 0 && b.Data != nil {
		if p := checkData(c.tpl, b.Data, "data"); p != nil {
			next := *b
			next.State, next.Reason = SendRefused, &Reason{Code: policy.RuleFields, Field: p.Field, Detail: p.Detail}
			rec, err := s.saveSend(ctx, sendRecord(&next, 0, 0))
			if lost(err) {
				return rec, err
			}
			s.countSend(c, &next, 0)
			return rec, nil
		}
	}
	return s.carry(ctx, c)
}

// provide asks the app's endpoint for the content of an occurrence.
func (s *Service) provide(ctx context.Context, j *Job, openids []string) (map[string]Provided, error) {
	if s.Provider == nil {
		return nil, errors.New("submsg: no provider is set up")
	}
	return s.Provider.Provide(ctx, ProviderRequest{AppID: j.AppID, URL: j.Provider, ScheduleID: j.ScheduleID, TemplateID: j.TemplateID, Occurrence: j.Occurrence, OpenIDs: openids})
}
