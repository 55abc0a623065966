package submsg

import (
	"context"
	"fmt"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// promptAhead is how far a prompt plan looks: "ask again before the stock runs out".
const promptAhead = 30 * 24 * time.Hour

// Prompts plans what the mini program may ask this user for at a tap in scene: which templates, and why each other
// one is left out. It reads only, so it may be called long before the tap.
func (s *Service) Prompts(ctx context.Context, appid, openid, scene string) (policy.PromptPlan, error) {
	s.init()
	app, err := s.Apps.App(appid)
	if err != nil {
		return policy.PromptPlan{}, err
	}
	if err := CheckOpenID(openid); err != nil {
		return policy.PromptPlan{}, err
	}
	if scene == "" || len(scene) > maxKey {
		p := problem(CodeInvalidRequest, "scene", fmt.Sprintf("scene says what the user is about to tap, in 1 to %d bytes (rule %s)", maxKey, policy.RulePromptAskedFor))
		p.Errors = []FieldProblem{{Field: p.Field, Code: policy.RulePromptAskedFor, Detail: p.Detail}}
		return policy.PromptPlan{}, p
	}
	sub, err := s.settledSubscriber(ctx, appid, openid)
	if err != nil {
		return policy.PromptPlan{}, err
	}
	needed, err := s.needed(ctx, appid, openid)
	if err != nil {
		return policy.PromptPlan{}, err
	}
	health, err := s.healthOf(ctx, app)
	if err != nil {
		return policy.PromptPlan{}, err
	}
	req := policy.PromptRequest{Now: s.Now(), App: &app.Rules, Scene: scene}
	for i := range app.Templates {
		t := &app.Templates[i]
		agreed := sub.Subscription(t.ID)
		c := policy.PromptCandidate{
			Template: &t.Template, Credits: credits(&agreed, app, s.now()), Active: agreed.State == StateActive, Banned: agreed.State == StateBanned,
			Muted: agreed.Muted, Refusals: agreed.Refusals, LastRefused: agreed.RejectedAt.Time(), Needed: needed[t.ID],
		}
		if health != nil {
			for _, h := range health.Holds {
				if h.TemplateID == "" || h.TemplateID == t.ID {
					c.Suspended = append(c.Suspended, h.rule())
				}
			}
		}
		req.Candidates = append(req.Candidates, c)
	}
	return policy.Plan(req), nil
}

// needed counts, per template, the messages that the subscriber's own schedules will send in the next month.
func (s *Service) needed(ctx context.Context, appid, openid string) (map[string]int, error) {
	plans, err := s.listAll(ctx, PlanPartition(appid, openid))
	if err != nil || len(plans) == 0 {
		return nil, err
	}
	keys := make([]Key, len(plans))
	for i, p := range plans {
		keys[i] = ScheduleKey(appid, p.Body.(*PlanEntry).ScheduleID)
	}
	recs, err := s.Store.Load(ctx, keys...)
	if err != nil {
		return nil, err
	}
	n := make(map[string]int)
	for _, r := range recs {
		sch, ok := r.Body.(*Schedule)
		if !ok || sch.State != ScheduleActive || sch.To.OpenID != openid {
			continue
		}
		rule, err := sch.rule()
		if err != nil {
			continue
		}
		now := s.Now()
		next, _ := rule.Between(now, now.Add(promptAhead), maxSeries)
		if left := len(sch.Content.Series) - sch.NextIndex; len(sch.Content.Series) > 0 && len(next) > left {
			next = next[:max(left, 0)]
		}
		n[sch.TemplateID] += len(next)
	}
	return n, nil
}

// dropPlan forgets it, after the schedule is gone.
func (s *Service) dropPlan(ctx context.Context, sch *Schedule) error {
	if sch.To.OpenID == "" {
		return nil
	}
	recs, err := s.Store.Load(ctx, PlanKey(sch.AppID, sch.To.OpenID, sch.ID))
	if err != nil || recs[0].Body == nil {
		return err
	}
	return s.deleteAll(ctx, recs)
}

// putPlan notes, before a personal schedule is written, that its subscriber has it.
func (s *Service) putPlan(ctx context.Context, sch *Schedule) error {
	if sch.To.OpenID == "" {
		return nil
	}
	return s.offer(ctx, Record{Key: PlanKey(sch.AppID, sch.To.OpenID, sch.ID), Body: &PlanEntry{ScheduleID: sch.ID}})
}
