package tour

import (
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

const customer = "oTour-customer"

// accept: one accept, announced by both feeds, three times each, is one credit.
func (s *story) accept() error {
	s.say("1. A user agrees to one order notice")
	at := s.Now()
	if err := s.Sim.Accept(s.AppID, customer, s.Order); err != nil {
		return err
	}
	for range 3 {
		report := map[string]any{"grants": []any{map[string]any{"openid": customer, "template": "order", "decision": "accept", "occurred_at": at.Format(time.RFC3339), "scene": "pay"}}}
		if _, err := s.call("POST", "/grants", "", report, 200); err != nil {
			return err
		}
	}
	if err := s.settled(); err != nil {
		return err
	}
	totals := s.Sim.Totals(s.AppID)
	credits, err := s.credits(customer, s.Order)
	if err != nil {
		return err
	}
	s.say("   WeChat pushed the event %d times (secure mode, XML), the mini program reported it 3 times: %s credit", totals.Pushes.Attempts, credits)
	s.expect(credits == "1", "one accept gave %s credits", credits)
	return nil
}

// send: a message goes out and arrives; the second finds no credit.
func (s *story) send() error {
	s.say("2. The order ships: one message")
	order := map[string]any{"openid": customer, "template": "order", "data": map[string]string{"character_string1": "E20261201-88", "phrase2": "已发货", "thing3": "预计明日送达"}}
	first, err := s.call("POST", "/sends", "order-88-shipped", order, 201)
	if err != nil {
		return err
	}
	s.say("   send %s is %s, msgid %s", first.text("id"), first.text("state"), first.text("msgid"))
	if err := s.settled(); err != nil {
		return err
	}
	after, err := s.call("GET", "/sends/"+first.text("id"), "", nil, 200)
	if err != nil {
		return err
	}
	s.say("   the delivery event came: it is %s", after.text("state"))
	s.expect(after.text("state") == "delivered", "the order message is %s", after.text("state"))
	again, err := s.call("POST", "/sends", "order-88-shipped", order, 200)
	if err != nil {
		return err
	}
	s.say("   asked again under the same key: the same send, %s", again.text("state"))
	order["data"] = map[string]string{"character_string1": "E20261201-88", "phrase2": "已签收", "thing3": "欢迎再次光临"}
	second, err := s.call("POST", "/sends", "order-88-signed", order, 201)
	if err != nil {
		return err
	}
	s.say("   a second message: %s, %s — %s", second.text("state"), second.text("reason", "code"), second.text("reason", "detail"))
	s.expect(second.text("state") == "refused" && second.text("reason", "code") == "one_time_credit", "the second message is %s", second.text("state"))
	s.expect(len(s.Sim.Received(s.AppID, customer)) == 1, "the customer received %d messages", len(s.Sim.Received(s.AppID, customer)))
	return nil
}

func member(i int) string { return fmt.Sprintf("oTour-bill-%04d", i) }

// audience: many users agree to the monthly bill, one of them leaves again.
func (s *story) audience() error {
	s.say("3. %d users agree to the monthly bill", s.Audience)
	var group sync.WaitGroup
	slots := make(chan struct{}, 32)
	for i := range s.Audience {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			_ = s.Sim.Accept(s.AppID, member(i), s.Bill) // a template of the account: it cannot fail
		})
	}
	group.Wait()
	if err := s.settled(); err != nil {
		return err
	}
	s.revoked = member(7)
	if err := s.Pass(s.ctx, 2*time.Second); err != nil {
		return err
	}
	if err := s.Sim.ChangeReject(s.AppID, s.revoked, s.Bill); err != nil {
		return err
	}
	if err := s.settled(); err != nil {
		return err
	}
	sub, err := s.call("GET", "/subscribers/"+s.revoked, "", nil, 200)
	if err != nil {
		return err
	}
	state := ""
	for _, one := range sub.list("subscriptions") {
		state = one.text("state")
	}
	s.say("   one of them switches it off again: %s", state)
	s.expect(state == "revoked", "who left is %s", state)
	return nil
}

