package submsg

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"
)

// Sizes of a fan-out. A page is one read of the audience and one of its sends and subscribers; a provider is asked
// for at most providerBatch of them at a time.
const (
	jobPage       = 200
	pagesAhead    = 3 // pages under way at a time, so that one slow call does not hold up the rest
	providerBatch = 100
)

// deliverJob works on one job until it is done or the worker's time is nearly over; then it is handed on.
func (s *Service) deliverJob(ctx context.Context, k Key) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(s.Work)
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	recs, err := s.Store.Load(ctx, k)
	if err != nil {
		return err
	}
	job, ok := recs[0].Body.(*Job)
	if !ok || job.Done || recs[0].Due == 0 || recs[0].Due > s.now() {
		return nil
	}
	app, err := s.Apps.App(job.AppID)
	if err != nil {
		return err
	}
	tpl, err := s.template(ctx, app, job.TemplateID)
	if err != nil {
		return err
	}
	w := &jobWork{s: s, app: app, tpl: tpl, rec: recs[0], job: job, slots: make(chan struct{}, s.Concurrency)}
	if app.Rate > 0 {
		w.pace = &bucket{rate: max(float64(app.Rate)/float64(job.Shards), 0.1), burst: 1}
	}
	if err := w.save(ctx, job, false); err != nil { // the claim: nobody else takes it before the lease ends
		if errors.Is(err, ErrConflict) {
			return nil
		}
		return err
	}
	return w.run(ctx)
}

// jobWork is one worker's hold on a job.
type jobWork struct {
	s     *Service
	app   *App
	tpl   *Template
	rec   Record
	job   *Job
	slots chan struct{}
	pace  *bucket
}

// save writes the job's progress. While work goes on it falls due at the end of this worker's lease, which outlives
// every reservation made under it; handed on, at once.
func (w *jobWork) save(ctx context.Context, job *Job, handOn bool) error {
	saved := *job // what was loaded belongs to the store, and is not changed
	next := &saved
	next.UpdatedAt = w.s.now()
	rec := Record{Key: w.rec.Key, Version: w.rec.Version, Due: w.s.leaseEnd(ctx).Add(time.Second), Body: next}
	switch {
	case next.Done:
		rec.Due, rec.Expires = 0, next.UpdatedAt.Add(keepFinal)
	case handOn:
		rec.Due = w.s.now()
		if next.Failures > 0 {
			rec.Due = rec.Due.Add(backoff(next.Failures, 5*time.Minute))
		}
	}
	v, err := w.s.Store.Save(ctx, rec)
	if err == nil {
		rec.Version = v
		w.rec, w.job = rec, next
	}
	return err
}

// page is one page of the audience under way.
type page struct {
	job    *Job          // as it was when the page was read: what pages use of it does not change
	last   string        // cursor after it
	turn   chan struct{} // closed when the page before has begun all its sends: pages end in order, so the next can be read
	begun  chan struct{} // closed when this one has
	done   chan struct{}
	mu     sync.Mutex
	counts map[string]int
	err    error
}

func (p *page) count(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[what]++
}

func (p *page) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = errors.Join(p.err, err)
}

