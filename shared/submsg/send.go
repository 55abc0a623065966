package submsg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// Bounds of a request.
const (
	maxOpenID = 128
	maxPage   = 1024
	maxKey    = 255
	maxAhead  = 366 * 24 * time.Hour
)

// SendRequest is what a caller asks for.
type SendRequest struct {
	OpenID     string
	Template   string // id or configured name
	Data       map[string]string
	Page       string
	SendAt     time.Time
	ValidUntil time.Time
	Async      bool // answer when it is accepted; a worker takes it from there
	OnUnknown  OnUnknown
	TryAnyway  bool   // send though the ledger holds no credit: it is an estimate, and WeChat decides
	Fit        bool   // cut values that are too long instead of refusing them
	Trigger    string // the order or the menu tap that this message answers, for no_burst
}

// SendView is a send as callers see it, with when it is due (0: not again).
type SendView struct {
	Send
	Due Instant
}

// CreateSend takes a send under an idempotency key and, unless Async, carries it as far as it goes now. A refusal of
// the ledger, a rule or WeChat is an outcome, not an error. replayed is true where the key was used before with
// the same request: the send is that one.
//
// Problems: CodeUnknownApp, CodeUnknownTemplate, CodeInvalidFields, CodeInvalidRequest, CodeKeyReused, CodeInProgress,
// CodeBusy. Any other error is the store's; then the caller repeats the request under the same key.
func (s *Service) CreateSend(ctx context.Context, appid, key string, req SendRequest) (view SendView, replayed bool, err error) {
	s.init()
	app, err := s.Apps.App(appid)
	if err != nil {
		return view, false, err
	}
	tpl, body, err := s.newSend(ctx, app, key, req)
	if err != nil {
		return s.replayFaulty(ctx, app, key, req, err)
	}
	ctx, cancel := s.work(ctx)
	defer cancel()
	c := &carriage{app: app, tpl: tpl, send: Record{Key: SendKey(appid, body.ID), Body: body}}
	if err := s.load(ctx, c); err != nil {
		return view, false, err
	}
	if c.send.Version != 0 && (req.Async || c.send.Due == 0 || c.send.Due > s.now() || s.underWay(c)) {
		return s.replay(c)
	}
	replayed = c.send.Version != 0 // one that is due, whose worker has died perhaps, is carried on
	if req.Async {
		rec := sendRecord(body, 0, max(body.SendAt, body.CreatedAt))
		if rec.Version, err = s.Store.Save(ctx, rec); err != nil {
			return s.afterLost(ctx, c, body, err)
		}
		s.countSend(c, body, rec.Due)
		if body.SendAt <= s.now() {
			s.wake(ctx, rec.Key)
		}
		return SendView{*body, rec.Due}, false, nil
	}
	rec, err := s.carry(ctx, c)
	switch {
	case errors.Is(err, errInProgress):
		return view, false, inProgress()
	case err != nil:
		return s.afterLost(ctx, c, body, err)
	}
	if c.send = rec; s.underWay(c) {
		return view, false, inProgress() // the same request came twice, and the other one has it
	}
	return SendView{*rec.Body.(*Send), rec.Due}, replayed, nil
}

// SendID is the id of the send that an idempotency key leads to.
func SendID(appid, key string) string { return derive("send", appid, key) }

func keyReused() error {
	return problem(CodeKeyReused, "Idempotency-Key", "this idempotency key was used with another request; use a new key for a new message")
}

// reservation finds the open reservation of a send.
func (c *carriage) reservation(sendID string) (Reservation, bool) {
	sub := c.subBody()
	i := slices.IndexFunc(sub.Reservations, func(r Reservation) bool { return r.SendID == sendID })
	if i < 0 {
		return Reservation{}, false
	}
	return sub.Reservations[i], true
}

func inProgress() error {
	return problem(CodeInProgress, "", "the first request under this idempotency key is still under way; ask again in a moment")
}

func (s *Service) replay(c *carriage) (SendView, bool, error) {
	if s.underWay(c) {
		return SendView{}, false, inProgress()
	}
	return SendView{*c.sendBody(), c.send.Due}, true, nil
}

