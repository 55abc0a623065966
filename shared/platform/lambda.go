package platform

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// serveLambda hands over to aws-lambda-go.
func serveLambda(b *builder) error {
	lambda.Start(lambdaHandler{b})
	return errEnded
}

// lambdaHandler takes events as they come: aws-lambda-go passes bytes through untouched to a value with
// this method.
type lambdaHandler struct{ b *builder }

// Invoke implements lambda.Handler.
func (h lambdaHandler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var requestID string
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		requestID = lc.AwsRequestID
	}
	return h.b.invoke(ctx, requestID, payload)
}
