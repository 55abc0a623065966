package redis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/redis"
	"github.com/yuexin-dev/yuexin/shared/redistest"
	"github.com/yuexin-dev/yuexin/shared/storetest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// Redis removes an expired record by itself, and leaves its entries in the two indexes; so does an operator
// who deletes a key by hand.
func TestIndexEntriesWithoutARecordAreClearedAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := open(t, redis.Config{URL: server.URL()})
	for n := range 10 {
		rec := submsg.Record{Key: submsg.Key{Partition: "p", Sort: fmt.Sprint(n)}, Due: 5, Body: entry(n)}
		if _, err := store.Save(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	shard := submsg.Key{Partition: "p"}.Shard()
	tag := server.Do("EVAL", "return redis.call('KEYS', '*:due')[1]", 0)
	records := tag[:len(tag)-len("due")]
	for n := range 9 {
		server.Do("EVAL", "return tostring(redis.call('DEL', ARGV[1]))", 0, fmt.Sprintf("%sr:1:p:%d", records, n))
	}
	recs, err := store.List(t.Context(), "p", "", 100)
	if err != nil || len(recs) != 1 || recs[0].Key.Sort != "9" {
		t.Errorf("List gave %v, %v; want the record that is left", recs, err)
	}
	items, err := store.Due(t.Context(), shard, 10, 100)
	if err != nil || len(items) != 1 || items[0].Key.Sort != "9" {
		t.Errorf("Due gave %v, %v; want the record that is left", items, err)
	}
	for _, index := range []string{records + "l:p", records + "due"} {
		if left := server.Do("EVAL", "return tostring(redis.call('ZCARD', ARGV[1]))", 0, index); left != "1" {
			t.Errorf("%s entries are left in %s, want 1", left, index)
		}
	}
}

// A script may not keep the server busy with what has expired for longer than a thousand entries.
func TestWhatIsFoundBehindThousandsOfExpiredRecords(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendfsync", "no")
	clock := storetest.NewClock()
	proxy := redistest.NewProxy(t, server.Addr)
	store := open(t, redis.Config{URL: "redis://" + proxy.Addr, Now: clock.Now})
	soon := submsg.At(clock.Now()).Add(time.Minute)
	const expired = 2500
	for n := range expired + 2 {
		rec := submsg.Record{Key: submsg.Key{Partition: "p", Sort: fmt.Sprintf("%05d", n)}, Due: submsg.Instant(n + 1), Expires: soon, Body: entry(n)}
		if n >= expired {
			rec.Expires = 0
		}
		if _, err := store.Save(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	clock.Advance(time.Hour / 2)
	for name, find := range map[string]func() ([]string, error){
		"List": func() (sorts []string, err error) {
			recs, err := store.List(t.Context(), "p", "", 10)
			for _, rec := range recs {
				sorts = append(sorts, rec.Key.Sort)
			}
			return sorts, err
		},
		"Due": func() (sorts []string, err error) {
			items, err := store.Due(t.Context(), submsg.Key{Partition: "p"}.Shard(), 99_999, 10)
			for _, item := range items {
				sorts = append(sorts, item.Key.Sort)
			}
			return sorts, err
		},
	} {
		_, _ = find() // the server learns the script
		before := proxy.Requests()
		found, err := find()
		if err != nil || fmt.Sprint(found) != "[02500 02501]" {
			t.Errorf("%s found %v, %v; want the two that have not expired", name, found, err)
		}
		if trips := proxy.Requests() - before; trips != 3 {
			t.Errorf("%s took %d scripts for 2502 entries, want 3 of about a thousand each", name, trips)
		}
	}
}
