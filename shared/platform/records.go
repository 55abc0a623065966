package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// record is one entry of "Records", the key that SQS, CKafka and CMQ share. Exactly one of its parts is
// present.
type record struct {
	MessageID   string `json:"messageId"` // SQS
	Body        string `json:"body"`
	EventSource string `json:"eventSource"`

	Ckafka *struct {
		Topic     string `json:"topic"`
		Partition int64  `json:"partition"`
		Offset    int64  `json:"offset"`
		Body      string `json:"msgBody"`
	} `json:"Ckafka"`

	CMQ *struct {
		ID   string `json:"msgId"`
		Body string `json:"msgBody"`
	} `json:"CMQ"`
}

// classifyRecords tells the three sources of records apart by what their entries contain. Entries are
// decoded one by one, so that a malformed one from a source without redelivery does not cost the others.
func classifyRecords(top map[string]json.RawMessage) (event, error) {
	var raw []json.RawMessage
	if json.Unmarshal(top["Records"], &raw) != nil {
		return nil, &UnknownEventError{Keys: names(top), Hint: "Records is not a list"}
	}
	if len(raw) == 0 {
		return sqsBatch{}, nil // nothing to do, whoever sent it
	}
	var sqs sqsBatch
	wake := wakeBatch{}
	for _, entry := range raw {
		var r record
		switch err := json.Unmarshal(entry, &r); {
		case err != nil:
			wake.malform(entry)
		case r.EventSource == "aws:sqs" && r.MessageID != "":
			sqs.messages = append(sqs.messages, Message{ID: r.MessageID, Body: []byte(r.Body)})
		case r.Ckafka != nil:
			wake.source = "CKafka"
			id := r.Ckafka.Topic + "/" + strconv.FormatInt(r.Ckafka.Partition, 10) + "/" + strconv.FormatInt(r.Ckafka.Offset, 10)
			wake.messages = append(wake.messages, Message{ID: id, Body: []byte(r.Ckafka.Body)})
		case r.CMQ != nil:
			wake.source = "CMQ"
			wake.messages = append(wake.messages, Message{ID: r.CMQ.ID, Body: []byte(r.CMQ.Body)})
		default:
			wake.malform(entry)
		}
	}
	switch {
	case len(sqs.messages) == len(raw):
		return sqs, nil
	case len(sqs.messages) > 0:
		return nil, errors.New("platform: the SQS batch holds records that are not SQS messages; the whole batch is left to be delivered again")
	case wake.source != "": // also where none of them can be read: an error would only bring them all again
		return wake, nil
	}
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(raw[0], &fields) // an entry that is no object has no keys to name
	return nil, &UnknownEventError{Keys: names(top), Hint: fmt.Sprintf("its records have the keys %v, which are neither SQS, CKafka nor CMQ", names(fields))}
}

// sqsBatch is a batch of SQS messages with ReportBatchItemFailures: what is not named in the answer is
// deleted from the queue, what is named becomes visible again, and a failed invocation returns the whole
// batch (docs.aws.amazon.com/lambda, "Handling errors for an SQS event source").
type sqsBatch struct{ messages []Message }

type batchItemFailure struct {
	ItemIdentifier string `json:"itemIdentifier"`
}

func (b sqsBatch) serve(ctx context.Context, app *App) ([]byte, error) {
	// An empty list, never null: the documentation calls both a success, and a list is the plainer of the two.
	answer := struct {
		BatchItemFailures []batchItemFailure `json:"batchItemFailures"`
	}{[]batchItemFailure{}}
	if len(b.messages) == 0 {
		return json.Marshal(answer)
	}
	if app.Queue == nil {
		return nil, fmt.Errorf("platform: SQS: %w", ErrNotServed)
	}
	failed, err := callQueue(ctx, app, b.messages)
	if err != nil {
		return nil, fmt.Errorf("platform: SQS: the whole batch is left to be delivered again: %w", err)
	}
	for _, id := range failed {
		if !slices.ContainsFunc(b.messages, func(m Message) bool { return m.ID == id }) {
			// Lambda takes an unknown identifier for a failure of the whole batch, and says so nowhere.
			return nil, errors.New("platform: SQS: the handler reported an ID that is not in the batch; the whole batch is left to be delivered again")
		}
		if item := (batchItemFailure{ItemIdentifier: id}); !slices.Contains(answer.BatchItemFailures, item) {
			answer.BatchItemFailures = append(answer.BatchItemFailures, item)
		}
	}
	return json.Marshal(answer)
}

// wakeBatch is a batch of wake-ups from a source whose redelivery does more harm than good: SCF repeats a
// failed CKafka batch up to 10,000 times (cloud.tencent.com/document/product/583/17530), so one poison
// message would stop its partition for good. It therefore never fails because of its messages: a failure is
// logged and the message dropped, and the timer finds what it left.
type wakeBatch struct {
	source    string
	messages  []Message
	malformed int // entries that could not be read and were left out
}

// malform leaves out an entry that could not be read. What it calls its content may still tell where it comes from.
func (b *wakeBatch) malform(entry json.RawMessage) {
	b.malformed++
	var fields map[string]json.RawMessage
	switch _ = json.Unmarshal(entry, &fields); {
	case fields["Ckafka"] != nil:
		b.source = "CKafka"
	case fields["CMQ"] != nil:
		b.source = "CMQ"
	}
}

func (b wakeBatch) serve(ctx context.Context, app *App) ([]byte, error) {
	if app.Queue == nil {
		return nil, fmt.Errorf("platform: %s: %w", b.source, ErrNotServed)
	}
	if b.malformed > 0 {
		app.log().WarnContext(ctx, "malformed wake-ups were dropped", "source", b.source, "count", b.malformed)
	}
	if len(b.messages) == 0 {
		return nothing, nil
	}
	deliver(ctx, app, b.source, b.messages)
	return nothing, nil
}

// deliver hands wake-ups to the App where nobody would deliver them again: a failure is logged.
func deliver(ctx context.Context, app *App, source string, messages []Message) {
	failed, err := callQueue(ctx, app, messages)
	switch {
	case err != nil:
		app.log().ErrorContext(ctx, "wake-ups were dropped; the timer finds what they left", "source", source, "count", len(messages), "error", err)
	case len(failed) > 0:
		app.log().WarnContext(ctx, "wake-ups were dropped; the timer finds what they left", "source", source, "count", len(failed), "ids", failed)
	}
}

// decodeWakeups reads an asynchronous invoke: {"wakeups":[…]}. An entry is a string, as scfwake sends it, and
// the body is what the string says; any other JSON value is taken in its compact form, so that a wake-up
// can be typed by hand into a console.
func decodeWakeups(raw json.RawMessage) (event, error) {
	var entries []json.RawMessage
	if json.Unmarshal(raw, &entries) != nil {
		return nil, &UnknownEventError{Keys: []string{"wakeups"}, Hint: "wakeups is not a list"}
	}
	batch := wakeBatch{source: "asynchronous invoke"}
	for i, entry := range entries {
		var body bytes.Buffer
		if entry[0] == '"' {
			body.WriteString(text(entry))
		} else if err := json.Compact(&body, entry); err != nil {
			batch.malformed++ // cannot happen: the decoder has just accepted it
			continue
		}
		batch.messages = append(batch.messages, Message{ID: strconv.Itoa(i), Body: body.Bytes()})
	}
	return batch, nil
}
