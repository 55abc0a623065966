package policy

import (
	"slices"
	"time"
)

// historyReach is how far back any rule but limited_period looks.
const historyReach = week

// periodReach is how far back limited_period looks: the longest month.
const periodReach = 31 * day

// Keep is the part of a subscriber's history that rules may still ask for at
// now or later, newest last, at most bound entries; it reuses the given slice.
// Entries that only limited_period needs are given up first when there are too
// many, then the oldest. A record that keeps the result of Keep with a bound
// above its weekly caps decides as one that keeps everything.
func Keep(history []Sent, now time.Time, bound int) []Sent {
	kept := slices.DeleteFunc(history, func(s Sent) bool {
		age := now.Sub(s.At)
		return age >= periodReach || age >= historyReach && s.PeriodKey == 0
	})
	slices.SortStableFunc(kept, bySentTime)
	if over := len(kept) - bound; over > 0 {
		kept = slices.DeleteFunc(kept, func(s Sent) bool {
			if over > 0 && now.Sub(s.At) >= historyReach {
				over--
				return true
			}
			return false
		})
		kept = kept[max(len(kept)-bound, 0):]
	}
	return kept
}
