package submsgtest_test

import (
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yuexin-dev/yuexin/shared/memory"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

func TestInvariantsInMemory(t *testing.T) {
	submsgtest.Invariants(t, func(t *testing.T, test func(t *testing.T, open submsgtest.Open)) {
		test(t, inMemory)
	})
}

var histories = flag.Int("histories", 3000, "random histories to run")

func TestRandomHistoriesInMemory(t *testing.T) {
	const parts = 10
	for part := range parts {
		t.Run(fmt.Sprintf("part %d", part), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				submsgtest.Histories(t, inMemory, uint64(part*1_000_000), *histories/parts)
			})
		})
	}
}

func inMemory(_ testing.TB, now func() time.Time) submsg.Store { return memory.New(now) }
