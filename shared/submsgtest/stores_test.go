package submsgtest_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yuexin-dev/yuexin/shared/dynamotest"
	"github.com/yuexin-dev/yuexin/shared/embedded"
	"github.com/yuexin-dev/yuexin/shared/memory"
	"github.com/yuexin-dev/yuexin/shared/redis"
	"github.com/yuexin-dev/yuexin/shared/redistest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

var histories = flag.Int("histories", 0, "random histories to run over each store, instead of its own number")

// sideBySide is how many worlds there are at a time. They wait more than they work: for leases of processes that have
// died, for the disk, for servers.
const sideBySide = "24"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		if err := serveFiles(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := flag.Set("test.parallel", sideBySide); err != nil { // -parallel outranks it
		panic(err)
	}
	os.Exit(m.Run())
}

// setting is a store, and what is done to it while the tests run.
type setting struct {
	name      string
	histories int // as many as take some ten seconds
	start     func(t *testing.T) submsgtest.Open
}

var settings = []setting{
	{"embedded", 100, inFile},
	{"embedded, killed", 100, inKilledProcess},
	{"dynamodb", 20, onDynalite},
	{"dynamodb, killed", 12, onKilledDynalite},
	{"dynamodb, bad network", 12, onABadNetwork},
	{"redis", 100, func(t *testing.T) submsgtest.Open { return onRedis(redistest.Start(t).URL() + "?") }},
	{"redis, killed", 100, onKilledRedis},
	{"redis cluster", 50, func(t *testing.T) submsgtest.Open { return onRedis(redistest.StartCluster(t, 3, false).URL() + "&") }},
	{"redis cluster, killed", 50, onKilledCluster},
}

// inShort says which settings -short keeps: the race detector's run looks at our code, not at the servers.
func (s setting) inShort() bool { return s.name == "embedded" || s.name == "redis" }

func TestInvariants(t *testing.T) {
	for _, s := range settings {
		if testing.Short() && !s.inShort() {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			open := s.start(t)
			submsgtest.Invariants(t, func(t *testing.T, test func(t *testing.T, open submsgtest.Open)) {
				t.Parallel()
				test(t, open)
			})
		})
	}
}

func TestHistories(t *testing.T) {
	for _, s := range settings {
		if testing.Short() && !s.inShort() {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			open := s.start(t)
			n := s.histories
			if *histories > 0 {
				n = *histories
			}
			for seed := range n {
				t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
					t.Parallel()
					submsgtest.History(t, open, uint64(seed))
				})
			}
		})
	}
}

// In memory, time is simulated, and thousands of histories take a moment.
func TestHistoriesInMemory(t *testing.T) {
	n := 3000
	if *histories > 0 {
		n = *histories
	}
	const parts = 10
	for part := range parts {
		t.Run(fmt.Sprintf("part %d", part), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				submsgtest.Histories(t, inMemory, uint64(part*1_000_000), n/parts)
			})
		})
	}
}

func TestInvariantsInMemory(t *testing.T) {
	submsgtest.Invariants(t, func(t *testing.T, test func(t *testing.T, open submsgtest.Open)) {
		t.Parallel()
		test(t, inMemory)
	})
}

func inMemory(_ testing.TB, now func() time.Time) submsg.Store { return memory.New(now) }

func inFile(*testing.T) submsgtest.Open {
	return func(t testing.TB, now func() time.Time) submsg.Store {
		store, err := embedded.Open(filepath.Join(t.TempDir(), "yuexin.db"), embedded.Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		return store
	}
}

// onDynalite gives each world a table of its own.
func onDynalite(t *testing.T) submsgtest.Open {
	server := dynamotest.Start(t)
	return onDynaliteAt(server, server.Endpoint)
}

// onRedis gives each world keys of its own on the server at url.
func onRedis(url string) submsgtest.Open {
	var worlds atomic.Int64
	return func(t testing.TB, now func() time.Time) submsg.Store {
		store, err := redis.Open(redis.Config{URL: fmt.Sprintf("%sprefix=world%d:", url, worlds.Add(1)), Now: now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		return store
	}
}
