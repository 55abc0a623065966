//go:build !tencentonly

package setup

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/yuexin-dev/yuexin/shared/sqswake"
)

// sqsClient makes SQS calls.
type sqsClient struct {
	caller   *awsCaller
	endpoint string
}

var _ sqswake.Client = (*sqsClient)(nil)

// newSQSClient takes the service's address from the queue's, which is in the same region, unless endpoint names it.
func newSQSClient(caller *awsCaller, endpoint, queueURL string) (*sqsClient, error) {
	u, err := url.Parse(queueURL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("queue.url: %q is no URL of an SQS queue", queueURL)
	}
	if caller.region == "" {
		return nil, errors.New("queue.region: no region is named, and AWS_REGION is not set")
	}
	if endpoint == "" {
		endpoint = u.Scheme + "://" + u.Host
	}
	return &sqsClient{caller: caller, endpoint: endpoint}, nil
}

// SendMessageBatch implements sqswake.Client. A try whose answer was lost is repeated; at worst a wake-up comes twice.
func (s *sqsClient) SendMessageBatch(ctx context.Context, queueURL string, entries []sqswake.Entry) ([]sqswake.Failure, error) {
	in := struct {
		QueueURL string `json:"QueueUrl"`
		Entries  []sqswake.Entry
	}{queueURL, entries}
	var out struct{ Failed []sqswake.Failure }
	err := s.caller.call(ctx, awsAction{service: "sqs", endpoint: s.endpoint, target: "AmazonSQS.SendMessageBatch", version: "1.0"}, in, &out)
	return out.Failed, err
}
