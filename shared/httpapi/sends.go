package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// readSend reads the members that every way to ask for a send has in common; the caller closes the form.
func readSend(f form) submsg.SendRequest {
	return submsg.SendRequest{
		OpenID: f.text("openid"), Template: f.needed("template"), Data: f.data("data"), Page: f.text("page"), SendAt: f.time("send_at"), ValidUntil: f.time("valid_until"),
		Async: f.choice("mode", "sync", "async") == "async", OnUnknown: submsg.OnUnknown(f.choice("on_unknown", string(submsg.OnUnknownFail), string(submsg.OnUnknownResend))),
		TryAnyway: f.flag("try_anyway"), Fit: f.choice("fit", "none", "truncate") == "truncate", Trigger: f.text("trigger"),
	}
}

// readOneSend reads a body that is one send.
func readOneSend(body any) (submsg.SendRequest, *faults) {
	bad := &faults{}
	f := newForm(body, bad)
	req := readSend(f)
	f.close()
	return req, bad
}

// createSend takes a send. What a rule, the ledger or WeChat says to it is its outcome and no error.
func (a *api) createSend(c *call) (answer, error) {
	key, err := c.key(true)
	if err != nil {
		return answer{}, err
	}
	body, err := a.body(c)
	if err != nil {
		return answer{}, err
	}
	req, bad := readOneSend(body)
	if err := bad.err(); err != nil {
		return answer{}, err
	}
	c.entry.concerns(req.OpenID)
	view, replayed, err := a.Service.CreateSend(c, c.appid, key, req)
	if err != nil {
		return answer{}, err
	}
	return created(replayed, "/v1/apps/"+url.PathEscape(c.appid)+"/sends/"+view.ID, showSend(c.app, view)), nil
}

// created is the answer to a request that made something, or had made it before.
func created(replayed bool, location string, body any) answer {
	ans := answer{status: http.StatusCreated, header: http.Header{"Location": {location}}, body: body}
	if replayed {
		ans.status = http.StatusOK
		ans.header.Set("Idempotency-Replayed", "true")
	}
	return ans
}

func (a *api) getSend(c *call) (answer, error) {
	view, err := a.Service.Send(c, c.appid, c.params["id"])
	if err != nil {
		return answer{}, err
	}
	return ok(showSend(c.app, view))
}

// findSend reads the send that a caller knows by what made it: an idempotency key, or an occurrence of a schedule and
// a subscriber. The ids of sends are derived from these, so no search is needed.
func (a *api) findSend(c *call) (answer, error) {
	q := c.query()
	var id string
	if key := q.Get("idempotency_key"); key != "" {
		id = submsg.SendID(c.appid, key)
	} else {
		openid, schedule, at := q.needed("openid"), q.needed("schedule"), q.time("occurrence")
		id = submsg.OccurrenceSendID(c.appid, schedule, submsg.At(at), openid)
	}
	if err := q.err(); err != nil {
		return answer{}, err
	}
	view, err := a.Service.Send(c, c.appid, id)
	if err != nil {
		return answer{}, err
	}
	return ok(showSend(c.app, view))
}

func (a *api) cancelSend(c *call) (answer, error) {
	view, err := a.Service.Cancel(c, c.appid, c.params["id"])
	if err != nil {
		return answer{}, err
	}
	return ok(showSend(c.app, view))
}

// check answers what would become of a send, with everything that speaks against it. Data that does not fit is one of
// the reasons, values that are no strings among it.
func (a *api) check(c *call) (answer, error) {
	body, err := a.body(c)
	if err != nil {
		return answer{}, err
	}
	req, bad := readOneSend(body)
	if bad.shape || bad.other {
		return answer{}, bad.err()
	}
	c.entry.concerns(req.OpenID)
	d, err := a.Service.Check(c, c.appid, req)
	if err != nil {
		return answer{}, err
	}
	v := showDecision(d, a.now())
	for _, p := range bad.list {
		v.Outcome, v.Due = policy.Refuse, ""
		v.Reasons = slices.DeleteFunc(v.Reasons, func(r *reason) bool { return r.Code == policy.RuleFields && r.Field == p.Field })
		key := strings.TrimPrefix(p.Field, "data.")
		v.Reasons = append(v.Reasons, &reason{Code: policy.RuleFields, Field: p.Field, Detail: p.Detail, DetailZH: key + " 必须是字符串"})
	}
	return ok(v)
}
