package submsg

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// Deliver works on records that are said to be due: sends, unknown sends that await their verdict, jobs, personal
// schedules and notices. Keys of records that are not due, or gone, cost one read; so the same wake-up may
// come any number of times. It returns the keys whose work failed for now; the tick will find them again too.
func (s *Service) Deliver(ctx context.Context, keys []Key) []Key {
	s.init()
	var mu sync.Mutex
	var failed []Key
	var group sync.WaitGroup
	slots := make(chan struct{}, s.Concurrency)
	for _, k := range keys {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if err := s.caught(ctx, func() error { return s.deliver(ctx, k) }); err != nil && !errors.Is(err, errInProgress) {
				s.Log.WarnContext(ctx, "due work failed for now; it stays due", "kind", kindOf(k), "error", err)
				mu.Lock()
				failed = append(failed, k)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if err := s.flush(ctx, flushEvery); err != nil {
		s.Log.WarnContext(ctx, "figures could not be written", "error", err)
	}
	return failed
}

func (s *Service) deliver(ctx context.Context, k Key) error {
	var err error
	switch kindOf(k) {
	case KindSend:
		err = s.deliverSend(ctx, k)
	case KindJob:
		err = s.deliverJob(ctx, k)
	case KindSchedule:
		err = s.fire(ctx, k)
	case KindNotice:
		err = s.deliverNotice(ctx, k)
	default:
		s.Log.ErrorContext(ctx, "wake-up for a record that is never due", "kind", kindOf(k))
	}
	return s.putOff(ctx, k, err)
}

// awayFor is how long work waits whose app or template is not configured any more, by mistake perhaps, or only in an instance
// that is still of before a deployment: well within the window in which an occurrence is caught up.
const awayFor = 5 * time.Minute

// putOff looks at why the work on a due record failed. Where the configuration does not know its app or template any more,
// the record waits: due as it was, it would be found before everybody else's by every tick. It returns err, or nil where
// that has been seen to.
func (s *Service) putOff(ctx context.Context, k Key, err error) error {
	p := AsProblem(err)
	if p == nil || p.Code != CodeUnknownApp && p.Code != CodeUnknownTemplate {
		return err
	}
	recs, lerr := s.Store.Load(ctx, k)
	if lerr != nil {
		return lerr
	}
	rec := recs[0]
	if rec.Body == nil || rec.Due == 0 || rec.Due > s.now() {
		return nil
	}
	rec.Due = s.now().Add(awayFor)
	if b, ok := rec.Body.(*Send); ok && b.State == SendQueued {
		next := *b
		next.Claim, next.UpdatedAt = 0, s.now()
		next.Reason = &Reason{Code: string(p.Code), Detail: p.Detail + "; it waits until that is configured again"}
		rec = sendRecord(&next, rec.Version, rec.Due)
	}
	s.Log.ErrorContext(ctx, "due work waits: the configuration does not know what it is for", "kind", kindOf(k), "problem", p.Detail)
	return s.offer(ctx, rec)
}

// deliverSend takes a waiting send on, or gives the verdict on an unknown one.
func (s *Service) deliverSend(ctx context.Context, k Key) error {
	ctx, cancel := s.work(ctx)
	defer cancel()
	for try := 0; ; try++ {
		appid, id, ok := sendKeyParts(k)
		if !ok {
			return nil
		}
		c, err := s.carriageOf(ctx, appid, id)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		b := c.sendBody()
		if c.send.Due == 0 || c.send.Due > s.now() {
			return nil
		}
		if b.State != SendUnknown {
			if c.tpl == nil && (b.ValidUntil == 0 || s.now() < b.ValidUntil) {
				return problem(CodeUnknownTemplate, "template", "template "+b.TemplateID+" is not configured for this app")
			}
			if _, err = s.carry(ctx, c); isNotFound(err) {
				return nil
			}
			return err
		}
		h, err := s.freshHealth(ctx, appid)
		if err != nil {
			return err
		}
		o := judge(b, h.Evidence, s.now(), c.app.UnknownAfter)
		if _, err = s.Store.Save(ctx, sendRecord(o.send, c.send.Version, o.due)); err == nil {
			if o.send.State == SendUnknown {
				return nil
			}
			s.countSend(c, o.send, o.due)
			if o.send.State != SendQueued {
				return s.tidy(ctx, c.sub.Key) // the credit is back at once, and not only with the next write
			}
		}
		if err := again(ctx, try, err); err != nil {
			return err
		}
	}
}

func sendKeyParts(k Key) (appid, id string, ok bool) {
	_, rest, _ := strings.Cut(k.Partition, "#")
	return strings.Cut(rest, "#")
}

func (s *Service) freshHealth(ctx context.Context, appid string) (*Health, error) {
	return s.changeHealth(ctx, appid, func(*Health) bool { return false })
}
