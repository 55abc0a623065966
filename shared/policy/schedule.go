package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// shownOccurrences is how many offending occurrences a reason shows.
const shownOccurrences = 3

// CheckSchedule judges a rule of recurrence when it is made or changed, by its
// next occurrences: one that by itself breaks frequency_cap or quiet_hours would
// defer or refuse its own messages for ever, so it is refused at once. It also
// refuses what no consent can cover. Whether the subscriber agrees is asked at
// each sending, not here. The result is nil where nothing is wrong.
//
// The occurrences should reach over at least a week; they need no order. They are of the schedule's own zone, which may
// be another than the app's.
func CheckSchedule(app *App, tpl *Template, occurrences []time.Time) []Reason {
	var reasons []Reason
	if tpl.Kind == TemplateMessage && tpl.Unasked != "" {
		reasons = append(reasons, Reason{
			Code:     RuleFixedPeriod,
			Detail:   fmt.Sprintf("%s may go unasked because it warns of a fault or a disaster; such warnings do not come by the calendar. Periodic notices need the user's prior consent.", tpl.label()),
			DetailZH: fmt.Sprintf("“%s”因属故障或灾害警示方可主动下发，不能按固定周期发送；周期性通知须事先经用户同意。", tpl.label()),
		})
	}
	if tpl.urgent() {
		return reasons
	}
	times := slices.Clone(occurrences)
	slices.SortFunc(times, time.Time.Compare)
	times = slices.CompactFunc(times, time.Time.Equal)

	own, all := templateLimits(app, tpl, false), overallLimits(app, false)
	for _, c := range [...]struct {
		limit  int
		window time.Duration
		of, zh string
	}{
		{own.PerDay, day, tpl.label(), "“" + tpl.label() + "”"},
		{own.PerWeek, week, tpl.label(), "“" + tpl.label() + "”"},
		{all.PerDay, day, "all templates", "全部模板"},
		{all.PerWeek, week, "all templates", "全部模板"},
	} {
		if bad := breaking(times, c.limit, c.window, app.zone()); len(bad) > 0 {
			reasons = append(reasons, reasonTooOften(app, bad, c.limit, c.window, c.of, c.zh))
		}
	}
	if reason, ok := quietOccurrences(app, tpl, times); ok {
		reasons = append(reasons, reason)
	}
	return reasons
}

// breaking are the first occurrences that find limit earlier ones in the
// window before them. It is the rule of recurrence that is judged, not its luck:
// where the clock springs forward, a daily 09:00 comes after 23 hours and is
// still daily, so the wall clock's distance counts if it is the longer one: in the
// schedule's zone as in the app's. The cap itself then moves that one message by an hour.
func breaking(times []time.Time, limit int, window time.Duration, zone *time.Location) []time.Time {
	if limit <= 0 {
		return nil
	}
	var bad []time.Time
	for i := limit; i < len(times) && len(bad) < shownOccurrences; i++ {
		from, to := times[i-limit], times[i]
		if max(to.Sub(from), wall(to, zone).Sub(wall(from, zone)), wall(to, to.Location()).Sub(wall(from, from.Location()))) < window {
			bad = append(bad, to)
		}
	}
	return bad
}

// wall is what the zone's clock shows, as if it were UTC.
func wall(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

func reasonTooOften(app *App, bad []time.Time, limit int, window time.Duration, of, zh string) Reason {
	span, spanZH := "24 hours", "24 小时"
	if window == week {
		span, spanZH = "7 days", "7 天"
	}
	first := clockList(bad, app.zone())
	return Reason{
		Code: RuleScheduleFrequency,
		Detail: fmt.Sprintf("The schedule by itself exceeds the cap of %d %s within %s for %s; the first occurrences over it: %s.",
			limit, plural(limit, "message", "messages"), span, of, first),
		DetailZH:    fmt.Sprintf("该定时规则自身即超过%s每 %s %d 条的上限；最早超限的时刻：%s。", zh, spanZH, limit, first),
		Occurrences: bad,
	}
}

func quietOccurrences(app *App, tpl *Template, times []time.Time) (Reason, bool) {
	quiet := templateQuietHours(app, tpl, false)
	var bad []time.Time
	for _, t := range times {
		if quiet.Contains(t, app.zone()) {
			if bad = append(bad, t); len(bad) == shownOccurrences {
				break
			}
		}
	}
	if len(bad) == 0 {
		return Reason{}, false
	}
	first := clockList(bad, app.zone())
	return Reason{
		Code:        RuleScheduleQuiet,
		Detail:      fmt.Sprintf("The schedule falls into the quiet hours %s of %s; the first occurrences in them: %s.", quiet, app.zone(), first),
		DetailZH:    fmt.Sprintf("该定时规则落在免打扰时段 %s（%s）；最早的时刻：%s。", quiet, app.zone(), first),
		Until:       quiet.End(bad[0], app.zone()),
		Occurrences: bad,
	}, true
}

func clockList(times []time.Time, zone *time.Location) string {
	shown := make([]string, len(times))
	for i, t := range times {
		shown[i] = clock(t, zone)
	}
	return strings.Join(shown, ", ")
}
