package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/platformtest"
)

// runtimes start the probe on each platform; limit is the function's time limit.
var runtimes = map[string]func(t testing.TB, binary string, env map[string]string, limit time.Duration) platformtest.Runtime{
	"Lambda": func(t testing.TB, binary string, env map[string]string, limit time.Duration) platformtest.Runtime {
		p := platformtest.Lambda(t, binary, env)
		p.Timeout = limit
		return p
	},
	"SCF Go": func(t testing.TB, binary string, env map[string]string, limit time.Duration) platformtest.Runtime {
		p := platformtest.SCFGo(t, binary, env)
		p.Timeout = limit
		return p
	},
	"SCF custom": func(t testing.TB, binary string, env map[string]string, limit time.Duration) platformtest.Runtime {
		p := platformtest.SCFCustom(t, binary, env)
		p.Timeout = limit
		return p
	},
}

// on runs a test on every platform, at the same time: each has a process of its own.
func on(t *testing.T, test func(t *testing.T, start func(env map[string]string, limit time.Duration) platformtest.Runtime)) {
	binary := probe(t)
	for name, runtime := range runtimes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, func(env map[string]string, limit time.Duration) platformtest.Runtime {
				return runtime(t, binary, env, limit)
			})
		})
	}
}

// probe builds testdata/probe once for all tests.
func probe(t *testing.T) string {
	t.Helper()
	probeOnce.Do(func() {
		// The folder must outlive the test that happens to come first.
		probeBinary = platformtest.Build(keeper{t, probeFolder}, "./testdata/probe")
	})
	if probeBinary == "" {
		t.Fatal("the probe could not be built; an earlier test says why")
	}
	return probeBinary
}

var (
	probeOnce   sync.Once
	probeBinary string
	probeFolder string
)

// keeper is a testing.TB whose temporary folder lives as long as the whole test binary.
type keeper struct {
	testing.TB
	folder string
}

func (k keeper) TempDir() string { return k.folder }

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "yuexin-probe-")
	if err != nil {
		panic(err)
	}
	probeFolder = folder
	code := m.Run()
	_ = os.RemoveAll(folder) // what is left is in the system's temporary folder
	os.Exit(code)
}

// echo asks the probe to repeat a request, in the form of a gateway that all platforms know.
func echo(path, body string) []byte {
	return []byte(object(map[string]any{"httpMethod": "POST", "path": path, "headers": map[string]string{}, "queryString": map[string]string{"q": "1"}, "body": body}))
}

