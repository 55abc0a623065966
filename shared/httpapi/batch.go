package httpapi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

const (
	// maxBatch is the most sends of one batch.
	maxBatch = 500
	// batchReserve is how much of the request's time is kept for the sends that there is no time to wait for: they are
	// accepted, and a worker takes them from there.
	batchReserve = 2 * submsg.DefaultCallTimeout
)

// batchItem is one send of a batch: the request and its key, or what is wrong with it.
type batchItem struct {
	key string
	req submsg.SendRequest
	err error
}

// batchResult is what became of one item: a send or a problem, with the status it would have had alone.
type batchResult struct {
	Status   int       `json:"status"`
	Replayed bool      `json:"replayed,omitempty"`
	Send     *sendView `json:"send,omitempty"`
	Problem  *problem  `json:"problem,omitempty"`
}

// readBatch reads the items of a batch. A fault of JSON's shape in any of them is one of the whole request, since the
// program that wrote it is at fault; a faulty value is the item's own. header is the request's idempotency key: an item
// without a key of its own gets that and its number.
func readBatch(body any, header string) ([]batchItem, error) {
	var bad faults
	f := newForm(body, &bad)
	list, _ := f.list("sends")
	if len(list) > maxBatch {
		return nil, fail(submsg.CodeTooMany, "sends", fmt.Sprintf("a batch holds at most %d sends", maxBatch))
	}
	items := make([]batchItem, len(list))
	first := make(map[string]int, len(list))
	for i, it := range list {
		at := fmt.Sprintf("sends[%d]", i)
		var own faults
		g := openForm(it, at, &own)
		items[i].req = readSend(g)
		items[i].key = g.text("idempotency_key")
		g.close()
		if own.shape {
			for _, fault := range own.list {
				bad.add(fault.Field, fault.Code, fault.Detail)
			}
			continue
		}
		items[i].err = own.err()
		if items[i].key == "" && header != "" {
			items[i].key = header + "#" + strconv.Itoa(i)
		}
		if items[i].key == "" {
			return nil, fail(CodeKeyRequired, at+".idempotency_key", "send the header Idempotency-Key, or an idempotency_key with every send")
		}
		if n, twice := first[items[i].key]; twice {
			bad.add(at+".idempotency_key", faultValue, fmt.Sprintf("sends[%d] has the same key: one key leads to one message", n))
		}
		first[items[i].key] = i
	}
	f.close()
	switch {
	case len(bad.list) > 0:
		return nil, bad.err()
	case len(list) == 0:
		return nil, invalid("sends", fmt.Sprintf("sends holds 1 to %d sends", maxBatch))
	}
	return items, nil
}

// batch takes up to 500 sends, each on its own: the answer has one result for each, in their order.
func (a *api) batch(c *call) (answer, error) {
	key, err := c.key(false)
	if err != nil {
		return answer{}, err
	}
	body, err := a.body(c)
	if err != nil {
		return answer{}, err
	}
	items, err := readBatch(body, key)
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]any{"results": a.sendAll(c, items)})
}

// sendAll carries the items, a bounded number at a time. Those of one subscriber go one after the other: WeChat refuses
// simultaneous ones (43108), so they would only wait for each other in parallel.
func (a *api) sendAll(c *call, items []batchItem) []batchResult {
	results := make([]batchResult, len(items))
	var order []string
	byOpenID := make(map[string][]int)
	for i, it := range items {
		if byOpenID[it.req.OpenID] == nil {
			order = append(order, it.req.OpenID)
		}
		byOpenID[it.req.OpenID] = append(byOpenID[it.req.OpenID], i)
	}
	var group sync.WaitGroup
	slots := make(chan struct{}, a.MaxParallel)
	for _, openid := range order {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			for _, i := range byOpenID[openid] {
				results[i] = a.sendOne(c, items[i])
			}
		})
	}
	group.Wait()
	return results
}

func (a *api) sendOne(c *call, it batchItem) (res batchResult) {
	defer func() {
		if v := recover(); v != nil { // in a goroutine of its own: nobody else would catch it
			p := fail(CodeInternal, "", "an error of the server")
			a.Log.ErrorContext(c, "panic", "request_id", c.entry.id, "route", c.entry.pattern, "error", submsg.Panicked(v).Error())
			res = batchResult{Status: p.Status, Problem: p}
		}
	}()
	err := it.err
	if err == nil {
		err = context.Cause(c)
	}
	if err == nil {
		if deadline, limited := c.Deadline(); limited && time.Until(deadline) < batchReserve {
			it.req.Async = true
		}
		view, replayed, serr := a.Service.CreateSend(c, c.appid, it.key, it.req)
		if err = serr; err == nil {
			v := showSend(c.app, view)
			res = batchResult{Status: 201, Replayed: replayed, Send: &v}
			if replayed {
				res.Status = 200
			}
			return res
		}
	}
	p := asProblem(err)
	if p.cause != nil && !errors.Is(p.cause, context.Canceled) {
		about := &entry{cause: p.cause, openids: []string{it.req.OpenID}}
		a.Log.WarnContext(c, "a send of a batch could not be completed", "request_id", c.entry.id, "subscriber", a.Pseudonym(it.req.OpenID), "error", a.discreet(about))
	}
	return batchResult{Status: p.Status, Problem: p}
}
