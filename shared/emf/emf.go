// Package emf writes metrics as lines of JSON, of which CloudWatch makes metrics by itself (docs.aws.amazon.com,
// "Specification: Embedded metric format"): no request, no agent, nothing that could fail while a user waits. Outside of
// AWS the same lines, without CloudWatch's directive, are fields that a log service can index and sum up.
//
// What happens during an invocation is gathered and written at its end, one line for each app, so that a send costs some
// bytes of log and not three lines. The names and dimensions are those that alarms, dashboard and playbooks ask for:
//
//	Sends             App, Outcome   sends that reached a state: sent, rejected, unknown, refused, expired, cancelled;
//	                                 delivered and failed are what WeChat's sent event said afterwards
//	Unknown           App            calls to WeChat that were left without an answer
//	CreditsRefused    App            sends refused because the user had given no credit
//	LatenessSeconds   App            from the moment a send was wanted to the call to WeChat
//	TokenRefreshes    App            access tokens fetched
//	Suspended         App            blocks by WeChat of a template or the whole account
//	OldestDueSeconds  none           age of the oldest due record, by every tick; 0 when nothing waits
//
// No template, and never an openid, is a dimension: each combination of dimensions is a metric that is paid for.
package emf

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Namespace is where CloudWatch shows the metrics.
const Namespace = "Yuexin"

// maxValues is how many values one metric may have in one line (the specification's limit of a target member).
const maxValues = 100

// Style says who reads the lines.
type Style int

const (
	// CloudWatch makes metrics of lines that carry a directive, and takes all values of a metric.
	CloudWatch Style = iota
	// Plain lines are indexed fields (Tencent's CLS): a field is one number, so of several values the largest is written.
	Plain
)

// Writer gathers metrics and writes them with Flush. It is safe for concurrent use.
type Writer struct {
	to    io.Writer
	style Style
	now   func() time.Time

	mu     sync.Mutex
	groups map[group]map[string]metric
}

// group is one combination of dimensions; "" leaves a dimension out.
type group struct{ app, outcome string }

type metric struct {
	unit   string
	sum    float64   // of counts
	values []float64 // of observations
}

// New returns a Writer to to, which gets whole lines.
func New(to io.Writer, style Style, now func() time.Time) *Writer {
	return &Writer{to: to, style: style, now: now}
}

// Count adds n to the metric that what stands for; what no metric is made of is left out. The template is not used.
func (w *Writer) Count(appid, _, what string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range countTargets(what) {
		at := group{appid, t.outcome}
		m := w.at(at)[t.name]
		m.unit, m.sum = "Count", m.sum+float64(n)
		w.groups[at][t.name] = m
	}
}

// target is a metric that an event counts for.
type target struct{ name, outcome string }

// countTargets translates the core's names.
func countTargets(what string) []target {
	if state, ok := strings.CutPrefix(what, "send_"); ok {
		switch state {
		case "queued", "sending":
			return nil // no outcome
		case "unknown":
			return []target{{"Sends", state}, {"Unknown", ""}}
		}
		return []target{{"Sends", state}}
	}
	if state, ok := strings.CutPrefix(what, "event_"); ok {
		return []target{{"Sends", state}}
	}
	switch what {
	case "unknown": // found by somebody else than the worker that made the call
		return []target{{"Sends", "unknown"}, {"Unknown", ""}}
	case "suspended":
		return []target{{"Suspended", ""}}
	case "reason_one_time_credit":
		return []target{{"CreditsRefused", ""}}
	case "token_refresh":
		return []target{{"TokenRefreshes", ""}}
	}
	return nil
}

// observed are the core's names of what is measured in seconds.
var observed = map[string]string{"lateness_seconds": "LatenessSeconds", "oldest_due_seconds": "OldestDueSeconds"}

// Observe adds one value to the metric that what stands for. appid "" is for metrics of the whole installation.
func (w *Writer) Observe(appid, what string, value float64) {
	name := observed[what]
	if name == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	at := group{app: appid}
	m := w.at(at)[name]
	if len(m.values) == maxValues {
		_ = w.write(at, map[string]metric{name: m}) // gathered on; the next Flush tells of a broken stream
		m.values = nil
	}
	m.unit, m.values = "Seconds", append(m.values, value)
	w.groups[at][name] = m
}

func (w *Writer) at(g group) map[string]metric {
	if w.groups == nil {
		w.groups = map[group]map[string]metric{}
	}
	if w.groups[g] == nil {
		w.groups[g] = map[string]metric{}
	}
	return w.groups[g]
}

// Flush writes what was gathered, one line for each combination of dimensions, and forgets it. Functions call it at the
// end of every invocation: a frozen instance writes nothing.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	groups := w.groups
	w.groups = nil
	order := slices.SortedFunc(maps.Keys(groups), func(a, b group) int {
		return strings.Compare(a.app+"\x00"+a.outcome, b.app+"\x00"+b.outcome)
	})
	var first error
	for _, g := range order {
		if err := w.write(g, groups[g]); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// directive tells CloudWatch which members of a line are metrics.
type directive struct {
	Timestamp         int64 // milliseconds since 1970
	CloudWatchMetrics []metricDirective
}

type metricDirective struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []metricName
}

type metricName struct{ Name, Unit string }

func (w *Writer) write(g group, metrics map[string]metric) error {
	line := map[string]any{}
	dimensions := []string{}
	if g.app != "" {
		line["App"] = g.app
		dimensions = append(dimensions, "App")
	}
	if g.outcome != "" {
		line["Outcome"] = g.outcome
		dimensions = append(dimensions, "Outcome")
	}
	var names []metricName
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		m := metrics[name]
		names = append(names, metricName{name, m.unit})
		switch {
		case m.values == nil:
			line[name] = m.sum
		case w.style == Plain || len(m.values) == 1:
			line[name] = slices.Max(m.values)
		default:
			line[name] = m.values
		}
	}
	if w.style == CloudWatch {
		line["_aws"] = directive{
			Timestamp:         w.now().UnixMilli(),
			CloudWatchMetrics: []metricDirective{{Namespace: Namespace, Dimensions: [][]string{dimensions}, Metrics: names}},
		}
	}
	var out bytes.Buffer
	if err := json.NewEncoder(&out).Encode(line); err != nil {
		return err
	}
	_, err := w.to.Write(out.Bytes()) // in one piece, or lines of concurrent writers would mix
	return err
}
