package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// final are the states in which a send has come to its end, as far as anyone can know.
var final = map[string]bool{"sent": true, "delivered": true, "failed": true, "rejected": true, "refused": true, "expired": true, "cancelled": true, "unknown": true}

// open are the states of a send that is not lost but still due.
var open = map[string]bool{"queued": true, "sending": true, "in_progress": true}

// settle waits until every send that was asked for has come to its end, and every schedule's message for everybody.
func (w *world) settle(t *testing.T) {
	t.Helper()
	w.sim.Script(nil) // nothing goes wrong any more, and nothing is late that is not late already
	defer w.quiesce(t)
	for deadline := time.Now().Add(w.patience); ; time.Sleep(100 * time.Millisecond) {
		waiting := w.look(t)
		if len(waiting) == 0 {
			return
		}
		if time.Now().After(deadline) {
			if w.patience > 0 {
				t.Errorf("%d of what was accepted has not come to its end, such as %s", len(waiting), waiting[0])
			}
			return
		}
	}
}

// look asks for every send and occurrence that has not ended yet, and names them.
func (w *world) look(t *testing.T) (waiting []string) {
	t.Helper()
	for _, s := range w.sends {
		if s.id == "" {
			w.ask(t.Context(), s) // the client that never gave up
		} else if !final[s.state] {
			_, answer := w.insist(t.Context(), http.MethodGet, "/sends/"+s.id, "", nil)
			s.state = fmt.Sprint(answer["state"])
		}
		if !final[s.state] {
			waiting = append(waiting, "send "+s.key+": "+s.state)
		}
	}
	for _, sch := range w.scheduled {
		_, answer := w.insist(t.Context(), http.MethodGet, "/schedules/"+sch.id+"/occurrences", "", nil)
		past, _ := answer["past"].([]any)
		if state := "not begun"; len(past) != 1 || fmt.Sprint(past[0].(map[string]any)["state"]) != "done" {
			if len(past) > 0 {
				state = fmt.Sprint(past[0])
			}
			waiting = append(waiting, "schedule "+sch.mark+": "+state)
			continue
		}
		for _, openid := range w.members {
			if one := w.occurrence(t, sch, openid); !final[fmt.Sprint(one["state"])] {
				waiting = append(waiting, fmt.Sprintf("schedule %s for %s: %v", sch.mark, openid, one["state"]))
			}
		}
	}
	return waiting
}

func (w *world) occurrence(t *testing.T, sch *scheduled, openid string) map[string]any {
	t.Helper()
	q := url.Values{"schedule": {sch.id}, "occurrence": {sch.at}, "openid": {openid}}
	status, answer := w.insist(t.Context(), http.MethodGet, "/sends?"+q.Encode(), "", nil)
	if status != http.StatusOK {
		return map[string]any{"state": fmt.Sprintf("HTTP %d", status)}
	}
	return answer
}

// judge holds the ledger against WeChat's side, subscriber by subscriber. Verdicts and resends go on meanwhile, so what
// was read before is read again after, and only what stood still is judged.
func (w *world) judge(t *testing.T) {
	t.Helper()
	bySubscriber := map[string][]*send{}
	for _, s := range w.sends {
		bySubscriber[s.openid] = append(bySubscriber[s.openid], s)
	}
	for _, openid := range w.members {
		var before, after standing
		var truth wechattest.User
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			before, truth = w.standing(t, openid, bySubscriber[openid]), w.sim.User(killApp, openid)
			w.quiesce(t)
			after = w.standing(t, openid, bySubscriber[openid])
			if before.credits == after.credits && maps.Equal(before.states, after.states) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("what is known of %s does not stand still", openid)
			}
		}
		w.compare(t, openid, after, truth)
	}
	for _, s := range w.sends {
		if s.id == "" {
			if w.patience > 0 || !open[s.state] {
				t.Errorf("send %s was never answered: %s", s.key, s.state)
			}
			continue
		}
		status, answer := w.insist(t.Context(), http.MethodGet, "/sends?idempotency_key="+s.key, "", nil)
		if status != http.StatusOK || answer["id"] != s.id {
			t.Errorf("send %s was answered with id %s and is now HTTP %d, id %v", s.key, s.id, status, answer["id"])
		}
	}
	if strays := w.sim.Totals("").Calls; len(strays) > 0 {
		t.Errorf("calls that WeChat does not know: %v", strays)
	}
}

