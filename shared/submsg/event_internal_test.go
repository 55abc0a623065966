package submsg

import "testing"

// A sent event names openid, template and, mostly, the msgid; the subscriber's recent sends and open reservations lead to
// the send it means.
func TestWhichSendASentEventMeans(t *testing.T) {
	const at = Instant(1_790_000_000_000) // the event's own time, in whole seconds
	open := func(attempt int) *Reservation { return &Reservation{Attempt: attempt} }
	type row struct {
		began Instant
		r     *Reservation // nil: a recent send
		send  *Send        // nil: no record
	}
	sent := func(msgid int64) *Send { return &Send{State: SendSent, Attempts: 1, MsgID: msgid} }
	ended := func(msgid int64, print uint64) *Send {
		return &Send{State: SendDelivered, Attempts: 1, MsgID: msgid, EventAt: at, EventPrint: print}
	}
	wrong := &Send{State: SendFailed, Attempts: 1, NotSent: 1, Reason: &Reason{Code: notSent}}
	for _, tc := range []struct {
		name  string
		rows  []row
		msgid int64
		want  int
	}{
		{"nothing is known", nil, 7, -1},
		{"the msgid decides, whatever the times", []row{{at - 5000, nil, sent(6)}, {at - 90_000, nil, sent(7)}, {at - 1000, nil, sent(8)}}, 7, 1},
		{"a msgid that no send has fits none that has another", []row{{at - 5000, nil, sent(6)}}, 7, -1},
		{"no msgid in the answer: the newest that had begun", []row{{at - 60_000, nil, sent(0)}, {at - 2000, nil, sent(0)}}, 7, 1},
		{"no msgid in the event: the newest that had begun", []row{{at - 60_000, nil, sent(6)}, {at - 2000, nil, sent(7)}}, 0, 1},
		{"one that began after the event is not meant", []row{{at - 60_000, nil, sent(0)}, {at + 3000, nil, sent(0)}}, 0, 0},
		{"within the event's own second it may be", []row{{at - 60_000, nil, sent(0)}, {at + 999, nil, sent(0)}}, 0, 1},
		{"our clock is ahead: none had begun, so the oldest", []row{{at + 20_000, nil, sent(0)}, {at + 30_000, nil, sent(0)}}, 0, 0},
		{"farther ahead than clocks may be", []row{{at + 62_000, nil, sent(0)}}, 0, -1},
		{"the event was applied already", []row{{at - 2000, nil, ended(7, 99)}}, 7, -1},
		{"a copy without msgid was applied already", []row{{at - 9000, nil, sent(0)}, {at - 2000, nil, ended(0, 99)}}, 0, -1},
		{"one that has its event is not meant again", []row{{at - 9000, nil, sent(0)}, {at - 2000, nil, ended(0, 55)}}, 0, 0},
		{"an unknown send", []row{{at - 2000, open(1), &Send{State: SendUnknown, Attempts: 1}}}, 7, 0},
		{"a call under way, without a record", []row{{at - 500, open(1), nil}}, 7, 0},
		{"a call under way, of a send that was queued before", []row{{at - 500, open(2), &Send{State: SendQueued, Attempts: 1}}}, 7, 0},
		{"judged not to be sent, wrongly", []row{{at - 200_000, nil, wrong}}, 7, 0},
		{"a recent send whose record is gone", []row{{at - 500, nil, nil}}, 7, -1},
		{"rejected, refused and cancelled ones are not meant", []row{
			{at - 900, nil, &Send{State: SendRejected, Attempts: 1}}, {at - 800, nil, &Send{State: SendRefused}}, {at - 700, nil, &Send{State: SendCancelled}},
			{at - 600, nil, &Send{State: SendFailed, Attempts: 1, Reason: &Reason{Code: "delivery_failed"}}}}, 7, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var cs []candidate
			var sends []*Send
			for _, r := range tc.rows {
				c := candidate{at: r.began, r: r.r}
				if r.r != nil {
					c.attempt = r.r.Attempt
				}
				cs, sends = append(cs, c), append(sends, r.send)
			}
			got, applied := matchEvent(cs, sends, SentEvent{MsgID: tc.msgid, At: at, Fingerprint: 99})
			if applied {
				got = -1
			}
			if got != tc.want {
				t.Errorf("the event means %d, want %d", got, tc.want)
			}
		})
	}
}

func TestTheSentEventIsTheLastWord(t *testing.T) {
	r := &Reservation{SendID: "s", TemplateID: "T", Attempt: 2, At: 400}
	c := candidate{sendID: "s", attempt: 2, at: 400, r: r}
	for name, stored := range map[string]*Send{
		"no record":              nil,
		"queued after a refusal": {ID: "s", AppID: "app", OpenID: "someone", TemplateID: "T", State: SendQueued, Attempts: 1, AttemptAt: 100, Credit: CreditReturned, RequestHash: 4, Reason: &Reason{Code: "wechat_45011"}},
		"unknown":                {ID: "s", AppID: "app", OpenID: "someone", TemplateID: "T", State: SendUnknown, Attempts: 2, AttemptAt: 400, RequestHash: 4, Reason: &Reason{Code: "no_answer"}},
		"judged not to be sent":  {ID: "s", AppID: "app", OpenID: "someone", TemplateID: "T", State: SendFailed, Attempts: 2, AttemptAt: 400, Credit: CreditReturned, NotSent: 2, RequestHash: 4, Reason: &Reason{Code: notSent}},
	} {
		got := applyEvent("app", c, stored, SentEvent{OpenID: "someone", TemplateID: "T", MsgID: 7, At: 1000, Status: "success", Fingerprint: 99}, 2000)
		if got.State != SendDelivered || got.Credit != CreditSpent || got.Reason != nil || got.Attempts != 2 || got.AttemptAt != 400 {
			t.Errorf("%s: %+v", name, got)
		}
		if got.ID != "s" || got.AppID != "app" || got.OpenID != "someone" || got.TemplateID != "T" || stored != nil && got.RequestHash != 4 || got.MsgID != 7 || got.EventAt != 1000 || got.EventPrint != 99 {
			t.Errorf("%s: the record does not say what it is of: %+v", name, got)
		}
		if effect, done := settled(*r, got, 2000); !done || effect != CreditSpent {
			t.Errorf("%s: the reservation is not settled as spent", name)
		}
	}
	failed := applyEvent("app", c, nil, SentEvent{OpenID: "someone", TemplateID: "T", Code: 1, Status: "failed:user block", At: 1000}, 2000)
	if failed.State != SendFailed || failed.Credit != CreditSpent || failed.Reason.Code != "delivery_failed" || failed.WeChat == nil || failed.WeChat.Code != 1 {
		t.Errorf("a failed delivery: %+v", failed)
	}
}

func TestCandidatesAreOfTheTemplateOnly(t *testing.T) {
	sub := &Subscriber{
		Subscriptions: []Subscription{{TemplateID: "A", Recent: []Recent{{SendID: "a1"}, {SendID: "a2"}}}, {TemplateID: "B", Recent: []Recent{{SendID: "b1"}}}},
		Reservations:  []Reservation{{SendID: "a3", TemplateID: "A", Attempt: 1}, {SendID: "b2", TemplateID: "B", Attempt: 1}},
	}
	for template, want := range map[string]string{"A": "a1 a2 a3 ", "B": "b1 b2 ", "": "a1 a2 b1 a3 b2 ", "C": ""} {
		got := ""
		for _, c := range candidates(sub, template) {
			got += c.sendID + " "
		}
		if got != want {
			t.Errorf("template %q: %q, want %q (the older event names none)", template, got, want)
		}
	}
}