// underWay reports whether a worker holds the send right now.
func (s *Service) underWay(c *carriage) bool {
	b, now := c.sendBody(), s.now()
	if r, open := c.reservation(b.ID); open && blocking(r, c.sends()[r.SendID], now) {
		return now <= r.Until
	}
	return b.Claim != 0 && now <= c.send.Due
}

// afterLost looks once more after an error: the write that got no answer may have happened. A send that is stored falls
// due by itself, so it is accepted.
func (s *Service) afterLost(ctx context.Context, c *carriage, asked *Send, err error) (SendView, bool, error) {
	if p := AsProblem(err); p != nil && p.Code != CodeBusy { // busy with the subscriber: the send may be stored all the same
		return SendView{}, false, err
	}
	c.send = Record{Key: c.send.Key, Body: asked}
	if lerr := s.load(ctx, c); lerr != nil {
		return SendView{}, false, errors.Join(err, lerr)
	}
	if c.send.Version == 0 {
		return SendView{}, false, err
	}
	if _, held := c.reservation(asked.ID); held || !lost(err) {
		view, _, rerr := s.replay(c)
		return view, c.sendBody().CreatedAt != asked.CreatedAt, rerr
	}
	return SendView{*c.sendBody(), c.send.Due}, c.sendBody().CreatedAt != asked.CreatedAt, nil
}

// newSend validates a request and makes the send it asks for. Nothing is read or written but, where a template's
// allowed values are only known from WeChat, the synced template.
func (s *Service) newSend(ctx context.Context, app *App, key string, req SendRequest) (*Template, *Send, error) {
	if err := checkKey(key); err != nil {
		return nil, nil, err
	}
	tpl, err := s.template(ctx, app, req.Template)
	if err != nil {
		return nil, nil, err
	}
	now := s.Now()
	if err := checkRequest(req, now); err != nil {
		return nil, nil, err
	}
	data := req.Data
	if req.Fit {
		data, _ = tpl.Layout.Fit(data)
	}
	if p := checkData(tpl, data, "data"); p != nil {
		return nil, nil, p
	}
	b := &Send{
		ID: SendID(app.Rules.AppID, key), AppID: app.Rules.AppID, OpenID: req.OpenID, TemplateID: tpl.ID, State: SendQueued,
		Data: data, Page: pageOf(tpl, req.Page), Trigger: req.Trigger, SendAt: At(req.SendAt), ValidUntil: At(req.ValidUntil),
		OnUnknown: req.OnUnknown, TryAnyway: req.TryAnyway, CreatedAt: At(now), UpdatedAt: At(now),
	}
	b.RequestHash = req.digest(tpl.ID)
	return tpl, b, nil
}

// digest tells a replay from another request under the same key. Whether the caller waits for the outcome is no part of it.
func (r SendRequest) digest(templateID string) uint64 {
	return digest(r.OpenID, templateID, strconv.FormatUint(policy.Fingerprint(templateID, r.Data), 16), r.Page, r.Trigger,
		strconv.FormatInt(int64(At(r.SendAt)), 10), strconv.FormatInt(int64(At(r.ValidUntil)), 10), string(r.OnUnknown.orDefault()), fmt.Sprint(r.TryAnyway, r.Fit))
}

// replayFaulty answers a request that is not valid: with the send that it made when it was (the configuration may have
// changed since), CodeKeyReused where the key is another request's, else with what is wrong.
func (s *Service) replayFaulty(ctx context.Context, app *App, key string, req SendRequest, fault error) (SendView, bool, error) {
	if AsProblem(fault) == nil || checkKey(key) != nil {
		return SendView{}, false, fault
	}
	c, err := s.carriageOf(ctx, app.Rules.AppID, SendID(app.Rules.AppID, key))
	switch {
	case isNotFound(err):
		return SendView{}, false, fault
	case err != nil:
		return SendView{}, false, err
	}
	templateID := c.sendBody().TemplateID // a name that is not configured any more can have meant it
	if t, err := app.Template(req.Template); err == nil {
		templateID = t.ID
	}
	if c.sendBody().RequestHash != req.digest(templateID) {
		return SendView{}, false, keyReused()
	}
	return s.replay(c)
}

func pageOf(t *Template, page string) string {
	if page == "" {
		return t.Page
	}
	return page
}

