package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestNothingIsLostOrDoubledByKill runs the server as an operator does, with a configuration and a file, kills it with
// SIGKILL again and again while clients, WeChat and the clock give it work, starts it again on the same file, and holds
// in the end what it answered against what WeChat's side saw. That is every promise of the README at once.
func TestNothingIsLostOrDoubledByKill(t *testing.T) {
	t.Parallel()
	plan := campaign{kills: 6, clients: 8, subscribers: 12, followers: 160, schedules: true, late: 25 * time.Second, patience: 50 * time.Second}
	if testing.Short() { // without waiting for the leases of the killed: what they held may still be due
		plan = campaign{kills: 3, clients: 4, subscribers: 6}
	}
	w := newWorld(t, plan)
	began := time.Now()
	s := w.start(t)
	w.follow(t)
	work := w.load()
	for n := range plan.kills {
		w.schedule(t, n)
		time.Sleep(time.Second + rand.N(700*time.Millisecond)) // the moment of death is the point: there is nothing to poll
		s.kill()
		s = w.start(t)
	}
	work.end()
	t.Logf("%d kills in %s: %d sends, %d answered", plan.kills, time.Since(began).Round(time.Millisecond), len(w.sends), w.answered())
	if n := w.answered(); n < 10*plan.kills {
		t.Errorf("only %d sends were answered: that is no load", n)
	}
	calm := time.Now()
	w.settle(t)
	t.Logf("settled %s after the last kill: %v", time.Since(calm).Round(time.Millisecond), w.states())
	w.judge(t)
	if code := s.stop(t); code != 0 {
		t.Errorf("after an interrupt the server ended with %d", code)
	}
	quiet(t, contents(t, w.log), w.unsayable())
	if t.Failed() {
		t.Logf("what the server said last, requests left out:\n%s", complaints(contents(t, w.log), 30))
	}
}

// campaign says how much happens.
type campaign struct {
	kills       int
	clients     int           // at work at the same time
	subscribers int           // of each client
	followers   int           // more subscribers, who only follow the long-term template
	schedules   bool          // one falls due after each start
	late        time.Duration // some sent events come only then: later than a lease ends, sooner than a verdict
	patience    time.Duration // for the leases of the killed to end; 0: what they held may still be due
}
