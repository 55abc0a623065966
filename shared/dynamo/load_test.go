package dynamo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/dynamo"
	"github.com/yuexin-dev/yuexin/shared/dynamotest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// stingy is an HTTP client through which DynamoDB answers a few keys of a batch only.
type stingy struct {
	keys  int // answered of each batch; 0: none, ever
	hang  int // from this call on it answers nothing; 0: never
	calls int
}

func (s *stingy) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchGetItem") {
		return http.DefaultClient.Do(r)
	}
	s.calls++
	if s.hang != 0 && s.calls >= s.hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	var in struct {
		RequestItems map[string]struct {
			ConsistentRead bool
			Keys           []json.RawMessage
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	out := map[string]any{"Responses": map[string]any{}}
	for table, want := range in.RequestItems {
		n := min(s.keys, len(want.Keys))
		left := want
		left.Keys = want.Keys[n:]
		if len(left.Keys) > 0 {
			out["UnprocessedKeys"] = map[string]any{table: left}
		}
		if n == 0 {
			break
		}
		want.Keys = want.Keys[:n]
		in.RequestItems[table] = want
		body, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		request := r.Clone(r.Context())
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		var got struct{ Responses map[string]any }
		if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
			return nil, err
		}
		out["Responses"] = got.Responses
	}
	body, err := json.Marshal(out)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(bytes.NewReader(body)),
	}, err
}

func TestKeysThatABatchLeavesUnprocessedAreAskedForAgain(t *testing.T) {
	t.Parallel()
	server := dynamotest.Start(t)
	table := server.Table()
	client := &stingy{keys: 3}
	store := dynamotest.Open(t, server.Endpoint, dynamo.Config{Table: table, HTTPClient: client})
	var keys []submsg.Key
	for n := range 7 {
		keys = append(keys, submsg.Key{Partition: fmt.Sprintf("audience#%d", n), Sort: "-"})
		if _, err := store.Save(t.Context(), submsg.Record{Key: keys[n], Body: entry(n)}); err != nil {
			t.Fatal(err)
		}
	}
	recs, err := store.Load(t.Context(), keys...)
	if err != nil {
		t.Fatal(err)
	}
	for n, rec := range recs {
		if rec.Key != keys[n] || rec.Version == 0 || rec.Body.(*submsg.AudienceEntry).Generation != n {
			t.Errorf("record %d is %+v", n, rec)
		}
	}
	if client.calls != 3 {
		t.Errorf("7 keys, 3 at a time, took %d requests, want 3", client.calls)
	}

	for name, client := range map[string]*stingy{
		"until the caller's deadline":                 {},
		"until the deadline comes in another request": {hang: 2},
	} {
		t.Run(name, func(t *testing.T) {
			store := dynamotest.Open(t, server.Endpoint, dynamo.Config{Table: table, HTTPClient: client})
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			began := time.Now()
			_, err := store.Load(ctx, keys...)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "throttled") {
				t.Errorf("Load said %v, want the deadline, and that the table is throttled", err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %v against a deadline of 300 ms", took)
			}
		})
	}
}
