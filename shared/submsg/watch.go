package submsg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// How the figures of an app are watched.
const (
	watchEvery = time.Hour

	pausePage  = 100 // schedules of one listing
	pausePages = 50  // listings of one tick; what is left goes on with the next
)

// watch looks at the figures of every app once an hour: templates that users turn away from are told to its webhook, and
// their schedules pause. A tick of any instance may do it; the app's health record says whose turn it is.
func (s *Service) watch(ctx context.Context) error {
	ctx, cancel := s.work(ctx)
	defer cancel()
	var errs []error
	for _, appid := range s.Apps.IDs() {
		if err := s.watchApp(ctx, appid); err != nil {
			errs = append(errs, fmt.Errorf("watching the figures of app %s: %w", appid, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Service) watchApp(ctx context.Context, appid string) error {
	app, err := s.Apps.App(appid)
	if err != nil {
		return err
	}
	h, err := s.healthOf(ctx, app)
	if err != nil {
		return err
	}
	if h == nil || h.WatchAt <= s.now() {
		var mine bool
		h, err = s.changeHealth(ctx, appid, func(h *Health) bool {
			if mine = h.WatchAt <= s.now(); mine {
				h.WatchAt = s.now().Add(watchEvery)
			}
			return mine
		})
		if err == nil && mine {
			h, err = s.look(ctx, app, h)
		}
		if err != nil {
			return err
		}
	}
	if len(h.Pausing) == 0 {
		return nil
	}
	return s.pauseSchedules(ctx, app, h.Pausing[0])
}

// look tells what the figures show, each template's once a day. The notice comes first: a crash before the record says
// that it was told repeats a notice of the same id.
func (s *Service) look(ctx context.Context, app *App, h *Health) (*Health, error) {
	appid, today := app.Rules.AppID, day(s.Now())
	counters, err := s.Stats(ctx, appid, spikeDays)
	if err != nil {
		return nil, err
	}
	told := func(h *Health, a alarm) bool { return h.Told[a.name()] == today }
	alarms := slices.DeleteFunc(alarmsOf(counters, s.Now()), func(a alarm) bool {
		_, err := app.Template(a.templateID)
		return err != nil || told(h, a)
	})
	if len(alarms) == 0 {
		return h, nil
	}
	for _, a := range alarms {
		s.notify(ctx, app, Notice{ID: derive("notice", appid, a.name(), today), Event: a.rule, TemplateID: a.templateID, Detail: a.detail})
	}
	return s.changeHealth(ctx, appid, func(h *Health) bool {
		maps.DeleteFunc(h.Told, func(_, day string) bool { return day != today })
		for _, a := range alarms {
			if a.rule == policy.RuleCancelSpike && !told(h, a) {
				h.Pausing = append(h.Pausing, Pausing{TemplateID: a.templateID, Reason: a.reason()})
			}
			if h.Told == nil {
				h.Told = map[string]string{}
			}
			h.Told[a.name()] = today
		}
		return true
	})
}

// errSettled ends a change of a schedule that needs none.
var errSettled = errors.New("submsg: nothing to change")

// pauseSchedules pauses the active schedules of a template, as far as one tick goes. What an operator resumes
// afterwards stays so: a spike is handled once a day, and this schedule has been passed.
func (s *Service) pauseSchedules(ctx context.Context, app *App, p Pausing) error {
	appid := app.Rules.AppID
	var failed error
	done := false
	for range pausePages {
		if done || failed != nil || s.shortOf(ctx, s.CallTimeout) {
			break
		}
		list, next, err := s.Schedules(ctx, appid, p.Cursor, pausePage)
		if err != nil {
			return err
		}
		var mu sync.Mutex
		var group sync.WaitGroup
		slots := make(chan struct{}, s.Concurrency)
		for _, sch := range list {
			if sch.State != ScheduleActive || sch.TemplateID != p.TemplateID {
				continue
			}
			slots <- struct{}{}
			group.Go(func() {
				defer func() { <-slots }()
				err := s.caught(ctx, func() error { return s.pauseFor(ctx, appid, sch.ID, p.Reason) })
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					p.Paused++
				case !errors.Is(err, errSettled) && !isNotFound(err): // deleted meanwhile: none of ours
					failed = errors.Join(failed, err)
				}
			})
		}
		group.Wait()
		if failed == nil {
			p.Cursor, done = next, next == ""
		}
	}
	if done {
		s.Log.WarnContext(ctx, "schedules were paused after a spike of revocations", "appid", appid, "template_id", p.TemplateID, "schedules", p.Paused)
	}
	_, err := s.changeHealth(ctx, appid, func(h *Health) bool {
		i := slices.IndexFunc(h.Pausing, func(x Pausing) bool { return x.TemplateID == p.TemplateID })
		switch {
		case i < 0:
			return false // another tick has finished it
		case done:
			h.Pausing = slices.Delete(h.Pausing, i, i+1)
		default:
			h.Pausing[i] = p
		}
		return true
	})
	return errors.Join(failed, err)
}

func (s *Service) pauseFor(ctx context.Context, appid, id string, why Reason) error {
	_, err := s.changeSchedule(ctx, appid, id, func(_ *App, sch *Schedule) error {
		if sch.State != ScheduleActive {
			return errSettled
		}
		sch.State, sch.PauseReason = SchedulePaused, &why
		return nil
	})
	return err
}
