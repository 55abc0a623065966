package platformtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/yuexin-dev/yuexin/shared/platformtest"
	"github.com/yuexin-dev/yuexin/shared/scfwake"
)

// probe is the function that package platform tests its runtimes with. It prints the messages it handles.
const probe = "../platform/testdata/probe"

// waitFor polls until done reports true.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(8 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

func TestAQueueDeliversEveryMessageAndBuriesThePoison(t *testing.T) {
	queue := platformtest.NewSQS(t)
	client := sqs.New(sqs.Options{
		Region: "ap-southeast-1", BaseEndpoint: &queue.Endpoint, Credentials: credentials.NewStaticCredentialsProvider("fake", "fake", ""),
	})
	var bodies [][]byte
	for i := range 40 {
		bodies = append(bodies, fmt.Appendf(nil, `{"n":"<%d>"}`, i))
	}
	const poison = "this is no JSON"
	bodies = append(bodies, []byte(poison))
	for _, body := range bodies {
		_, err := client.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{
			QueueUrl: &queue.QueueURL, Entries: []types.SendMessageBatchRequestEntry{{Id: aws.String("0"), MessageBody: aws.String(string(body))}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	function := platformtest.Lambda(t, platformtest.Build(t, probe), nil)
	ctx, cancel := context.WithCancel(t.Context())
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		queue.Deliver(ctx, function, platformtest.SQSTrigger{Visibility: 200 * time.Millisecond, MaxReceive: 3, Duplicate: 0.3, Seed: 1})
	}()
	waitFor(t, "an empty queue", func() bool { return len(queue.Bodies()) == 0 })
	cancel()
	<-delivered

	logs := function.Logs()
	total := strings.Count(logs, "handled ")
	for _, body := range bodies[:40] {
		if !strings.Contains(logs, "handled "+string(body)) {
			t.Errorf("%s was never handled", body)
		}
	}
	if total <= 40 {
		t.Errorf("%d messages were handled: a share of 40 should have come twice", total)
	}
	if got := queue.DeadLetters(); len(got) != 1 || got[0] != poison {
		t.Errorf("the dead letters are %q, want the poison", got)
	}
}

func TestAnAsynchronousInvokeReachesTheFunction(t *testing.T) {
	binary := platformtest.Build(t, probe)
	for name, function := range map[string]platformtest.Runtime{
		"Go runtime":     platformtest.SCFGo(t, binary, nil),
		"custom runtime": platformtest.SCFCustom(t, binary, nil),
	} {
		t.Run(name, func(t *testing.T) {
			api := platformtest.NewSCFAPI(t, map[string]platformtest.Runtime{"deliver": function})
			sender, err := scfwake.New(scfwake.Config{
				Function: "deliver", Region: "ap-guangzhou", Endpoint: api.Endpoint, Getenv: func(string) string { return "fake" },
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := sender.Wake(t.Context(), [][]byte{[]byte(`{"n":1}`), []byte("this is no JSON"), []byte(`{"n":2}`)}); err != nil {
				t.Fatal(err)
			}
			api.Wait()
			for _, want := range []string{`handled {"n":1}`, `handled {"n":2}`, "wake-ups were dropped"} {
				// What a process wrote arrives a moment after its answer.
				waitFor(t, want, func() bool { return strings.Contains(function.Logs(), want) })
				if strings.Count(function.Logs(), want) != 1 {
					t.Errorf("want %q once in the log: a poison wake-up must not be repeated\n%s", want, function.Logs())
				}
			}
		})
	}
}

func TestAFunctionThatDoesNotStopInTimeIsKilledAndStartedAgain(t *testing.T) {
	binary := platformtest.Build(t, probe)
	lambda, custom, scfGo := platformtest.Lambda(t, binary, nil), platformtest.SCFCustom(t, binary, nil), platformtest.SCFGo(t, binary, nil)
	lambda.Timeout, custom.Timeout, scfGo.Timeout = 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
	for name, function := range map[string]platformtest.Runtime{"Lambda": lambda, "custom runtime": custom, "Go runtime": scfGo} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			event := func(path string) []byte {
				return []byte(`{"httpMethod":"POST","path":"` + path + `","headers":{},"queryString":{},"body":""}`)
			}
			_, err := function.Invoke(t.Context(), event("/stubborn"))
			var failure *platformtest.FunctionError
			if !errors.As(err, &failure) || !strings.Contains(failure.Message, "timed out after") {
				t.Errorf("the failure is %v, want the platform's time limit", err)
			}
			if answer, err := function.Invoke(t.Context(), event("/echo/again")); err != nil || !strings.Contains(string(answer), "/echo/again") {
				t.Errorf("after that it answered %s, %v", answer, err)
			}
		})
	}
}
