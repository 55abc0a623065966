package submsg

import (
	"context"
	"time"

	"github.com/yuexin-dev/yuexin/shared/recurrence"
)

// Defaults of a schedule.
const (
	// DefaultCatchUp is the window in which an occurrence that was missed is still sent.
	DefaultCatchUp = time.Hour
	// defaultValid bounds how long an occurrence's message may wait where the schedule does not say: until
	// the next occurrence, and no longer than this.
	defaultValid = 7 * 24 * time.Hour

	maxPast        = 20   // past occurrences a schedule remembers
	maxOccurrences = 2000 // occurrences one firing looks at; the rest come at the next
)

// firing is what a due schedule leads to.
type firing struct {
	fire  []Occurred // to be sent now, oldest first
	index []int      // the ordinal of each
	next  *Schedule  // the schedule moved on, to be saved after what it fires is safe
	due   Instant
}

// moveOn decides what happens at a due schedule: which occurrences are sent, which are recorded as missed, and
// where it goes on. on time (late by no more than lateness) every occurrence fires. What is later was
// missed: inside the catch-up window the newest of those is sent, once, and never a burst of all of them.
func moveOn(sch *Schedule, rule recurrence.Rule, now time.Time, lateness time.Duration) firing {
	var f firing
	next := *sch
	next.Past = append([]Occurred(nil), sch.Past...)
	next.UpdatedAt = At(now)
	catchUp := time.Duration(sch.CatchUp) * time.Millisecond
	at, index := sch.NextAt, sch.NextIndex
	caught := -1 // position in Past of the newest missed occurrence inside the window
	caughtIndex := 0
	for n := 0; at != 0 && at <= At(now) && n < maxOccurrences; n++ {
		if !hasContent(sch, index) {
			at = 0
			break
		}
		late := now.Sub(at.Time())
		o := Occurred{At: at, State: "fired"}
		switch {
		case late <= lateness:
			f.fire, f.index = append(f.fire, o), append(f.index, index)
			next.Past = append(next.Past, o)
		case late <= catchUp:
			o.State, o.Detail = "missed", "superseded by a later occurrence that was sent instead"
			next.Missed++
			next.Past = append(next.Past, o)
			caught, caughtIndex = len(next.Past)-1, index
		default:
			o.State, o.Detail = "missed", "older than the catch-up window when it was found"
			next.Missed++
			next.Past = append(next.Past, o)
		}
		following, ok := rule.After(at.Time())
		if at = At(following); !ok {
			at = 0
		}
		index++
	}
	if caught >= 0 && len(f.fire) == 0 {
		next.Past[caught].State, next.Past[caught].Detail = "fired", "late, inside the catch-up window"
		next.Missed--
		f.fire, f.index = append(f.fire, next.Past[caught]), append(f.index, caughtIndex)
	}
	if n := len(next.Past); n > maxPast {
		next.Past = next.Past[n-maxPast:]
	}
	if at != 0 && !hasContent(sch, index) {
		at = 0
	}
	next.NextAt, next.NextIndex = at, index
	if at == 0 {
		next.State = ScheduleEnded
	}
	f.next, f.due = &next, dueOfSchedule(&next)
	return f
}

// hasContent reports whether there is something to send at the index-th occurrence: a series ends.
func hasContent(sch *Schedule, index int) bool {
	return len(sch.Content.Series) == 0 || index < len(sch.Content.Series)
}

// dueOfSchedule is the moment the schedule falls due: its next occurrence; for one subscriber moved by that
// subscriber's place in the spread, so that a million personal schedules for nine o'clock are no peak.
func dueOfSchedule(sch *Schedule) Instant {
	if sch.State != ScheduleActive || sch.NextAt == 0 {
		return 0
	}
	if sch.To.OpenID != "" && sch.Spread > 0 {
		return sch.NextAt + Instant(digest(sch.ID)%uint64(sch.Spread))
	}
	return sch.NextAt
}

// validUntil is when the message of an occurrence is of no use any more.
func validUntil(sch *Schedule, rule recurrence.Rule, at Instant) Instant {
	if sch.ValidFor > 0 {
		return at + Instant(sch.ValidFor) + Instant(sch.Spread)
	}
	end := at.Add(defaultValid)
	if next, ok := rule.After(at.Time()); ok && At(next) < end {
		end = max(At(next), at.Add(time.Minute))
	}
	return end + Instant(sch.Spread)
}

// OccurrenceView is one occurrence of a schedule: past ones with what became of them and, for audiences, how many
// sends are in which state; coming ones as "upcoming".
type OccurrenceView struct {
	At     Instant
	State  string // fired, missed, running, done, upcoming
	Detail string
	Counts map[string]int
}

// Occurrences lists the last few occurrences of a schedule and the next n.
func (s *Service) Occurrences(ctx context.Context, appid, id string, n int) (past, next []OccurrenceView, err error) {
	s.init()
	_, sch, err := s.scheduleOf(ctx, appid, id)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range sch.Past {
		v := OccurrenceView{At: o.At, State: o.State, Detail: o.Detail}
		if o.State == "fired" && (sch.To.Audience != nil || sch.Content.Provider != "") {
			jobs, err := s.listAll(ctx, JobPartition(appid, id, o.At))
			if err != nil {
				return nil, nil, err
			}
			done := 0
			v.Counts = map[string]int{}
			for _, r := range jobs {
				j := r.Body.(*Job)
				for what, k := range j.Counts {
					v.Counts[what] += k
				}
				if j.Done {
					done++
				}
				if j.LastError != "" {
					v.Detail = j.LastError
				}
			}
			if v.State = "running"; done == len(jobs) {
				v.State = "done"
			}
		}
		past = append(past, v)
	}
	rule, err := sch.rule()
	if err != nil {
		return nil, nil, err
	}
	at, index := sch.NextAt, sch.NextIndex
	for ; n > 0 && at != 0 && hasContent(sch, index); n, index = n-1, index+1 {
		next = append(next, OccurrenceView{At: at, State: "upcoming"})
		following, ok := rule.After(at.Time())
		if at = At(following); !ok {
			at = 0
		}
	}
	return past, next, nil
}
