package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// DefaultRefusalWait is how long a template is not asked for after a first refusal.
	DefaultRefusalWait = 24 * time.Hour
	// maxRefusalWait is where the doubling stops.
	maxRefusalWait = 60 * day
)

// PromptCandidate is a template that might be asked for, and how the
// subscriber stands to it.
type PromptCandidate struct {
	Template *Template
	Credits  int  // one-time sends still allowed
	Active   bool // long-term subscription is on
	Banned   bool // WeChat reported the template as banned
	Muted    bool // by the subscriber, in the app's preferences
	// Refusals is how many times in a row the user has refused, since the last accept.
	Refusals    int
	LastRefused time.Time
	// Needed is how many messages the subscriber's schedules will send in the
	// next 30 days. 0 where nothing is planned; one credit is then enough.
	Needed    int
	Suspended []Hold // holds of the template and of the app
}

// PromptRequest asks what a mini program may ask its user for at one tap.
type PromptRequest struct {
	Now        time.Time
	App        *App
	Scene      string // what the user is doing; the app's own word
	Candidates []PromptCandidate
}

// PromptChoice is one template with what the plan has to say about it.
type PromptChoice struct {
	Template *Template
	// Missing is how many accepts would cover what is needed: more than 1 only
	// for one-time templates.
	Missing int
	Reason  Reason
}

// PromptPlan says which templates to ask for in one call, the one that is
// shortest of stock first, and why each other is left out.
type PromptPlan struct {
	Ask     []PromptChoice
	LeftOut []PromptChoice
}

// Plan makes the prompt plan. It never mixes kinds, never asks for more than
// the app's limit, and asks for nothing that the scene, the user's refusals or a
// ban speak against. The plan can be made before the tap it is for.
func Plan(r PromptRequest) PromptPlan {
	var plan PromptPlan
	leave := func(c PromptChoice, reason Reason) {
		c.Reason = reason
		plan.LeftOut = append(plan.LeftOut, c)
	}
	var open []PromptChoice
	for _, c := range r.Candidates {
		choice := PromptChoice{Template: c.Template, Missing: c.missing()}
		if reason, out := r.speaksAgainst(c); out {
			leave(choice, reason)
			continue
		}
		choice.Reason = reasonAsk(c, choice.Missing)
		open = append(open, choice)
	}
	slices.SortStableFunc(open, func(a, b PromptChoice) int {
		return cmp.Or(
			cmp.Compare(b.Missing, a.Missing),
			strings.Compare(a.Template.label(), b.Template.label()),
			strings.Compare(a.Template.ID, b.Template.ID),
		)
	})

	lasting := mainGroup(open)
	titles := make(map[string]*Template)
	limit := r.App.perPrompt()
	for _, c := range open {
		title := strings.TrimSpace(c.Template.Title)
		switch first, taken := titles[title]; {
		case c.Template.Kind.lasting() != lasting:
			leave(c, reasonOtherKind(c.Template, lasting))
		case taken && title != "":
			leave(c, reasonSameTitle(c.Template, first))
		case len(plan.Ask) == limit:
			leave(c, reasonFull(c.Template, limit))
		default:
			titles[title] = c.Template
			plan.Ask = append(plan.Ask, c)
		}
	}
	return plan
}

func (a *App) perPrompt() int {
	if a.MaxTemplatesPerPrompt <= 0 {
		return defaultPerPrompt
	}
	return min(a.MaxTemplatesPerPrompt, maxPerPrompt)
}

// mainGroup chooses between long-term and one-time templates where both are
// open: the group with the template that is shortest of stock; long-term where
// that is equal, since one accept settles it for good.
func mainGroup(open []PromptChoice) (lasting bool) {
	for _, c := range open {
		if c.Missing < open[0].Missing {
			break
		}
		if c.Template.Kind.lasting() {
			return true
		}
	}
	return false
}

