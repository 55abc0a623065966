package submsg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// How the figures of an app are watched.
const (
	watchEvery   = time.Hour
	interestDays = 28 // the span that low_interest judges
	spikeDays    = 35 // the span that cancel_spike compares today with: it holds the last day of a monthly message

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
// afterwards stays so: the day's spike is told and its listing has passed.
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
				err := s.pauseFor(ctx, appid, sch.ID, p.Reason)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					p.Paused++
				case !errors.Is(err, errSettled) && AsProblem(err) == nil: // deleted meanwhile: a problem, and none of ours
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

// alarm is what the figures of one template give reason to tell.
type alarm struct {
	rule       string
	templateID string
	figures    figures
	detail     map[string]string
}

func (a alarm) name() string { return a.rule + "#" + a.templateID }

// reason is why a schedule of the template is paused.
func (a alarm) reason() Reason {
	f := a.figures
	return Reason{
		Code:     policy.RuleCancelSpike,
		Detail:   fmt.Sprintf("%d users revoked this template today, %.1f a day before; see what was sent last, then resume the schedule", f.today, f.usual()),
		DetailZH: fmt.Sprintf("今日有 %d 位用户取消订阅该模板，此前日均 %.1f；请检查近期发送的内容后再恢复", f.today, f.usual()),
	}
}

// alarmsOf reads the alarms out of the counters of the last spikeDays days, ordered by template.
func alarmsOf(counters []Counter, now time.Time) []alarm {
	var alarms []alarm
	all := figuresOf(counters, now)
	reported := false // an app that reports no opens at all is not judged by them
	for _, f := range all {
		reported = reported || f.opened > 0
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		f := all[id]
		if f.spike() {
			alarms = append(alarms, alarm{policy.RuleCancelSpike, id, f, map[string]string{
				"revoked_today": strconv.Itoa(f.today), "revoked_a_day_before": fmt.Sprintf("%.1f", f.usual()), "days_compared": strconv.Itoa(len(f.past)),
			}})
		}
		if reported && policy.LowInterest(f.delivered, f.opened) {
			alarms = append(alarms, alarm{policy.RuleLowInterest, id, f, map[string]string{
				"delivered": strconv.Itoa(f.delivered), "opened": strconv.Itoa(f.opened), "days": strconv.Itoa(interestDays),
			}})
		}
	}
	return alarms
}

// figures are those of one template that alarms rest on.
type figures struct {
	past          []int // revocations of each day before today, from the first day anything is known of
	today         int   // revocations
	sent          int   // today
	sentBefore    int
	revokedBefore int
	delivered     int // in interestDays
	opened        int
}

// figuresOf adds up counters by template.
func figuresOf(counters []Counter, now time.Time) map[string]figures {
	today := day(now)
	byDay := make(map[string]map[string]Counter)
	for _, c := range counters {
		if byDay[c.TemplateID] == nil {
			byDay[c.TemplateID] = make(map[string]Counter)
		}
		byDay[c.TemplateID][c.Day] = c
	}
	since := day(now.AddDate(0, 0, 1-interestDays))
	all := make(map[string]figures, len(byDay))
	for id, days := range byDay {
		var f figures
		first := slices.MinFunc(slices.Collect(maps.Keys(days)), strings.Compare)
		for back := spikeDays - 1; back >= 0; back-- {
			d := day(now.AddDate(0, 0, -back))
			if d < first {
				continue // before the template was in use: unknown, not zero
			}
			counts := days[d].Counts
			revoked, sent := int(counts["grant_revoked"]), int(counts[string(SendSent)])
			if d == today {
				f.today, f.sent = revoked, sent
			} else {
				f.past = append(f.past, revoked)
				f.revokedBefore += revoked
				f.sentBefore += sent
			}
			if d >= since {
				f.delivered += int(counts[string(SendDelivered)])
				f.opened += int(counts[countOpened])
			}
		}
		all[id] = f
	}
	return all
}

// usual is how many revocations a day saw before today.
func (f figures) usual() float64 { return float64(f.revokedBefore) / float64(max(len(f.past), 1)) }

// spike reports whether users revoke the template as they never did before. Revocations follow messages: those of the
// day of a monthly bill are compared with the month's bills, not with the quiet days between them.
func (f figures) spike() bool {
	if !policy.CancelSpike(policy.CancelCounts{Past: f.past, Current: f.today}) {
		return false
	}
	return f.sent == 0 || f.sentBefore == 0 || f.today*f.sentBefore >= 3*f.revokedBefore*f.sent
}
