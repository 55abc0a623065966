package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// listed is the partition that the list tests fill.
const listed = "audience#wx#t#0#"

var listCases = []testCase{
	{"a partition lists in byte order of the sort keys", func(t *testing.T, o Opened) {
		// In UTF-16 the emoji would come before the full-width tilde.
		want := []string{"-", "-0", "0", "00", "1", "10", "2", "A", "Z", "_", "a", "aa", "b", "é", "中", "～", "🏥"}
		for _, i := range rand.Perm(len(want)) {
			save(t, o.Store, submsg.Record{Key: submsg.Key{Partition: listed, Sort: want[i]}, Body: note(i)})
		}
		recs := list(t, o.Store, listed, "", 100)
		if diff := cmp.Diff(want, sorts(recs)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		for i, rec := range recs {
			if rec.Key.Partition != listed || rec.Version == 0 || noted(rec.Body) != i {
				t.Errorf("record %d is listed as %v version %d note %d", i, rec.Key, rec.Version, noted(rec.Body))
			}
		}
	}},
	{"pages follow on each other without gap or repeat", func(t *testing.T, o Opened) {
		want := fill(t, o.Store, 25)
		for _, limit := range []int{1, 7, 24, 25, 26} {
			var got []string
			for after := ""; len(got) < 2*len(want); after = got[len(got)-1] {
				page := sorts(list(t, o.Store, listed, after, limit))
				if got = append(got, page...); len(page) < limit {
					break
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("limit %d (-want +got):\n%s", limit, diff)
			}
		}
	}},
	{"after is exclusive, and need not be there", func(t *testing.T, o Opened) {
		want := fill(t, o.Store, 5)
		for after, from := range map[string]int{want[1]: 2, want[1] + "x": 2, want[4]: 5, "zzz": 5, "\x01": 0} {
			if got := sorts(list(t, o.Store, listed, after, 10)); !slices.Equal(got, want[from:]) {
				t.Errorf("after %q: %q, want %q", after, got, want[from:])
			}
		}
	}},
	{"an empty partition, and a limit of 0, list nothing", func(t *testing.T, o Opened) {
		fill(t, o.Store, 3)
		if got := list(t, o.Store, "audience#nothing", "", 10); len(got) != 0 {
			t.Errorf("an empty partition lists %d records", len(got))
		}
		if got := list(t, o.Store, listed, "", 0); len(got) != 0 {
			t.Errorf("limit 0 lists %d records", len(got))
		}
	}},
	{"partitions with names alike list apart", func(t *testing.T, o Opened) {
		partitions := []string{"audience#wx#t#1#", "audience#wx#t#1#a", "audience#wx#t#10#", "audience#wx#t#1", "audience#wx#t#1#*", "audience#wx#t#?#"}
		for _, p := range partitions {
			save(t, o.Store, submsg.Record{Key: submsg.Key{Partition: p, Sort: "of " + p}, Body: note(1)})
		}
		for _, p := range partitions {
			if got := sorts(list(t, o.Store, p, "", 10)); !slices.Equal(got, []string{"of " + p}) {
				t.Errorf("partition %q lists %q", p, got)
			}
		}
	}},
	{"records that expired or were deleted leave no hole in a page", func(t *testing.T, o Opened) {
		now := submsg.At(o.Clock.Now())
		var want []string
		for n := range 40 {
			rec := submsg.Record{Key: submsg.Key{Partition: listed, Sort: entryName(n)}, Body: note(n)}
			if n < 20 || n%2 == 0 {
				rec.Expires = now.Add(time.Hour)
			}
			v := save(t, o.Store, rec)
			switch {
			case rec.Expires != 0:
			case n%3 == 0:
				if err := o.Store.Delete(t.Context(), rec.Key, v); err != nil {
					t.Fatalf("deleting: %v", err)
				}
			default:
				want = append(want, rec.Key.Sort)
			}
		}
		o.Clock.Advance(2 * time.Hour)
		if got := sorts(list(t, o.Store, listed, "", 5)); !slices.Equal(got, want[:5]) {
			t.Errorf("the first page is %q, want %q", got, want[:5])
		}
		if got := sorts(list(t, o.Store, listed, want[4], 5)); !slices.Equal(got, want[5:]) {
			t.Errorf("the second page is %q, want %q", got, want[5:])
		}
	}},
	{"a write shows in the list at once", func(t *testing.T, o Opened) {
		want := fill(t, o.Store, 10)
		for n, name := range want {
			key := submsg.Key{Partition: listed, Sort: name}
			v := save(t, o.Store, submsg.Record{Key: key, Version: load(t, o.Store, key).Version, Body: note(n + 100)})
			got := list(t, o.Store, listed, "", 10)
			if got[n].Version != v || noted(got[n].Body) != n+100 {
				t.Errorf("record %d is listed as version %d note %d, just saved as %d and %d", n, got[n].Version, noted(got[n].Body), v, n+100)
			}
		}
	}},
	{"300 records of a megabyte in all list as one page", func(t *testing.T, o Opened) {
		recs := make([]submsg.Record, 300)
		for n := range recs {
			recs[n] = submsg.Record{Key: submsg.Key{Partition: listed, Sort: entryName(n)}, Body: &submsg.Subscriber{Topics: []string{strings.Repeat("约", 1200)}}}
		}
		saveAll(t, o.Store, recs)
		if got := list(t, o.Store, listed, "", 1000); len(got) != 300 {
			t.Errorf("%d records, want 300", len(got))
		}
		if got := list(t, o.Store, listed, "", 299); len(got) != 299 {
			t.Errorf("%d records, want 299", len(got))
		}
	}},
}

var dueCases = []testCase{
	{"the due index lists the soonest first, up to and with until", func(t *testing.T, o Opened) {
		var want []submsg.DueItem
		for n := range 12 {
			item := submsg.DueItem{Key: submsg.Key{Partition: listed, Sort: entryName(n)}, Due: moment + submsg.Instant(n)*1000}
			want = append(want, item)
		}
		for _, i := range rand.Perm(len(want)) {
			save(t, o.Store, submsg.Record{Key: want[i].Key, Due: want[i].Due, Body: note(i)})
		}
		shard := want[0].Key.Shard()
		wantDue(t, o.Store, shard, moment*2, 100, want...)
		wantDue(t, o.Store, shard, want[6].Due, 100, want[:7]...)
		wantDue(t, o.Store, shard, want[6].Due-1, 100, want[:6]...)
		wantDue(t, o.Store, shard, moment*2, 5, want[:5]...)
		wantDue(t, o.Store, shard, moment-1, 100)
	}},
	{"instants of different length are ordered as numbers", func(t *testing.T, o Opened) {
		var want []submsg.DueItem
		for n, at := range []submsg.Instant{1, 9, 10, 99, 1_000, 999_999_999_999, 1_000_000_000_000, 9_999_999_999_999} {
			item := submsg.DueItem{Key: submsg.Key{Partition: listed, Sort: entryName(n)}, Due: at}
			save(t, o.Store, submsg.Record{Key: item.Key, Due: item.Due, Body: note(n)})
			want = append(want, item)
		}
		wantDue(t, o.Store, want[0].Key.Shard(), 9_999_999_999_999, 100, want...)
	}},
	{"records due at one instant are all listed", func(t *testing.T, o Opened) {
		want := make(map[submsg.Key]bool)
		var recs []submsg.Record
		for n := range 30 {
			key := submsg.Key{Partition: listed, Sort: entryName(n)}
			recs = append(recs, submsg.Record{Key: key, Due: moment, Body: note(n)})
			want[key] = true
		}
		saveAll(t, o.Store, recs)
		eventually(t, func() string {
			got := make(map[submsg.Key]bool)
			for _, item := range due(t, o.Store, submsg.Key{Partition: listed}.Shard(), moment, 100) {
				got[item.Key] = true
			}
			return cmp.Diff(want, got)
		})
	}},
	{"an entry moves when Due changes and goes at 0 and at delete", func(t *testing.T, o Opened) {
		rec := submsg.Record{Key: entryKey("moves"), Body: note(1)}
		shard := rec.Key.Shard()
		for _, at := range []submsg.Instant{moment, moment + 60_000, moment - 60_000, 0, moment} {
			rec.Due = at
			rec.Version = save(t, o.Store, rec)
			if got := load(t, o.Store, rec.Key); got.Due != at {
				t.Errorf("saved with due %d, loaded with %d", at, got.Due)
			}
			if at == 0 {
				wantDue(t, o.Store, shard, moment*2, 10)
			} else {
				wantDue(t, o.Store, shard, moment*2, 10, submsg.DueItem{Key: rec.Key, Due: at})
			}
		}
		if err := o.Store.Delete(t.Context(), rec.Key, rec.Version); err != nil {
			t.Fatalf("deleting: %v", err)
		}
		wantDue(t, o.Store, shard, moment*2, 10)
	}},
	{"a write that conflicts leaves the entry where it is", func(t *testing.T, o Opened) {
		rec := submsg.Record{Key: entryKey("stays"), Due: moment, Body: note(1)}
		v := save(t, o.Store, rec)
		_, err := o.Store.Save(t.Context(), submsg.Record{Key: rec.Key, Version: v + 1, Due: moment + 5, Body: note(2)})
		wantConflict(t, err, "saving over another version")
		wantConflict(t, o.Store.Delete(t.Context(), rec.Key, v+1), "deleting another version")
		wantDue(t, o.Store, rec.Key.Shard(), moment*2, 10, submsg.DueItem{Key: rec.Key, Due: moment})
	}},
	{"every record is in the shard that its key names", func(t *testing.T, o Opened) {
		want := make(map[int]map[submsg.Key]bool)
		var recs []submsg.Record
		for n := range 80 {
			key := entryKey(entryName(n))
			recs = append(recs, submsg.Record{Key: key, Due: moment, Body: note(n)})
			if want[key.Shard()] == nil {
				want[key.Shard()] = make(map[submsg.Key]bool)
			}
			want[key.Shard()][key] = true
		}
		saveAll(t, o.Store, recs)
		eventually(t, func() string {
			got := make(map[int]map[submsg.Key]bool)
			for shard := range submsg.DueShards {
				for _, item := range due(t, o.Store, shard, moment, 100) {
					if got[shard] == nil {
						got[shard] = make(map[submsg.Key]bool)
					}
					got[shard][item.Key] = true
				}
			}
			return cmp.Diff(want, got)
		})
	}},
	{"after many random writes the index says what the records say", func(t *testing.T, o Opened) {
		recs := make([]submsg.Record, 20)
		for n := range recs {
			recs[n].Key = entryKey(entryName(n % 10))
			recs[n].Key.Sort = entryName(n)
		}
		for n := range 300 {
			rec := &recs[rand.IntN(len(recs))]
			if rec.Version != 0 && rand.IntN(5) == 0 {
				if err := o.Store.Delete(t.Context(), rec.Key, rec.Version); err != nil {
					t.Fatalf("deleting: %v", err)
				}
				rec.Version, rec.Due = 0, 0
				continue
			}
			rec.Due, rec.Body = submsg.Instant(rand.IntN(4)), note(n)
			rec.Version = save(t, o.Store, *rec)
		}
		want := make(map[submsg.DueItem]bool)
		for _, rec := range recs {
			if rec.Due != 0 {
				want[submsg.DueItem{Key: rec.Key, Due: rec.Due}] = true
			}
		}
		eventually(t, func() string {
			got := make(map[submsg.DueItem]bool)
			for shard := range submsg.DueShards {
				for _, item := range due(t, o.Store, shard, moment, 100) {
					got[item] = true
				}
			}
			return cmp.Diff(want, got)
		})
	}},
}

// fill puts n small records into the partition listed and returns their sort keys in order.
func fill(t *testing.T, s submsg.Store, n int) []string {
	t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = entryName(i)
	}
	var recs []submsg.Record
	for _, i := range rand.Perm(n) {
		recs = append(recs, submsg.Record{Key: submsg.Key{Partition: listed, Sort: names[i]}, Body: note(i)})
	}
	saveAll(t, s, recs)
	return names
}

// due reads the due index once.
func due(t *testing.T, s submsg.Store, shard int, until submsg.Instant, limit int) []submsg.DueItem {
	t.Helper()
	items, err := s.Due(t.Context(), shard, until, limit)
	if err != nil {
		t.Fatalf("reading shard %d of the due index: %v", shard, err)
	}
	return items
}

// wantDue fails the test unless the due index comes to list just these entries, in this order.
func wantDue(t *testing.T, s submsg.Store, shard int, until submsg.Instant, limit int, want ...submsg.DueItem) {
	t.Helper()
	eventually(t, func() string {
		got := due(t, s, shard, until, limit)
		if len(got) == 0 && len(want) == 0 {
			return ""
		}
		return cmp.Diff(want, got)
	})
}

// entryName is a name whose order is that of n.
func entryName(n int) string { return fmt.Sprintf("o%05d", n) }