// missing is how many accepts the candidate lacks.
func (c PromptCandidate) missing() int {
	switch {
	case c.Template.Kind.lasting():
		if c.Active {
			return 0
		}
		return 1
	default:
		return max(max(c.Needed, 1)-max(c.Credits, 0), 0)
	}
}

// speaksAgainst finds the first rule that keeps a template out of the prompt.
func (r PromptRequest) speaksAgainst(c PromptCandidate) (Reason, bool) {
	t := c.Template
	if !t.Kind.Subscribed() {
		return Reason{
			Code:     RuleConsent,
			Detail:   fmt.Sprintf("%s is a template message: it answers what the user does and is not subscribed to.", t.label()),
			DetailZH: fmt.Sprintf("“%s”为模板消息，由用户行为触发，无需订阅。", t.label()),
		}, true
	}
	if strings.TrimSpace(r.Scene) == "" {
		return Reason{
			Code:     RulePromptAskedFor,
			Detail:   "No scene is given: a prompt follows the user's own tap on something that needs it.",
			DetailZH: "未注明场景：订阅请求须由用户在相关场景中主动点击触发。",
		}, true
	}
	if len(t.Scenes) > 0 && !slices.Contains(t.Scenes, r.Scene) {
		return Reason{
			Code:     RulePromptOffTopic,
			Detail:   fmt.Sprintf("%s belongs to the scenes %s, not to %s.", t.label(), strings.Join(t.Scenes, ", "), r.Scene),
			DetailZH: fmt.Sprintf("“%s”属于场景 %s，与当前场景 %s 无关。", t.label(), strings.Join(t.Scenes, "、"), r.Scene),
		}, true
	}
	if t.Kind.lasting() && !r.App.publicService() {
		return Reason{
			Code:     RuleLongTermCat,
			Detail:   fmt.Sprintf("%s is long-term, and the app has no category of public services.", t.label()),
			DetailZH: fmt.Sprintf("“%s”为长期订阅，应用不属于政务民生、医疗、交通、金融、教育类目。", t.label()),
		}, true
	}
	if c.Banned {
		return Reason{
			Code:     RuleSuspended,
			Detail:   fmt.Sprintf("WeChat reported %s as banned; check it in the WeChat console.", t.label()),
			DetailZH: fmt.Sprintf("微信返回“%s”已被封禁（ban）；请到微信后台查看。", t.label()),
		}, true
	}
	for _, h := range c.Suspended {
		if h.active(r.Now) && h.Rule != RuleDailyQuota {
			return reasonHold(&Request{Now: r.Now, App: r.App, Template: t}, h), true
		}
	}
	if c.Muted {
		return Reason{
			Code:     RulePreference,
			Detail:   fmt.Sprintf("The subscriber has muted %s in their preferences.", t.label()),
			DetailZH: fmt.Sprintf("用户已在通知偏好中关闭“%s”。", t.label()),
		}, true
	}
	if c.missing() == 0 {
		return reasonEnough(c), true
	}
	if wait := r.App.refusalWait(c.Refusals); wait > 0 && r.Now.Before(c.LastRefused.Add(wait)) {
		until := c.LastRefused.Add(wait)
		at := clock(until, r.App.zone())
		return Reason{
			Code:     RulePromptNoNagging,
			Detail:   fmt.Sprintf("The user has refused %s %d %s in a row; it is not asked for again before %s.", t.label(), c.Refusals, plural(c.Refusals, "time", "times"), at),
			DetailZH: fmt.Sprintf("用户已连续 %d 次拒绝“%s”；%s 之前不再请求。", c.Refusals, t.label(), at),
			Until:    until,
			Earlier:  []time.Time{c.LastRefused},
		}, true
	}
	return Reason{}, false
}

