package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

var modelCases = []testCase{
	{"it behaves like a plain map under any sequence of calls", func(t *testing.T, o Opened) {
		round := 0
		rapid.Check(t, func(rt *rapid.T) {
			round++
			checkModel(rt, o, fmt.Sprintf("audience#model#%d", round))
		})
	}},
}

// checkModel makes random calls on one partition and holds every answer against a map.
func checkModel(t *rapid.T, o Opened, partition string) {
	ctx := context.Background()
	names := []string{"a", "aa", "b", "c"} // in order
	model := make(map[string]submsg.Record)
	stale := []submsg.Version{0, 1}
	name := rapid.SampledFrom(names)
	alive := func(sort string) submsg.Record {
		rec, ok := model[sort]
		if !ok || rec.Expires != 0 && rec.Expires <= submsg.At(o.Clock.Now()) {
			return submsg.Record{Key: submsg.Key{Partition: partition, Sort: sort}}
		}
		return rec
	}
	version := func(t *rapid.T, now submsg.Record) submsg.Version {
		if rapid.IntRange(0, 3).Draw(t, "stale") > 0 {
			return now.Version
		}
		return rapid.SampledFrom(stale).Draw(t, "version")
	}
	wantErr := func(t *rapid.T, now submsg.Record, v submsg.Version, deleting bool) error {
		if now.Version != v || deleting && v == 0 {
			return submsg.ErrConflict
		}
		return nil
	}
	t.Repeat(map[string]func(*rapid.T){
		"save": func(t *rapid.T) {
			now := alive(name.Draw(t, "sort"))
			rec := submsg.Record{Key: now.Key, Version: version(t, now), Body: note(rapid.IntRange(1, 99).Draw(t, "note"))}
			if hours := rapid.IntRange(0, 3).Draw(t, "hours"); hours > 0 {
				rec.Expires = submsg.At(o.Clock.Now()).Add(time.Duration(hours) * time.Hour)
			}
			want := wantErr(t, now, rec.Version, false)
			v, err := o.Store.Save(ctx, rec)
			if !errors.Is(err, want) {
				t.Fatalf("saving %v over version %d, stored %d, gave %v, want %v", rec.Key, rec.Version, now.Version, err, want)
			}
			if err == nil {
				rec.Version = v
				model[rec.Key.Sort] = rec
				stale = append(stale, v)
			}
		},
		"delete": func(t *rapid.T) {
			now := alive(name.Draw(t, "sort"))
			v := version(t, now)
			want := wantErr(t, now, v, true)
			if err := o.Store.Delete(ctx, now.Key, v); !errors.Is(err, want) {
				t.Fatalf("deleting %v of version %d, stored %d, gave %v, want %v", now.Key, v, now.Version, err, want)
			}
			if want == nil {
				delete(model, now.Key.Sort)
			}
		},
		"wait": func(t *rapid.T) { o.Clock.Advance(30 * time.Minute) },
		"load": func(t *rapid.T) {
			a, b := alive(name.Draw(t, "first")), alive(name.Draw(t, "second"))
			got, err := o.Store.Load(ctx, a.Key, b.Key)
			if diff := cmp.Diff([]submsg.Record{a, b}, got); err != nil || diff != "" {
				t.Fatalf("loading: %v (-model +store):\n%s", err, diff)
			}
		},
		"list": func(t *rapid.T) {
			after := rapid.SampledFrom([]string{"", "a", "ab", "c"}).Draw(t, "after")
			limit := rapid.IntRange(1, 5).Draw(t, "limit")
			var want []submsg.Record
			for _, sort := range names {
				if rec := alive(sort); sort > after && rec.Version != 0 && len(want) < limit {
					want = append(want, rec)
				}
			}
			got, err := o.Store.List(ctx, partition, after, limit)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Fatalf("listing %d after %q: %v (-model +store):\n%s", limit, after, err, diff)
			}
		},
	})
}