func TestEveryRuntimeServesRequests(t *testing.T) {
	on(t, func(t *testing.T, start func(map[string]string, time.Duration) platformtest.Runtime) {
		function := start(map[string]string{"PROBE_GREETING": "你好"}, 10*time.Second)
		for range 3 {
			raw, err := function.Invoke(t.Context(), echo("/echo/a", "约信"))
			if err != nil {
				t.Fatal(err)
			}
			var got response
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Fatal(err)
			}
			want := response{StatusCode: 200, Headers: map[string]any{"Content-Type": "text/plain; charset=utf-8", "X-Greeting": "你好"}, Body: "/echo/a q=1 约信"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		raw, err := function.Invoke(t.Context(), echo("/request-id", ""))
		if err != nil || !strings.Contains(string(raw), "00000000-0000-4000-8000-000000000004 of probe") {
			t.Errorf("the request ID is not the platform's: %s, %v", raw, err)
		}
	})
}

func TestEveryRuntimeSurvivesWhatAHandlerDoes(t *testing.T) {
	on(t, func(t *testing.T, start func(map[string]string, time.Duration) platformtest.Runtime) {
		function := start(nil, 10*time.Second)
		sqs := func(bodies ...string) []byte {
			var records []any
			for i, body := range bodies {
				records = append(records, map[string]string{"messageId": "m" + strconv.Itoa(i), "eventSource": "aws:sqs", "body": body})
			}
			return []byte(object(map[string]any{"Records": records}))
		}
		steps := []struct {
			what    string
			event   []byte
			want    string // part of the answer
			failure string // part of the error
		}{
			{"a panic in a request", echo("/panic", ""), `"code\":\"internal\"`, ""},
			{"a message that fails", sqs(`{}`, `not JSON`), `{"batchItemFailures":[{"itemIdentifier":"m1"}]}`, ""},
			{"an error of the queue", sqs(`{"do":"error"}`), "", "the table is out of reach"},
			{"a panic in the queue", sqs(`{"do":"panic"}`), "", "the function panicked"},
			{"an event of a sort that is not served", readSample(t, "scf/schedule.timer.tick.json"), "", "does not serve events of this sort"},
			{"an event that is none", []byte(`{"foo":"a secret"}`), "", "unknown event with the keys [foo]"},
			{"a request after all that", echo("/echo/still-here", ""), "/echo/still-here", ""},
		}
		for _, step := range steps {
			answer, err := function.Invoke(t.Context(), step.event)
			var failure *platformtest.FunctionError
			switch {
			case step.failure == "" && (err != nil || !strings.Contains(string(answer), step.want)):
				t.Errorf("%s: got %s, %v; want %s", step.what, answer, err, step.want)
			case step.failure != "" && (!errors.As(err, &failure) || !strings.Contains(failure.Message, step.failure)):
				t.Errorf("%s: got %s, %v; want the failure %q", step.what, answer, err, step.failure)
			}
		}
		if strings.Contains(function.Logs(), "a secret") {
			t.Errorf("the log quotes what it should not:\n%s", function.Logs())
		}
	})
}

func TestEveryRuntimeStopsWorkBeforeItsDeadline(t *testing.T) {
	on(t, func(t *testing.T, start func(map[string]string, time.Duration) platformtest.Runtime) {
		const limit = 2 * time.Second // a quarter of it is the margin
		function := start(nil, limit)
		if _, err := function.Invoke(t.Context(), echo("/echo/warm-up", "")); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		raw, err := function.Invoke(t.Context(), echo("/patient", ""))
		if err != nil {
			t.Fatalf("the platform's deadline came first: %v", err)
		}
		if took := time.Since(began); took < time.Second || took >= limit {
			t.Errorf("the work was stopped after %v, want about 1.5s: %s", took, raw)
		}
	})
}

func TestTheGoRuntimeFallsBackOnTheTimeLimit(t *testing.T) {
	function := platformtest.SCFGo(t, probe(t), nil)
	function.Timeout, function.NoDeadline = 2*time.Second, true
	began := time.Now()
	raw, err := function.Invoke(t.Context(), echo("/patient", ""))
	if took := time.Since(began); err != nil || took < time.Second {
		t.Errorf("got %s, %v after %v; want an answer after about 1.5s", raw, err, took)
	}
}

func TestAFunctionThatDoesNotStart(t *testing.T) {
	on(t, func(t *testing.T, start func(map[string]string, time.Duration) platformtest.Runtime) {
		obstacle := filepath.Join(t.TempDir(), "obstacle")
		if err := os.WriteFile(obstacle, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		function := start(map[string]string{"PROBE_FAIL_WHILE": obstacle}, 10*time.Second)
		for range 2 {
			_, err := function.Invoke(t.Context(), echo("/echo/a", ""))
			var failure *platformtest.FunctionError
			if !errors.As(err, &failure) || !strings.Contains(failure.Message, "function probe did not start: the secret store\nis out of reach") {
				t.Errorf("the failure is %v", err)
			}
		}
		if err := os.Remove(obstacle); err != nil {
			t.Fatal(err)
		}
		if answer, err := function.Invoke(t.Context(), echo("/echo/a", "")); err != nil || !strings.Contains(string(answer), "/echo/a") {
			t.Errorf("with the obstacle gone: %s, %v", answer, err)
		}
	})
}

func TestTheEndOfAProcess(t *testing.T) {
	on(t, func(t *testing.T, start func(map[string]string, time.Duration) platformtest.Runtime) {
		flushed := filepath.Join(t.TempDir(), "flushed")
		function := start(map[string]string{"PROBE_CLOSED": flushed}, 10*time.Second)
		if _, err := function.Invoke(t.Context(), echo("/echo/a", "")); err != nil {
			t.Fatal(err)
		}
		function.Kill()
		if _, err := os.Stat(flushed); err == nil {
			t.Error("a killed process was flushed")
		}
		if _, err := function.Invoke(t.Context(), echo("/echo/a", "")); err != nil {
			t.Fatalf("after a crash: %v", err)
		}
		if _, ok := function.(*platformtest.LambdaProcess); ok {
			return // Lambda sends no SIGTERM
		}
		function.Terminate()
		if content, err := os.ReadFile(flushed); err != nil || string(content) != "flushed" {
			t.Errorf("after SIGTERM the file holds %q, %v", content, err)
		}
	})
}

func TestConcurrentInvocationsOfOneProcess(t *testing.T) {
	tests := map[string]platformtest.Runtime{
		"SCF Go": platformtest.SCFGo(t, probe(t), nil),
		"Lambda": platformtest.Lambda(t, probe(t), map[string]string{"AWS_LAMBDA_MAX_CONCURRENCY": "4"}),
	}
	for name, function := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var callers sync.WaitGroup
			for caller := range 8 {
				callers.Go(func() {
					for i := range 20 {
						path := "/echo/" + strconv.Itoa(caller) + "/" + strconv.Itoa(i)
						answer, err := function.Invoke(context.Background(), echo(path, ""))
						if err != nil || !strings.Contains(string(answer), `"`+path+" q=1 ") {
							t.Errorf("%s was answered with %s, %v", path, answer, err)
						}
					}
				})
			}
			callers.Wait()
		})
	}
}

