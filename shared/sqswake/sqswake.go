// Package sqswake sends wake-ups through Amazon SQS.
//
// A wake-up says that something in the table is due now; the table itself is the truth. Sending is therefore
// best effort: a wake-up that is lost costs latency until the next tick, and one that arrives twice costs
// nothing. A standard queue, which orders nothing and may deliver twice, is all that is needed.
package sqswake

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// Limits of one SendMessageBatch call (docs.aws.amazon.com, SendMessageBatch).
const (
	batchEntries = 10
	batchBytes   = 1 << 20
)

// attempts is how often an entry is offered that SQS could not take for reasons of its own.
const attempts = 3

// Client makes calls of SQS's SendMessageBatch (docs.aws.amazon.com, Amazon SQS API reference) and returns the entries
// that were not accepted. An error means that the call failed as a whole, after the client's own retries.
//
// It is an interface of this package's types, and not the SDK's, because importing the SDK's package for SQS adds a third
// of a millisecond to the start of every function, whether it sends or not: docs/performance.md.
type Client interface {
	SendMessageBatch(ctx context.Context, queueURL string, entries []Entry) ([]Failure, error)
}

// Entry is one message of a call. Members are spelled as on the wire.
type Entry struct {
	ID          string `json:"Id"` // within the call
	MessageBody string
}

// Failure is an entry that was not accepted.
type Failure struct {
	ID          string `json:"Id"`
	SenderFault bool   // offering it again is no use
	Code        string
	Message     string
}

// Sender sends wake-ups to one queue. It is safe for concurrent use.
type Sender struct {
	client   Client
	queueURL string
}

// New returns a Sender for the queue at queueURL.
func New(client Client, queueURL string) *Sender { return &Sender{client: client, queueURL: queueURL} }

// Wake sends each body as one message, up to ten per call. A body is text (UTF-8, no control characters but
// tab and line breaks) of at most 1 MiB.
//
// Entries that SQS refuses for reasons of its own are offered again, twice. A call that fails altogether,
// after the client's own retries, ends the sending. The error says how many bodies were not accepted and why;
// a body whose answer was lost counts as not accepted and may still arrive.
func (s *Sender) Wake(ctx context.Context, bodies [][]byte) error {
	var failures []error
	unsent := 0
	for len(bodies) > 0 {
		batch, rest := cut(bodies)
		failed, err := s.send(ctx, batch)
		unsent += failed
		if err != nil {
			failures = append(failures, err)
		}
		bodies = rest
		var call *callError
		if errors.As(err, &call) {
			unsent += len(rest)
			break
		}
	}
	if len(failures) == 0 {
		return nil
	}
	return fmt.Errorf("sqswake: %d wake-ups were not accepted by %s; the timer finds what they stood for: %w", unsent, s.queueURL, errors.Join(failures...))
}

// cut splits off as many bodies as one call can carry. A body too large for any call goes alone, for SQS to
// refuse.
func cut(bodies [][]byte) (batch, rest [][]byte) {
	size := 0
	for i, body := range bodies {
		size += len(body)
		if i == batchEntries || i > 0 && size > batchBytes {
			return bodies[:i], bodies[i:]
		}
	}
	return bodies, nil
}

// callError is a call that failed as a whole.
type callError struct{ cause error }

func (e *callError) Error() string { return "SendMessageBatch: " + e.cause.Error() }
func (e *callError) Unwrap() error { return e.cause }

// send offers one batch until all of it is accepted or refused for good, and returns how many bodies were not
// accepted.
func (s *Sender) send(ctx context.Context, bodies [][]byte) (unsent int, err error) {
	var entries []Entry
	for i, body := range bodies {
		if !utf8.Valid(body) {
			unsent++
			err = errors.New("a wake-up is not UTF-8 text, which is all that SQS carries")
			continue
		}
		entries = append(entries, Entry{ID: strconv.Itoa(i), MessageBody: string(body)})
	}
	var busy error // why the entries that are left were not accepted yet
	for attempt := 1; len(entries) > 0; attempt++ {
		if attempt > attempts {
			return unsent + len(entries), errors.Join(err, busy)
		}
		if attempt > 1 && !pause(ctx, time.Duration(attempt-1)*50*time.Millisecond) {
			return unsent + len(entries), errors.Join(err, busy, context.Cause(ctx))
		}
		failed, callErr := s.client.SendMessageBatch(ctx, s.queueURL, entries)
		if callErr != nil {
			return unsent + len(entries), &callError{callErr}
		}
		var again []Entry
		for _, failure := range failed {
			reason := fmt.Errorf("SQS refused a wake-up: %s: %s", failure.Code, failure.Message)
			entry := find(entries, failure.ID)
			switch {
			case entry == nil: // not one of ours
			case failure.SenderFault:
				unsent++
				err = reason
			default:
				again = append(again, *entry)
				busy = reason
			}
		}
		entries = again
	}
	return unsent, err
}

func find(entries []Entry, id string) *Entry {
	for i := range entries {
		if entries[i].ID == id {
			return &entries[i]
		}
	}
	return nil
}

// pause waits for d and reports whether ctx allowed it.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
