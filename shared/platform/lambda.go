package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// lambdaInitTime limits the building of an App on Lambda, so that a store out of reach becomes a readable
// error instead of a silent end: Lambda stops an initialisation after 10 s.
const lambdaInitTime = 9 * time.Second

// serveLambda builds the App and hands over to aws-lambda-go.
func serveLambda(b *builder) error {
	ctx, cancel := context.WithTimeout(context.Background(), lambdaInitTime)
	defer cancel()
	app, err := b.app(ctx)
	if err != nil {
		if report := reportInitError(b.getenv(envLambda), err); report != nil {
			return fmt.Errorf("%w (and it could not be reported: %w)", err, report)
		}
		return err
	}
	var options []lambda.Option
	if app.Close != nil {
		options = append(options, lambda.WithEnableSIGTERM(func() {
			b.close()
			os.Exit(0)
		}))
	}
	lambda.StartWithOptions(lambdaHandler{b}, options...)
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

// reportInitError tells Lambda why the function did not start (docs.aws.amazon.com/lambda, "Using the Lambda
// runtime API for custom runtimes", Initialization error). aws-lambda-go has no call for it.
func reportInitError(api string, cause error) error {
	const kind = "Function.InitError"
	body, err := json.Marshal(map[string]string{"errorType": kind, "errorMessage": cause.Error()})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+api+"/2018-06-01/runtime/init/error", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Lambda-Runtime-Function-Error-Type", kind)
	response, err := runtimeClient().Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("the runtime API answered %s", response.Status)
	}
	return nil
}

// runtimeClient returns a client for a runtime's own API, which is on this machine: never through a proxy
// that the function's environment names, and without a time limit, because asking for the next event waits
// as long as there is none.
func runtimeClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2}}
}
