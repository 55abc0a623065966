package dynamotest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/dynamotest"
	"github.com/yuexin-dev/yuexin/shared/memory"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func TestTheMeterBillsAsDynamoDBDoes(t *testing.T) {
	meter := dynamotest.NewMeter(memory.New(time.Now))
	key := submsg.SendKey("wx1", "s_1")
	var version submsg.Version
	save := func(due submsg.Instant, text string) func() error {
		return func() (err error) {
			version, err = meter.Save(t.Context(), submsg.Record{Key: key, Version: version, Due: due, Body: &submsg.Send{Page: text}})
			return err
		}
	}
	for _, c := range []struct {
		name string
		call func() error
		want dynamotest.Units
	}{
		{"a small record", save(0, ""), dynamotest.Units{Write: 1}},
		{"500 Chinese characters are 1.5 KB", save(0, strings.Repeat("约", 500)), dynamotest.Units{Write: 2}},
		{"to shrink it costs what it was", save(0, ""), dynamotest.Units{Write: 2}},
		{"to become due costs an index entry", save(5, ""), dynamotest.Units{Write: 1, Index: 1}},
		{"to stay due costs none", save(5, "x"), dynamotest.Units{Write: 1}},
		{"to become due at another time costs two", save(6, ""), dynamotest.Units{Write: 1, Index: 2}},
		{"to read it, and one that is not there", func() error {
			_, err := meter.Load(t.Context(), key, submsg.SendKey("wx1", "s_2"))
			return err
		}, dynamotest.Units{Read: 2}},
		{"to look for what is due is half price", func() error { _, err := meter.Due(t.Context(), key.Shard(), 9, 9); return err }, dynamotest.Units{Read: 0.5}},
		{"to list a partition", func() error { _, err := meter.List(t.Context(), key.Partition, "", 9); return err }, dynamotest.Units{Read: 1}},
		{"a refused write costs, too", func() error {
			if err := meter.Delete(t.Context(), key, 1); err != submsg.ErrConflict {
				t.Errorf("got %v, want ErrConflict", err)
			}
			return nil
		}, dynamotest.Units{Write: 1}},
		{"to delete what is due costs its entry", func() error { return meter.Delete(t.Context(), key, version) }, dynamotest.Units{Write: 1, Index: 1}},
	} {
		before := meter.Units()
		if err := c.call(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		after := meter.Units()
		got := dynamotest.Units{Read: after.Read - before.Read, Write: after.Write - before.Write, Index: after.Index - before.Index}
		if got != c.want {
			t.Errorf("%s: billed %+v, want %+v", c.name, got, c.want)
		}
	}
}