func checkKey(key string) error {
	if key == "" || len(key) > maxKey {
		return problem(CodeInvalidRequest, "Idempotency-Key", fmt.Sprintf("an idempotency key of 1 to %d characters is needed", maxKey))
	}
	for _, r := range key {
		if r < 0x21 || r > 0x7e {
			return problem(CodeInvalidRequest, "Idempotency-Key", "an idempotency key is visible ASCII without spaces")
		}
	}
	return nil
}

// CheckOpenID answers a problem for what cannot be an openid.
func CheckOpenID(openid string) error {
	if openid == "" || len(openid) > maxOpenID {
		return problem(CodeInvalidRequest, "openid", fmt.Sprintf("openid must have 1 to %d characters", maxOpenID))
	}
	for _, r := range openid {
		if r <= 0x20 || r == 0x7f || r == utf8.RuneError || r == '#' {
			return problem(CodeInvalidRequest, "openid", "openid holds a character that no openid has")
		}
	}
	return nil
}

func checkRequest(req SendRequest, now time.Time) error {
	if err := CheckOpenID(req.OpenID); err != nil {
		return err
	}
	switch {
	case len(req.Page) > maxPage || !utf8.ValidString(req.Page):
		return problem(CodeInvalidRequest, "page", fmt.Sprintf("page must be valid UTF-8 of at most %d bytes", maxPage))
	case len(req.Trigger) > maxKey:
		return problem(CodeInvalidRequest, "trigger", fmt.Sprintf("trigger must have at most %d bytes", maxKey))
	case req.OnUnknown != "" && req.OnUnknown != OnUnknownFail && req.OnUnknown != OnUnknownResend:
		return problem(CodeInvalidRequest, "on_unknown", `on_unknown is "fail" or "resend"`)
	case req.SendAt.After(now.Add(maxAhead)):
		return problem(CodeInvalidRequest, "send_at", "send_at is more than a year away")
	case !req.ValidUntil.IsZero() && !req.SendAt.IsZero() && !req.ValidUntil.After(req.SendAt):
		return problem(CodeInvalidRequest, "valid_until", "valid_until is not after send_at: the message could never go")
	}
	return nil
}

// checkData holds data against the template; field is what the request calls it.
func checkData(tpl *Template, data map[string]string, field string) *Problem {
	found := tpl.Layout.Check(data)
	if len(found) == 0 {
		return nil
	}
	p := &Problem{Code: CodeInvalidFields, Field: field + "." + found[0].Key, Detail: found[0].Detail}
	for _, f := range found {
		p.Errors = append(p.Errors, FieldProblem{Field: field + "." + f.Key, Code: f.Code, Detail: f.Detail})
	}
	return p
}

// Send reads one send. While a worker holds it, its state is "sending".
func (s *Service) Send(ctx context.Context, appid, id string) (SendView, error) {
	s.init()
	c, err := s.carriageOf(ctx, appid, id)
	if err != nil {
		return SendView{}, err
	}
	b := *c.sendBody()
	if b.State == SendQueued && s.underWay(c) {
		b.State = SendSending
	}
	return SendView{b, c.send.Due}, nil
}

// carriageOf loads a stored send for work on it. Its tpl is nil where the template has been taken out of the configuration.
func (s *Service) carriageOf(ctx context.Context, appid, id string) (*carriage, error) {
	app, err := s.Apps.App(appid)
	if err != nil {
		return nil, err
	}
	recs, err := s.Store.Load(ctx, SendKey(appid, id))
	if err != nil {
		return nil, err
	}
	b, ok := recs[0].Body.(*Send)
	if !ok {
		return nil, problem(CodeNotFound, "id", "no send with this id is known")
	}
	c := &carriage{app: app, send: recs[0]}
	if c.tpl, err = s.template(ctx, app, b.TemplateID); err != nil && AsProblem(err) == nil {
		return nil, err
	}
	subs, err := s.Store.Load(ctx, SubscriberKey(appid, b.OpenID))
	if err != nil {
		return nil, err
	}
	c.sub = subs[0]
	if erased(c.subBody(), b) {
		if err := s.deleteAll(ctx, []Record{c.send}); err != nil {
			return nil, err
		}
		return nil, problem(CodeNotFound, "id", "no send with this id is known")
	}
	return c, s.loadOthers(ctx, c)
}

