package platformtest

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// SQS is a standard queue of Amazon SQS with what is unpleasant about one: messages come in any order, may
// come twice, and come back when nobody deletes them in time.
type SQS struct {
	// Endpoint is the base URL for the SDK's client, QueueURL the queue's own.
	Endpoint, QueueURL string

	mu       sync.Mutex
	sequence int
	messages []*sqsMessage
	dead     []string
	faults   []func([]sendEntry) *sendFault
	calls    int
}

type sqsMessage struct {
	id, body string
	visible  time.Time
	received int
	doubled  bool
}

type sendEntry struct{ ID, MessageBody string }

// sendFault is what a call comes to in place of success.
type sendFault struct {
	status int // of the whole call; 0 for an ordinary answer
	failed map[string]batchFailure
}

type batchFailure struct {
	ID          string `json:"Id"`
	SenderFault bool
	Code        string
	Message     string
}

// NewSQS returns an empty queue on a loopback address.
func NewSQS(t testing.TB) *SQS {
	q := &SQS{}
	server := httptest.NewServer(http.HandlerFunc(q.handle))
	t.Cleanup(server.Close)
	q.Endpoint = server.URL
	q.QueueURL = server.URL + "/123456789012/yuexin-wakeups"
	return q
}

// FailCalls makes the next n calls fail as a whole with an HTTP status.
func (q *SQS) FailCalls(n, status int) {
	q.addFaults(n, func([]sendEntry) *sendFault { return &sendFault{status: status} })
}

// RefuseFirstEntry makes the next n calls accept all entries but their first. senderFault says whether that is
// blamed on the sender.
func (q *SQS) RefuseFirstEntry(n int, senderFault bool) {
	q.addFaults(n, func(entries []sendEntry) *sendFault {
		id := entries[0].ID
		return &sendFault{failed: map[string]batchFailure{id: {ID: id, SenderFault: senderFault, Code: "InternalError", Message: "try again"}}}
	})
}

func (q *SQS) addFaults(n int, fault func([]sendEntry) *sendFault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for range n {
		q.faults = append(q.faults, fault)
	}
}

// Calls returns how many calls arrived, failed ones included.
func (q *SQS) Calls() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.calls
}

// Bodies returns the bodies of all messages in the queue, in the order of their arrival.
func (q *SQS) Bodies() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	bodies := []string{}
	for _, m := range q.messages {
		bodies = append(bodies, m.body)
	}
	return bodies
}

// DeadLetters returns the bodies of messages that were received too often.
func (q *SQS) DeadLetters() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]string{}, q.dead...)
}

