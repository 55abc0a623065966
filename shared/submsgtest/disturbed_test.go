package submsgtest_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/dynamo"
	"github.com/yuexin-dev/yuexin/shared/dynamotest"
	"github.com/yuexin-dev/yuexin/shared/redistest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

// victim is a server that can be killed with SIGKILL and started again on what it had stored.
type victim interface {
	Kill()
	Restart()
}

// fewestKills is how often a server must have been killed for a test to have shown anything.
const fewestKills = 3

// killing makes stores by open whose servers are killed in the middle of what they do, one of them after some `every`
// calls. It is started again at once, but every third time only when a call has failed: the stores bridge short outages
// by themselves.
func killing(t *testing.T, open submsgtest.Open, every int, victims ...victim) submsgtest.Open {
	var calls atomic.Int64
	var opening sync.RWMutex // nobody is killed while a store is opened: tables are not what is tested
	var mu sync.Mutex
	var stores []*submsgtest.Unsteady
	failures := func() (n int64) {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range stores {
			n += s.Failed()
		}
		return n
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	kills := 0
	go func() {
		defer close(stopped)
		for {
			gap := every
			if kills < fewestKills { // they must come about in the shortest run too
				gap = every / 4
			}
			for next := calls.Load() + int64(gap/2+rand.IntN(gap)); calls.Load() < next; {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
			}
			v := victims[rand.IntN(len(victims))]
			before := failures()
			opening.Lock()
			v.Kill()
			if kills++; kills%3 == 0 {
				for began := time.Now(); failures() == before && time.Since(began) < 5*time.Second; time.Sleep(time.Millisecond) {
				}
			}
			v.Restart()
			opening.Unlock()
		}
	}()
	t.Cleanup(func() { // once every world is over
		close(stop)
		<-stopped
		t.Logf("%d worlds, %d calls, killed %d times, %d calls failed for good", len(stores), calls.Load(), kills, failures())
		if kills < fewestKills {
			t.Errorf("the server was killed %d times only: the test shows little; let it be killed more often than every %d calls", kills, every)
		}
	})
	return func(t testing.TB, now func() time.Time) submsg.Store {
		opening.RLock()
		defer opening.RUnlock()
		s := &submsgtest.Unsteady{Store: open(t, now), Before: func() { calls.Add(1) }}
		mu.Lock()
		defer mu.Unlock()
		stores = append(stores, s)
		return s
	}
}

func onKilledDynalite(t *testing.T) submsgtest.Open {
	server := dynamotest.Start(t)
	return killing(t, onDynaliteAt(server, server.Endpoint), 1200, server)
}

// onABadNetwork lets one request in fifteen meet a fault, each kind in its turn: throttled, late, answered 500 before or
// after acting, cut before or after acting.
func onABadNetwork(t *testing.T) submsgtest.Open {
	server := dynamotest.Start(t)
	faults := []dynamotest.Fault{
		{Do: dynamotest.Throttle}, {Before: 20 * time.Millisecond}, {After: 20 * time.Millisecond}, {Do: dynamotest.Fail}, {Do: dynamotest.FailAfter},
		{Do: dynamotest.Drop}, {Do: dynamotest.DropReply},
	}
	proxy := dynamotest.NewProxy(t, server.Endpoint, func(r dynamotest.Request) dynamotest.Fault {
		if r.N%15 != 0 {
			return dynamotest.Fault{}
		}
		return faults[r.N/15%len(faults)]
	})
	open := onDynaliteAt(server, proxy.Endpoint)
	return func(t testing.TB, now func() time.Time) submsg.Store {
		return &submsgtest.Unsteady{Store: open(t, now)}
	}
}

// onDynaliteAt gives each world a table of its own on the server, which the store reaches at endpoint.
func onDynaliteAt(server *dynamotest.Server, endpoint string) submsgtest.Open {
	var worlds atomic.Int64
	return func(t testing.TB, now func() time.Time) submsg.Store {
		table := fmt.Sprintf("world-%d", worlds.Add(1))
		dynamotest.Create(t, server.Endpoint, dynamo.Definition(table))
		return dynamotest.Open(t, endpoint, dynamo.Config{Table: table, Now: now})
	}
}

func onKilledRedis(t *testing.T) submsgtest.Open {
	server := redistest.Start(t)
	return killing(t, onRedis(server.URL()+"?"), 2000, server)
}

func onKilledCluster(t *testing.T) submsgtest.Open {
	cluster := redistest.StartCluster(t, 3, false)
	var victims []victim
	for _, m := range cluster.Masters {
		victims = append(victims, m)
	}
	return killing(t, onRedis(cluster.URL()+"&"), 3000, victims...)
}
