package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// benchSubscriber is a typical subscriber: three templates, some recent sends; about 1 KB as JSON.
func benchSubscriber(openid string) *submsg.Subscriber {
	sub := &submsg.Subscriber{AppID: appID, OpenID: openID, Seen: []uint64{big, big + 1, big + 2, big + 3}, ActiveAt: moment}
	for n := range 3 {
		sub.Subscriptions = append(sub.Subscriptions, submsg.Subscription{TemplateID: fmt.Sprintf("%s%d", template, n),
			State: submsg.StateActive, Credits: n, AcceptedAt: moment, UpdatedAt: moment,
			Recent: []submsg.Recent{{SendID: "s_0123456789abcdef", At: moment, Fingerprint: big}, {SendID: "s_fedcba9876543210", At: moment, Fingerprint: big}}})
	}
	return sub
}

// Benchmark measures one kind of store with records of the size of a typical subscriber. It calls open
// once for each figure. Parallel figures use GOMAXPROCS goroutines times b.SetParallelism(16): a store
// behind a network or a disk shows what it does for many callers at once.
func Benchmark(b *testing.B, open func(b *testing.B) Opened) {
	const subscribers = 2000
	// stored opens a store that holds the subscribers, and returns their records.
	stored := func(b *testing.B) (submsg.Store, []submsg.Record) {
		b.Helper()
		s := open(b).Store
		recs := make([]submsg.Record, subscribers)
		for n := range recs {
			openid := fmt.Sprintf("o%027d", n)
			recs[n] = submsg.Record{Key: submsg.SubscriberKey(appID, openid), Body: benchSubscriber(openid)}
			v, err := s.Save(b.Context(), recs[n])
			if err != nil {
				b.Fatal(err)
			}
			recs[n].Version = v
		}
		b.ReportAllocs()
		b.ResetTimer()
		return s, recs
	}
	b.Run("Load2", func(b *testing.B) {
		s, recs := stored(b)
		for n := 0; b.Loop(); n++ {
			if _, err := s.Load(b.Context(), recs[n%subscribers].Key, recs[(n+1)%subscribers].Key); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Save", func(b *testing.B) {
		s, recs := stored(b)
		for n := 0; b.Loop(); n++ {
			rec := &recs[n%subscribers]
			v, err := s.Save(b.Context(), *rec)
			if err != nil {
				b.Fatal(err)
			}
			rec.Version = v
		}
	})
	b.Run("SaveDue", func(b *testing.B) {
		s, recs := stored(b)
		for n := 0; b.Loop(); n++ {
			rec := &recs[n%subscribers]
			rec.Due = moment + submsg.Instant(n)
			v, err := s.Save(b.Context(), *rec)
			if err != nil {
				b.Fatal(err)
			}
			rec.Version = v
		}
	})
	b.Run("Load2Parallel", func(b *testing.B) {
		s, recs := stored(b)
		var worker atomic.Int64
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for n := int(worker.Add(1)) * 97; pb.Next(); n++ {
				if _, err := s.Load(b.Context(), recs[n%subscribers].Key, recs[(n+1)%subscribers].Key); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
	b.Run("SaveParallel", func(b *testing.B) {
		s, _ := stored(b)
		var worker atomic.Int64
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			// Each worker keeps to records of its own, so that none conflicts.
			openid := fmt.Sprintf("worker%d", worker.Add(1))
			rec := submsg.Record{Key: submsg.SubscriberKey(appID, openid), Body: benchSubscriber(openid)}
			for pb.Next() {
				v, err := s.Save(b.Context(), rec)
				if err != nil {
					b.Error(err)
					return
				}
				rec.Version = v
			}
		})
	})
	b.Run("List100", func(b *testing.B) {
		s, _ := stored(b)
		for n := range 1000 {
			if _, err := s.Save(b.Context(), submsg.Record{Key: submsg.Key{Partition: listed, Sort: entryName(n)}, Body: note(n)}); err != nil {
				b.Fatal(err)
			}
		}
		b.ResetTimer()
		for n := 0; b.Loop(); n++ {
			if _, err := s.List(b.Context(), listed, entryName(n%900), 100); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Due100", func(b *testing.B) {
		s, _ := stored(b)
		for n := range 1000 {
			rec := submsg.Record{Key: submsg.Key{Partition: listed, Sort: entryName(n)}, Due: moment + submsg.Instant(n), Body: note(n)}
			if _, err := s.Save(b.Context(), rec); err != nil {
				b.Fatal(err)
			}
		}
		shard := submsg.Key{Partition: listed}.Shard()
		b.ResetTimer()
		for b.Loop() {
			if _, err := s.Due(b.Context(), shard, moment*2, 100); err != nil {
				b.Fatal(err)
			}
		}
	})
}
