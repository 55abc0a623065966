package submsg_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

// workers are woken by the waker, and do what they are told after a second, or never.
type workers struct {
	w     *submsgtest.World
	idle  bool
	mu    sync.Mutex
	calls map[submsg.Key]int
}

func (k *workers) Wake(_ context.Context, keys []submsg.Key) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range keys {
		k.calls[key]++
	}
	if !k.idle {
		go func() {
			time.Sleep(time.Second)
			for _, key := range keys {
				recs, err := k.w.Base.Load(context.Background(), key)
				if err == nil {
					_ = k.w.Base.Delete(context.Background(), key, recs[0].Version)
				}
			}
		}()
	}
	return nil
}

// One tick takes up more than it can read at once: the rest does not wait for the next ones, a thousand a shard each.
func TestABacklogDrainsAsFastAsTheWorkersAre(t *testing.T) {
	const backlog = 40_000
	for _, tc := range []struct {
		name string
		idle bool
		want func(announced int) bool
	}{
		{"workers that keep up get all of it", false, func(n int) bool { return n == backlog }},
		{"to workers that do not it is not told again and again", true, func(n int) bool { return n > 0 && n <= 16_000 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				for n := range backlog {
					id := fmt.Sprintf("send-%05d", n)
					rec := submsg.Record{Key: submsg.SendKey(appid, id), Due: 1, Body: &submsg.Send{ID: id, AppID: appid, State: submsg.SendQueued}}
					if _, err := w.Base.Save(context.Background(), rec); err != nil {
						t.Fatal(err)
					}
				}
				k := &workers{w: w, idle: tc.idle, calls: map[submsg.Key]int{}}
				w.Service.Waker = k
				began := time.Now()
				tick(t, w)
				if took := time.Since(began); took > submsg.DefaultTickEvery {
					t.Errorf("the tick took %s: the next one is due", took)
				}
				if !tc.want(len(k.calls)) {
					t.Errorf("%d of %d were announced", len(k.calls), backlog)
				}
				for key, n := range k.calls {
					if n != 1 {
						t.Fatalf("%v was announced %d times", key, n)
					}
				}
				time.Sleep(2 * time.Second) // the workers end
			})
		})
	}
}
