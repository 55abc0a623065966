package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

var versionCases = []testCase{
	{"version 0 creates what is absent", func(t *testing.T, o Opened) {
		key := entryKey("new")
		v := save(t, o.Store, submsg.Record{Key: key, Body: note(1)})
		if got := load(t, o.Store, key); got.Version != v || noted(got.Body) != 1 {
			t.Errorf("loaded version %d note %d, want %d and 1", got.Version, noted(got.Body), v)
		}
	}},
	{"version 0 does not overwrite", func(t *testing.T, o Opened) {
		rec := submsg.Record{Key: entryKey("taken"), Due: moment, Body: note(1)}
		rec.Version = save(t, o.Store, rec)
		_, err := o.Store.Save(t.Context(), submsg.Record{Key: rec.Key, Body: note(2)})
		wantConflict(t, err, "creating what is there")
		wantUnchanged(t, o.Store, rec)
	}},
	{"the loaded version replaces, with a new version", func(t *testing.T, o Opened) {
		key := entryKey("replace")
		first := save(t, o.Store, submsg.Record{Key: key, Body: note(1)})
		second := save(t, o.Store, submsg.Record{Key: key, Version: first, Body: note(2)})
		if got := load(t, o.Store, key); got.Version != second || noted(got.Body) != 2 {
			t.Errorf("loaded version %d note %d, want %d and 2", got.Version, noted(got.Body), second)
		}
	}},
	{"saving the same content again is a write like any other", func(t *testing.T, o Opened) {
		key := entryKey("same")
		first := save(t, o.Store, submsg.Record{Key: key, Body: note(1)})
		save(t, o.Store, submsg.Record{Key: key, Version: first, Body: note(1)})
		_, err := o.Store.Save(t.Context(), submsg.Record{Key: key, Version: first, Body: note(1)})
		wantConflict(t, err, "saving over the version before")
	}},
	{"a stale version conflicts and changes nothing", func(t *testing.T, o Opened) {
		rec := submsg.Record{Key: entryKey("stale"), Due: moment, Body: note(1)}
		stale := save(t, o.Store, rec)
		rec.Version, rec.Body = stale, note(2)
		rec.Version = save(t, o.Store, rec)
		_, err := o.Store.Save(t.Context(), submsg.Record{Key: rec.Key, Version: stale, Body: note(3)})
		wantConflict(t, err, "saving over a stale version")
		wantConflict(t, o.Store.Delete(t.Context(), rec.Key, stale), "deleting a stale version")
		wantUnchanged(t, o.Store, rec)
	}},
	{"a version of something absent conflicts", func(t *testing.T, o Opened) {
		key := entryKey("absent")
		_, err := o.Store.Save(t.Context(), submsg.Record{Key: key, Version: submsg.NewVersion(), Body: note(1)})
		wantConflict(t, err, "replacing what is absent")
		wantConflict(t, o.Store.Delete(t.Context(), key, submsg.NewVersion()), "deleting what is absent")
		wantConflict(t, o.Store.Delete(t.Context(), key, 0), "deleting what is absent as version 0")
		wantAbsent(t, o.Store, key)
	}},
	{"version 0 does not delete", func(t *testing.T, o Opened) {
		rec := submsg.Record{Key: entryKey("kept"), Body: note(1)}
		rec.Version = save(t, o.Store, rec)
		wantConflict(t, o.Store.Delete(t.Context(), rec.Key, 0), "deleting version 0")
		wantUnchanged(t, o.Store, rec)
	}},
	{"a deleted record is absent and its version conflicts", func(t *testing.T, o Opened) {
		key := entryKey("deleted")
		v := save(t, o.Store, submsg.Record{Key: key, Body: note(1)})
		if err := o.Store.Delete(t.Context(), key, v); err != nil {
			t.Fatalf("deleting: %v", err)
		}
		wantAbsent(t, o.Store, key)
		wantConflict(t, o.Store.Delete(t.Context(), key, v), "deleting again")
		_, err := o.Store.Save(t.Context(), submsg.Record{Key: key, Version: v, Body: note(2)})
		wantConflict(t, err, "saving over a deleted version")
	}},
	{"a version never comes back after delete and create", func(t *testing.T, o Opened) {
		key := entryKey("again")
		seen := make(map[submsg.Version]bool)
		for n := range 50 {
			v := save(t, o.Store, submsg.Record{Key: key, Body: note(n)})
			if seen[v] {
				t.Fatalf("version %d was there before", v)
			}
			for old := range seen {
				_, err := o.Store.Save(t.Context(), submsg.Record{Key: key, Version: old, Body: note(-n)})
				wantConflict(t, err, "saving over a version of a former life")
				break
			}
			seen[v] = true
			if err := o.Store.Delete(t.Context(), key, v); err != nil {
				t.Fatalf("deleting: %v", err)
			}
		}
	}},
	{"records with names alike do not touch each other", func(t *testing.T, o Opened) {
		keys := []submsg.Key{{Partition: "audience#a", Sort: "b"}, {Partition: "audience#a", Sort: "bc"}, {Partition: "audience#ab", Sort: "b"},
			{Partition: "audience#ab", Sort: "c"}, {Partition: "audience#a#b", Sort: "b"}, {Partition: "audience#A", Sort: "b"}, {Partition: "audience#a", Sort: "B"}}
		for n, key := range keys {
			save(t, o.Store, submsg.Record{Key: key, Body: note(n)})
		}
		for n, rec := range loadAll(t, o.Store, keys...) {
			if noted(rec.Body) != n {
				t.Errorf("%v has note %d, want %d", rec.Key, noted(rec.Body), n)
			}
		}
	}},
}

