package submsg

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
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
	if !ok || sch.State == ScheduleDeleted {
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
		if shard, err = strconv.Atoi(n); !ok || err != nil || shard < 0 || shard >= ScheduleShards || !IsID(rest) {
			return nil, "", problem(CodeInvalidRequest, "cursor", "the cursor is not one that a listing answered")
		}
		after = rest
	}
	var list []Schedule
	for ; shard < ScheduleShards; shard, after = shard+1, "" {
		for more := true; more; {
			room := limit - len(list)
			recs, err := s.Store.List(ctx, SchedulePartition(appid, shard), after, room)
			if err != nil {
				return nil, "", err
			}
			for _, r := range recs {
				if sch := r.Body.(*Schedule); sch.State != ScheduleDeleted {
					list = append(list, *sch)
				}
				after = r.Key.Sort
			}
			if len(list) == limit {
				return list, strconv.Itoa(shard) + "." + after, nil
			}
			more = len(recs) == room
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

// DeleteSchedule removes a schedule; its idempotency key stays taken as long as a send's does. Messages of occurrences that
// fired already still go.
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
		rest := &Schedule{
			ID: sch.ID, AppID: sch.AppID, State: ScheduleDeleted, TemplateID: sch.TemplateID, RRule: sch.RRule, Start: sch.Start, TimeZone: sch.TimeZone,
			RequestHash: sch.RequestHash, CreatedAt: sch.CreatedAt, UpdatedAt: s.now(),
		}
		if _, err = s.Store.Save(ctx, Record{Key: rec.Key, Version: rec.Version, Expires: s.now().Add(keepFinal), Body: rest}); err == nil {
			return s.dropPlan(ctx, sch)
		}
		if err := again(ctx, try, err); err != nil {
			return err
		}
	}
}
