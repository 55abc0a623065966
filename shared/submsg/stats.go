package submsg

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// flushEvery is how long figures are gathered in the process before they are written: a send costs no write
// of its own for them, and an instance that dies loses at most this much of them.
const flushEvery = 10 * time.Second

// counters gathers figures of this process.
type counters struct {
	mu      sync.Mutex
	m       map[counterName]map[string]int64
	flushed time.Time
	date    string    // the day that it was at dated
	dated   time.Time // zero: not asked yet
}

type counterName struct{ appid, day, templateID string }

func (c *counters) add(now time.Time, appid, templateID, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = make(map[counterName]map[string]int64)
	}
	name := counterName{appid, c.today(now), templateID}
	if c.m[name] == nil {
		c.m[name] = make(map[string]int64)
	}
	c.m[name][what]++
}

// today is the day of now, spelt out once a second at most. A figure of the first moments after midnight may count for
// the day before.
func (c *counters) today(now time.Time) string {
	if since := now.Sub(c.dated); since < 0 || since > time.Second {
		c.date, c.dated = day(now), now
	}
	return c.date
}

func (c *counters) drain(now time.Time, every time.Duration) map[counterName]map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.m) == 0 || now.Sub(c.flushed) < every {
		return nil
	}
	m := c.m
	c.m, c.flushed = nil, now
	return m
}

// day is the day of WeChat's own accounts.
func day(t time.Time) string { return t.In(policy.Shanghai).Format("2006-01-02") }

// Flush writes the gathered figures. It is called before the process ends.
func (s *Service) Flush(ctx context.Context) error { return s.flush(ctx, 0) }

// FlushSoon writes the gathered figures if they have been gathered for a while. Functions call it at the end of an
// invocation: the instance may be frozen then.
func (s *Service) FlushSoon(ctx context.Context) error { return s.flush(ctx, flushEvery) }

func (s *Service) flush(ctx context.Context, every time.Duration) error {
	s.init()
	for name, counts := range s.counters.drain(s.Now(), every) {
		if err := s.addCounts(ctx, name, counts); err != nil {
			return err // figures are approximate: those of this round are lost
		}
	}
	return nil
}

func (s *Service) addCounts(ctx context.Context, name counterName, counts map[string]int64) error {
	key := CounterKey(name.appid, name.day, name.templateID)
	for try := 0; ; try++ {
		recs, err := s.Store.Load(ctx, key)
		if err != nil {
			return err
		}
		next := &Counter{AppID: name.appid, TemplateID: name.templateID, Day: name.day, Counts: map[string]int64{}}
		if c, ok := recs[0].Body.(*Counter); ok {
			maps.Copy(next.Counts, c.Counts)
		}
		for what, n := range counts {
			next.Counts[what] += n
		}
		if _, err = s.Store.Save(ctx, Record{Key: key, Version: recs[0].Version, Expires: s.now().Add(400 * 24 * time.Hour), Body: next}); err == nil {
			return nil
		}
		if lost(err) {
			return err
		}
		if err := again(ctx, try, err); err != nil {
			return err
		}
	}
}

// countSend counts a send that was just written.
func (s *Service) countSend(c *carriage, b *Send, due Instant) {
	s.Metrics.Count(b.AppID, b.TemplateID, "send_"+string(b.State), 1)
	if b.State != SendQueued {
		s.counters.add(s.Now(), b.AppID, b.TemplateID, string(b.State))
		codes := []string{}
		if b.Reason != nil {
			codes = append(codes, b.Reason.Code)
		}
		for i := range b.Besides {
			codes = append(codes, b.Besides[i].Code)
		}
		slices.Sort(codes)
		for _, code := range slices.Compact(codes) {
			s.counters.add(s.Now(), b.AppID, b.TemplateID, "reason_"+code)
			s.Metrics.Count(b.AppID, b.TemplateID, "reason_"+code, 1)
		}
	}
	if b.State == SendSent {
		if wanted := max(b.SendAt, b.Occurrence, b.CreatedAt); b.AttemptAt > wanted {
			s.Metrics.Observe(b.AppID, "lateness_seconds", b.AttemptAt.Sub(wanted).Seconds())
		}
	}
}

// Stats reads the figures of an app: one Counter per template and day, for the last days days, today (Asia/Shanghai)
// included.
func (s *Service) Stats(ctx context.Context, appid string, days int) ([]Counter, error) {
	s.init()
	if _, err := s.Apps.App(appid); err != nil {
		return nil, err
	}
	if err := s.flush(ctx, 0); err != nil {
		s.Log.WarnContext(ctx, "figures could not be written", "error", err)
	}
	var all []Counter
	for i := range days {
		recs, err := s.listAll(ctx, CounterPartition(appid, day(s.Now().AddDate(0, 0, i+1-days))))
		if err != nil {
			return nil, err
		}
		for _, r := range recs {
			all = append(all, *r.Body.(*Counter))
		}
	}
	return all, nil
}

// listAll reads a whole partition; only for partitions that are small by design.
func (s *Service) listAll(ctx context.Context, partition string) ([]Record, error) {
	var all []Record
	for after := ""; ; {
		page, err := s.Store.List(ctx, partition, after, 200)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < 200 {
			return all, nil
		}
		after = page[len(page)-1].Key.Sort
	}
}
