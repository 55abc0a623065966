package platformtest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// dispatcher keeps the invocations of a process that asks for them one by one.
type dispatcher struct {
	mu       sync.Mutex
	sequence int
	waiting  []*call
	arrived  chan struct{} // holds a token when waiting may have something
	running  map[string]*call
	gone     chan struct{} // closed when the process that asks has ended; then there is a new one
}

type call struct {
	id       string
	payload  []byte
	limit    time.Duration
	kill     func() // ends the process when the limit is over
	deadline time.Time
	expiry   *time.Timer
	late     error        // set when the time limit is over
	outcome  chan outcome // gets one value
}

type outcome struct {
	answer []byte
	err    error
}

func newDispatcher() *dispatcher {
	return &dispatcher{arrived: make(chan struct{}, 1), running: map[string]*call{}, gone: make(chan struct{})}
}

func (d *dispatcher) signal() {
	select {
	case d.arrived <- struct{}{}:
	default:
	}
}

// submit queues an invocation that may take as long as limit, after which kill is called.
func (d *dispatcher) submit(payload []byte, limit time.Duration, kill func()) *call {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sequence++
	c := &call{id: "00000000-0000-4000-8000-" + fmt.Sprintf("%012d", d.sequence), payload: payload, limit: limit, kill: kill, outcome: make(chan outcome, 1)}
	d.waiting = append(d.waiting, c)
	d.signal()
	return c
}

// next hands out the oldest invocation, waiting for one as long as the request and its process live; nil when
// they ended. The time limit runs from here.
func (d *dispatcher) next(ctx context.Context) *call {
	d.mu.Lock()
	gone := d.gone
	d.mu.Unlock()
	for {
		d.mu.Lock()
		// The end of a process is seen here before the end of its connection: without this a request of a
		// dead process could swallow an invocation meant for the next one.
		if gone != d.gone {
			d.mu.Unlock()
			d.signal()
			return nil
		}
		if len(d.waiting) > 0 && ctx.Err() == nil {
			c := d.waiting[0]
			d.waiting = d.waiting[1:]
			d.running[c.id] = c
			c.deadline = time.Now().Add(c.limit)
			c.expiry = time.AfterFunc(c.limit, func() {
				if d.expire(c) {
					c.kill() // the end of the process settles the invocation
				}
			})
			if len(d.waiting) > 0 {
				d.signal()
			}
			d.mu.Unlock()
			return c
		}
		d.mu.Unlock()
		select {
		case <-d.arrived:
		case <-gone:
		case <-ctx.Done():
			return nil
		}
	}
}

// expire notes that an invocation took too long and reports whether it was still under way.
func (d *dispatcher) expire(c *call) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	text := "Task timed out after " + strconv.FormatFloat(c.limit.Seconds(), 'f', 2, 64) + " seconds"
	c.late = &FunctionError{Type: "Sandbox.Timedout", Message: text}
	return d.running[c.id] == c
}

// finish settles a running invocation and reports whether there was one of that id.
func (d *dispatcher) finish(id string, o outcome) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.running[id]
	if !ok {
		return false
	}
	delete(d.running, id)
	c.expiry.Stop()
	c.outcome <- o
	return true
}

// only returns the id of the one invocation under way; "" where there is none.
func (d *dispatcher) only() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.running {
		return id
	}
	return ""
}

// fail settles everything, running or waiting, because the process has ended.
func (d *dispatcher) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.gone)
	d.gone = make(chan struct{})
	for id, c := range d.running {
		delete(d.running, id)
		c.expiry.Stop()
		if c.late != nil {
			c.outcome <- outcome{err: c.late}
			continue
		}
		c.outcome <- outcome{err: err}
	}
	for _, c := range d.waiting {
		c.outcome <- outcome{err: err}
	}
	d.waiting = nil
}

// result waits for an invocation.
func (c *call) result(ctx context.Context) ([]byte, error) {
	select {
	case o := <-c.outcome:
		return o.answer, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