// bills: the schedule fires, one call gets no answer, and is found out later.
func (s *story) bills() error {
	due := s.BillAt()
	made, err := s.call("POST", "/schedules", "monthly-bills", map[string]any{
		"template": "monthly_bill", "to": map[string]any{"audience": map[string]any{}}, "rrule": "FREQ=MONTHLY", "start": due.Format(time.RFC3339), "time_zone": "Asia/Shanghai",
		"content": map[string]any{"provider": map[string]string{"url": s.Provider}}, "valid_for": "24h", "on_unknown": "resend",
	}, 201)
	if err != nil {
		return err
	}
	s.schedule, s.occurrence = made.text("id"), made.text("next_at")
	at, err := time.Parse(time.RFC3339, s.occurrence)
	if err != nil {
		return err
	}
	s.say("4. A schedule sends it on the %s of each month at %s, Asia/Shanghai", at.In(due.Location()).Format("2"), at.In(due.Location()).Format("15:04:05"))
	unlucky := make(chan string, 1)
	s.Sim.Script(func(c wechattest.Call) wechattest.Fault {
		if c.Path == wechattest.PathSend {
			select {
			case unlucky <- c.OpenID:
				return wechattest.CutBefore()
			default:
			}
		}
		return wechattest.Fault{}
	})
	if err := s.Pass(s.ctx, at.Sub(s.Now())+100*time.Millisecond); err != nil {
		return err
	}
	past, err := s.fired()
	if err != nil {
		return err
	}
	s.Sim.Script(nil)
	select {
	case s.unlucky = <-unlucky:
	default:
		return errors.New("no bill went out")
	}
	s.say("   %s: %d sent, %s unknown — one connection was cut", s.occurrence, past.number("counts", "sent")+past.number("counts", "delivered"), past.text("counts", "unknown"))
	s.expect(past.text("counts", "unknown") == "1", "%q sends are unknown, want 1", past.text("counts", "unknown"))
	if got := s.Sim.Received(s.AppID, member(0)); len(got) == 1 {
		s.say("   the provider was asked what each of them owes; %s owes %s", member(0), got[0].Data["amount2"])
	}
	s.expect(len(s.Sim.Received(s.AppID, s.revoked)) == 0, "who left received a bill")
	s.say("   nobody is called again on a guess: the lost bill waits for evidence")
	s.expect(len(s.Sim.Received(s.AppID, s.unlucky)) == 0, "the lost bill was received after all")
	if err := s.evidence(); err != nil {
		return err
	}
	if err := s.Pass(s.ctx, s.UnknownAfter+time.Second); err != nil {
		return err
	}
	if err := s.until("the verdict on the unknown send", func() (bool, error) {
		one, err := s.bill(s.unlucky)
		return one.text("state") == "delivered", err
	}); err != nil {
		return err
	}
	s.say("   later sends' delivery events had come and this one's had not: it was not sent, so it went again, once: delivered")
	s.expect(len(s.Sim.Received(s.AppID, s.unlucky)) == 1, "the lost bill was received %d times", len(s.Sim.Received(s.AppID, s.unlucky)))
	return nil
}

// evidence is a message after the lost one, whose delivery event comes. The other bills may do, or have begun before it.
func (s *story) evidence() error {
	if err := s.Sim.Accept(s.AppID, customer, s.Order); err != nil {
		return err
	}
	if err := s.settled(); err != nil {
		return err
	}
	data := map[string]string{"character_string1": "E20261205-89", "phrase2": "已发货", "thing3": "预计周一送达"}
	if _, err := s.call("POST", "/sends", "order-89-shipped", map[string]any{"openid": customer, "template": "order", "data": data}, 201); err != nil {
		return err
	}
	return s.settled()
}

// fired waits until every part of the occurrence is done, and WeChat's events have come.
func (s *story) fired() (past answer, err error) {
	err = s.until("the bills to go out", func() (bool, error) {
		all, err := s.call("GET", "/schedules/"+s.schedule+"/occurrences", "", nil, 200)
		if err != nil {
			return false, err
		}
		if list := all.list("past"); len(list) > 0 {
			past = list[0]
		}
		return past.text("state") == "done", nil
	})
	if err == nil {
		err = s.settled()
	}
	return past, err
}

// bill reads the send of the occurrence to one subscriber; nil where there is none.
func (s *story) bill(openid string) (answer, error) {
	q := url.Values{"schedule": {s.schedule}, "occurrence": {s.occurrence}, "openid": {openid}}
	one, err := s.call("GET", "/sends?"+q.Encode(), "", nil, 200, 404)
	if one.text("code") == "not_found" {
		return nil, err
	}
	return one, err
}
