package platform_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/platform"
)

var errTickTime = errors.New("the tick was not told the time of the call")

func TestUnknownEventsAreNamedByTheirKeysOnly(t *testing.T) {
	tests := map[string]struct {
		event string
		want  string // in the error
	}{
		"an object of somebody else's":               {`{"b":"secret","a":1}`, "[a b]"},
		"an empty object":                            {`{}`, "[]"},
		"an event of S3":                             {`{"Records":[{"eventSource":"aws:s3","s3":"secret"}]}`, "[eventSource s3]"},
		"records that are no list":                   {`{"Records":"secret"}`, "Records is not a list"},
		"wake-ups that are no list":                  {`{"wakeups":"secret"}`, "wakeups is not a list"},
		"another EventBridge event":                  {`{"source":"aws.ec2","detail-type":"secret","detail":{}}`, "[detail detail-type source]"},
		"payload format 1.0":                         {`{"resource":"/{proxy+}","path":"/secret","httpMethod":"GET","requestContext":{}}`, "payload format version to 2.0"},
		"a load balancer":                            {`{"path":"/secret","httpMethod":"GET","requestContext":{"elb":{}}}`, "not supported"},
		"a trigger of another type":                  {`{"Type":"secret","Time":"now"}`, "[Time Type]"},
		"keys in other letters than documented":      {`{"records":[],"TYPE":"Timer"}`, "[TYPE records]"},
		"more keys than anybody wants to read":       {manyKeys(30), "…]"},
		"a key longer than anybody wants to read":    {`{"` + strings.Repeat("k", 500) + `":1}`, "…]"},
		"an SQS batch with a record of another kind": {`{"Records":[{"messageId":"1","body":"secret","eventSource":"aws:sqs"},{}]}`, "whole batch"},
		"a list":                               {`["secret"]`, "not a JSON object"},
		"null":                                 {`null`, "not a JSON object"},
		"no JSON":                              {`secret`, "not a JSON object"},
		"nothing":                              {``, "not a JSON object"},
		"a path of no string":                  {`{"rawPath":17,"requestContext":{}}`, "rawPath"},
		"no method":                            {`{"rawPath":"/","requestContext":{}}`, "no HTTP method"},
		"a body that only claims to be base64": {`{"rawPath":"/","requestContext":{"http":{"method":"GET"}},"isBase64Encoded":true,"body":"secret"}`, "not"},
		"a query value that is an object":      {`{"httpMethod":"GET","path":"/","queryString":{"a":{"secret":1}}}`, "documented types"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got seen
			answer, err := recorder(&got).Invoke(t.Context(), []byte(test.event))
			if err == nil {
				t.Fatalf("it was answered with %s", answer)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error %q does not say %q", err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error %q quotes a value of the event", err)
			}
			if len(err.Error()) > 1200 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if diff := cmp.Diff(seen{}, got); diff != "" {
				t.Errorf("a handler was called:\n%s", diff)
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"key` + strings.Repeat("x", i) + `":1`)
	}
	return "{" + b.String()[1:] + "}"
}

func TestAnEventOfASortThatIsNotServedIsAClearError(t *testing.T) {
	for _, name := range []string{
		"aws/send.httpapi.create.json", "aws/schedule.eventbridge.rule.json", "aws/deliver.sqs.one.json",
		"scf/send.functionurl.create.json", "scf/schedule.timer.tick.json", "scf/deliver.ckafka.batch.json", "scf/deliver.invoke.wakeups.json",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := platform.App{}.Invoke(t.Context(), readSample(t, name))
			if !errors.Is(err, platform.ErrNotServed) {
				t.Errorf("the error is %v, want ErrNotServed", err)
			}
		})
	}
}

func TestHandlersSeeADeadlineBeforeThePlatforms(t *testing.T) {
	tests := map[string]struct{ limit, want time.Duration }{
		"with time to spare the margin is kept back":         {30 * time.Second, 30*time.Second - platform.DeadlineMargin},
		"at four margins the margin is a quarter":            {2 * time.Second, 1500 * time.Millisecond},
		"with little time a quarter of it is kept back":      {time.Second, 750 * time.Millisecond},
		"with no time left there is nothing to be kept back": {-time.Second, -time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.limit)
				defer cancel()
				var got time.Duration
				app := platform.App{Timer: func(ctx context.Context, now time.Time) error {
					deadline, _ := ctx.Deadline()
					got = deadline.Sub(now)
					return nil
				}}
				if _, err := app.Invoke(ctx, readSample(t, "scf/schedule.timer.tick.json")); err != nil {
					t.Fatal(err)
				}
				if got != test.want {
					t.Errorf("the handler has %v, want %v", got, test.want)
				}
			})
		})
	}
	t.Run("where the platform has none there is none", func(t *testing.T) {
		app := platform.App{Timer: func(ctx context.Context, _ time.Time) error {
			if deadline, ok := ctx.Deadline(); ok {
				t.Errorf("the handler has the deadline %v", deadline)
			}
			return nil
		}}
		if _, err := app.Invoke(context.Background(), readSample(t, "scf/schedule.timer.tick.json")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestATickThatFailsFailsTheInvocation(t *testing.T) {
	cause := errors.New("the table is out of reach")
	app := platform.App{Timer: func(context.Context, time.Time) error { return cause }}
	if _, err := app.Invoke(t.Context(), readSample(t, "aws/schedule.eventbridge.rule.json")); !errors.Is(err, cause) {
		t.Errorf("the error is %v, want %v", err, cause)
	}
}

func TestAPanicIsLoggedWithItsPlaceAndNeverItsText(t *testing.T) {
	panics := map[string]struct {
		with func()
		want string // in the log
	}{
		"a string is logged by its type":    {func() { panic("secret") }, "panic=string"},
		"an error is logged by its type":    {func() { panic(errors.New("secret")) }, "panic=*errors.errorString"},
		"a runtime error is logged in full": {func() { var s []int; _ = s[len("secret")] }, "index out of range"},
	}
	for name, test := range panics {
		for _, sample := range []string{"aws/schedule.eventbridge.rule.json", "aws/deliver.sqs.one.json", "aws/manage.functionurl.console.json"} {
			t.Run(name+" from "+sample, func(t *testing.T) {
				var log bytes.Buffer
				app := platform.App{
					HTTP:  http.HandlerFunc(func(http.ResponseWriter, *http.Request) { test.with() }),
					Timer: func(context.Context, time.Time) error { test.with(); return nil },
					Queue: func(context.Context, []platform.Message) ([]string, error) { test.with(); return nil, nil },
					Log:   slog.New(slog.NewTextHandler(&log, nil)),
				}
				answer, err := app.Invoke(t.Context(), readSample(t, sample))
				if strings.Contains(sample, "console") {
					if err != nil || !strings.Contains(string(answer), `"statusCode":500`) {
						t.Errorf("got %s, %v; want an answer with status 500", answer, err)
					}
				} else if err == nil {
					t.Error("the invocation succeeded")
				}
				if all := string(answer) + log.String() + errorText(err); strings.Contains(all, "secret") {
					t.Errorf("the panic's text leaked:\n%s", all)
				}
				if !strings.Contains(log.String(), test.want) || !strings.Contains(log.String(), "invoke_test.go") {
					t.Errorf("the log lacks %q or the place:\n%s", test.want, log.String())
				}
			})
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzInvoke(f *testing.F) {
	for name := range samples {
		f.Add(readSample(f, name))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var got seen
		app := recorder(&got)
		app.Log = slog.New(slog.DiscardHandler)
		answer, err := app.Invoke(t.Context(), payload)
		if (answer == nil) == (err == nil) {
			t.Errorf("got the answer %q and the error %v, want one of them", answer, err)
		}
	})
}