func TestGatewaysInFrontOfAFunction(t *testing.T) {
	gateways := map[string]http.Handler{
		"HTTP API on Lambda":   platformtest.HTTPAPI(platformtest.Lambda(t, probe(t), map[string]string{"PROBE_GREETING": "hi"})),
		"function URL on SCF":  platformtest.SCFURL(platformtest.SCFGo(t, probe(t), map[string]string{"PROBE_GREETING": "hi"})),
		"function URL, custom": platformtest.SCFURL(platformtest.SCFCustom(t, probe(t), map[string]string{"PROBE_GREETING": "hi"})),
	}
	for name, gateway := range gateways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(gateway)
			defer server.Close()
			r, err := http.Post(server.URL+"/echo/x?b=2&a=%E7%BA%A6", "application/json", strings.NewReader(`{"名":1}`))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			want := `/echo/x b=2&a=%E7%BA%A6 {"名":1}`
			if strings.Contains(name, "URL") {
				want = `/echo/x a=%E7%BA%A6&b=2 {"名":1}` // SCF takes the query apart
			}
			if r.StatusCode != 200 || string(body) != want || r.Header.Get("X-Greeting") != "hi" {
				t.Errorf("got %d %q with the greeting %q, want %q", r.StatusCode, body, r.Header.Get("X-Greeting"), want)
			}
		})
	}
}

func TestOutsideOfACloudTheProgramEndsWithOneLine(t *testing.T) {
	command := exec.Command(probe(t))
	command.Env = []string{}
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, want exit code 1", err)
	}
	text := string(out)
	for _, want := range []string{"_LAMBDA_SERVER_PORT", "SCF_RUNTIME_API", "AWS_LAMBDA_RUNTIME_API", "standalone", "probe"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not mention %s: %s", want, text)
		}
	}
	if strings.Count(text, "\n") != 1 {
		t.Errorf("it wrote more than one line:\n%s", text)
	}
}

func TestTencentIsLookedForFirst(t *testing.T) {
	// The runtime API that is announced does not exist: whoever tried it first would fail.
	function := platformtest.SCFGo(t, probe(t), nil)
	function.Setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
	function.Setenv("SCF_RUNTIME_API", "127.0.0.1")
	if _, err := function.Invoke(t.Context(), echo("/echo/a", "")); err != nil {
		t.Error(err)
	}
}
