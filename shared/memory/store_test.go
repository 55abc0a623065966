package memory_test

import (
	"testing"

	"github.com/yuexin-dev/yuexin/shared/memory"
	"github.com/yuexin-dev/yuexin/shared/storetest"
)

func TestStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Opened {
		clock := storetest.NewClock()
		return storetest.Opened{Store: memory.New(clock.Now), Clock: clock}
	})
}

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(*testing.B) storetest.Opened {
		clock := storetest.NewClock()
		return storetest.Opened{Store: memory.New(clock.Now), Clock: clock}
	})
}
