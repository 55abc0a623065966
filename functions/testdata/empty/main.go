// Command empty is a Lambda function that does nothing: what any Go function on Lambda costs at least, in size and in
// time to start. The benchmarks compare with it.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

type handler struct{}

// Invoke implements lambda.Handler.
func (handler) Invoke(_ context.Context, payload []byte) ([]byte, error) { return payload, nil }

func main() { lambda.Start(handler{}) }
