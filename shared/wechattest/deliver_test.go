package wechattest

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mailbox is a callback that notes the events it gets, as "kind openid template…", and answers as told.
type mailbox struct {
	mu     sync.Mutex
	events []string
	answer func(n int) (status int, body string) // n counts from 1; 200 and "success" when nil
	delay  time.Duration
}

func (m *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var push struct {
		Kind   string   `xml:"Event"`
		OpenID string   `xml:"FromUserName"`
		Popup  []string `xml:"SubscribeMsgPopupEvent>List>TemplateId"`
		Change []string `xml:"SubscribeMsgChangeEvent>List>TemplateId"`
		Sent   []string `xml:"SubscribeMsgSentEvent>List>MsgID"`
		Code   []string `xml:"SubscribeMsgSentEvent>List>ErrorCode"`
		Job    string   `xml:"Status"`
	}
	if err := xml.NewDecoder(r.Body).Decode(&push); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	parts := append([]string{strings.TrimSuffix(strings.TrimPrefix(push.Kind, "subscribe_msg_"), "_event"), push.OpenID}, push.Popup...)
	parts = append(parts, push.Change...)
	for _, code := range push.Code {
		parts = append(parts, "code="+code)
	}
	if push.Job != "" {
		parts = append(parts, push.Job)
	}
	m.mu.Lock()
	m.events = append(m.events, strings.Join(parts, " "))
	n, answer, delay := len(m.events), m.answer, m.delay
	m.mu.Unlock()
	time.Sleep(delay)
	if answer == nil {
		_, _ = io.WriteString(w, "success")
		return
	}
	status, body := answer(n)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (m *mailbox) got() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.events...)
}

// newMailWorld is a world whose account pushes plain XML to a mailbox in this process.
func newMailWorld(t *testing.T, box *mailbox, change ...func(*Config)) *world {
	t.Helper()
	return newWorld(t, append([]func(*Config){withCallback(Encoding{}, box.ServeHTTP)}, change...)...)
}

func automatic(c *Config) { c.ManualPushes = false }

func wantEvents(t *testing.T, box *mailbox, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, box.got()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestUsersActsArePushed(t *testing.T) {
	box := &mailbox{}
	w := newMailWorld(t, box)
	w.do(w.Accept(app, "u", order, bill))
	w.do(w.SilentAccept(app, "u", order))
	w.do(w.Popup(app, "v", Decision{order, StatusAccept}, Decision{bill, StatusReject}))
	w.do(w.ChangeReject(app, "u", bill))
	w.send("u", order)
	if got := box.got(); len(got) != 0 {
		t.Fatalf("pushed %v without being told to", got)
	}
	outcomes := w.DeliverAll()
	wantEvents(t, box, "popup u T-order T-bill", "popup v T-order T-bill", "change u T-bill", "sent u code=0")
	for _, o := range outcomes {
		if !o.Acknowledged || o.Attempts != 1 || o.Status != 200 || o.Answer != "success" || o.Err != nil {
			t.Errorf("outcome %+v", o)
		}
	}
	if got := w.Totals(app).Pushes; got != (PushTotals{Events: 4, Attempts: 4}) {
		t.Errorf("totals %+v", got)
	}
}

func TestThePanelOfAServiceAccountHasItsOwnScene(t *testing.T) {
	w := newServiceWorld(t)
	box := &mailbox{}
	w.do(w.SetCallback(app, Callback{Handler: box}))
	w.do(w.Accept(app, "u", order))
	if got := w.Pending()[0].Event.Items[0].PopupScene; got != 1 {
		t.Errorf("scene %d, want 1 for a web page", got)
	}
}

func TestAnOldTemplateMessageEndsInItsOwnEvent(t *testing.T) {
	w := newServiceWorld(t)
	box := &mailbox{}
	w.do(w.SetCallback(app, Callback{Handler: box}))
	w.Script(Rules(Rule{Nth: 2, Fault: SentFailed(1, "failed:user block")}))
	target := strings.Replace(w.sendTarget(), PathSend, PathTemplateSend, 1)
	for range 2 {
		w.post(target, `{"touser":"u","template_id":"T-old","data":{"first":{"value":"您好"}}}`)
	}
	w.DeliverAll()
	wantEvents(t, box, "TEMPLATESENDJOBFINISH u success", "TEMPLATESENDJOBFINISH u failed:user block")
}

func TestAPushIsTriedThreeTimes(t *testing.T) {
	const fails = http.StatusInternalServerError
	tests := []struct {
		name         string
		answers      []int // the last one repeats
		body         string
		attempts     int
		acknowledged bool
	}{
		{"success ends it", []int{200}, "success", 1, true},
		{"an empty answer ends it", []int{200}, "", 1, true},
		{"another text does not", []int{200}, `{"ok":true}`, 3, false},
		{"another status does not", []int{204}, "", 3, false},
		{"the second attempt may succeed", []int{fails, 200}, "success", 2, true},
		{"the third too", []int{fails, fails, 200}, "success", 3, true},
		{"there is no fourth", []int{fails}, "", 3, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			box := &mailbox{answer: func(n int) (int, string) { return tt.answers[min(n, len(tt.answers))-1], tt.body }}
			w := newMailWorld(t, box)
			w.do(w.Accept(app, "u", order))
			o := w.Deliver(1)[0]
			if o.Attempts != tt.attempts || o.Acknowledged != tt.acknowledged || len(box.got()) != tt.attempts {
				t.Errorf("outcome %+v after %d pushes, want %d attempts, acknowledged %t", o, len(box.got()), tt.attempts, tt.acknowledged)
			}
			if gaveUp := w.Totals(app).Pushes.GivenUp == 1; gaveUp == tt.acknowledged {
				t.Errorf("given up: %t", gaveUp)
			}
		})
	}
}

func TestAnAttemptWaitsFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{delay: 6 * time.Second}
		w := newMailWorld(t, box)
		w.do(w.Accept(app, "u", order))
		start := time.Now()
		o := w.Deliver(1)[0]
		if took := time.Since(start); took != 15*time.Second || !errors.Is(o.Err, context.DeadlineExceeded) || o.Acknowledged {
			t.Errorf("%+v after %v, want three timeouts in 15 s", o, took)
		}
		wantEvents(t, box, "popup u T-order", "popup u T-order", "popup u T-order")
		time.Sleep(time.Minute) // lets the abandoned handlers end
	})
}

func TestCopiesArePushedAlthoughAcknowledged(t *testing.T) {
	box := &mailbox{}
	w := newMailWorld(t, box, func(c *Config) { c.Accounts[0].Callback.Copies = 3 })
	w.do(w.Accept(app, "u", order))
	if o := w.Deliver(1)[0]; o.Attempts != 3 || !o.Acknowledged {
		t.Errorf("outcome %+v", o)
	}
	wantEvents(t, box, "popup u T-order", "popup u T-order", "popup u T-order")
}

func TestManualDelivery(t *testing.T) {
	box := &mailbox{}
	w := newMailWorld(t, box)
	for _, user := range []string{"a", "b", "c", "d"} {
		w.do(w.Accept(app, user, order))
	}
	w.Script(always(SentLate(time.Minute)))
	w.send("a", order)
	if got := len(w.Pending()); got != 5 {
		t.Fatalf("%d pending, want 5", got)
	}
	w.Deliver(1)
	w.Discard(1)
	w.DeliverDue()
	wantEvents(t, box, "popup a T-order", "popup c T-order", "popup d T-order")
	w.clock.Add(time.Minute - time.Second)
	w.DeliverDue()
	if got := len(w.Pending()); got != 1 {
		t.Fatalf("%d pending before the late one is due, want 1", got)
	}
	w.clock.Add(time.Second)
	w.DeliverDue()
	wantEvents(t, box, "popup a T-order", "popup c T-order", "popup d T-order", "sent a code=0")
	if err := w.Wait(t.Context()); err != nil {
		t.Errorf("Wait with manual pushes: %v", err)
	}
}

func TestShuffleRepeatsWithTheSeed(t *testing.T) {
	order := func(seed uint64) []int64 {
		w := newMailWorld(t, &mailbox{}, func(c *Config) { c.Seed = seed })
		for range 20 {
			w.do(w.Accept(app, "u", bill))
		}
		w.Shuffle()
		var ids []int64
		for _, d := range w.Pending() {
			ids = append(ids, d.ID)
		}
		return ids
	}
	first := order(1)
	if diff := cmp.Diff(first, order(1)); diff != "" {
		t.Errorf("the same seed gave another order:\n%s", diff)
	}
	if cmp.Equal(first, order(2)) {
		t.Error("another seed gave the same order")
	}
}

