package wechattest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// What a callback owes WeChat: an answer within five seconds, empty or "success"; else WeChat tries again, three times
// in all. Source: older official pages ("Scan QR Code Events Push"); the current mini program page is silent on it.
const (
	pushTimeout  = 5 * time.Second
	pushAttempts = 3
)

// Delivery is an event on its way to the callback.
type Delivery struct {
	ID     int64
	Event  Event
	Copies int       // times it is pushed, acknowledged or not
	Due    time.Time // not before; zero: at once. By Config.Now with ManualPushes, by timers otherwise

	delay time.Duration
}

// Outcome is what became of a Delivery.
type Outcome struct {
	Delivery
	Attempts     int  // HTTP requests made, for all copies
	Acknowledged bool // every copy was
	Status       int  // of the last attempt; 0 without an answer
	Answer       string
	Err          error // why the last attempt was not acknowledged
}

// pushQueue holds the deliveries that wait, in order, and runs them: by itself, or when told to.
type pushQueue struct {
	mu      sync.Mutex
	lastID  int64
	waiting []Delivery
	running int // workers
	open    int // automatic deliveries promised and not finished
	idle    chan struct{}
	timers  map[int64]*time.Timer
	closed  bool
}

// add queues a delivery. Workers start when there is work and end when there is none, so that an idle Sim has no
// goroutines.
func (q *pushQueue) add(s *Sim, d Delivery) {
	a := s.accounts[d.Event.AppID]
	cb := a.callbackWith(nil)
	if !cb.set() {
		return
	}
	d.Copies = max(d.Copies, cb.Copies, 1)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.lastID++
	d.ID = q.lastID
	if s.cfg.ManualPushes {
		if d.delay > 0 {
			d.Due = s.cfg.Now().Add(d.delay)
		}
		q.waiting = append(q.waiting, d)
		return
	}
	q.open++
	if d.delay > 0 {
		if q.timers == nil {
			q.timers = make(map[int64]*time.Timer)
		}
		q.timers[d.ID] = time.AfterFunc(d.delay, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			delete(q.timers, d.ID)
			if !q.closed {
				q.start(s, d)
			}
		})
		return
	}
	q.start(s, d)
}

// start hands d to a worker. The caller holds q.mu.
func (q *pushQueue) start(s *Sim, d Delivery) {
	q.waiting = append(q.waiting, d)
	if q.running < s.cfg.PushWorkers {
		q.running++
		go q.work(s)
	}
}

func (q *pushQueue) work(s *Sim) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 && !q.closed {
		d := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		s.run(d)
		q.mu.Lock()
		q.finish()
	}
	q.running--
}

// hold promises a delivery to come, so that wait does not end before it; release keeps the promise.
func (q *pushQueue) hold() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open++
}

func (q *pushQueue) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.finish()
}

// finish counts an automatic delivery as done. The caller holds q.mu.
func (q *pushQueue) finish() {
	if q.open--; q.open == 0 && q.idle != nil {
		close(q.idle)
		q.idle = nil
	}
}

func (q *pushQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed, q.waiting = true, nil
	for _, t := range q.timers {
		t.Stop()
	}
	if q.idle != nil {
		close(q.idle)
		q.idle = nil
	}
}

// Wait returns when no automatic push is under way or planned, late ones included, or with ctx's error.
func (s *Sim) Wait(ctx context.Context) error {
	q := &s.pushes
	q.mu.Lock()
	if q.open == 0 || q.closed {
		q.mu.Unlock()
		return nil
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle := q.idle
	q.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wechattest: pushes are still under way: %w", ctx.Err())
	}
}

// Pending returns the deliveries that wait for Deliver, in order.
func (s *Sim) Pending() []Delivery {
	s.pushes.mu.Lock()
	defer s.pushes.mu.Unlock()
	return append([]Delivery(nil), s.pushes.waiting...)
}

