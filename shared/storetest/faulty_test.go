package storetest_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/yuexin-dev/yuexin/shared/memory"
	"github.com/yuexin-dev/yuexin/shared/storetest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func TestFaultsActOrNotAndFail(t *testing.T) {
	for _, c := range []struct {
		name    string
		fault   storetest.Fault
		want    error
		acted   bool
		crashed bool
	}{
		{"no fault lets the call through", storetest.FaultNone, nil, true, false},
		{"fail before does not act", storetest.FaultFailBefore, storetest.ErrInjected, false, false},
		{"fail after acts", storetest.FaultFailAfter, storetest.ErrInjected, true, false},
		{"crash before does not act and ends everything", storetest.FaultCrashBefore, storetest.ErrCrashed, false, true},
		{"crash after acts and ends everything", storetest.FaultCrashAfter, storetest.ErrCrashed, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := storetest.NewClock()
			inner := memory.New(clock.Now)
			store := storetest.Faulty(inner, func(op storetest.Op) storetest.Fault {
				if op.N == 2 {
					return c.fault
				}
				return storetest.FaultNone
			})
			first, second := submsg.TokenKey("one"), submsg.TokenKey("two")
			v, err := store.Save(t.Context(), submsg.Record{Key: first, Body: new(submsg.AccessToken)})
			if err != nil {
				t.Fatal(err)
			}
			v2, err := store.Save(t.Context(), submsg.Record{Key: second, Body: new(submsg.AccessToken)})
			if !errors.Is(err, c.want) || (err != nil) != (v2 == 0) {
				t.Errorf("the second write gave version %d and %v, want %v", v2, err, c.want)
			}
			recs, err := inner.Load(t.Context(), first, second)
			if err != nil {
				t.Fatal(err)
			}
			if recs[0].Version != v || (recs[1].Body != nil) != c.acted {
				t.Errorf("the second write was acted on: %t, want %t", recs[1].Body != nil, c.acted)
			}
			for method, err := range map[string]error{
				"Load":   errorOf(store.Load(t.Context(), first)),
				"List":   errorOf(store.List(t.Context(), first.Partition, "", 1)),
				"Due":    errorOf(store.Due(t.Context(), 0, 1, 1)),
				"Save":   errorOf(store.Save(t.Context(), submsg.Record{Key: submsg.TokenKey("three"), Body: new(submsg.AccessToken)})),
				"Delete": store.Delete(t.Context(), first, v),
			} {
				if errors.Is(err, storetest.ErrCrashed) != c.crashed || (err != nil) != c.crashed {
					t.Errorf("%s afterwards gave %v; crashed: %t", method, err, c.crashed)
				}
			}
		})
	}
}

// errorOf is the error of a call that returns something else too.
func errorOf[T any](_ T, err error) error { return err }

func TestFaultyNumbersWritesAndNamesCalls(t *testing.T) {
	clock := storetest.NewClock()
	var ops []storetest.Op
	store := storetest.Faulty(memory.New(clock.Now), func(op storetest.Op) storetest.Fault {
		ops = append(ops, op)
		return storetest.FaultNone
	})
	key := submsg.HealthKey("wx")
	_, _ = store.Load(t.Context(), key, submsg.TokenKey("wx"))
	v, _ := store.Save(t.Context(), submsg.Record{Key: key, Body: new(submsg.Health)})
	_, _ = store.List(t.Context(), key.Partition, "after", 1)
	_ = store.Delete(t.Context(), key, v)
	_, _ = store.Due(t.Context(), 0, 1, 1)
	want := []storetest.Op{{Method: "Load", Key: key}, {N: 1, Method: "Save", Key: key},
		{Method: "List", Key: submsg.Key{Partition: key.Partition, Sort: "after"}}, {N: 2, Method: "Delete", Key: key}, {Method: "Due"}}
	if len(ops) != len(want) {
		t.Fatalf("the hook was asked %d times, want %d", len(ops), len(want))
	}
	for i := range want {
		if ops[i] != want[i] {
			t.Errorf("call %d was %+v, want %+v", i, ops[i], want[i])
		}
	}
}

