//go:build !tencentonly

package setup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// The three calls that functions make besides DynamoDB's are written by hand over the SDK's signer. The SDK's clients for
// SSM, Secrets Manager and SQS would add 0.4 MB to each zip of 3 MB, for one operation each.
const (
	awsTries   = 4                      // of one call; Parameter Store throttles when many instances start at once
	awsTimeout = 2 * time.Second        // of one try
	awsBackoff = 100 * time.Millisecond // before the second try, doubled each time
	awsAnswer  = 1 << 20                // bytes of an answer
)

// awsCaller calls operations of AWS services that speak AWS's JSON protocols (smithy.io, "AWS JSON 1.0 and 1.1").
type awsCaller struct {
	client interface {
		Do(*http.Request) (*http.Response, error)
	}
	credentials aws.CredentialsProvider
	region      string
	now         func() time.Time
}

// awsAction names an operation.
type awsAction struct {
	service  string // as in host names and signatures
	endpoint string // base URL; "" means the service's own in the caller's region
	target   string
	version  string // of the JSON protocol, 1.0 or 1.1
}

// awsError is an answer that is an error.
type awsError struct {
	Service string
	Status  int
	Code    string // without its namespace: ParameterNotFound
	Message string
}

func (e *awsError) Error() string {
	return fmt.Sprintf("%s answered %d %s: %s", e.Service, e.Status, e.Code, e.Message)
}

// temporary reports whether the same call may succeed in a moment.
func (e *awsError) temporary() bool {
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests || strings.Contains(e.Code, "Throttl") || e.Code == "RequestLimitExceeded"
}

// call makes one call, again after throttling, 5xx and failed connections, and decodes the answer into out. Every
// operation called here may be repeated without harm.
func (c *awsCaller) call(ctx context.Context, action awsAction, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		err = c.once(ctx, action, body, out)
		var answered *awsError
		if err == nil || try == awsTries || errors.As(err, &answered) && !answered.temporary() {
			return err
		}
		pause := time.NewTimer(awsBackoff<<(try-1)/2 + rand.N(awsBackoff<<(try-1)/2))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return fmt.Errorf("%w (and there was no time to try again)", err)
		}
	}
}

func (c *awsCaller) once(ctx context.Context, action awsAction, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, awsTimeout)
	defer cancel()
	address, err := c.address(action)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-"+action.version)
	request.Header.Set("X-Amz-Target", action.target)
	credentials, err := c.credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), action.service, c.region, c.now()); err != nil {
		return err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return fmt.Errorf("%s could not be reached: %w", action.service, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, awsAnswer))
	if err != nil {
		return fmt.Errorf("%s: the answer broke off: %w", action.service, err)
	}
	if response.StatusCode != http.StatusOK {
		return readAWSError(action.service, response, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s: the answer cannot be read", action.service) // without its text: it may be a secret
	}
	return nil
}

// address is where an operation is called. China's regions have a domain of their own.
func (c *awsCaller) address(action awsAction) (string, error) {
	if c.region == "" {
		return "", errors.New("no AWS region: set AWS_REGION; Lambda does so by itself")
	}
	if action.endpoint != "" {
		u, err := url.Parse(action.endpoint)
		if err != nil || u.Host == "" {
			return "", fmt.Errorf("the endpoint of %s is no URL such as https://%s.%s.amazonaws.com", action.service, action.service, c.region)
		}
		return u.Scheme + "://" + u.Host + "/", nil
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(c.region, "cn-") {
		domain = "amazonaws.com.cn"
	}
	return "https://" + action.service + "." + c.region + "." + domain + "/", nil
}

// readAWSError reads what both protocols say of a failure: its code is in the body or in a header, with or without a
// namespace before it and a URL behind it.
func readAWSError(service string, response *http.Response, answer []byte) error {
	var told struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(answer, &told) // a proxy's page is no JSON; the status says enough then
	if told.Type == "" {
		told.Type = response.Header.Get("X-Amzn-ErrorType")
	}
	code, _, _ := strings.Cut(told.Type, ":")
	if _, after, ok := strings.Cut(code, "#"); ok {
		code = after
	}
	return &awsError{Service: service, Status: response.StatusCode, Code: code, Message: told.Message}
}

// named says which secret an error is about and, where it does not exist, how to make it.
func named(err error, name, create string) error {
	if err == nil {
		return nil
	}
	var answered *awsError
	if errors.As(err, &answered) {
		switch answered.Code {
		case "ParameterNotFound", "ResourceNotFoundException":
			return fmt.Errorf("%s does not exist in this region and account; create it with %s: %w", name, create, err)
		case "AccessDeniedException":
			return fmt.Errorf("this function's role may not read %s: %w", name, err)
		}
	}
	return fmt.Errorf("%s: %w", name, err)
}
