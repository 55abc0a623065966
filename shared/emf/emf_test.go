package emf_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/emf"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

var _ submsg.Metrics = (*emf.Writer)(nil)

func at() time.Time { return time.Date(2026, 11, 21, 1, 2, 3, 4e6, time.UTC) }

// lines parses what was written.
func lines(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q is no line of JSON: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}

func TestALineIsWhatCloudWatchDocuments(t *testing.T) {
	var out bytes.Buffer
	w := emf.New(&out, emf.CloudWatch, at)
	w.Count("wx1", "template", "send_sent", 2)
	w.Count("wx1", "other", "send_sent", 1)
	w.Observe("", "oldest_due_seconds", 0)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := `{"OldestDueSeconds":0,"_aws":{"Timestamp":1795222923004,"CloudWatchMetrics":[{"Namespace":"Yuexin","Dimensions":[[]],"Metrics":[{"Name":"OldestDueSeconds","Unit":"Seconds"}]}]}}
{"App":"wx1","Outcome":"sent","Sends":3,"_aws":{"Timestamp":1795222923004,"CloudWatchMetrics":[{"Namespace":"Yuexin","Dimensions":[["App","Outcome"]],"Metrics":[{"Name":"Sends","Unit":"Count"}]}]}}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheCoresNamesBecomeTheMetricsThatAlarmsAskFor(t *testing.T) {
	tests := map[string]struct {
		what string
		want []map[string]any
	}{
		"a send that was sent":                             {"send_sent", []map[string]any{{"App": "wx1", "Outcome": "sent", "Sends": 1.0}}},
		"a refused send":                                   {"send_refused", []map[string]any{{"App": "wx1", "Outcome": "refused", "Sends": 1.0}}},
		"a call without an answer":                         {"send_unknown", []map[string]any{{"App": "wx1", "Unknown": 1.0}, {"App": "wx1", "Outcome": "unknown", "Sends": 1.0}}},
		"one whose worker died":                            {"unknown", []map[string]any{{"App": "wx1", "Unknown": 1.0}, {"App": "wx1", "Outcome": "unknown", "Sends": 1.0}}},
		"a sent event":                                     {"event_failed", []map[string]any{{"App": "wx1", "Outcome": "failed", "Sends": 1.0}}},
		"a block by WeChat":                                {"suspended", []map[string]any{{"App": "wx1", "Suspended": 1.0}}},
		"a send without a credit":                          {"reason_one_time_credit", []map[string]any{{"App": "wx1", "CreditsRefused": 1.0}}},
		"a fetched access token":                           {"token_refresh", []map[string]any{{"App": "wx1", "TokenRefreshes": 1.0}}},
		"a send that waits is no outcome":                  {"send_queued", nil},
		"a grant is a figure of the console, not a metric": {"grant_added", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			w := emf.New(&out, emf.Plain, at)
			w.Count("wx1", "template", test.what, 1)
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, lines(t, out.String())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestValuesAreKeptForCloudWatchAndTheLargestElsewhere(t *testing.T) {
	for style, want := range map[emf.Style]any{emf.CloudWatch: []any{1.5, 9.0, 3.0}, emf.Plain: 9.0} {
		var out bytes.Buffer
		w := emf.New(&out, style, at)
		for _, v := range []float64{1.5, 9, 3} {
			w.Observe("wx1", "lateness_seconds", v)
		}
		w.Observe("wx1", "something_else", 100)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, lines(t, out.String())[0]["LatenessSeconds"]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestALineHasNoMoreValuesThanCloudWatchTakesAndNoneIsLost(t *testing.T) {
	var out bytes.Buffer
	w := emf.New(&out, emf.CloudWatch, at)
	for i := range 250 {
		w.Observe("wx1", "lateness_seconds", float64(i+1))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, line := range lines(t, out.String()) {
		values := line["LatenessSeconds"].([]any)
		if len(values) > 100 {
			t.Errorf("a line has %d values, CloudWatch takes 100", len(values))
		}
		for _, v := range values {
			sum += v.(float64)
		}
	}
	if sum != 250*251/2 {
		t.Errorf("the values add up to %v, want %v", sum, 250*251/2)
	}
}

func TestWhatWasWrittenIsForgotten(t *testing.T) {
	var out bytes.Buffer
	w := emf.New(&out, emf.Plain, at)
	w.Count("wx1", "", "send_sent", 1)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := w.Flush(); err != nil || out.Len() > 0 {
		t.Errorf("the second time it wrote %q, %v", out.String(), err)
	}
}

func TestConcurrentWritersLoseNothing(t *testing.T) {
	var out bytes.Buffer
	w := emf.New(&out, emf.Plain, at)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				w.Count("wx1", "", "send_sent", 1)
				if err := w.Flush(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	total := 0.0
	for _, line := range lines(t, out.String()) {
		total += line["Sends"].(float64)
	}
	if total != 1600 {
		t.Errorf("counted %v, want 1600", total)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestABrokenStreamIsReported(t *testing.T) {
	w := emf.New(broken{}, emf.Plain, at)
	w.Count("wx1", "", "send_sent", 1)
	if err := w.Flush(); err == nil {
		t.Error("Flush succeeded")
	}
}
