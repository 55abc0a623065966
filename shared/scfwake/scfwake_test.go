package scfwake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/platformtest"
	"github.com/yuexin-dev/yuexin/shared/scfwake"
)

// environment is what SCF gives a function with a role.
func environment(name string) string {
	return map[string]string{
		"TENCENTCLOUD_REGION": "ap-guangzhou", "TENCENTCLOUD_SECRETID": "AKIDfake",
		"TENCENTCLOUD_SECRETKEY": "fake", "TENCENTCLOUD_SESSIONTOKEN": "token",
	}[name]
}

func api(t *testing.T) *platformtest.SCFAPI {
	return platformtest.NewSCFAPI(t, map[string]platformtest.Runtime{"deliver": nil})
}

func sender(t *testing.T, config scfwake.Config) *scfwake.Sender {
	t.Helper()
	if config.Function == "" {
		config.Function = "deliver"
	}
	if config.Getenv == nil {
		config.Getenv = environment
	}
	s, err := scfwake.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAWakeUpIsASignedAsynchronousInvoke(t *testing.T) {
	api := api(t)
	s := sender(t, scfwake.Config{Endpoint: api.Endpoint, Namespace: "prod", Qualifier: "live"})
	if err := s.Wake(t.Context(), [][]byte{[]byte(`{"名":"<约信>"}`)}); err != nil {
		t.Fatal(err)
	}
	want := []platformtest.SCFCall{{
		Function: "deliver", Namespace: "prod", Qualifier: "live", Region: "ap-guangzhou", SecretID: "AKIDfake", Token: "token",
		Event: `{"wakeups":["{\"名\":\"\u003c约信\u003e\"}"]}`,
	}}
	if diff := cmp.Diff(want, api.Calls()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// arrived returns the bodies that all calls brought, sorted, and their numbers per call.
func arrived(t *testing.T, api *platformtest.SCFAPI) (bodies []string, perCall []int) {
	t.Helper()
	for _, call := range api.Calls() {
		var event struct{ Wakeups []string }
		if err := json.Unmarshal([]byte(call.Event), &event); err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, event.Wakeups...)
		perCall = append(perCall, len(event.Wakeups))
	}
	slices.Sort(bodies)
	slices.Sort(perCall)
	return bodies, perCall
}

func TestWakeUpsAreSpreadOverInvocations(t *testing.T) {
	tests := map[string]struct {
		perInvoke int
		bodies    []string
		want      []int // bodies per call
	}{
		"one each by default":             {0, []string{"a", "b", "c"}, []int{1, 1, 1}},
		"as many as set":                  {10, strings.Split("a b c d e f g h i j k l", " "), []int{2, 10}},
		"no more than an event can carry": {10, []string{strings.Repeat("x", 60<<10), strings.Repeat("y", 60<<10), strings.Repeat("z", 60<<10)}, []int{1, 2}},
		"none for nothing":                {0, nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			api := api(t)
			var bodies [][]byte
			for _, body := range test.bodies {
				bodies = append(bodies, []byte(body))
			}
			if err := sender(t, scfwake.Config{Endpoint: api.Endpoint, PerInvoke: test.perInvoke}).Wake(t.Context(), bodies); err != nil {
				t.Fatal(err)
			}
			got, perCall := arrived(t, api)
			if !slices.Equal(got, test.bodies) || !slices.Equal(perCall, test.want) {
				t.Errorf("%d bodies arrived as %v, want %d as %v", len(got), perCall, len(test.bodies), test.want)
			}
		})
	}
}

func TestCredentialsAreReadAtEachCall(t *testing.T) {
	api := api(t)
	var calls atomic.Int32
	s := sender(t, scfwake.Config{Endpoint: api.Endpoint, Getenv: func(name string) string {
		if name == "TENCENTCLOUD_SESSIONTOKEN" {
			return "token-" + strconv.Itoa(int(calls.Load()))
		}
		return environment(name)
	}})
	for range 2 {
		if err := s.Wake(t.Context(), [][]byte{[]byte("x")}); err != nil {
			t.Fatal(err)
		}
		calls.Add(1)
	}
	if got := api.Calls(); got[0].Token != "token-0" || got[1].Token != "token-1" {
		t.Errorf("the tokens were %q and %q", got[0].Token, got[1].Token)
	}
}

func TestFailures(t *testing.T) {
	tests := map[string]struct {
		code    string
		times   int
		want    string // in the error, "" for success
		arrived int
	}{
		"one of the platform's own is tried again":     {"InternalError", 2, "", 1},
		"and so is being asked too often":              {"RequestLimitExceeded", 2, "", 1},
		"and so is a connection that is cut":           {"cut", 2, "", 1},
		"three times and no more":                      {"InternalError.System", 3, "1 of 1 wake-ups were not accepted", 0},
		"one that will not change is reported at once": {"UnauthorizedOperation.CAM", 1, "UnauthorizedOperation.CAM", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			api := api(t)
			api.FailCalls(test.times, test.code)
			err := sender(t, scfwake.Config{Endpoint: api.Endpoint}).Wake(t.Context(), [][]byte{[]byte("x")})
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
			if len(api.Calls()) != test.arrived {
				t.Errorf("%d arrived, want %d", len(api.Calls()), test.arrived)
			}
		})
	}
}

