package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

const (
	batchSize    = 100 // BatchGetItem takes no more keys
	batchesAside = 4   // batches of one Load that are under way at a time
	batchRounds  = 12  // requests for what one batch left unprocessed, where the caller has no deadline
)

// Load implements submsg.Store: one GetItem for one key, one BatchGetItem for each 100.
func (s *Store) Load(ctx context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	unique := make([]submsg.Key, 0, len(keys)) // BatchGetItem refuses a key that it is given twice
	seen := make(map[submsg.Key]bool, len(keys))
	for _, key := range keys {
		if !seen[key] {
			seen[key] = true
			unique = append(unique, key)
		}
	}
	items, err := s.get(ctx, unique)
	if err != nil {
		return nil, s.explain(loading(keys), err)
	}
	found := make(map[submsg.Key]submsg.Record, len(items))
	now := submsg.At(s.now())
	for _, item := range items {
		rec, err := decode(item)
		if err != nil {
			return nil, s.explain(loading(keys), err)
		}
		if rec.Expires == 0 || rec.Expires > now {
			found[rec.Key] = rec
		}
	}
	recs := make([]submsg.Record, len(keys))
	for i, key := range keys {
		recs[i] = found[key]
		recs[i].Key = key
	}
	return recs, nil
}

// get reads the items that are there under different keys, in no order.
func (s *Store) get(ctx context.Context, keys []submsg.Key) ([]item, error) {
	if len(keys) == 1 {
		out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
			TableName: &s.table, Key: itemKey(keys[0]), ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: s.wantCapacity(),
		})
		if err != nil {
			return nil, err
		}
		s.consumed("Load", 1, out.ConsumedCapacity)
		if out.Item == nil {
			return nil, nil
		}
		return []item{out.Item}, nil
	}
	batches := make([][]item, (len(keys)+batchSize-1)/batchSize)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(batchesAside)
	for i := range batches {
		group.Go(func() (err error) {
			batches[i], err = s.getBatch(ctx, keys[i*batchSize:min(len(keys), (i+1)*batchSize)])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var items []item
	for _, batch := range batches {
		items = append(items, batch...)
	}
	return items, nil
}

// loading says what a Load was after, without the openids in its keys.
func loading(keys []submsg.Key) string {
	return fmt.Sprintf("loading %d records (%s first)", len(keys), kindOf(keys[0]))
}

// errUnprocessed is what remains when DynamoDB keeps leaving keys of a batch for later.
var errUnprocessed = errors.New("DynamoDB keeps returning unprocessed keys: the table or a partition is throttled")

// getBatch reads up to 100 keys. DynamoDB may answer a part of them, when the rest would exceed 16 MB or
// the table's throughput; the rest is asked for again, more patiently each time.
func (s *Store) getBatch(ctx context.Context, keys []submsg.Key) ([]item, error) {
	want := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
	for _, key := range keys {
		want.Keys = append(want.Keys, itemKey(key))
	}
	var items []item
	for round := range batchRounds {
		out, err := s.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{s.table: want}, ReturnConsumedCapacity: s.wantCapacity(),
		})
		if err != nil {
			if round > 0 && ctx.Err() != nil {
				err = errors.Join(errUnprocessed, err) // that is where the time went
			}
			return nil, err
		}
		for i := range out.ConsumedCapacity {
			s.consumed("Load", 1, &out.ConsumedCapacity[i])
		}
		items = append(items, out.Responses[s.table]...)
		left, more := out.UnprocessedKeys[s.table]
		if !more || len(left.Keys) == 0 {
			return items, nil
		}
		want.Keys = left.Keys
		if err := sleep(ctx, jitter(firstThrottleBackoff<<round)); err != nil {
			return nil, errors.Join(errUnprocessed, err)
		}
	}
	return nil, errUnprocessed
}

// sleep waits for d, or less if ctx ends, and says so then.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