// Deliver pushes the first n waiting deliveries, due or not, one after the other in this goroutine.
func (s *Sim) Deliver(n int) []Outcome {
	return s.deliver(n, func(Delivery) bool { return true })
}

// DeliverAll pushes everything that waits now, due or not; what that causes in turn stays in Pending.
func (s *Sim) DeliverAll() []Outcome { return s.Deliver(len(s.Pending())) }

// DeliverDue pushes what waits and is due by Config.Now.
func (s *Sim) DeliverDue() []Outcome {
	now := s.cfg.Now()
	return s.deliver(len(s.Pending()), func(d Delivery) bool { return !d.Due.After(now) })
}

// Discard drops the first n waiting deliveries, as if WeChat had lost them.
func (s *Sim) Discard(n int) { s.pushes.take(n, func(Delivery) bool { return true }) }

// Shuffle brings the waiting deliveries into another order, the same for the same seed.
func (s *Sim) Shuffle() {
	s.pushes.mu.Lock()
	defer s.pushes.mu.Unlock()
	w := s.pushes.waiting
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rng.Shuffle(len(w), func(i, j int) { w[i], w[j] = w[j], w[i] })
}

func (s *Sim) deliver(n int, want func(Delivery) bool) []Outcome {
	var outcomes []Outcome
	for _, d := range s.pushes.take(n, want) {
		outcomes = append(outcomes, s.run(d))
	}
	return outcomes
}

// take removes up to n wanted deliveries from the queue.
func (q *pushQueue) take(n int, want func(Delivery) bool) []Delivery {
	q.mu.Lock()
	defer q.mu.Unlock()
	var taken, left []Delivery
	for _, d := range q.waiting {
		if len(taken) < n && want(d) {
			taken = append(taken, d)
		} else {
			left = append(left, d)
		}
	}
	q.waiting = left
	return taken
}

// pushNow pushes an event in this goroutine, before anything else happens.
func (s *Sim) pushNow(a *account, event Event, copies int) {
	if cb := a.callbackWith(nil); cb.set() {
		s.run(Delivery{Event: event, Copies: max(copies, cb.Copies, 1)})
	}
}

// run makes a delivery: for every copy, up to three attempts until one is acknowledged.
func (s *Sim) run(d Delivery) Outcome {
	a := s.accounts[d.Event.AppID]
	out := Outcome{Delivery: d, Acknowledged: true}
	for range d.Copies {
		acknowledged := false
		for try := 0; try < pushAttempts && !acknowledged && s.ctx.Err() == nil; try++ {
			out.Attempts++
			out.Status, out.Answer, out.Err = s.attempt(a, d.Event)
			acknowledged = out.Err == nil
		}
		out.Acknowledged = out.Acknowledged && acknowledged
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.totals.pushed(&out)
	return out
}

var errNotAcknowledged = errors.New(`wechattest: the callback's answer is not 200 with an empty body or "success"`)

// attempt pushes the event once.
func (s *Sim) attempt(a *account, event Event) (status int, answer string, err error) {
	cb := a.callbackWith(nil)
	if !cb.set() {
		return 0, "", fmt.Errorf("wechattest: account %s no longer has a callback", a.AppID)
	}
	req, err := s.Push(event, nil)
	if err != nil {
		return 0, "", err
	}
	timeout := cb.Timeout
	if timeout == 0 {
		timeout = pushTimeout
	}
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	resp, err := s.callbackClient(&cb).Do(req.WithContext(ctx))
	if err != nil {
		return 0, "", fmt.Errorf("wechattest: push: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return resp.StatusCode, "", fmt.Errorf("wechattest: push: answer: %w", err)
	}
	answer = string(b)
	if text := strings.TrimSpace(answer); resp.StatusCode != http.StatusOK || (text != "" && text != "success") {
		return resp.StatusCode, answer, errNotAcknowledged
	}
	return resp.StatusCode, answer, nil
}
