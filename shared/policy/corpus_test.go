package policy

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// corpusMessage is one line of testdata/corpus.txt.
type corpusMessage struct {
	line  int
	want  string // "pass" or the rule that must stop it
	held  bool   // of the part the lists were not made for
	title string
	data  map[string]string
}

func (m corpusMessage) String() string {
	var values []string
	for _, k := range sortedKeys(m.data) {
		values = append(values, m.data[k])
	}
	return fmt.Sprintf("%s: %s", m.title, strings.Join(values, " / "))
}

func readCorpus(t testing.TB) []corpusMessage {
	t.Helper()
	text, err := os.ReadFile("testdata/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	var messages []corpusMessage
	held := false
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if line == "@held-out" {
			held = true
			continue
		}
		parts := strings.SplitN(line, " | ", 3)
		if len(parts) != 3 {
			t.Fatalf("corpus line %d: want three parts, have %q", i+1, line)
		}
		m := corpusMessage{line: i + 1, want: parts[0], title: parts[1], held: held, data: make(map[string]string)}
		for field := range strings.SplitSeq(parts[2], "; ") {
			key, value, ok := strings.Cut(field, "=")
			if !ok {
				t.Fatalf("corpus line %d: %q is no key=value", i+1, field)
			}
			m.data[key] = value
		}
		messages = append(messages, m)
	}
	return messages
}

// verdict is what the word rules make of one part of the corpus.
type verdict struct {
	stoppedRight, stoppedWrong, passedRight, passedWrong int
	otherRule                                            int // stopped, but not by the rule expected
	wrong                                                []corpusMessage
}

func judgeCorpus(t testing.TB, held bool) verdict {
	t.Helper()
	engine := mustEngine(t)
	var v verdict
	for _, m := range readCorpus(t) {
		if m.held != held {
			continue
		}
		reasons := engine.CheckWords(&App{AppID: "wx"}, &Template{ID: "t", Kind: OneTime, Title: m.title}, m.data)
		stopped := len(reasons) > 0
		switch {
		case m.want == "pass" && !stopped:
			v.passedRight++
		case m.want == "pass":
			v.stoppedWrong++
			v.wrong = append(v.wrong, m)
		case !stopped:
			v.passedWrong++
			v.wrong = append(v.wrong, m)
		default:
			v.stoppedRight++
			if !slices.ContainsFunc(reasons, func(r Reason) bool { return r.Code == m.want }) {
				v.otherRule++
				t.Logf("line %d: stopped by %s, expected %s: %v", m.line, reasons[0].Code, m.want, m)
			}
		}
	}
	return v
}

func (v verdict) precision() float64 {
	return float64(v.stoppedRight) / float64(v.stoppedRight+v.stoppedWrong)
}

func (v verdict) recall() float64 {
	return float64(v.stoppedRight) / float64(v.stoppedRight+v.passedWrong)
}

func (v verdict) mustPass() int { return v.passedRight + v.stoppedWrong }
func (v verdict) mustNot() int  { return v.stoppedRight + v.passedWrong }

func TestWordRulesOverTheCorpus(t *testing.T) {
	tests := []struct {
		name              string
		held              bool
		atLeast           int // messages of each sort
		precision, recall float64
	}{
		{"the messages the lists were made with", false, 100, 0.97, 0.93},
		{"the messages they were not made for", true, 25, 0.97, 0.35},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := judgeCorpus(t, tt.held)
			if v.mustPass() < tt.atLeast || v.mustNot() < tt.atLeast {
				t.Fatalf("there are %d messages that must pass and %d that must not; at least %d of each are wanted", v.mustPass(), v.mustNot(), tt.atLeast)
			}
			t.Logf("must pass: %d of %d pass; must not: %d of %d stopped; precision %.3f, recall %.3f",
				v.passedRight, v.mustPass(), v.stoppedRight, v.mustNot(), v.precision(), v.recall())
			for _, m := range v.wrong {
				t.Logf("wrong: line %d, want %s: %v", m.line, m.want, m)
			}
			if v.precision() < tt.precision || v.recall() < tt.recall || v.otherRule > 2 {
				t.Errorf("precision %.3f, recall %.3f, stopped by another rule %d; want at least %.2f and %.2f, at most 2",
					v.precision(), v.recall(), v.otherRule, tt.precision, tt.recall)
			}
		})
	}
}
