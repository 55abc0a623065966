package redis_test

import (
	"fmt"
	"testing"

	"github.com/yuexin-dev/yuexin/shared/redis"
	"github.com/yuexin-dev/yuexin/shared/redistest"
	"github.com/yuexin-dev/yuexin/shared/storetest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// open opens a store that ends with the test.
func open(t testing.TB, c redis.Config) *redis.Store {
	t.Helper()
	s, err := redis.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// fresh opens stores that do not see each other's records.
func fresh(url string, reopen func(t testing.TB)) func(t *testing.T) storetest.Opened {
	n := 0
	return func(t *testing.T) storetest.Opened {
		n++
		clock := storetest.NewClock()
		config := redis.Config{URL: fmt.Sprintf("%sprefix=test%d:", url, n), Now: clock.Now}
		return storetest.Opened{Store: open(t, config), Clock: clock, Reopen: func() submsg.Store {
			reopen(t)
			return open(t, config)
		}}
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	storetest.Run(t, fresh(server.URL()+"?", func(testing.TB) {
		server.Kill()
		server.Restart()
	}))
}

func TestConformanceInACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, false)
	storetest.Run(t, fresh(cluster.URL()+"&", func(testing.TB) {
		for _, s := range cluster.Masters {
			s.Kill()
			s.Restart()
		}
		for _, s := range cluster.Masters {
			s.WaitFor("cluster_state:ok", "CLUSTER", "INFO")
		}
	}))
}

func BenchmarkStore(b *testing.B) {
	server := redistest.Start(b)
	n := 0
	storetest.Benchmark(b, func(b *testing.B) storetest.Opened {
		n++
		clock := storetest.NewClock()
		return storetest.Opened{Clock: clock, Store: open(b, redis.Config{URL: fmt.Sprintf("%s?prefix=bench%d:", server.URL(), n), Now: clock.Now})}
	})
}
