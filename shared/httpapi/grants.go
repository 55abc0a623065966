package httpapi

import (
	"fmt"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func readGrants(body any) ([]submsg.GrantReport, error) {
	var bad faults
	f := newForm(body, &bad)
	items, _ := f.list("grants")
	reports := make([]submsg.GrantReport, len(items))
	for i, it := range items {
		g := openForm(it, fmt.Sprintf("grants[%d]", i), &bad)
		reports[i] = submsg.GrantReport{
			OpenID: g.text("openid"), Template: g.needed("template"), Decision: g.needed("decision"), OccurredAt: g.time("occurred_at"), Scene: g.text("scene"),
		}
		reports[i].Topics, _ = g.texts("topics")
		g.close()
	}
	f.close()
	if err := bad.err(); err != nil {
		return nil, err
	}
	if len(reports) == 0 {
		return nil, invalid("grants", "grants holds 1 to 100 reports")
	}
	return reports, nil
}

type grantResult struct {
	OpenID     string        `json:"openid"`
	TemplateID string        `json:"template_id"`
	Template   string        `json:"template,omitempty"`
	Decision   string        `json:"decision"`
	Effect     submsg.Effect `json:"effect"`
}

// reportGrants records what a mini program's own back end reports. An idempotency key is not required: reports with
// occurred_at are repeatable by themselves.
func (a *api) reportGrants(c *call) (answer, error) {
	body, err := a.body(c)
	if err != nil {
		return answer{}, err
	}
	reports, err := readGrants(body)
	if err != nil {
		return answer{}, err
	}
	for _, r := range reports {
		c.entry.concerns(r.OpenID)
	}
	key, err := c.key(false)
	if err != nil {
		return answer{}, err
	}
	done, err := a.Service.ReportGrants(c, c.appid, key, reports)
	if err != nil {
		return answer{}, err
	}
	results := make([]grantResult, len(done))
	for i, d := range done {
		results[i] = grantResult{OpenID: d.Report.OpenID, Decision: d.Report.Decision, Effect: d.Effect}
		if t, err := c.app.Template(d.Report.Template); err == nil {
			results[i].TemplateID, results[i].Template = t.ID, t.Name
		}
	}
	return ok(map[string]any{"results": results})
}

func readOpens(body any) ([]submsg.OpenReport, error) {
	var bad faults
	f := newForm(body, &bad)
	items, _ := f.list("opens")
	reports := make([]submsg.OpenReport, len(items))
	for i, it := range items {
		g := openForm(it, fmt.Sprintf("opens[%d]", i), &bad)
		reports[i] = submsg.OpenReport{OpenID: g.text("openid"), Template: g.needed("template"), SendID: g.text("send_id"), At: g.time("at")}
		g.close()
	}
	f.close()
	if err := bad.err(); err != nil {
		return nil, err
	}
	if len(reports) == 0 {
		return nil, invalid("opens", "opens holds 1 to 100 reports")
	}
	return reports, nil
}

type openResult struct {
	OpenID     string            `json:"openid"`
	TemplateID string            `json:"template_id"`
	Template   string            `json:"template,omitempty"`
	SendID     string            `json:"send_id,omitempty"`
	Effect     submsg.OpenEffect `json:"effect"`
}

// reportOpens counts messages that users opened.
func (a *api) reportOpens(c *call) (answer, error) {
	body, err := a.body(c)
	if err != nil {
		return answer{}, err
	}
	reports, err := readOpens(body)
	if err != nil {
		return answer{}, err
	}
	for _, r := range reports {
		c.entry.concerns(r.OpenID)
	}
	effects, err := a.Service.ReportOpens(c, c.appid, reports)
	if err != nil {
		return answer{}, err
	}
	results := make([]openResult, len(effects))
	for i, effect := range effects {
		results[i] = openResult{OpenID: reports[i].OpenID, SendID: reports[i].SendID, Effect: effect}
		if t, err := c.app.Template(reports[i].Template); err == nil {
			results[i].TemplateID, results[i].Template = t.ID, t.Name
		}
	}
	return ok(map[string]any{"results": results})
}

type promptEntry struct {
	TemplateID string      `json:"template_id"`
	Template   string      `json:"template,omitempty"`
	Kind       policy.Kind `json:"kind"`
	Missing    int         `json:"missing,omitempty"`
	Reason     *reason     `json:"reason,omitempty"`
}

// prompts answers what a mini program may ask its user for.
func (a *api) prompts(c *call) (answer, error) {
	q := c.query()
	openid, scene := q.needed("openid"), q.Get("scene")
	if err := q.err(); err != nil {
		return answer{}, err
	}
	plan, err := a.Service.Prompts(c, c.appid, openid, scene)
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]any{"scene": scene, "ask": promptEntries(plan.Ask), "left_out": promptEntries(plan.LeftOut)})
}

func promptEntries(choices []policy.PromptChoice) []promptEntry {
	list := make([]promptEntry, len(choices))
	for i, ch := range choices {
		list[i] = promptEntry{TemplateID: ch.Template.ID, Template: ch.Template.Name, Kind: ch.Template.Kind, Missing: ch.Missing}
		if ch.Reason.Code != "" {
			list[i].Reason = showReason(ch.Reason)
		}
	}
	return list
}