// Cancel stops a send that waits. CodeNotCancellable once it is final, CodeInProgress while a worker holds it.
func (s *Service) Cancel(ctx context.Context, appid, id string) (SendView, error) {
	s.init()
	ctx, cancel := s.work(ctx)
	defer cancel()
	for try := 0; ; try++ {
		c, err := s.carriageOf(ctx, appid, id)
		if err != nil {
			return SendView{}, err
		}
		b := c.sendBody()
		switch {
		case s.underWay(c):
			return SendView{}, problem(CodeInProgress, "", "the send is on its way to WeChat right now")
		case b.State == SendCancelled:
			// Again, or the rest of a cancellation that died half way.
		case b.State != SendQueued:
			return SendView{}, problem(CodeNotCancellable, "", "the send is "+string(b.State)+": it does not wait any more")
		default:
			next := *b
			next.State, next.UpdatedAt = SendCancelled, s.now()
			next.Reason = &Reason{Code: "cancelled", Detail: "the caller cancelled it", DetailZH: "调用方已取消"}
			rec := sendRecord(&next, c.send.Version, 0)
			if _, err := s.Store.Save(ctx, rec); err != nil {
				if err := again(ctx, try, err); err != nil {
					return SendView{}, err
				}
				continue
			}
			s.countSend(c, &next, 0)
		}
		// A worker may have read the send before it was cancelled. Writing the subscriber makes the reservation it is
		// about to save fail; had it saved one already, we would see it.
		if c.sub.Body == nil && !b.TryAnyway { // without a grant there is no reservation, unless one has come meanwhile
			recs, err := s.Store.Load(ctx, c.sub.Key)
			if err != nil {
				return SendView{}, err
			}
			if recs[0].Body == nil {
				return s.Send(ctx, appid, id)
			}
			continue
		}
		_, err = s.Store.Save(ctx, subscriberRecord(c.subBody(), c.sub.Version))
		if err == nil {
			return s.Send(ctx, appid, id)
		}
		if err := again(ctx, try, err); err != nil {
			return SendView{}, err
		}
	}
}

// Check is the whole decision on a send without touching anything: every rule that applies, not only the first.
func (s *Service) Check(ctx context.Context, appid string, req SendRequest) (policy.Decision, error) {
	s.init()
	app, err := s.Apps.App(appid)
	if err != nil {
		return policy.Decision{}, err
	}
	tpl, err := s.template(ctx, app, req.Template)
	if err != nil {
		return policy.Decision{}, err
	}
	now := s.Now()
	if err := checkRequest(req, now); err != nil {
		return policy.Decision{}, err
	}
	if req.SendAt.After(now) {
		now = req.SendAt
	}
	data := req.Data
	if req.Fit {
		data, _ = tpl.Layout.Fit(data)
	}
	b := &Send{ID: derive("check", req.OpenID), AppID: appid, OpenID: req.OpenID, TemplateID: tpl.ID, Data: data, Trigger: req.Trigger, TryAnyway: req.TryAnyway, ValidUntil: At(req.ValidUntil)}
	sub, err := s.settledSubscriber(ctx, appid, req.OpenID)
	if err != nil {
		return policy.Decision{}, err
	}
	health, err := s.healthOf(ctx, app)
	if err != nil {
		return policy.Decision{}, err
	}
	r := facts(now, app, tpl, sub, b, health)
	for _, f := range tpl.Layout.Check(data) {
		r.Problems = append(r.Problems, policy.Reason{Code: policy.RuleFields, Field: "data." + f.Key, Detail: f.Detail, DetailZH: f.Detail})
	}
	return app.engine.Decide(r), nil
}

// wake announces due records; the tick finds them anyway.
func (s *Service) wake(ctx context.Context, keys ...Key) {
	if s.Waker == nil || len(keys) == 0 {
		return
	}
	if err := s.Waker.Wake(ctx, keys); err != nil {
		s.Log.WarnContext(ctx, "wake-up was lost; the next tick finds the work", "error", err)
	}
}
