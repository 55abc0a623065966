package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/redis"
	"github.com/yuexin-dev/yuexin/shared/redistest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// pair starts a master and a replica that follows it.
func pair(t *testing.T) (master, replica *redistest.Server) {
	t.Helper()
	master = redistest.Start(t)
	replica = redistest.Start(t, "--replicaof", strings.Replace(master.Addr, ":", " ", 1))
	master.WaitFor("state=online", "INFO", "replication")
	return master, replica
}

// partition cuts the replica off from its master: it follows an address where nobody is.
func partition(master, replica *redistest.Server) {
	replica.Do("REPLICAOF", "127.0.0.1", "1")
	master.WaitFor("connected_slaves:0", "INFO", "replication")
}

// This is what docs/stores.md warns of: Redis answers before its replicas have the write, so the promotion of one that
// lags behind takes back what was acknowledged.
func TestWithoutWaitAFailoverLosesAnAcknowledgedWrite(t *testing.T) {
	t.Parallel()
	master, replica := pair(t)
	store := open(t, redis.Config{URL: master.URL()})
	partition(master, replica)
	if _, err := store.Save(t.Context(), submsg.Record{Key: key, Body: entry(1)}); err != nil {
		t.Fatal(err)
	}
	master.Kill()
	replica.Do("REPLICAOF", "NO", "ONE")
	if rec := stored(t, open(t, redis.Config{URL: replica.URL()})); rec.Version != 0 {
		t.Error("the write survived: docs/stores.md says that it may not, and wants correcting")
	}
}

func TestWithWaitAWriteThatNoReplicaHasIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	master, replica := pair(t)
	store := open(t, redis.Config{URL: master.URL() + "?wait_replicas=1&wait_timeout=5s&read_timeout=10s"})
	first, err := store.Save(t.Context(), submsg.Record{Key: key, Body: entry(1)})
	if err != nil {
		t.Fatalf("with a replica that follows: %v", err)
	}
	if _, err := store.Save(t.Context(), submsg.Record{Key: key, Version: 7, Body: entry(2)}); !errors.Is(err, submsg.ErrConflict) {
		t.Fatalf("a stale version: %v, want ErrConflict", err)
	}
	partition(master, replica)
	hasty := open(t, redis.Config{URL: master.URL() + "?wait_replicas=1&wait_timeout=100ms"})
	_, err = hasty.Save(t.Context(), submsg.Record{Key: key, Version: first, Body: entry(2)})
	if !errors.Is(err, redis.ErrNotReplicated) || errors.Is(err, submsg.ErrConflict) {
		t.Errorf("without a replica Save said %v, want ErrNotReplicated", err)
	}
	master.Kill()
	replica.Do("REPLICAOF", "NO", "ONE")
	if rec := stored(t, open(t, redis.Config{URL: replica.URL()})); rec.Version != first {
		t.Errorf("after the failover version %d is stored, want the acknowledged %d", rec.Version, first)
	}
}

func TestWithMinReplicasTheMasterRefusesWhatItCouldLose(t *testing.T) {
	t.Parallel()
	master, replica := pair(t)
	master.Do("CONFIG", "SET", "min-replicas-to-write", "1")
	store := open(t, redis.Config{URL: master.URL()})
	version, err := store.Save(t.Context(), submsg.Record{Key: key, Due: 1, Body: entry(1)})
	if err != nil {
		t.Fatal(err)
	}
	partition(master, replica)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = store.Save(ctx, submsg.Record{Key: key, Version: version, Body: entry(2)})
	if err == nil || !strings.Contains(err.Error(), "min-replicas-to-write") || strings.Contains(err.Error(), "not known") {
		t.Errorf("Save said %v, want that the server refuses writes", err)
	}
	if rec := stored(t, store); rec.Version != version {
		t.Error("the refused write took place")
	}
	if recs, err := store.List(t.Context(), key.Partition, "", 10); err != nil || len(recs) != 1 {
		t.Errorf("List gave %v, %v: reading must go on", recs, err)
	}
}

// Writers keep on while a master of a cluster dies and its replica takes over. With WAIT every acknowledged
// write is there afterwards, and the shards of the other masters were never in danger.
func TestAClusterFailsOverUnderLoad(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, true)
	store := open(t, redis.Config{URL: cluster.URL() + "&wait_replicas=1&wait_timeout=300ms"})
	ctx, stop := context.WithCancel(t.Context())

	type counter struct {
		key  submsg.Key
		got  func() (acknowledged, inDoubt int64)
		wait func()
	}
	var counters []counter
	for master := range cluster.Masters {
		key := keyOn(master)
		acknowledged, inDoubt, wait := increment(ctx, store, key, 3*time.Second)
		counters = append(counters, counter{key, func() (int64, int64) { return acknowledged.Load(), inDoubt.Load() }, wait})
	}
	progress := func(n int64, of ...int) func() bool {
		return func() bool {
			for _, i := range of {
				if got, _ := counters[i].got(); got < n {
					return false
				}
			}
			return true
		}
	}
	until(t, progress(50, 0, 1, 2))
	cluster.Masters[0].Kill()
	cluster.Replicas[0].WaitFor("role:master", "INFO", "replication")
	cluster.Replicas[0].WaitFor("cluster_state:ok", "CLUSTER", "INFO")
	now, _ := counters[1].got()
	until(t, progress(now+50, 1)) // the others go on by themselves
	cluster.Masters[0].Restart()  // comes back as the replica of the new master: now the first can go on, too
	now, _ = counters[0].got()
	until(t, progress(now+50, 0))
	stop()
	for i, c := range counters {
		c.wait()
		recs, err := store.Load(t.Context(), c.key)
		if err != nil {
			t.Fatal(err)
		}
		acknowledged, inDoubt := c.got()
		got := int64(counted(recs[0].Body))
		t.Logf("master %d: stored %d, acknowledged %d, in doubt %d", i, got, acknowledged, inDoubt)
		if got < acknowledged || got > acknowledged+inDoubt {
			t.Errorf("master %d: stored %d increments, want %d to %d", i, got, acknowledged, acknowledged+inDoubt)
		}
	}
}

// keyOn is a key that the given one of three masters keeps.
func keyOn(master int) submsg.Key {
	for n := 0; ; n++ {
		// The middle of each master's third is all its own, wherever the borders are.
		if key := (submsg.Key{Partition: fmt.Sprintf("counter#%d", n), Sort: "-"}); key.Shard() == 2+5*master {
			return key
		}
	}
}