func (w *jobWork) run(ctx context.Context) error {
	s := w.s
	topic := ""
	if w.job.To.Audience != nil {
		topic = w.job.To.Audience.Topic
	}
	partition := AudiencePartition(w.job.AppID, w.job.TemplateID, topic, w.job.Shard)
	var ahead []*page
	turn := make(chan struct{})
	close(turn)
	cursor, ended, stopped := w.job.Cursor, false, false
	for {
		for !ended && !stopped && len(ahead) < pagesAhead {
			if s.shortOf(ctx, s.CallTimeout+2*s.LeaseMargin) {
				stopped = true
				break
			}
			entries, err := w.entries(ctx, partition, cursor)
			if err != nil {
				finish(ahead)
				return w.giveUp(ctx, err)
			}
			if len(entries) < jobPage {
				ended = true
			}
			if len(entries) == 0 {
				break
			}
			cursor = entries[len(entries)-1].Key.Sort
			p := &page{job: w.job, last: cursor, turn: turn, begun: make(chan struct{}), done: make(chan struct{}), counts: map[string]int{}}
			turn = p.begun
			go w.work(ctx, p, entries)
			ahead = append(ahead, p)
		}
		if len(ahead) == 0 {
			break
		}
		p := ahead[0]
		ahead = ahead[1:]
		<-p.done
		if p.err != nil {
			finish(ahead)
			if errors.Is(p.err, errOutOfTime) {
				ended = false
				break
			}
			return w.giveUp(ctx, p.err)
		}
		next := *w.job
		next.Cursor, next.Failures, next.LastError = p.last, 0, ""
		next.Counts = maps.Clone(w.job.Counts)
		if next.Counts == nil {
			next.Counts = map[string]int{}
		}
		for what, n := range p.counts {
			next.Counts[what] += n
		}
		w.job = &next
		if ended && len(ahead) == 0 {
			break // the last page is saved with the end
		}
		if err := w.save(ctx, &next, false); err != nil {
			finish(ahead)
			return err // someone else has the job, or the store is away: the rest is found by the lease
		}
	}
	last := *w.job
	last.Done = ended
	if err := w.save(ctx, &last, true); err != nil {
		return err
	}
	if !last.Done {
		s.wake(ctx, w.rec.Key)
	}
	return nil
}

// entries is the next page of whom the job is for.
func (w *jobWork) entries(ctx context.Context, partition, cursor string) ([]Record, error) {
	switch openid := w.job.To.OpenID; {
	case openid == "":
		return w.s.Store.List(ctx, partition, cursor, jobPage)
	case cursor == "":
		return []Record{{Key: Key{Sort: openid}, Body: &AudienceEntry{OpenID: openid}}}, nil
	}
	return nil, nil
}

// finish waits for pages under way: their sends are this worker's, and end with it.
func finish(ahead []*page) {
	for _, p := range ahead {
		<-p.done
	}
}

// giveUp hands the job on after a failure, from the last page that was done, later each time.
func (w *jobWork) giveUp(ctx context.Context, cause error) error {
	next := *w.job
	next.Failures++
	next.LastError = cause.Error()
	save, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.s.CallTimeout)
	defer cancel()
	return errors.Join(cause, w.save(save, &next, true))
}

// work sends to one page of the audience, in a goroutine of its own.
func (w *jobWork) work(ctx context.Context, p *page, entries []Record) {
	defer close(p.done)
	begun := sync.OnceFunc(func() { close(p.begun) })
	defer begun()
	p.fail(w.s.caught(ctx, func() error { return w.sendPage(ctx, p, entries, begun) }))
}

