//go:build !tencentonly

package setup

import (
	"context"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/yuexin-dev/yuexin/shared/sqswake"
)

// sqsClient is the one operation of SQS that is needed, in the SDK's own types.
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
		return nil, fmt.Errorf("queue.region: no region is named, and AWS_REGION is not set")
	}
	if endpoint == "" {
		endpoint = u.Scheme + "://" + u.Host
	}
	return &sqsClient{caller: caller, endpoint: endpoint}, nil
}

// SendMessageBatch implements sqswake.Client. A try whose answer was lost is repeated; at worst a wake-up comes twice.
func (s *sqsClient) SendMessageBatch(ctx context.Context, input *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	type entry struct {
		ID          *string `json:"Id"`
		MessageBody *string
	}
	in := struct {
		QueueURL *string `json:"QueueUrl"`
		Entries  []entry
	}{QueueURL: input.QueueUrl}
	for _, e := range input.Entries {
		in.Entries = append(in.Entries, entry{e.Id, e.MessageBody})
	}
	var out struct{ Failed []types.BatchResultErrorEntry } // its members are spelled as on the wire
	if err := s.caller.call(ctx, awsAction{service: "sqs", endpoint: s.endpoint, target: "AmazonSQS.SendMessageBatch", version: "1.0"}, in, &out); err != nil {
		return nil, err
	}
	return &sqs.SendMessageBatchOutput{Failed: out.Failed}, nil
}
