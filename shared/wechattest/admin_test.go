package wechattest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAdminRoutes(t *testing.T) {
	box := &mailbox{}
	w := newMailWorld(t, box)
	steps := []struct {
		name, method, path, body string
		status                   int
		want                     string // part of the answer
	}{
		{"a user accepts", "POST", "/accept", `{"openid":"u","template_id":"T-order"}`, 200, `"credits": 1`},
		{"silently again", "POST", "/silent_accept", `{"openid":"u","template_id":"T-order"}`, 200, `"credits": 2`},
		{"several at once", "POST", "/accept", `{"openid":"u","template_id":["T-order","T-bill"]}`, 200, `"active": true`},
		{"refuses on the settings page", "POST", "/change_reject", `{"openid":"u","template_id":"T-bill"}`, 200, `"active": false`},
		{"refuses in the panel", "POST", "/reject", `{"openid":"u","template_id":"T-order"}`, 200, `"credits": 0`},
		{"can be looked at", "GET", "/users/u", "", 200, `"grants": 3`},
		{"so can one nobody knows", "GET", "/users/nobody", "", 200, `"standings": []`},
		{"totals", "GET", "/totals", "", 200, `"grants": 4`},
		{"an unknown template is refused", "POST", "/accept", `{"openid":"u","template_id":"T-none"}`, 400, "T-none"},
		{"a misspelt member is refused", "POST", "/accept", `{"open_id":"u"}`, 400, "open_id"},
		{"no body is refused", "POST", "/accept", "", 400, "body"},
		{"a fault is set", "POST", "/faults", `{"faults":[{"fault":"refuse","code":45009,"times":1}]}`, 200, `"faults": 1`},
		{"an unknown fault is refused", "POST", "/faults", `{"faults":[{"fault":"fire"}]}`, 400, "cut_after"},
		{"refuse needs a code", "POST", "/faults", `{"faults":[{"fault":"refuse"}]}`, 400, "code"},
		{"delayed needs a delay", "POST", "/faults", `{"faults":[{"fault":"delayed"}]}`, 400, "delay"},
		{"a share is at most 100", "POST", "/faults", `{"faults":[{"fault":"cut_after","percent":101}]}`, 400, "percent"},
		{"a path that does not exist", "GET", "/nothing", "", 404, ""},
		{"a method that does not fit", "GET", "/accept", "", 405, ""},
	}
	for _, step := range steps {
		status, body, err := w.call(step.method, "/_sim/"+app+step.path, step.body)
		if err != nil || status != step.status || !strings.Contains(body, step.want) {
			t.Errorf("%s: %d %s, %v, want %d with %q", step.name, status, body, err, step.status, step.want)
		}
	}
	if status, _, err := w.call(http.MethodGet, "/_sim/wx/totals", ""); status != 404 || err != nil {
		t.Errorf("an unknown account: %d, %v, want 404", status, err)
	}
	if got := w.send("u", bill); got.Code != 45009 {
		t.Errorf("with the fault set: %+v, want 45009 once", got)
	}
	if got := w.send("u", bill); got.Code != 43101 {
		t.Errorf("after it: %+v, want 43101", got)
	}
	w.DeliverAll()
	wantEvents(t, box, "popup u T-order", "popup u T-order T-bill", "change u T-bill", "popup u T-order")
}

func TestEveryNamedFaultCanBeSetAndHealed(t *testing.T) {
	for name := range namedFaults {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			post := func(body string) {
				t.Helper()
				if status, answer, err := w.call(http.MethodPost, "/_sim/"+app+"/faults", body); status != 200 || err != nil {
					t.Fatalf("%d %s %v", status, answer, err)
				}
			}
			post(`{"faults":[{"fault":"` + name + `","code":40003,"delay":"1ms","path":"` + PathSend + `"}]}`)
			_, _, _ = w.call(http.MethodPost, w.sendTarget(), sendBody("u", order)) // whatever it answers: what counts is that the fault hit
			total := int64(0)
			for _, n := range w.Totals(app).Faults {
				total += n
			}
			if total != 1 {
				t.Errorf("%d faults hit, want 1", total)
			}
			post(`{"faults":[]}`)
			if got := w.send("u", order); got.Code != 43101 {
				t.Errorf("after healing: %+v, want 43101", got)
			}
		})
	}
}

func TestSnapshotMarshals(t *testing.T) {
	w := newWorld(t)
	w.do(w.Grant(app, "v", order, 2))
	w.do(w.Accept(app, "u", bill))
	sent := w.send("v", order)
	b, err := json.Marshal(w.Snapshot())
	w.do(err)
	var back map[string]AccountSnapshot
	w.do(json.Unmarshal(b, &back))
	if diff := cmp.Diff(w.Snapshot(), back); diff != "" {
		t.Errorf("after a round trip (-want +got):\n%s", diff)
	}
	snap := back[app]
	if len(snap.Users) != 2 || snap.Users[0].OpenID != "u" || snap.Users[1].Messages[0].MsgID != sent.MsgID || snap.Totals.Accepted != 1 {
		t.Errorf("snapshot %+v", snap)
	}
}

func TestTotalsOfPeaks(t *testing.T) {
	w := newWorld(t)
	w.do(w.Accept(app, "u", bill))
	for _, n := range []int{2, 5, 3} {
		for range n {
			w.send("u", bill)
		}
		w.clock.Add(1e9)
	}
	got := w.Totals(app)
	if got.PeakSends != 5 || got.PeakCalls != 5 || got.PeakAt.Unix() != w.clock.Now().Unix()-2 {
		t.Errorf("peaks %d and %d at %v, want 5 in the second second", got.PeakSends, got.PeakCalls, got.PeakAt)
	}
	if got := w.Totals("wx"); got.Accepted != 0 || len(got.Calls) != 0 {
		t.Errorf("totals of an unknown account: %+v", got)
	}
}
