package policy

import (
	"testing"
	"time"
)

func TestTheLadderOfSuspensions(t *testing.T) {
	for strikes, want := range map[int]time.Time{
		0: noon.Add(7 * day), 1: noon.Add(7 * day), 2: noon.Add(30 * day), 3: {}, 9: {},
	} {
		h := Suspend(strikes, noon)
		if !h.Until.Equal(want) || h.Rule != RuleSuspended || h.Strikes != max(strikes, 1) {
			t.Errorf("strike %d: %+v, want until %s", strikes, h, want)
		}
	}
}

func TestDailyQuotaHoldEndsAfterMidnightInShanghai(t *testing.T) {
	midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, Shanghai)
	for _, now := range []time.Time{noon, midnight.Add(-time.Nanosecond), midnight.Add(-day), noon.UTC(), noon.In(mustZone(t, "America/New_York"))} {
		for seed := range uint64(50) {
			h := DailyQuotaHold(now, seed)
			if late := h.Until.Sub(midnight); late < 0 || late >= quotaJitter || h.Rule != RuleDailyQuota {
				t.Fatalf("%s: %+v", now, h)
			}
		}
	}
	if h := DailyQuotaHold(midnight, 1); h.Until.Before(midnight.Add(day)) {
		t.Errorf("at midnight itself: %s", h.Until)
	}
}

func TestCancelSpike(t *testing.T) {
	tests := []struct {
		name   string
		counts CancelCounts
		want   bool
	}{
		{"500 in a week that used to see 20", CancelCounts{Past: []int{22, 19, 20}, Current: 500}, true},
		{"a quiet template loses nine", CancelCounts{Past: []int{0, 0, 0, 0}, Current: 9}, false},
		{"a quiet template loses ten", CancelCounts{Past: []int{0, 0, 0, 0}, Current: 10}, true},
		{"twice the usual", CancelCounts{Past: []int{100, 100, 100}, Current: 200}, false},
		{"three times the usual", CancelCounts{Past: []int{100, 100, 100}, Current: 300}, true},
		{"three times the usual, but few", CancelCounts{Past: []int{4, 4, 4}, Current: 12}, false},
		{"no past to compare with", CancelCounts{Past: []int{1, 1}, Current: 500}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := CancelSpike(tt.counts); got != tt.want {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestLowInterest(t *testing.T) {
	for _, tt := range []struct {
		delivered, opened int
		want              bool
	}{{100, 4, true}, {100, 5, false}, {99, 0, false}, {1000, 49, true}, {1000, 50, false}, {0, 0, false}} {
		if got := LowInterest(tt.delivered, tt.opened); got != tt.want {
			t.Errorf("%d of %d: %v", tt.opened, tt.delivered, got)
		}
	}
}

func TestPeriods(t *testing.T) {
	at := time.Date(2026, 12, 31, 23, 0, 0, 0, Shanghai) // a Thursday
	for period, want := range map[string][2]string{
		PeriodDay: {"2026-12-31", "2027-01-01"}, PeriodWeek: {"2026-12-28", "2027-01-04"}, PeriodMonth: {"2026-12-01", "2027-01-01"}, "": {"2026-12-01", "2027-01-01"},
	} {
		start, next := periodBounds(at.UTC(), period)
		if got := [2]string{start.Format(time.DateOnly), next.Format(time.DateOnly)}; got != want {
			t.Errorf("%q: %v, want %v", period, got, want)
		}
	}
	sunday := time.Date(2026, 11, 22, 12, 0, 0, 0, Shanghai)
	if start, _ := periodBounds(sunday, PeriodWeek); start.Format(time.DateOnly) != "2026-11-16" {
		t.Errorf("the week of a Sunday starts on %s", start.Format(time.DateOnly))
	}
}

func TestFingerprints(t *testing.T) {
	data := map[string]string{"thing1": "a", "thing2": "b"}
	same := Fingerprint("T", map[string]string{"thing2": "b", "thing1": "a"})
	if Fingerprint("T", data) != same {
		t.Error("the order of keys matters")
	}
	for name, other := range map[string]uint64{
		"another template": Fingerprint("U", data),
		"another value":    Fingerprint("T", map[string]string{"thing1": "a", "thing2": "c"}),
		"shifted text":     Fingerprint("T", map[string]string{"thing1": "ab", "thing2": ""}),
		"no data":          Fingerprint("T", nil),
	} {
		if other == same || other == 0 {
			t.Errorf("%s: %d", name, other)
		}
	}
	// Stored by every subscriber's record: it may not change between releases.
	if got := Fingerprint("T", data); got != wantFingerprint {
		t.Errorf("the stored form changed: %d", got)
	}
	if HashKey("") != 0 || HashKey("order-1") == 0 || HashKey("order-1") == HashKey("order-2") {
		t.Error("HashKey")
	}
}

const wantFingerprint uint64 = 7827731688949753867
