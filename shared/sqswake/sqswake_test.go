package sqswake_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/platformtest"
	"github.com/yuexin-dev/yuexin/shared/sqswake"
)

// sdk is the SDK's own client behind the package's interface: the two must mean the same by every member.
type sdk struct{ *sqs.Client }

func (c sdk) SendMessageBatch(ctx context.Context, queueURL string, entries []sqswake.Entry) ([]sqswake.Failure, error) {
	input := sqs.SendMessageBatchInput{QueueUrl: &queueURL}
	for _, e := range entries {
		input.Entries = append(input.Entries, types.SendMessageBatchRequestEntry{Id: &e.ID, MessageBody: &e.MessageBody})
	}
	output, err := c.Client.SendMessageBatch(ctx, &input)
	if err != nil {
		return nil, err
	}
	var failed []sqswake.Failure
	for _, f := range output.Failed {
		failed = append(failed, sqswake.Failure{ID: *f.Id, SenderFault: f.SenderFault, Code: *f.Code, Message: *f.Message})
	}
	return failed, nil
}

// client returns the SDK's client for a queue. It retries nothing, so that the tests see each call.
func client(queue *platformtest.SQS) sdk {
	return sdk{sqs.New(sqs.Options{
		Region: "ap-southeast-1", BaseEndpoint: &queue.Endpoint, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("fake", "fake", ""),
	})}
}

func bodies(n int) (all [][]byte, texts []string) {
	for i := range n {
		text := `{"n":` + strconv.Itoa(i) + `,"名":"<约信>"}`
		all, texts = append(all, []byte(text)), append(texts, text)
	}
	return all, texts
}

func TestWakeUpsArriveWhateverTheirNumber(t *testing.T) {
	for n, calls := range map[int]int{0: 0, 1: 1, 10: 1, 11: 2, 95: 10} {
		queue := platformtest.NewSQS(t)
		all, want := bodies(n)
		if err := sqswake.New(client(queue), queue.QueueURL).Wake(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(append([]string{}, want...), queue.Bodies()); diff != "" {
			t.Errorf("%d wake-ups (-want +got):\n%s", n, diff)
		}
		if queue.Calls() != calls {
			t.Errorf("%d wake-ups took %d calls, want %d", n, queue.Calls(), calls)
		}
	}
}

func TestACallCarriesNoMoreThanSQSTakes(t *testing.T) {
	queue := platformtest.NewSQS(t)
	large := bytes.Repeat([]byte("x"), 400<<10) // two of these fit into 1 MiB, three do not
	if err := sqswake.New(client(queue), queue.QueueURL).Wake(t.Context(), [][]byte{large, large, large}); err != nil {
		t.Fatal(err)
	}
	if queue.Calls() != 2 || len(queue.Bodies()) != 3 {
		t.Errorf("%d calls brought %d messages, want 2 and 3", queue.Calls(), len(queue.Bodies()))
	}
}

func TestWhatSQSCouldNotTakeIsOfferedAgain(t *testing.T) {
	queue := platformtest.NewSQS(t)
	queue.RefuseFirstEntry(2, false)
	all, _ := bodies(3)
	if err := sqswake.New(client(queue), queue.QueueURL).Wake(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if queue.Calls() != 3 || len(queue.Bodies()) != 3 {
		t.Errorf("%d calls brought %v, want 3 calls and each message once", queue.Calls(), queue.Bodies())
	}
}

func TestWhatWasNotAcceptedIsCounted(t *testing.T) {
	tests := map[string]struct {
		prepare func(*platformtest.SQS)
		bodies  int
		want    string // in the error
		arrived int
		calls   int
	}{
		"an entry that SQS could not take three times":             {func(q *platformtest.SQS) { q.RefuseFirstEntry(3, false) }, 3, "1 wake-ups were not accepted", 2, 3},
		"an entry that is the sender's fault is not offered again": {func(q *platformtest.SQS) { q.RefuseFirstEntry(1, true) }, 3, "1 wake-ups were not accepted", 2, 1},
		"a call that fails ends the sending":                       {func(q *platformtest.SQS) { q.FailCalls(1, http.StatusServiceUnavailable) }, 25, "25 wake-ups were not accepted", 0, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			queue := platformtest.NewSQS(t)
			test.prepare(queue)
			all, _ := bodies(test.bodies)
			err := sqswake.New(client(queue), queue.QueueURL).Wake(t.Context(), all)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
			if len(queue.Bodies()) != test.arrived || queue.Calls() != test.calls {
				t.Errorf("%d messages arrived in %d calls, want %d in %d", len(queue.Bodies()), queue.Calls(), test.arrived, test.calls)
			}
		})
	}
	t.Run("a body that is no text does not keep the others back", func(t *testing.T) {
		queue := platformtest.NewSQS(t)
		err := sqswake.New(client(queue), queue.QueueURL).Wake(t.Context(), [][]byte{{0xff}, []byte("text")})
		if err == nil || !strings.Contains(err.Error(), "not UTF-8") || !cmp.Equal(queue.Bodies(), []string{"text"}) {
			t.Errorf("got %v and the messages %q", err, queue.Bodies())
		}
	})
}

// refusing accepts nothing, for reasons of its own.
type refusing struct{ calls int }

func (r *refusing) SendMessageBatch(_ context.Context, _ string, entries []sqswake.Entry) (failed []sqswake.Failure, err error) {
	r.calls++
	for _, entry := range entries {
		failed = append(failed, sqswake.Failure{ID: entry.ID, Code: "InternalError"})
	}
	return failed, nil
}

func TestOfferingAgainEndsWithTheCallersTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
		defer cancel()
		var queue refusing
		err := sqswake.New(&queue, "https://sqs/1/q").Wake(ctx, [][]byte{[]byte("a")})
		if !errors.Is(err, context.DeadlineExceeded) || queue.calls != 2 {
			t.Errorf("got %v after %d calls, want the deadline after 2", err, queue.calls)
		}
	})
}
