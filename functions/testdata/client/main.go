// Command client is a Lambda function that does nothing but have a DynamoDB client: what the SDK alone adds to an empty one.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/yuexin-dev/yuexin/shared/dynamo"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

type handler struct{ store submsg.Store }

// Invoke implements lambda.Handler. It uses the whole store, so that nothing of it is left out.
func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if _, err := h.store.Save(ctx, submsg.Record{}); err != nil {
		return nil, err
	}
	return payload, nil
}

func main() {
	store, err := dynamo.Open(dynamo.Config{Table: "yuexin", Region: "ap-southeast-1", Credentials: credentials.NewStaticCredentialsProvider("id", "key", "")})
	if err != nil {
		panic(err)
	}
	lambda.Start(handler{store})
}