func TestBodiesThatCannotBeSentDoNotKeepTheOthersBack(t *testing.T) {
	api := api(t)
	err := sender(t, scfwake.Config{Endpoint: api.Endpoint}).Wake(t.Context(), [][]byte{{0xff}, bytes.Repeat([]byte("x"), 128<<10), []byte("good")})
	if err == nil || !strings.Contains(err.Error(), "2 of 3 wake-ups were not accepted") {
		t.Errorf("the error is %v", err)
	}
	if got, _ := arrived(t, api); !slices.Equal(got, []string{"good"}) {
		t.Errorf("%d arrived, want the good one", len(got))
	}
}

func TestAWrongSignatureIsRefused(t *testing.T) {
	api := api(t) // the judge itself is judged: it accepts only the right key
	err := sender(t, scfwake.Config{Endpoint: api.Endpoint, Getenv: func(name string) string {
		if name == "TENCENTCLOUD_SECRETKEY" {
			return "another"
		}
		return environment(name)
	}}).Wake(t.Context(), [][]byte{[]byte("x")})
	if err == nil || !strings.Contains(err.Error(), "SignatureFailure") || strings.Contains(err.Error(), "another") {
		t.Errorf("the error is %v", err)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	nothing := func(string) string { return "" }
	if _, err := scfwake.New(scfwake.Config{Getenv: nothing}); err == nil || !strings.Contains(err.Error(), "no function") {
		t.Errorf("without a function: %v", err)
	}
	if _, err := scfwake.New(scfwake.Config{Function: "deliver", Getenv: nothing}); err == nil || !strings.Contains(err.Error(), "TENCENTCLOUD_REGION") {
		t.Errorf("without a region: %v", err)
	}
	if _, err := scfwake.New(scfwake.Config{Function: "deliver", Region: "ap-guangzhou", Endpoint: "scf", Getenv: nothing}); err == nil || !strings.Contains(err.Error(), "endpoint") {
		t.Errorf("with half an endpoint: %v", err)
	}
	s := sender(t, scfwake.Config{Region: "ap-guangzhou", Getenv: nothing})
	if err := s.Wake(t.Context(), [][]byte{[]byte("x")}); err == nil || !strings.Contains(err.Error(), "TENCENTCLOUD_SECRETID") {
		t.Errorf("without credentials: %v", err)
	}
}

func TestTheCallersTimeEndsTheSending(t *testing.T) {
	api := api(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := sender(t, scfwake.Config{Endpoint: api.Endpoint}).Wake(ctx, [][]byte{[]byte("x")})
	if !errors.Is(err, context.Canceled) || len(api.Calls()) != 0 {
		t.Errorf("got %v and %d calls, want the cancellation and none", err, len(api.Calls()))
	}
}
