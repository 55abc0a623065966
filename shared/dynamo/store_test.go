package dynamo_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/dynamo"
	"github.com/yuexin-dev/yuexin/shared/dynamotest"
	"github.com/yuexin-dev/yuexin/shared/storetest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	server := dynamotest.Start(t)
	storetest.Run(t, func(t *testing.T) storetest.Opened {
		clock := storetest.NewClock()
		table := server.Table()
		open := func() submsg.Store {
			return dynamotest.Open(t, server.Endpoint, dynamo.Config{Table: table, Now: clock.Now})
		}
		return storetest.Opened{Store: open(), Clock: clock, Reopen: func() submsg.Store {
			server.Kill()
			server.Restart()
			return open()
		}}
	})
}

// One request in nine meets a fault, each kind in its turn. A write is left in no doubt that nobody could
// resolve: where many writers contend for one record, only such faults occur as certainly had no effect;
// and no write that may be refused fails without an answer. After those a store must say "unknown",
// which the suite does not expect of it.
func TestConformanceOnABadNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for many retries, some ten seconds in all")
	}
	t.Parallel()
	server := dynamotest.Start(t)
	storetest.Run(t, func(t *testing.T) storetest.Opened {
		every := 9
		if strings.Contains(t.Name(), "any_sequence") {
			every = 199 // thousands of calls in a row
		}
		harmless := []dynamotest.Fault{{Do: dynamotest.Throttle}, {Before: 5 * time.Millisecond}, {After: 5 * time.Millisecond}}
		writes, reads := harmless, slices.Concat(harmless, []dynamotest.Fault{{Do: dynamotest.Drop}, {Do: dynamotest.Fail}})
		if !strings.Contains(t.Name(), "concurrency") {
			writes = slices.Concat(harmless, []dynamotest.Fault{{Do: dynamotest.DropReply}, {Do: dynamotest.FailAfter}})
		}
		proxy := dynamotest.NewProxy(t, server.Endpoint, func(r dynamotest.Request) dynamotest.Fault {
			faults := reads
			if r.Operation == "PutItem" || r.Operation == "DeleteItem" {
				faults = writes
			}
			if r.N%every != 0 {
				return dynamotest.Fault{}
			}
			return faults[r.N/every%len(faults)]
		})
		clock := storetest.NewClock()
		store := dynamotest.Open(t, proxy.Endpoint, dynamo.Config{Table: server.Table(), Now: clock.Now})
		return storetest.Opened{Store: store, Clock: clock}
	})
}

func BenchmarkStore(b *testing.B) {
	server := dynamotest.Start(b)
	storetest.Benchmark(b, func(b *testing.B) storetest.Opened {
		clock := storetest.NewClock()
		return storetest.Opened{Clock: clock, Store: dynamotest.Open(b, server.Endpoint, dynamo.Config{Table: server.Table(), Now: clock.Now})}
	})
}