// standing is what the server says of one subscriber: the state of each message by what the message says.
type standing struct {
	credits int
	states  map[string]string
}

func (w *world) standing(t *testing.T, openid string, sends []*send) standing {
	t.Helper()
	v := standing{states: map[string]string{}}
	status, answer := w.insist(t.Context(), http.MethodGet, "/subscribers/"+openid, "", nil)
	if status != http.StatusOK {
		t.Fatalf("subscriber %s: HTTP %d", openid, status)
	}
	subscriptions, _ := answer["subscriptions"].([]any)
	for _, one := range subscriptions {
		if sub := one.(map[string]any); sub["template_id"] == killOrder {
			v.credits = int(sub["credits"].(float64))
		}
	}
	for _, s := range sends {
		if s.id == "" {
			v.states[s.key] = s.state
			continue
		}
		status, answer := w.insist(t.Context(), http.MethodGet, "/sends/"+s.id, "", nil)
		if status != http.StatusOK {
			t.Errorf("send %s was answered with id %s and is gone: HTTP %d", s.key, s.id, status)
		}
		v.states[s.key] = fmt.Sprint(answer["state"])
	}
	for _, sch := range w.scheduled {
		v.states[sch.mark] = fmt.Sprint(w.occurrence(t, sch, openid)["state"])
	}
	return v
}

// compare is the verdict on one subscriber.
func (w *world) compare(t *testing.T, openid string, ledger standing, truth wechattest.User) {
	t.Helper()
	times := map[string]int{}
	for _, m := range truth.Messages {
		times[m.Data["character_string1"]]++
	}
	uncertain := 0
	for what, state := range ledger.states {
		n := times[what]
		delete(times, what)
		want := "0"
		switch {
		case state == "sent" || state == "delivered":
			want = "1"
		case state == "unknown", open[state] && w.patience == 0:
			want = "0 or 1"
			if !strings.HasPrefix(what, "BILL") {
				uncertain++
			}
		case !final[state]:
			t.Errorf("%s: message %s is %s: it was accepted and is lost", openid, what, state)
		}
		if !strings.Contains(want, fmt.Sprint(n)) {
			t.Errorf("%s: message %s is %s in the ledger and was received %d times, want %s", openid, what, state, n, want)
		}
	}
	for what, n := range times {
		t.Errorf("%s: message %s was received %d times and nobody sent it", openid, what, n)
	}
	for _, st := range truth.Standings {
		if st.TemplateID != killOrder {
			continue
		}
		if st.Accepted > st.Grants {
			t.Errorf("%s: %d messages for %d grants", openid, st.Accepted, st.Grants)
		}
		if st.Refused > 0 {
			t.Errorf("%s: WeChat refused %d sends for want of a credit: the ledger thought there was one", openid, st.Refused)
		}
		if spare := st.Credits - ledger.credits; spare < 0 || spare > uncertain {
			t.Errorf("%s: %d credits in the ledger and %d at WeChat, with %d sends of unknown outcome", openid, ledger.credits, st.Credits, uncertain)
		}
	}
}

// unsayable are what the log of the killed server may not hold.
func (w *world) unsayable() []string {
	return []string{"oKilled-", killSecret, killToken, killAESKey, killAPIKey, "机密内容", "¥77.31", "BILL-0", "Bearer", "access_token", `"90_`, "=90_"}
}

// complaints are the last n lines of a log that tell of more than a request.
func complaints(log string, n int) string {
	var lines []string
	for line := range strings.Lines(log) {
		if !strings.Contains(line, `"msg":"request"`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "")
}
