package platform

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
)

func TestLogRecordsOfAnInvocationCarryItsID(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(LogHandler(slog.NewTextHandler(&out, nil))).With("app", "wx1")
	ctx := withInvocation(t.Context(), "r-1", "send")
	log.InfoContext(ctx, "inside", "n", 1)
	log.InfoContext(context.Background(), "outside")

	lines := strings.Split(out.String(), "\n")
	if !strings.Contains(lines[0], `msg=inside app=wx1 n=1 invocation_id=r-1 function=send`) {
		t.Errorf("inside an invocation: %s", lines[0])
	}
	if strings.Contains(lines[1], "invocation_id") || strings.Contains(lines[1], "function") {
		t.Errorf("outside of one: %s", lines[1])
	}
}

func TestOutsideOfAnInvocationThereIsNoID(t *testing.T) {
	if id, name := RequestID(t.Context()), FunctionName(t.Context()); id != "" || name != "" {
		t.Errorf("got %q and %q", id, name)
	}
}
