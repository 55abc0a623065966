package tour

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const shopper = "oTour-shopper"

// rules: three refusals with their reasons, a deferral, a suspension that an operator ends.
func (s *story) rules() error {
	s.say("5. What may not be sent is not sent, and says why")
	for range 6 {
		if err := s.Sim.Accept(s.AppID, shopper, s.Order); err != nil {
			return err
		}
		if err := s.Pass(s.ctx, time.Second); err != nil { // nobody taps twice in one second
			return err
		}
	}
	if err := s.settled(); err != nil {
		return err
	}
	send := func(key, openid, template string, data map[string]string) (answer, error) {
		return s.call("POST", "/sends", key, map[string]any{"openid": openid, "template": template, "data": data}, 201)
	}
	order := func(n, text string) map[string]string {
		return map[string]string{"character_string1": n, "phrase2": "已发货", "thing3": text}
	}
	if _, err := send("r-1", shopper, "order", order("E-1", "预计明日送达")); err != nil {
		return err
	}
	if err := s.settled(); err != nil {
		return err
	}
	for _, refused := range []struct {
		what, key, code string
		data            map[string]string
		before          func() error
	}{
		{"an advertisement", "r-2", "no_marketing", order("E-2", "领取优惠券立减20元"), nil},
		{"the same content again", "r-3", "no_burst", order("E-1", "预计明日送达"), nil},
		{"a muted template", "r-4", "preference", order("E-4", "预计后天送达"), func() error {
			_, err := s.call("PUT", "/subscribers/"+shopper+"/preferences", "", map[string]any{"muted": []string{"order"}}, 200)
			return err
		}},
	} {
		if refused.before != nil {
			if err := refused.before(); err != nil {
				return err
			}
		}
		one, err := send(refused.key, shopper, "order", refused.data)
		if err != nil {
			return err
		}
		s.say("   %s: %s, %s — %s", refused.what, one.text("state"), one.text("reason", "code"), one.text("reason", "detail"))
		s.expect(one.text("state") == "refused" && one.text("reason", "code") == refused.code, "%s is %s (%s)", refused.what, one.text("state"), one.text("reason", "code"))
	}
	if _, err := s.call("PUT", "/subscribers/"+shopper+"/preferences", "", map[string]any{"muted": []string{}}, 200); err != nil {
		return err
	}
	second, err := send("r-5", member(1), "monthly_bill", map[string]string{"date1": "2026年11月", "amount2": "¥1.00"})
	if err != nil {
		return err
	}
	s.say("   a second bill on one day: %s until %s, %s", second.text("state"), second.text("due"), second.text("reason", "code"))
	s.expect(second.text("state") == "queued" && second.text("reason", "code") == "frequency_cap", "a second bill on one day is %s (%s)", second.text("state"), second.text("reason", "code"))
	if _, err := s.call("DELETE", "/sends/"+second.text("id"), "", nil, 200); err != nil {
		return err
	}
	return s.suspension(send, order("E-6", "预计周五送达"))
}

func (s *story) suspension(send func(key, openid, template string, data map[string]string) (answer, error), data map[string]string) error {
	if err := s.Sim.Suspend(s.AppID, 48001); err != nil {
		return err
	}
	held, err := send("r-6", shopper, "order", data)
	if err != nil {
		return err
	}
	s.say("   WeChat blocks the account (48001): the message is %s, %s; nothing is lost", held.text("state"), held.text("reason", "code"))
	s.expect(held.text("state") == "queued" && held.text("reason", "code") == "suspended", "a message of a suspended app is %s (%s)", held.text("state"), held.text("reason", "code"))
	if err := s.Sim.Suspend(s.AppID, 0); err != nil {
		return err
	}
	if _, err := s.call("POST", "/holds:resume", "", map[string]any{}, 200); err != nil {
		return err
	}
	if err := s.Pass(s.ctx, 35*time.Second); err != nil {
		return err
	}
	if err := s.until("the held message to go", func() (bool, error) {
		one, err := s.call("GET", "/sends/"+held.text("id"), "", nil, 200)
		return one.text("state") == "delivered", err
	}); err != nil {
		return err
	}
	s.say("   an operator resumes: it is delivered")
	return nil
}

// agree holds every subscriber's ledger against what WeChat says they received.
func (s *story) agree() error {
	const orders = 4 // messages that are no bills
	if err := s.settled(); err != nil {
		return err
	}
	var wrong, delivered, none atomic.Int64
	var failure atomic.Value
	var group sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range s.Audience {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			one, err := s.bill(member(i))
			if err != nil {
				failure.Store(err)
				return
			}
			received := len(s.Sim.Received(s.AppID, member(i)))
			switch {
			case one.text("state") == "delivered" && received == 1:
				delivered.Add(1)
			case received == 0 && one.text("state") != "delivered" && one.text("state") != "sent":
				none.Add(1)
			default:
				wrong.Add(1)
			}
		})
	}
	group.Wait()
	if err, ok := failure.Load().(error); ok {
		return err
	}
	credits, err := s.credits(shopper, s.Order)
	if err != nil {
		return err
	}
	left := fmt.Sprint(s.Sim.Credits(s.AppID, shopper, s.Order))
	totals := s.Sim.Totals(s.AppID)
	s.say("6. The two sides               ledger   WeChat")
	s.say("   bills delivered            %7d  %7d", delivered.Load(), totals.Received-orders)
	s.say("   of the audience, none      %7d  %7d", none.Load(), int64(s.Audience)-(totals.Received-orders))
	s.say("   order messages delivered   %7d  %7d", orders, len(s.Sim.Received(s.AppID, customer))+len(s.Sim.Received(s.AppID, shopper)))
	s.say("   credits the shopper has    %7s  %7s", credits, left)
	s.expect(wrong.Load() == 0, "%d subscribers' ledgers disagree with what they received", wrong.Load())
	s.expect(delivered.Load() == totals.Received-orders, "the ledger says %d bills were delivered, WeChat %d", delivered.Load(), totals.Received-orders)
	s.expect(delivered.Load() == int64(s.Audience)-1, "%d of %d bills were delivered; all but the one who left were promised one", delivered.Load(), s.Audience)
	s.expect(credits == left, "the shopper has %s credits in the ledger and %s at WeChat", credits, left)
	if len(s.faults) == 0 {
		s.say("   Nobody received more than agreed, nobody less than promised.")
	}
	return nil
}
