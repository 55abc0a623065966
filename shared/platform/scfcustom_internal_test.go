package platform

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// scriptedAPI is SCF's runtime API as a transport: each call is noted with the time since the start, and
// answered by the script for its path, "" once the script has run out.
type scriptedAPI struct {
	start  time.Time
	calls  []string
	script map[string][]string // path → "" for success, otherwise what goes wrong
	stop   context.CancelFunc  // called when there is nothing left to hand out
}

func (s *scriptedAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	path := strings.TrimPrefix(r.URL.Path, "/runtime/")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.calls = append(s.calls, strings.TrimSpace(time.Since(s.start).String()+" "+path+" "+strings.TrimSpace(string(body))))
	step := "end"
	if steps := s.script[path]; len(steps) > 0 {
		step, s.script[path] = steps[0], steps[1:]
	} else if path != "invocation/next" {
		step = ""
	}
	response := &http.Response{StatusCode: 200, Status: "200 OK", Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}
	switch step {
	case "":
		if path == "invocation/next" {
			response.Header.Set("request_id", "r1")
			response.Header.Set("time_limit_in_ms", "2000")
		}
	case "500":
		response.StatusCode, response.Status = 500, "500 Internal Server Error"
	case "cut":
		return nil, errors.New("connection reset")
	case "end":
		s.stop()
		return nil, context.Canceled
	}
	return response, nil
}

func TestTheCustomRuntimesLoop(t *testing.T) {
	fine := func(context.Context, string, []byte) ([]byte, error) { return []byte("fine"), nil }
	tests := map[string]struct {
		script map[string][]string
		invoke func(context.Context, string, []byte) ([]byte, error)
		want   []string
	}{
		"reports ready, takes one event after the other and answers": {
			map[string][]string{"invocation/next": {"", ""}}, fine,
			[]string{"0s init/ready", "0s invocation/next", "0s invocation/response fine", "0s invocation/next", "0s invocation/response fine", "0s invocation/next"},
		},
		"posts the reason of a failure": {
			map[string][]string{"invocation/next": {""}},
			func(context.Context, string, []byte) ([]byte, error) { return nil, errors.New("out of reach") },
			[]string{"0s init/ready", "0s invocation/next", "0s invocation/error out of reach", "0s invocation/next"},
		},
		"waits longer after each failure and never asks for an event before it is ready": {
			map[string][]string{"init/ready": {"cut", "500", "cut"}, "invocation/next": {"500", "cut", "", "cut"}}, fine,
			[]string{
				"0s init/ready", "50ms init/ready", "150ms init/ready", "350ms init/ready",
				"350ms invocation/next", "400ms invocation/next", "500ms invocation/next", "500ms invocation/response fine",
				"500ms invocation/next", "550ms invocation/next", // the success has reset the pause
			},
		},
		"waits five seconds at most": {
			map[string][]string{"init/ready": {"500", "500", "500", "500", "500", "500", "500", "500", "500"}}, fine,
			[]string{
				"0s init/ready", "50ms init/ready", "150ms init/ready", "350ms init/ready", "750ms init/ready", "1.55s init/ready",
				"3.15s init/ready", "6.35s init/ready", "11.35s init/ready", "16.35s init/ready", "16.35s invocation/next",
			},
		},
		"posts an answer again that did not arrive": {
			map[string][]string{"invocation/next": {""}, "invocation/response": {"cut", "500"}}, fine,
			[]string{
				"0s init/ready", "0s invocation/next", "0s invocation/response fine", "50ms invocation/response fine",
				"150ms invocation/response fine", "150ms invocation/next",
			},
		},
		"gives an answer up after three attempts": {
			map[string][]string{"invocation/next": {""}, "invocation/response": {"cut", "cut", "cut"}}, fine,
			[]string{
				"0s init/ready", "0s invocation/next", "0s invocation/response fine", "50ms invocation/response fine",
				"150ms invocation/response fine", "350ms invocation/next",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				api := &scriptedAPI{start: time.Now(), script: test.script, stop: stop}
				loop := scfCustomLoop{base: "http://api/runtime/", client: &http.Client{Transport: api}, invoke: test.invoke, log: slog.New(slog.DiscardHandler)}
				loop.run(ctx)
				if diff := cmp.Diff(test.want, api.calls); diff != "" {
					t.Errorf("the calls differ (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestTheCustomRuntimeTellsTheLimitOfAnInvocation(t *testing.T) {
	for header, want := range map[string]time.Duration{"2500": 2500 * time.Millisecond, "": scfDefaultLimit, "soon": scfDefaultLimit, "-1": scfDefaultLimit} {
		synctest.Test(t, func(t *testing.T) {
			var got time.Duration
			loop := scfCustomLoop{
				base: "http://api/runtime/", client: &http.Client{Transport: &scriptedAPI{}}, log: slog.New(slog.DiscardHandler),
				invoke: func(ctx context.Context, requestID string, _ []byte) ([]byte, error) {
					deadline, _ := ctx.Deadline()
					got = time.Until(deadline)
					if requestID != "r1" {
						t.Errorf("the request ID is %q, want r1", requestID)
					}
					return nil, nil
				},
			}
			next := reply{header: http.Header{"Request_id": {"r1"}, "Time_limit_in_ms": {header}}}
			loop.serve(t.Context(), next)
			if got != want {
				t.Errorf("with the header %q the invocation has %v, want %v", header, got, want)
			}
		})
	}
}
