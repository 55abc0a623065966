package submsg

import (
	"cmp"
	"context"
	"slices"
)

// UnsentEntry leads from a subscriber to a send that did not go out: what went out stands in the subscriber itself, and why
// somebody got nothing must be found just as well. Newest first, it lasts as long as the send.
type UnsentEntry struct {
	SendID string  `json:"send_id"`
	At     Instant `json:"at"` // the send's CreatedAt
}

// Kind names the record; see Body.
func (*UnsentEntry) Kind() string { return KindUnsent }

// unsent reports whether a send has ended, and nothing of it went out.
func (s *Send) unsent() bool {
	return !s.wentOut() && (s.State == SendRefused || s.State == SendRejected || s.State == SendExpired || s.State == SendFailed)
}

// noteUnsent writes the entry of a send that has ended so; of any other it writes nothing. It may do so again.
func (s *Service) noteUnsent(ctx context.Context, b *Send) error {
	if !b.unsent() {
		return nil
	}
	return s.offer(ctx, Record{
		Key: UnsentKey(b.AppID, b.OpenID, b.CreatedAt, b.ID), Expires: b.UpdatedAt.Add(keepFinal),
		Body: &UnsentEntry{SendID: b.ID, At: b.CreatedAt},
	})
}

// saveSend saves a send, whose end has its entry first: one too many leads to nothing.
func (s *Service) saveSend(ctx context.Context, rec Record) (Record, error) {
	err := s.noteUnsent(ctx, rec.Body.(*Send))
	if err == nil {
		rec.Version, err = s.Store.Save(ctx, rec)
	}
	return rec, err
}

// recentSends reads the latest sends of a subscriber, whatever became of them.
func (s *Service) recentSends(ctx context.Context, view *SubscriberView) error {
	cs := candidates(&view.Subscriber, "")
	entries, err := s.Store.List(ctx, UnsentPartition(view.AppID, view.OpenID), "", shownSends)
	if err != nil {
		return err
	}
	for _, e := range entries {
		u := e.Body.(*UnsentEntry)
		cs = append(cs, candidate{sendID: u.SendID, at: u.At})
	}
	slices.SortStableFunc(cs, func(a, b candidate) int { return cmp.Compare(b.at, a.at) })
	var ids []string
	for _, c := range cs {
		if len(ids) < shownSends && !slices.Contains(ids, c.sendID) {
			ids = append(ids, c.sendID)
		}
	}
	named, err := s.loadSends(ctx, view.AppID, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if r, ok := named[id]; ok {
			view.Sends = append(view.Sends, r.Body.(*Send))
		}
	}
	return nil
}
