package submsg

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// variables are what fixed data may refer to as {{name}}: they are filled in for each occurrence, in the
// schedule's zone.
var variables = map[string]func(at time.Time, index int, topic string) string{
	"year":  func(at time.Time, _ int, _ string) string { return at.Format("2006") },
	"month": func(at time.Time, _ int, _ string) string { return strconv.Itoa(int(at.Month())) },
	"day":   func(at time.Time, _ int, _ string) string { return strconv.Itoa(at.Day()) },
	"date":  func(at time.Time, _ int, _ string) string { return at.Format("2006-01-02") },
	"date_zh": func(at time.Time, _ int, _ string) string {
		return fmt.Sprintf("%d年%d月%d日", at.Year(), at.Month(), at.Day())
	},
	"time": func(at time.Time, _ int, _ string) string { return at.Format("15:04") },
	"weekday": func(at time.Time, _ int, _ string) string {
		return "星期" + string([]rune("日一二三四五六")[at.Weekday()])
	},
	"year_month": func(at time.Time, _ int, _ string) string { return at.Format("2006-01") },
	"last_month": func(at time.Time, _ int, _ string) string {
		return firstOfMonth(at).AddDate(0, -1, 0).Format("2006-01")
	},
	"last_month_zh": func(at time.Time, _ int, _ string) string {
		m := firstOfMonth(at).AddDate(0, -1, 0)
		return fmt.Sprintf("%d年%d月", m.Year(), m.Month())
	},
	"number": func(_ time.Time, index int, _ string) string { return strconv.Itoa(index + 1) },
	"topic":  func(_ time.Time, _ int, topic string) string { return topic },
}

func firstOfMonth(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, t.Location())
}

// VariableNames lists what {{name}} may stand for in a schedule's data.
func VariableNames() []string {
	names := make([]string, 0, len(variables))
	for n := range variables {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// fill puts the variables into data. An unknown one is an error that names it; texts without {{ are left alone.
func fill(data map[string]string, at time.Time, index int, topic string) (map[string]string, error) {
	out := make(map[string]string, len(data))
	for k, text := range data {
		var b strings.Builder
		for {
			before, rest, found := strings.Cut(text, "{{")
			b.WriteString(before)
			if !found {
				break
			}
			name, after, closed := strings.Cut(rest, "}}")
			make, known := variables[strings.TrimSpace(name)]
			if !closed || !known {
				return nil, problem(CodeInvalidFields, k, fmt.Sprintf("%s: {{%s}} is no variable; there are %s", k, strings.TrimSpace(name), strings.Join(VariableNames(), ", ")))
			}
			b.WriteString(make(at, index, topic))
			text = after
		}
		out[k] = b.String()
	}
	return out, nil
}
