package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// sandboxSecrets are what a log of the sandbox may not hold, whoever it was that wrote.
var sandboxSecrets = []string{"sandbox-app-secret-not-a-secret", "sandboxpushtoken", "c2FuZGJveC1hZXMta2V5LWZvci15dWV4aW4tMDEyMzQ", "sandbox-provider-key", "Bearer", "access_token", `"90_`, "=90_"}

// quiet holds what a server has said against what it may not say: no line of it holds any of the words, and every line
// is JSON, but for the sandbox's greeting.
func quiet(t *testing.T, log string, words []string) {
	t.Helper()
	lines, told := 0, 0
	for line := range strings.Lines(log) {
		greeting := strings.HasPrefix(line, "Yuexin and a simulated WeChat") || strings.HasPrefix(line, "  ")
		for _, word := range words {
			if strings.Contains(line, word) && told < 10 {
				told++
				t.Errorf("the log holds %q: %s", word, line)
			}
		}
		if lines++; !greeting && !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is no JSON: %s", line)
		}
	}
	if lines < 10 {
		t.Errorf("the log has %d lines: what was to be looked through is not in it", lines)
	}
}