func TestFaultsOfReadsWithholdTheAnswer(t *testing.T) {
	clock := storetest.NewClock()
	store := storetest.Faulty(memory.New(clock.Now), func(op storetest.Op) storetest.Fault {
		if op.Method == "Load" {
			return storetest.FaultFailAfter
		}
		return storetest.FaultNone
	})
	if recs, err := store.Load(t.Context(), submsg.HealthKey("wx")); recs != nil || !errors.Is(err, storetest.ErrInjected) {
		t.Errorf("Load gave %v and %v, want nothing and ErrInjected", recs, err)
	}
}

func TestCountTellsMethodsAndKindsApart(t *testing.T) {
	clock := storetest.NewClock()
	counts := storetest.Count(memory.New(clock.Now))
	sub, send := submsg.SubscriberKey("wx", "o"), submsg.SendKey("wx", "s")
	_, _ = counts.Load(t.Context(), sub, send)
	v, _ := counts.Save(t.Context(), submsg.Record{Key: sub, Body: new(submsg.Subscriber)})
	_, _ = counts.Save(t.Context(), submsg.Record{Key: sub, Body: new(submsg.Subscriber)})
	_, _ = counts.Save(t.Context(), submsg.Record{Key: send, Due: 1, Body: new(submsg.Send)})
	_ = counts.Delete(t.Context(), sub, v)
	_, _ = counts.List(t.Context(), send.Partition, "", 10)
	_, _ = counts.Due(t.Context(), send.Shard(), 1, 10)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = counts.Load(ended, sub)

	for _, c := range []struct {
		method, kind string
		want         storetest.Tally
	}{
		{"Load", submsg.KindSubscriber, storetest.Tally{Calls: 2, Keys: 3, Errors: 1}},
		{"Load", submsg.KindSend, storetest.Tally{}},
		{"Save", submsg.KindSubscriber, storetest.Tally{Calls: 2, Keys: 2, Conflicts: 1}},
		{"Save", "", storetest.Tally{Calls: 3, Keys: 3, Conflicts: 1}},
		{"Delete", submsg.KindSubscriber, storetest.Tally{Calls: 1, Keys: 1}},
		{"List", submsg.KindSend, storetest.Tally{Calls: 1, Keys: 1}},
		{"Due", "", storetest.Tally{Calls: 1, Keys: 1}},
	} {
		if got := counts.Of(c.method, c.kind); got != c.want {
			t.Errorf("%s of %q: %+v, want %+v", c.method, c.kind, got, c.want)
		}
	}
	if w, r := counts.Writes(), counts.RoundTrips(); w != 4 || r != 8 {
		t.Errorf("%d writes in %d round trips, want 4 in 8:\n%s", w, r, counts)
	}
	if s := counts.String(); !strings.Contains(s, "Save   subscriber calls 2, keys 2, conflicts 1, errors 0\n") {
		t.Errorf("the table is\n%s", s)
	}
	counts.Reset()
	if r := counts.RoundTrips(); r != 0 {
		t.Errorf("%d round trips after Reset", r)
	}
}

// TestEveryRecordKindHasASample keeps the round trip complete when a record kind is added.
func TestEveryRecordKindHasASample(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../submsg/records.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Kind") {
			kinds[strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)] = true
		}
		return true
	})
	var opened []*storetest.Counts
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(*testing.T) storetest.Opened {
			clock := storetest.NewClock()
			opened = append(opened, storetest.Count(memory.New(clock.Now)))
			return storetest.Opened{Store: opened[len(opened)-1], Clock: clock}
		})
	})
	for kind := range kinds {
		saves := 0
		for _, counts := range opened {
			saves += counts.Of("Save", kind).Calls
		}
		if saves == 0 {
			t.Errorf("the suite saves no record of kind %q", kind)
		}
	}
	if len(kinds) < 10 {
		t.Errorf("found %d kinds of records in records.go, want 10 at least", len(kinds))
	}
}
