package platform_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/yuexin-dev/yuexin/shared/platform"
)

// queue returns an App whose queue handler answers as given, and its log.
func queue(failed []string, err error) (platform.App, *bytes.Buffer) {
	var log bytes.Buffer
	return platform.App{
		Queue: func(context.Context, []platform.Message) ([]string, error) { return failed, err },
		Log:   slog.New(slog.NewTextHandler(&log, nil)),
	}, &log
}

func TestSQSIsToldExactlyWhatToDeliverAgain(t *testing.T) {
	const first, second = "059f36b4-87a3-44ab-83d2-661975830a7d", "2e1424d4-f796-459a-8184-9c92662be6da"
	tests := map[string]struct {
		failed []string
		err    error
		want   string // the answer; "" where the whole batch must fail
	}{
		"nothing when all went well":              {nil, nil, `{"batchItemFailures":[]}`},
		"the one that failed":                     {[]string{second}, nil, `{"batchItemFailures":[{"itemIdentifier":"` + second + `"}]}`},
		"each failed one once":                    {[]string{second, first, second}, nil, `{"batchItemFailures":[{"itemIdentifier":"` + second + `"},{"itemIdentifier":"` + first + `"}]}`},
		"the whole batch when the handler failed": {nil, errors.New("out of reach"), ""},
		"the whole batch when both are reported":  {[]string{first}, errors.New("out of reach"), ""},
		"the whole batch when an ID is made up":   {[]string{"made-up"}, nil, ""},
		"the whole batch when an ID is empty":     {[]string{""}, nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			app, _ := queue(test.failed, test.err)
			answer, err := app.Invoke(t.Context(), readSample(t, "aws/deliver.sqs.batch.json"))
			if test.want == "" {
				if err == nil {
					t.Fatalf("the batch succeeded with %s", answer)
				}
				if test.err != nil && !errors.Is(err, test.err) {
					t.Errorf("the error %v hides its cause", err)
				}
				return
			}
			if err != nil || string(answer) != test.want {
				t.Errorf("got %s, %v; want %s", answer, err, test.want)
			}
		})
	}
}

func TestAnEmptyBatchIsNothingToDo(t *testing.T) {
	app := platform.App{} // no handler, and none is missed
	answer, err := app.Invoke(t.Context(), []byte(`{"Records":[]}`))
	if err != nil || string(answer) != `{"batchItemFailures":[]}` {
		t.Errorf("got %s, %v", answer, err)
	}
}

func TestASourceThatRepeatsForEverIsNeverToldOfAFailure(t *testing.T) {
	handlers := map[string]func() ([]string, error){
		"a message that fails":  func() ([]string, error) { return []string{"0"}, nil },
		"a handler that fails":  func() ([]string, error) { return nil, errors.New("out of reach") },
		"a handler that panics": func() ([]string, error) { panic("poison") },
	}
	for what, handler := range handlers {
		for _, sample := range []string{"scf/deliver.ckafka.batch.json", "scf/deliver.cmq.tag-text.json", "scf/deliver.invoke.wakeups.json"} {
			t.Run(what+" of "+sample, func(t *testing.T) {
				app, log := queue(nil, nil)
				app.Queue = func(context.Context, []platform.Message) ([]string, error) { return handler() }
				answer, err := app.Invoke(t.Context(), readSample(t, sample))
				if err != nil || string(answer) != "null" {
					t.Errorf("got %s, %v; want null", answer, err)
				}
				if !strings.Contains(log.String(), "wake-ups were dropped") {
					t.Errorf("the loss is not in the log:\n%s", log)
				}
			})
		}
	}
}

func TestAMalformedRecordCostsNothingButItself(t *testing.T) {
	events := map[string]struct{ event, want string }{
		"a record that is no object":       {`{"Records":[17,{"Ckafka":{"topic":"t","partition":0,"offset":7,"msgBody":"good"}}]}`, "t/0/7 good"},
		"a record whose body is no string": {`{"Records":[{"Ckafka":{"topic":"t","partition":0,"offset":7,"msgBody":"good"}},{"Ckafka":{"msgBody":{}}}]}`, "t/0/7 good"},
		"a record of another kind":         {`{"Records":[{"cos":{}},{"CMQ":{"msgId":"1","msgBody":"good","msgTag":17}}]}`, "1 good"},
	}
	for name, test := range events {
		t.Run(name, func(t *testing.T) {
			var got seen
			app := recorder(&got)
			var log bytes.Buffer
			app.Log = slog.New(slog.NewTextHandler(&log, nil))
			if _, err := app.Invoke(t.Context(), []byte(test.event)); err != nil {
				t.Fatal(err)
			}
			if len(got.Messages) != 1 || got.Messages[0] != test.want {
				t.Errorf("the handler got %q, want %q", got.Messages, test.want)
			}
			if !strings.Contains(log.String(), "malformed wake-ups were dropped") {
				t.Errorf("the loss is not in the log:\n%s", &log)
			}
		})
	}
}

// SCF repeats a failed batch up to 10,000 times, and not one of them would go better.
func TestABatchOfMalformedRecordsOnlyIsDroppedToo(t *testing.T) {
	for name, event := range map[string]string{
		"a body that is no string":  `{"Records":[{"Ckafka":{"msgBody":{}}}]}`,
		"no object where one is":    `{"Records":[{"Ckafka":17},{"Ckafka":null}]}`,
		"CMQ":                       `{"Records":[{"CMQ":{"msgBody":["x"]}}]}`,
		"one that has no key known": `{"Records":[17,{"CMQ":{"msgId":5}},{"cos":{}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			app, log := queue(nil, errors.New("the handler was called"))
			answer, err := app.Invoke(t.Context(), []byte(event))
			if err != nil || string(answer) != "null" {
				t.Errorf("got %s, %v; want null", answer, err)
			}
			if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "malformed wake-ups were dropped") || strings.Contains(log.String(), `source=""`) {
				t.Errorf("the loss is not in the log:\n%s", log)
			}
		})
	}
	for name, event := range map[string]string{
		"records of another source":    `{"Records":[{"cos":{}},{"cos":{}}]}`,
		"no objects":                   `{"Records":[17,"x"]}`,
		"SQS messages that are broken": `{"Records":[{"eventSource":"aws:sqs","messageId":5}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			app, _ := queue(nil, nil)
			var unknown *platform.UnknownEventError
			if answer, err := app.Invoke(t.Context(), []byte(event)); !errors.As(err, &unknown) {
				t.Errorf("got %s, %v; want that the event is unknown", answer, err)
			}
		})
	}
}