// sendPage reads all sends and subscribers of a page at once, then what their open reservations name, and carries each on
// its own once it is the page's turn. It calls begun when the next page may begin.
func (w *jobWork) sendPage(ctx context.Context, p *page, entries []Record, begun func()) error {
	s, j := w.s, p.job
	keys := make([]Key, 0, 2*len(entries))
	cs := make([]*carriage, len(entries))
	for i, e := range entries {
		b := j.occurrenceSend(e.Body.(*AudienceEntry).OpenID, Provided{Data: j.Data}, s.now())
		cs[i] = &carriage{app: w.app, tpl: w.tpl, send: Record{Key: SendKey(b.AppID, b.ID), Body: b}, paced: w.pace == nil}
		keys = append(keys, cs[i].send.Key, SubscriberKey(b.AppID, b.OpenID))
	}
	recs, err := s.Store.Load(ctx, keys...)
	if err != nil {
		return err
	}
	var names []string
	var todo []*carriage
	for i, c := range cs {
		if b, ok := recs[2*i].Body.(*Send); ok {
			p.count(string(b.State)) // a worker before this one has got so far; the record falls due by itself
			continue
		}
		c.sub = recs[2*i+1]
		agreed := c.subBody().Subscription(w.tpl.ID)
		if j.To.OpenID != "" && c.subBody().ErasedAt >= j.CreatedAt {
			p.count("skipped") // the person was erased
			continue
		}
		if agreed.State != StateActive && entries[i].Body.(*AudienceEntry).Generation > agreed.Generation {
			p.count("skipped") // the entry is ahead of its subscriber, whose accept is being written, or was left so
			continue
		}
		if agreed.State != StateActive && j.To.OpenID == "" {
			if err := s.removeEntry(ctx, j.AppID, c.sendBody().OpenID, w.stale(j, agreed)); err != nil {
				return err
			}
		}
		names = append(names, sendsNamed(c.subBody(), c.sendBody().ID)...)
		todo = append(todo, c)
	}
	named, err := s.loadSends(ctx, j.AppID, names)
	if err != nil {
		return err
	}
	for _, c := range todo {
		c.known = true
		for _, id := range sendsNamed(c.subBody(), c.sendBody().ID) {
			if r, ok := named[id]; ok {
				if c.others == nil {
					c.others = map[string]Record{}
				}
				c.others[id] = r
			}
		}
	}
	if j.Provider != "" {
		if todo, err = w.fetch(ctx, p, todo); err != nil {
			return err
		}
	}
	<-p.turn
	var group sync.WaitGroup
	for _, c := range todo {
		w.slots <- struct{}{}
		if s.shortOf(ctx, s.CallTimeout+s.LeaseMargin) {
			<-w.slots
			p.fail(errOutOfTime)
			break
		}
		group.Go(func() {
			defer func() { <-w.slots }()
			p.fail(s.caught(ctx, func() error { return w.one(ctx, p, c) }))
		})
	}
	begun()
	group.Wait()
	return nil
}

var errOutOfTime = errors.New("the worker's time was over")

// stale names the audience entry that led to a subscription that is not active.
func (w *jobWork) stale(j *Job, s Subscription) place {
	topic := ""
	if j.To.Audience != nil {
		topic = j.To.Audience.Topic
	}
	return place{templateID: w.tpl.ID, topic: topic, generation: s.Generation}
}

// one carries the occurrence to one subscriber.
func (w *jobWork) one(ctx context.Context, p *page, c *carriage) error {
	if w.pace != nil {
		wait, ok := w.pace.take(time.Now(), w.s.toWait(ctx))
		if !ok || wait > 0 && pause(ctx, wait) != nil {
			return errOutOfTime
		}
	}
	rec, err := w.s.carryOccurrence(ctx, c)
	if err == nil {
		p.count(string(rec.Body.(*Send).State))
	}
	return err
}

// fetch asks the provider for the content of those who are still to be sent to, and leaves out those it skips and
// those whose subscription has ended.
func (w *jobWork) fetch(ctx context.Context, p *page, todo []*carriage) ([]*carriage, error) {
	if v := p.job.ValidUntil; v != 0 && w.s.now() >= v {
		return todo, nil // too late for any content: each ends as expired, and the job with them
	}
	var ready []*carriage
	for len(todo) > 0 {
		batch := todo[:min(providerBatch, len(todo))]
		todo = todo[len(batch):]
		var ask []string
		for _, c := range batch {
			if c.subBody().Subscription(w.tpl.ID).State == StateActive {
				ask = append(ask, c.sendBody().OpenID)
			}
		}
		var answer map[string]Provided
		if len(ask) > 0 {
			var err error
			if answer, err = w.s.provide(ctx, p.job, ask); err != nil {
				return nil, err
			}
		}
		for _, c := range batch {
			content, ok := answer[c.sendBody().OpenID]
			switch {
			case c.subBody().Subscription(w.tpl.ID).State != StateActive:
				ready = append(ready, c) // it will be refused, and the reason kept
			case !ok || content.Skip:
				p.count("skipped")
			default:
				c.send.Body = p.job.occurrenceSend(c.sendBody().OpenID, content, w.s.now())
				ready = append(ready, c)
			}
		}
	}
	return ready, nil
}