func TestSentEventsAutomatically(t *testing.T) {
	tests := []struct {
		name          string
		fault         Fault
		before, after int // sent events when the call is answered, and a minute later
		received      int
	}{
		{"late", SentLate(30 * time.Second), 0, 1, 1},
		{"early", SentEarly(), 1, 1, 1},
		{"twice", SentTwice(), -1, 2, 1},
		{"never", SentNever(), 0, 0, 1},
		{"failed", SentFailed(20, "failed"), -1, 1, 0},
		{"early and cut", CutAfter().And(SentEarly()), 1, 1, 1},
		{"after a cut", CutAfter(), -1, 1, 1},
		{"none without acting", CutBefore(), 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				box := &mailbox{}
				w := newMailWorld(t, box, automatic)
				w.do(w.Grant(app, "u", order, 1))
				w.Script(always(tt.fault))
				_, _, err := w.call(http.MethodPost, w.sendTarget(), sendBody("u", order))
				if cut := tt.fault.Answer == AnswerCut; (err != nil) != cut {
					t.Fatalf("error %v, want a cut: %t", err, cut)
				}
				if got := len(box.got()); tt.before >= 0 && got != tt.before {
					t.Errorf("%d events with the answer, want %d", got, tt.before)
				}
				start := time.Now()
				w.do(w.Wait(t.Context()))
				if took := time.Since(start); took != tt.fault.Sent.Delay {
					t.Errorf("Wait took %v, want %v", took, tt.fault.Sent.Delay)
				}
				if got := len(box.got()); got != tt.after {
					t.Errorf("%d events in the end, want %d", got, tt.after)
				}
				if got := len(w.Received(app, "u")); got != tt.received {
					t.Errorf("%d received, want %d", got, tt.received)
				}
			})
		})
	}
}

func TestEarlyMeansBeforeTheAnswerEvenByHand(t *testing.T) {
	box := &mailbox{}
	w := newMailWorld(t, box)
	w.do(w.Grant(app, "u", order, 1))
	w.Script(always(SentEarly()))
	w.send("u", order)
	wantEvents(t, box, "sent u code=0")
}

func TestAutomaticPushesGoOverTheNetwork(t *testing.T) {
	box := &mailbox{}
	server := httptest.NewServer(box)
	defer server.Close()
	w := newWorld(t, automatic)
	w.do(w.SetCallback(app, Callback{URL: server.URL + "/wechat/" + app, Token: pushToken}))
	for range 50 {
		w.do(w.Accept(app, "u", bill))
	}
	w.do(w.Wait(t.Context()))
	if got := len(box.got()); got != 50 {
		t.Errorf("%d events, want 50", got)
	}
}

// flushRecorder notes that the answer went out.
type flushRecorder struct {
	*httptest.ResponseRecorder
	flushed atomic.Bool
}

func (f *flushRecorder) Flush() { f.flushed.Store(true) }

func TestTheAnswerGoesOutBeforeItsSentEvent(t *testing.T) {
	out := &flushRecorder{ResponseRecorder: httptest.NewRecorder()}
	box := &mailbox{answer: func(int) (int, string) {
		if !out.flushed.Load() {
			t.Error("the event came before the answer was on its way")
		}
		return 200, ""
	}}
	w := newMailWorld(t, box, automatic)
	w.do(w.Grant(app, "u", order, 1))
	w.ServeHTTP(out, httptest.NewRequest(http.MethodPost, w.sendTarget(), strings.NewReader(sendBody("u", order))))
	w.do(w.Wait(t.Context()))
	wantEvents(t, box, "sent u code=0")
}

func TestWaitEndsWithItsContextAndWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMailWorld(t, &mailbox{}, automatic)
		w.do(w.Grant(app, "u", order, 1))
		w.Script(always(SentLate(time.Hour)))
		w.send("u", order)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
		waited := make(chan error)
		go func() { waited <- w.Wait(t.Context()) }()
		synctest.Wait()
		w.Close()
		if err := <-waited; err != nil {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestNoCallbackMeansNoPush(t *testing.T) {
	w := newWorld(t)
	w.do(w.Accept(app, "u", order))
	w.send("u", order)
	if got := w.Pending(); len(got) != 0 {
		t.Errorf("pending %+v, want nothing", got)
	}
}

func TestACallbackTakenAwayIsNotPushedTo(t *testing.T) {
	w := newMailWorld(t, &mailbox{})
	w.do(w.Accept(app, "u", order))
	w.do(w.SetCallback(app, Callback{}))
	if o := w.Deliver(1)[0]; o.Acknowledged || o.Err == nil || o.Status != 0 {
		t.Errorf("outcome %+v, want it refused", o)
	}
	if err := w.VerifyURL(t.Context(), app); err == nil {
		t.Error("a URL check without a callback succeeded")
	}
}