// handle speaks the AWS JSON protocol as far as SendMessageBatch needs it.
func (q *SQS) handle(w http.ResponseWriter, r *http.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls++
	fail := func(status int, code string) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"__type":"com.amazonaws.sqs#%s","message":"by request of the test"}`, code)
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=") || r.Header.Get("X-Amz-Date") == "" {
		fail(http.StatusForbidden, "MissingAuthenticationToken")
		return
	}
	var input struct {
		QueueURL string `json:"QueueUrl"`
		Entries  []sendEntry
	}
	if err := json.NewDecoder(r.Body).Decode(&input); err != nil || r.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessageBatch" {
		fail(http.StatusBadRequest, "UnsupportedOperation")
		return
	}
	size, ids := 0, map[string]bool{}
	for _, e := range input.Entries {
		size += len(e.MessageBody)
		ids[e.ID] = true
	}
	switch {
	case input.QueueURL != q.QueueURL:
		fail(http.StatusBadRequest, "QueueDoesNotExist")
		return
	case len(input.Entries) == 0:
		fail(http.StatusBadRequest, "EmptyBatchRequest")
		return
	case len(input.Entries) > 10:
		fail(http.StatusBadRequest, "TooManyEntriesInBatchRequest")
		return
	case len(ids) != len(input.Entries):
		fail(http.StatusBadRequest, "BatchEntryIdsNotDistinct")
		return
	case size > 1<<20:
		fail(http.StatusBadRequest, "BatchRequestTooLong")
		return
	}
	var fault sendFault
	if len(q.faults) > 0 {
		fault = *q.faults[0](input.Entries)
		q.faults = q.faults[1:]
	}
	if fault.status != 0 {
		fail(fault.status, "ServiceUnavailable")
		return
	}
	type success struct {
		ID               string `json:"Id"`
		MessageID        string `json:"MessageId"`
		MD5OfMessageBody string
	}
	output := struct {
		Successful []success
		Failed     []batchFailure
	}{}
	for _, e := range input.Entries {
		if f, ok := fault.failed[e.ID]; ok {
			output.Failed = append(output.Failed, f)
			continue
		}
		q.sequence++
		id := fmt.Sprintf("00000000-0000-4000-8000-%012d", q.sequence)
		q.messages = append(q.messages, &sqsMessage{id: id, body: e.MessageBody})
		sum := md5.Sum([]byte(e.MessageBody))
		output.Successful = append(output.Successful, success{e.ID, id, hex.EncodeToString(sum[:])})
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(output) // a client that has gone away needs no answer
}

// SQSTrigger is an event source mapping with ReportBatchItemFailures.
type SQSTrigger struct {
	BatchSize  int           // messages per invocation; 0 means 10
	Visibility time.Duration // how long a received message stays hidden; 0 means 1 s
	MaxReceive int           // receipts before a message is a dead letter; 0 means 5
	Pollers    int           // invocations at a time; 0 means 2
	Duplicate  float64       // share of handled messages that come once more
	Seed       uint64        // of the order and the duplicates
}

// Deliver hands messages to the function until ctx ends, as Lambda's event source mapping does.
func (q *SQS) Deliver(ctx context.Context, function Runtime, trigger SQSTrigger) {
	if trigger.BatchSize == 0 {
		trigger.BatchSize = 10
	}
	if trigger.Visibility == 0 {
		trigger.Visibility = time.Second
	}
	if trigger.MaxReceive == 0 {
		trigger.MaxReceive = 5
	}
	if trigger.Pollers == 0 {
		trigger.Pollers = 2
	}
	var pollers sync.WaitGroup
	for i := range trigger.Pollers {
		random := rand.New(rand.NewPCG(trigger.Seed, uint64(i)))
		pollers.Go(func() {
			for ctx.Err() == nil {
				batch := q.receive(trigger, random)
				if len(batch) == 0 {
					select {
					case <-time.After(5 * time.Millisecond):
					case <-ctx.Done():
					}
					continue
				}
				answer, err := function.Invoke(ctx, sqsEvent(batch))
				if err == nil {
					q.settle(batch, answer, trigger, random)
				} // otherwise the whole batch comes back when its time is over
			}
		})
	}
	pollers.Wait()
}

// receive takes a batch of visible messages in random order.
func (q *SQS) receive(trigger SQSTrigger, random *rand.Rand) []sqsMessage {
	q.mu.Lock()
	defer q.mu.Unlock()
	var batch []sqsMessage
	now := time.Now()
	for _, i := range random.Perm(len(q.messages)) {
		m := q.messages[i]
		if len(batch) == trigger.BatchSize || m.visible.After(now) {
			continue
		}
		if m.received++; m.received > trigger.MaxReceive {
			q.dead = append(q.dead, m.body)
			m.id = ""
			continue
		}
		m.visible = now.Add(trigger.Visibility)
		batch = append(batch, *m)
	}
	q.messages = keep(q.messages, func(m *sqsMessage) bool { return m.id != "" })
	return batch
}

// settle deletes what was handled. An answer that names an unknown message, or is no answer at all, fails the
// whole batch, as documented.
func (q *SQS) settle(batch []sqsMessage, answer []byte, trigger SQSTrigger, random *rand.Rand) {
	var report struct {
		BatchItemFailures []struct {
			ItemIdentifier string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(answer, &report); err != nil {
		return
	}
	handled := map[string]bool{}
	for _, m := range batch {
		handled[m.id] = true
	}
	for _, failure := range report.BatchItemFailures {
		if _, known := handled[failure.ItemIdentifier]; !known {
			return
		}
		handled[failure.ItemIdentifier] = false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages = keep(q.messages, func(m *sqsMessage) bool {
		if !handled[m.id] {
			return true
		}
		if m.doubled || random.Float64() >= trigger.Duplicate {
			return false
		}
		m.doubled, m.received = true, 0
		return true
	})
}

func keep(messages []*sqsMessage, wanted func(*sqsMessage) bool) []*sqsMessage {
	kept := messages[:0]
	for _, m := range messages {
		if wanted(m) {
			kept = append(kept, m)
		}
	}
	clear(messages[len(kept):])
	return kept
}

func sqsEvent(batch []sqsMessage) []byte {
	records := []map[string]any{}
	for _, m := range batch {
		sum := md5.Sum([]byte(m.body))
		records = append(records, map[string]any{
			"messageId": m.id, "receiptHandle": "AQEB" + m.id, "body": m.body, "md5OfBody": hex.EncodeToString(sum[:]),
			"attributes":        map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.received)},
			"messageAttributes": map[string]any{}, "eventSource": "aws:sqs",
			"eventSourceARN": "arn:aws:sqs:ap-southeast-1:123456789012:yuexin-wakeups", "awsRegion": "ap-southeast-1",
		})
	}
	payload, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		panic("platformtest: an SQS event of strings cannot fail to encode: " + err.Error())
	}
	return payload
}
