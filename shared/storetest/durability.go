package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

var durabilityCases = []testCase{
	{"what was acknowledged is there when the store is opened again", func(t *testing.T, o Opened) {
		if o.Reopen == nil {
			return // this store does not claim to keep anything
		}
		var want []submsg.Record
		var keys []submsg.Key
		var wantDueItems []submsg.DueItem
		for n := range 60 {
			rec := submsg.Record{Key: submsg.Key{Partition: listed, Sort: entryName(n)}, Body: note(n)}
			if n%2 == 0 {
				rec.Due = moment + submsg.Instant(n)
			}
			if n%5 == 0 {
				rec.Expires = submsg.At(o.Clock.Now()).Add(time.Hour)
			}
			rec.Version = save(t, o.Store, rec)
			switch n % 3 {
			case 1:
				rec.Body = note(n + 1000)
				rec.Version = save(t, o.Store, rec)
			case 2:
				if err := o.Store.Delete(t.Context(), rec.Key, rec.Version); err != nil {
					t.Fatalf("deleting: %v", err)
				}
				rec = submsg.Record{Key: rec.Key}
			}
			want, keys = append(want, rec), append(keys, rec.Key)
			if rec.Due != 0 {
				wantDueItems = append(wantDueItems, submsg.DueItem{Key: rec.Key, Due: rec.Due})
			}
		}
		for _, sample := range samples() {
			sample.Due = 0 // the shards of the due index are left to the records above
			sample.Version = save(t, o.Store, sample)
			want, keys = append(want, sample), append(keys, sample.Key)
		}
		again := o.Reopen()
		if diff := cmp.Diff(want, loadAll(t, again, keys...)); diff != "" {
			t.Errorf("after opening again (-saved +loaded):\n%s", diff)
		}
		wantDue(t, again, keys[0].Shard(), moment*2, 100, wantDueItems...)

		_, err := again.Save(t.Context(), submsg.Record{Key: keys[0], Body: note(1)})
		wantConflict(t, err, "creating what was stored before")
		save(t, again, submsg.Record{Key: keys[0], Version: want[0].Version, Body: note(1)})
		o.Clock.Advance(2 * time.Hour)
		wantAbsent(t, again, keys[15]) // of 15, 30 and 45: kept, not replaced, and expired by now
	}},
}