// refusalWait is how long not to ask after so many refusals in a row: it
// doubles with each, up to 60 days.
func (a *App) refusalWait(refusals int) time.Duration {
	if refusals <= 0 {
		return 0
	}
	wait := a.RefusalWait
	if wait <= 0 {
		wait = DefaultRefusalWait
	}
	for range refusals - 1 {
		if wait *= 2; wait >= maxRefusalWait {
			return maxRefusalWait
		}
	}
	return min(wait, maxRefusalWait)
}

func reasonAsk(c PromptCandidate, missing int) Reason {
	t := c.Template
	if t.Kind.lasting() {
		return Reason{
			Code:     RuleLongTermActive,
			Detail:   fmt.Sprintf("%s is not subscribed to yet; one accept is enough.", t.label()),
			DetailZH: fmt.Sprintf("用户尚未订阅“%s”；同意一次即可长期接收。", t.label()),
		}
	}
	if c.Needed == 0 {
		return Reason{
			Code:     RuleOneTimeCredit,
			Detail:   fmt.Sprintf("No credit is left for %s; one accept allows one message.", t.label()),
			DetailZH: fmt.Sprintf("“%s”已无可用次数；同意一次可下发一条。", t.label()),
		}
	}
	return Reason{
		Code:     RuleOneTimeCredit,
		Detail:   fmt.Sprintf("The next 30 days need %d %s of %s and %d %s in stock: %d missing, one for each accept.", c.Needed, plural(c.Needed, "message", "messages"), t.label(), c.Credits, plural(c.Credits, "credit is", "credits are"), missing),
		DetailZH: fmt.Sprintf("未来 30 天需发送“%s” %d 条，现有次数 %d，还差 %d 次（每次同意加一次）。", t.label(), c.Needed, c.Credits, missing),
	}
}

func reasonEnough(c PromptCandidate) Reason {
	t := c.Template
	if t.Kind.lasting() {
		return Reason{
			Code:     RuleLongTermActive,
			Detail:   fmt.Sprintf("%s is subscribed to already.", t.label()),
			DetailZH: fmt.Sprintf("用户已长期订阅“%s”。", t.label()),
		}
	}
	return Reason{
		Code:     RuleOneTimeCredit,
		Detail:   fmt.Sprintf("%d %s of %s in stock cover the %d needed in the next 30 days.", c.Credits, plural(c.Credits, "credit", "credits"), t.label(), max(c.Needed, 1)),
		DetailZH: fmt.Sprintf("“%s”现有次数 %d，足够未来 30 天所需的 %d 条。", t.label(), c.Credits, max(c.Needed, 1)),
	}
}

func reasonOtherKind(t *Template, lasting bool) Reason {
	asked, zh := "one-time", "一次性订阅"
	if lasting {
		asked, zh = "long-term", "长期订阅"
	}
	return Reason{
		Code:     RuleKindsNotMixed,
		Detail:   fmt.Sprintf("This prompt asks for %s templates; one call cannot mix kinds (errCode 20002). Ask for %s at another tap.", asked, t.label()),
		DetailZH: fmt.Sprintf("本次请求为%s；一次调用不能混用两类模板（errCode 20002）。请在下次点击时请求“%s”。", zh, t.label()),
	}
}

func reasonSameTitle(t, first *Template) Reason {
	return Reason{
		Code:     RuleDuplicate,
		Detail:   fmt.Sprintf("%s has the same title as %s; WeChat keeps one of them and answers filter for the other.", t.label(), first.label()),
		DetailZH: fmt.Sprintf("“%s”与“%s”标题相同；微信只保留其一，另一个返回 filter。", t.label(), first.label()),
	}
}

func reasonFull(t *Template, limit int) Reason {
	return Reason{
		Code:     RulePromptLimit,
		Detail:   fmt.Sprintf("This prompt asks for %d templates already, which is the limit; ask for %s at another tap.", limit, t.label()),
		DetailZH: fmt.Sprintf("本次请求已有 %d 个模板，达到上限；请在下次点击时请求“%s”。", limit, t.label()),
	}
}