var expiryCases = []testCase{
	{"an expired record is absent from the moment on, to Load, List and Due", func(t *testing.T, o Opened) {
		now := submsg.At(o.Clock.Now())
		key := entryKey("expires")
		v := save(t, o.Store, submsg.Record{Key: key, Due: now, Expires: now.Add(time.Hour), Body: note(1)})
		o.Clock.Advance(time.Hour - time.Millisecond)
		if got := load(t, o.Store, key); got.Version != v || got.Expires != now.Add(time.Hour) {
			t.Errorf("a millisecond before: version %d, expires %d; want %d and %d", got.Version, got.Expires, v, now.Add(time.Hour))
		}
		if n := len(list(t, o.Store, key.Partition, "", 10)); n != 1 {
			t.Errorf("a millisecond before: %d records listed, want 1", n)
		}
		wantDue(t, o.Store, key.Shard(), now, 10, submsg.DueItem{Key: key, Due: now})
		o.Clock.Advance(time.Millisecond)
		wantAbsent(t, o.Store, key)
		if n := len(list(t, o.Store, key.Partition, "", 10)); n != 0 {
			t.Errorf("%d expired records listed", n)
		}
		wantDue(t, o.Store, key.Shard(), now, 10)
	}},
	{"an expired record is created anew by version 0", func(t *testing.T, o Opened) {
		now := submsg.At(o.Clock.Now())
		key := entryKey("reborn")
		old := save(t, o.Store, submsg.Record{Key: key, Due: now, Expires: now.Add(time.Hour), Body: note(1)})
		o.Clock.Advance(2 * time.Hour)
		rec := submsg.Record{Key: key, Body: note(2)}
		rec.Version = save(t, o.Store, rec)
		if rec.Version == old {
			t.Errorf("the new record has the version of the expired one")
		}
		wantUnchanged(t, o.Store, rec)
		wantDue(t, o.Store, key.Shard(), now.Add(3*time.Hour), 10)
	}},
	{"the version of an expired record conflicts", func(t *testing.T, o Opened) {
		key := entryKey("too late")
		v := save(t, o.Store, submsg.Record{Key: key, Expires: submsg.At(o.Clock.Now()).Add(time.Hour), Body: note(1)})
		o.Clock.Advance(time.Hour)
		_, err := o.Store.Save(t.Context(), submsg.Record{Key: key, Version: v, Body: note(2)})
		wantConflict(t, err, "saving over an expired version")
		wantConflict(t, o.Store.Delete(t.Context(), key, v), "deleting an expired version")
		wantAbsent(t, o.Store, key)
	}},
	{"a later save prolongs, shortens or lifts the expiry", func(t *testing.T, o Opened) {
		now := submsg.At(o.Clock.Now())
		longer := submsg.Record{Key: entryKey("longer"), Expires: now.Add(time.Hour), Body: note(1)}
		lifted := submsg.Record{Key: entryKey("lifted"), Expires: now.Add(time.Hour), Body: note(2)}
		shorter := submsg.Record{Key: entryKey("shorter"), Expires: now.Add(9 * time.Hour), Body: note(3)}
		for _, rec := range []*submsg.Record{&longer, &lifted, &shorter} {
			rec.Version = save(t, o.Store, *rec)
		}
		longer.Expires, lifted.Expires, shorter.Expires = now.Add(9*time.Hour), 0, now.Add(time.Hour)
		for _, rec := range []*submsg.Record{&longer, &lifted, &shorter} {
			rec.Version = save(t, o.Store, *rec)
		}
		o.Clock.Advance(2 * time.Hour)
		wantUnchanged(t, o.Store, longer)
		wantUnchanged(t, o.Store, lifted)
		wantAbsent(t, o.Store, shorter.Key)
		o.Clock.Advance(8 * time.Hour)
		wantAbsent(t, o.Store, longer.Key)
		wantUnchanged(t, o.Store, lifted)
	}},
	{"clearing expired records away leaves the others", func(t *testing.T, o Opened) {
		expires := submsg.At(o.Clock.Now()).Add(time.Hour)
		var kept []submsg.Record
		for n := range 60 {
			rec := submsg.Record{Key: submsg.Key{Partition: "audience#sweep", Sort: entryName(n)}, Due: moment, Body: note(n)}
			if n%3 != 0 {
				rec.Expires = expires
			}
			if rec.Version = save(t, o.Store, rec); n%3 == 0 {
				kept = append(kept, rec)
			}
		}
		o.Clock.Advance(2 * time.Hour)
		var fresh []submsg.Record
		for n := range 60 { // writes give a store that clears away as it goes the occasion to
			fresh = append(fresh, submsg.Record{Key: submsg.Key{Partition: "audience#sweep", Sort: "new" + entryName(n)}, Body: note(n)})
		}
		saveAll(t, o.Store, fresh)
		for _, rec := range kept {
			wantUnchanged(t, o.Store, rec)
		}
		if n := len(list(t, o.Store, "audience#sweep", "", 1000)); n != len(kept)+60 {
			t.Errorf("%d records listed, want %d", n, len(kept)+60)
		}
		eventually(t, func() string {
			if n := len(due(t, o.Store, kept[0].Key.Shard(), moment, 1000)); n != len(kept) {
				return fmt.Sprintf("%d records are due, want %d", n, len(kept))
			}
			return ""
		})
	}},
}

// wantUnchanged fails the test unless rec is stored just so.
func wantUnchanged(t *testing.T, s submsg.Store, rec submsg.Record) {
	t.Helper()
	got := load(t, s, rec.Key)
	if got.Version != rec.Version || got.Due != rec.Due || got.Expires != rec.Expires || noted(got.Body) != noted(rec.Body) {
		t.Errorf("%v is version %d, due %d, expires %d, note %d; want %d, %d, %d, %d", rec.Key,
			got.Version, got.Due, got.Expires, noted(got.Body), rec.Version, rec.Due, rec.Expires, noted(rec.Body))
	}
}
