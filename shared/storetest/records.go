package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

var recordCases = []testCase{
	{"a record of every kind comes back as it was saved", func(t *testing.T, o Opened) {
		for _, rec := range samples() {
			rec.Version = save(t, o.Store, rec)
			if diff := cmp.Diff(rec, load(t, o.Store, rec.Key)); diff != "" {
				t.Errorf("%s changed on the way (-saved +loaded):\n%s", rec.Body.Kind(), diff)
			}
			listed := list(t, o.Store, rec.Key.Partition, "", 1)
			if diff := cmp.Diff([]submsg.Record{rec}, listed); diff != "" {
				t.Errorf("%s changed on the way (-saved +listed):\n%s", rec.Body.Kind(), diff)
			}
		}
	}},
	{"no member of any kind of record is lost", func(t *testing.T, o Opened) {
		for _, rec := range samples() {
			rec.Body = filled(rec.Body)
			rec.Version = save(t, o.Store, rec)
			if diff := cmp.Diff(rec, load(t, o.Store, rec.Key)); diff != "" {
				t.Errorf("%s changed on the way (-saved +loaded):\n%s", rec.Body.Kind(), diff)
			}
		}
	}},
	{"a record of 200 KB comes back as it was saved", func(t *testing.T, o Opened) {
		sub := &submsg.Subscriber{AppID: appID, OpenID: openID}
		for i := range 4000 {
			sub.Topics = append(sub.Topics, fmt.Sprintf("一个很长的话题名称 %06d 约信", i))
		}
		rec := submsg.Record{Key: submsg.SubscriberKey(appID, openID), Body: sub}
		rec.Version = save(t, o.Store, rec)
		if diff := cmp.Diff(rec, load(t, o.Store, rec.Key)); diff != "" {
			t.Errorf("changed on the way (-saved +loaded):\n%s", diff)
		}
	}},
	{"a replaced record shows nothing of what it was", func(t *testing.T, o Opened) {
		key := submsg.SendKey(appID, "s_1")
		rec := submsg.Record{Key: key, Due: moment, Expires: moment * 2, Body: &submsg.Send{ID: "s_1", State: submsg.SendQueued,
			Data: map[string]string{"thing1": "旧"}, Page: "old", Reason: &submsg.Reason{Code: "quiet_hours"}}}
		next := submsg.Record{Key: key, Version: save(t, o.Store, rec), Body: &submsg.Send{ID: "s_1", State: submsg.SendSent}}
		next.Version = save(t, o.Store, next)
		if diff := cmp.Diff(next, load(t, o.Store, key)); diff != "" {
			t.Errorf("-saved +loaded:\n%s", diff)
		}
	}},
	{"records load in the order of the keys, absent ones empty, repeated ones each time", func(t *testing.T, o Opened) {
		a, b, gone := entryKey("a"), entryKey("b"), entryKey("gone")
		va := save(t, o.Store, submsg.Record{Key: a, Body: note(1)})
		vb := save(t, o.Store, submsg.Record{Key: b, Body: note(2)})
		got := loadAll(t, o.Store, b, gone, a, b, gone)
		recA, recB, none := submsg.Record{Key: a, Version: va, Body: note(1)}, submsg.Record{Key: b, Version: vb, Body: note(2)}, submsg.Record{Key: gone}
		if diff := cmp.Diff([]submsg.Record{recB, none, recA, recB, none}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}},
	{"loading no keys gives no records", func(t *testing.T, o Opened) {
		loadAll(t, o.Store)
	}},
	{"250 keys load at once", func(t *testing.T, o Opened) {
		var keys []submsg.Key
		var recs []submsg.Record
		for i := range 250 {
			keys = append(keys, entryKey(entryName(i)))
			if i%5 != 0 {
				recs = append(recs, submsg.Record{Key: keys[i], Body: note(i)})
			}
		}
		saveAll(t, o.Store, recs)
		for i, rec := range loadAll(t, o.Store, keys...) {
			want := i
			if i%5 == 0 {
				want = -1
			}
			if noted(rec.Body) != want {
				t.Errorf("key %d has note %d, want %d", i, noted(rec.Body), want)
			}
		}
	}},
	{"50 large records load at once", func(t *testing.T, o Opened) {
		// 50 × 40 KB is more than a cloud store returns in one page.
		topic := strings.Repeat("abcdefgh", 5<<10)
		var keys []submsg.Key
		var recs []submsg.Record
		for i := range 50 {
			key := submsg.SubscriberKey(appID, entryName(i))
			keys = append(keys, key)
			recs = append(recs, submsg.Record{Key: key, Body: &submsg.Subscriber{OpenID: key.Partition, Topics: []string{topic}}})
		}
		saveAll(t, o.Store, recs)
		if diff := cmp.Diff(recs, loadAll(t, o.Store, keys...)); diff != "" {
			t.Errorf("-saved +loaded:\n%s", diff)
		}
	}},
	{"a store leaves the bodies it is given and has given alone", func(t *testing.T, o Opened) {
		key := submsg.SubscriberKey(appID, openID)
		first := &submsg.Subscriber{OpenID: openID, Topics: []string{"b", "a"}, Seen: []uint64{2, 1}}
		v := save(t, o.Store, submsg.Record{Key: key, Body: first})
		loaded := load(t, o.Store, key)
		save(t, o.Store, submsg.Record{Key: key, Version: v, Body: &submsg.Subscriber{OpenID: "another", Topics: []string{"c"}}})
		if err := o.Store.Delete(t.Context(), key, load(t, o.Store, key).Version); err != nil {
			t.Fatalf("deleting: %v", err)
		}
		want := &submsg.Subscriber{OpenID: openID, Topics: []string{"b", "a"}, Seen: []uint64{2, 1}}
		if diff := cmp.Diff(want, first); diff != "" {
			t.Errorf("the body that was saved has changed:\n%s", diff)
		}
		if diff := cmp.Diff(submsg.Record{Key: key, Version: v, Body: want}, loaded); diff != "" {
			t.Errorf("the record that was loaded before has changed:\n%s", diff)
		}
	}},
}
