package submsg

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// healthFor is how long an instance trusts what it knows of an app's health. A hold made elsewhere takes effect
// within it; one made here at once.
const healthFor = 2 * time.Second

// cache keeps one value per key for a while.
type cache[T any] struct {
	mu sync.Mutex
	m  map[string]cached[T]
}

type cached[T any] struct {
	v  T
	at time.Time
}

func (c *cache[T]) get(key string, now time.Time, fresh time.Duration) (v T, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.m[key]
	if !ok || now.Sub(e.at) >= fresh || now.Before(e.at) {
		return v, false
	}
	return e.v, true
}

func (c *cache[T]) put(key string, v T, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = make(map[string]cached[T])
	}
	c.m[key] = cached[T]{v, now}
}

// healthOf reads an app's health; nil while nothing is known against it.
func (s *Service) healthOf(ctx context.Context, app *App) (*Health, error) {
	if h, ok := s.health.get(app.Rules.AppID, s.Now(), healthFor); ok {
		return h, nil
	}
	recs, err := s.Store.Load(ctx, HealthKey(app.Rules.AppID))
	if err != nil {
		return nil, err
	}
	h, _ := recs[0].Body.(*Health)
	s.health.put(app.Rules.AppID, h, s.Now())
	return h, nil
}

// changeHealth applies change to the app's health. change gets a copy it may alter and returns false to leave it.
func (s *Service) changeHealth(ctx context.Context, appid string, change func(*Health) bool) (*Health, error) {
	for try := 0; ; try++ {
		recs, err := s.Store.Load(ctx, HealthKey(appid))
		if err != nil {
			return nil, err
		}
		next := &Health{AppID: appid}
		if h, ok := recs[0].Body.(*Health); ok {
			*next = *h
			next.Holds, next.Strikes = slices.Clone(h.Holds), maps.Clone(h.Strikes)
			next.Told, next.Pausing = maps.Clone(h.Told), slices.Clone(h.Pausing)
		}
		if !change(next) {
			s.health.put(appid, next, s.Now())
			return next, nil
		}
		if _, err = s.Store.Save(ctx, Record{Key: HealthKey(appid), Version: recs[0].Version, Body: next}); err == nil {
			s.health.put(appid, next, s.Now())
			return next, nil
		}
		if err := again(ctx, try, err); err != nil {
			return nil, err
		}
	}
}

// addHold records that WeChat blocked a template or the app, or that the day's quota is spent. While a hold of
// the same scope stands, more of the same answers are no new strike.
func (s *Service) addHold(ctx context.Context, app *App, templateID string, why penalty) (*Health, error) {
	scope := ""
	if why.template {
		scope = templateID
	}
	now := s.Now()
	added := false
	var made Hold
	h, err := s.changeHealth(ctx, app.Rules.AppID, func(h *Health) bool {
		h.Holds = inForce(h.Holds, At(now))
		rule := policy.RuleSuspended
		if why.day {
			rule = policy.RuleDailyQuota
		}
		if i := slices.IndexFunc(h.Holds, func(x Hold) bool { return x.TemplateID == scope && x.Rule == rule }); i >= 0 {
			added = h.Holds[i] == made // our own write of before, whose answer was lost
			return false
		}
		var p policy.Hold
		if why.day {
			p = policy.DailyQuotaHold(now, policy.HashKey(app.Rules.AppID))
		} else {
			if h.Strikes == nil {
				h.Strikes = map[string]int{}
			}
			h.Strikes[scope]++
			p = policy.Suspend(h.Strikes[scope], now)
		}
		made = Hold{TemplateID: scope, Rule: rule, Code: why.code, Strike: p.Strikes, Since: At(now), Until: At(p.Until)}
		h.Holds = append(h.Holds, made)
		added = true
		return true
	})
	if err == nil && added {
		s.Log.ErrorContext(ctx, "WeChat holds sends", "appid", app.Rules.AppID, "template_id", scope, "errcode", why.code)
		if !why.day {
			s.Metrics.Count(app.Rules.AppID, scope, "suspended", 1)
		}
		detail := map[string]string{"errcode": strconv.Itoa(made.Code), "rule": made.Rule}
		if made.Strike > 0 {
			detail["strike"] = strconv.Itoa(made.Strike)
		}
		if made.Until != 0 {
			detail["until"] = made.Until.Time().Format(time.RFC3339)
		}
		s.notify(ctx, app, Notice{Event: "hold", TemplateID: scope, Detail: detail})
	}
	return h, err
}

// inForce are the holds whose term has not ended.
func inForce(holds []Hold, now Instant) []Hold {
	return slices.DeleteFunc(slices.Clone(holds), func(x Hold) bool { return x.Until != 0 && x.Until <= now })
}

// holdEnd is when the last hold on a template ends; 0 where one stands until an operator resumes.
func holdEnd(h *Health, templateID string) Instant {
	var end Instant
	for _, x := range h.Holds {
		if x.TemplateID == "" || x.TemplateID == templateID {
			if x.Until == 0 {
				return 0
			}
			end = max(end, x.Until)
		}
	}
	return end
}

// Holds lists what is held of an app now, and its strikes.
func (s *Service) Holds(ctx context.Context, appid string) (*Health, error) {
	s.init()
	app, err := s.Apps.App(appid)
	if err != nil {
		return nil, err
	}
	h, err := s.freshHealth(ctx, app.Rules.AppID)
	if err != nil {
		return nil, err
	}
	view := *h
	view.Holds = inForce(h.Holds, s.now())
	return &view, nil
}

// Resume ends the holds of an app ("" template) or of one template. Strikes stay. What was held looks again by itself,
// soon after short holds and within six hours of any.
func (s *Service) Resume(ctx context.Context, appid, template string) (*Health, error) {
	s.init()
	app, err := s.Apps.App(appid)
	if err != nil {
		return nil, err
	}
	scope := ""
	if template != "" {
		t, err := app.Template(template)
		if err != nil {
			return nil, err
		}
		scope = t.ID
	}
	return s.changeHealth(ctx, appid, func(h *Health) bool {
		n := len(h.Holds)
		h.Holds = slices.DeleteFunc(h.Holds, func(x Hold) bool { return x.TemplateID == scope })
		return len(h.Holds) != n
	})
}

// Evidence that one instance writes down for an app, a second and at once. Half of what is at once is for events that say
// little more than the last one: so the last of a burst is written too, or one that is no more than a step older.
const (
	evidenceRate  = 10
	evidenceBurst = 20
	evidenceStep  = 100 * time.Millisecond
)

// sawEvent remembers that the sent event of an attempt arrived: the evidence by which unknown sends of before are
// judged. Under load only some of the events are written down, since the next one says the same and more.
func (s *Service) sawEvent(ctx context.Context, appid string, attempt Instant) {
	if h, ok := s.health.get(appid, s.Now(), healthFor); ok && h != nil {
		if h.Evidence >= attempt {
			return
		}
		if attempt.Sub(h.Evidence) < evidenceStep {
			if _, ok := s.littleMore.of(appid, evidenceRate, evidenceBurst/2).take(s.Now(), 0); !ok {
				return
			}
		}
	}
	if _, ok := s.evidence.of(appid, evidenceRate, evidenceBurst).take(s.Now(), 0); !ok {
		return
	}
	_, err := s.changeHealth(ctx, appid, func(h *Health) bool {
		if h.Evidence >= attempt {
			return false
		}
		h.Evidence = attempt
		return true
	})
	if err != nil {
		s.Log.WarnContext(ctx, "evidence of a sent event could not be kept", "appid", appid, "error", err)
	}
}
