//go:build awsonly || tencentonly

package setup

import (
	"errors"
	"testing"
	"time"
)

// Run with -tags awsonly and with -tags tencentonly.
func TestWhatWasLeftOutSaysSo(t *testing.T) {
	c := &clouds{getenv: func(name string) string {
		return map[string]string{"AWS_REGION": "r", "AWS_LAMBDA_FUNCTION_NAME": "f", "TENCENTCLOUD_REGION": "r"}[name]
	}}
	absent := 0
	note := func(what string, err error) {
		var a *absentError
		if errors.As(err, &a) {
			absent++
		} else if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, s := range []StoreConfig{{Kind: "dynamodb", Table: "t"}, {Kind: "redis", URL: Secret{"redis://127.0.0.1:1"}}, {Kind: "embedded", Path: "x"}} {
		_, err := (&Config{Store: s}).openStore(&Wired{}, &vault{getenv: c.getenv}, c, time.Now)
		note(s.Kind, err)
	}
	for _, q := range []QueueConfig{{Kind: "sqs", URL: "https://sqs/1/q"}, {Kind: "scf", Function: "f"}} {
		_, err := (&Config{Queue: q}).openQueue(c)
		note(q.Kind, err)
	}
	if absent != 3 { // of the three stores two, of the two queues one
		t.Errorf("%d parts are absent, want 3", absent)
	}
}
