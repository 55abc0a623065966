package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// A write whose answer is lost may have taken place, and the SDK's own second attempt then finds
// the condition broken, by the first one. Such a failure must not be called a conflict: the caller would
// decide again on a record that already holds its decision. So every attempt is watched, and where one of
// them may have acted, the stored version decides.

// askReserve is the share of the time left that a write keeps for asking what became of it, 1/n, and
// askAtMost the most it keeps.
const (
	askReserve = 4
	askAtMost  = 500 * time.Millisecond
)

const (
	// maxAttempts and maxBackoff leave room for about three seconds of throttling; the caller's deadline
	// ends the attempts earlier.
	maxAttempts = 8
	maxBackoff  = time.Second

	firstBackoff         = 20 * time.Millisecond
	firstThrottleBackoff = 50 * time.Millisecond
)

// newRetryer decides which failures are tried again, and when: the SDK's standard mode, with its quota of
// retries, but pauses that start at 20 ms instead of one second, since a push must be answered within five.
//
// The SDK's adaptive mode is not used. It paces all requests of a process by their measured rate, and
// in a process that makes few, as a Lambda instance does, one throttled request stops the next for
// two seconds.
func newRetryer() aws.Retryer {
	throttled := retry.IsErrorThrottles(retry.DefaultThrottles)
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, err error) (time.Duration, error) {
			first := firstBackoff
			if throttled.IsErrorThrottle(err).Bool() {
				first = firstThrottleBackoff
			}
			return jitter(first << min(attempt, 10)), nil
		})
	})
}

// jitter is half of d at least and d at most, and never more than maxBackoff.
func jitter(d time.Duration) time.Duration {
	d = min(d, maxBackoff)
	return d/2 + rand.N(d/2)
}

// attempts is what is known of the HTTP requests of one write.
type attempts struct {
	unsure atomic.Bool // one of them may have acted though it failed
}

// attemptsKey finds the attempts of a write in its context.
type attemptsKey struct{}

// errAttemptTimeout says that one request was given up. The SDK tries again after errors with Timeout.
type errAttemptTimeout struct{ after time.Duration }

func (e errAttemptTimeout) Error() string { return fmt.Sprintf("no answer within %v", e.after) }
func (errAttemptTimeout) Timeout() bool   { return true }

// watchAttempts adds to every operation a step around each single HTTP request, inside the SDK's
// retries: it bounds the request's time and notes whether a failed one may have acted.
func watchAttempts(timeout time.Duration) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("YuexinAttempt",
			func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
				actx, cancel := context.WithTimeout(ctx, timeout)
				defer cancel()
				out, metadata, err := next.HandleDeserialize(actx, in)
				if err != nil {
					if a, ok := ctx.Value(attemptsKey{}).(*attempts); ok && mayHaveActed(out.RawResponse, err) {
						a.unsure.Store(true)
					}
					if actx.Err() != nil && ctx.Err() == nil {
						err = errAttemptTimeout{timeout}
					}
				}
				return out, metadata, err
			}), middleware.Before)
	}
}

// mayHaveActed reports whether a failed request may have changed the table. It did not if the server
// refused it (throttling and broken conditions are 4xx) or no connection came about.
func mayHaveActed(response any, err error) bool {
	if r, ok := response.(*smithyhttp.Response); ok && r != nil && r.Response != nil {
		if code := r.StatusCode; code >= 400 && code < 500 && code != http.StatusRequestTimeout {
			return false
		}
	}
	var op *net.OpError
	return !errors.As(err, &op) || op.Op != "dial"
}

// write makes one conditional write through call, and says what became of it: nil, submsg.ErrConflict, or
// an error after which the caller must load the record to know. took tells from the stored version (0:
// nothing is stored) that the write took place.
//
// A write that comes back as a conflict and may have acted earlier, on a record that somebody else has
// changed by now, is not called a conflict: "nothing was written" would be a guess.
func (s *Store) write(ctx context.Context, doing string, key submsg.Key, call func(context.Context) error, took func(submsg.Version) bool) error {
	a := new(attempts)
	wctx, cancel := reserve(context.WithValue(ctx, attemptsKey{}, a))
	defer cancel()
	err := call(wctx)
	if err == nil {
		return nil
	}
	if !a.unsure.Load() {
		if isConflict(err) {
			return submsg.ErrConflict
		}
		return s.explain(doing, err)
	}
	stored, readErr := s.storedVersion(ctx, key)
	if readErr == nil && took(stored) {
		return nil
	}
	err = s.explain(doing, err)
	if readErr != nil {
		return fmt.Errorf("%w; asking whether it took place failed too: %w", err, readErr)
	}
	return fmt.Errorf("%w; whether an earlier attempt took place cannot be told any more: load the record", err)
}

// isConflict reports whether DynamoDB found the condition broken.
func isConflict(err error) bool {
	var conflict *types.ConditionalCheckFailedException
	return errors.As(err, &conflict)
}

// reserve shortens ctx for a write, so that time is left to ask what became of it.
func reserve(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-min(askAtMost, time.Until(deadline)/askReserve)))
}

// storedVersion reads the version that is physically there, expired or not; 0 if nothing is.
func (s *Store) storedVersion(ctx context.Context, key submsg.Key) (submsg.Version, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: itemKey(key), ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String("version"),
		ReturnConsumedCapacity: s.wantCapacity(),
	})
	if err != nil {
		return 0, err
	}
	s.consumed("Load", 1, out.ConsumedCapacity)
	version, err := integer(out.Item, "version")
	return submsg.Version(version), err
}
