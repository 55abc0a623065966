//go:build !tencentonly

package setup

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/yuexin-dev/yuexin/shared/dynamo"
	"github.com/yuexin-dev/yuexin/shared/sqswake"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// idleConns is how many connections to one AWS service wait for reuse: as many as deliver has workers.
const idleConns = 64

// amazon is what is shared by everything on AWS: one HTTP client and one set of credentials.
type amazon struct {
	once        sync.Once
	client      *awshttp.BuildableClient
	credentials aws.CredentialsProvider
}

func (a *amazon) init(c *clouds) {
	a.once.Do(func() {
		a.client = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost = idleConns // the SDK's 10 would make the workers dial all the time
		})
		a.credentials = aws.NewCredentialsCache(&login{getenv: c.getenv, client: a.client})
	})
}

// dynamo opens the store. The endpoint may also come from the variable that AWS's own tools read
// (docs.aws.amazon.com, AWS SDKs and Tools, "Service-specific endpoints").
func (a *amazon) dynamo(c *clouds, s StoreConfig, now func() time.Time) (submsg.Store, error) {
	a.init(c)
	endpoint := s.Endpoint
	if endpoint == "" {
		endpoint = c.getenv("AWS_ENDPOINT_URL_DYNAMODB")
	}
	store, err := dynamo.Open(dynamo.Config{
		Table: s.Table, Region: c.region(s.Region), Endpoint: endpoint, Credentials: a.credentials, HTTPClient: a.client, Now: now,
	})
	if err != nil {
		return nil, err
	}
	return store, nil
}

// queue opens the SQS queue at address.
func (a *amazon) queue(c *clouds, q QueueConfig, address string) (Sender, error) {
	a.init(c)
	client, err := newSQSClient(a.caller(c, q.Region), q.Endpoint, address)
	if err != nil {
		return nil, err
	}
	return sqswake.New(client, address), nil
}

// secrets resolves ssm:NAME, a parameter of SSM Parameter Store, and secretsmanager:NAME, the text of a secret.
func (a *amazon) secrets(c *clouds) map[string]remote {
	return map[string]remote{
		"ssm": func(ctx context.Context, name string) (string, error) {
			a.init(c)
			var out struct{ Parameter struct{ Value string } }
			err := a.caller(c, "").call(ctx, awsAction{
				service: "ssm", endpoint: c.getenv("AWS_ENDPOINT_URL_SSM"), target: "AmazonSSM.GetParameter", version: "1.1",
			}, map[string]any{"Name": name, "WithDecryption": true}, &out)
			return out.Parameter.Value, named(err, name, "aws ssm put-parameter --type SecureString")
		},
		"secretsmanager": func(ctx context.Context, name string) (string, error) {
			a.init(c)
			var out struct {
				SecretString string
				SecretBinary []byte
			}
			err := a.caller(c, "").call(ctx, awsAction{
				service: "secretsmanager", endpoint: c.getenv("AWS_ENDPOINT_URL_SECRETS_MANAGER"), target: "secretsmanager.GetSecretValue", version: "1.1",
			}, map[string]any{"SecretId": name}, &out)
			if out.SecretString == "" {
				out.SecretString = string(out.SecretBinary)
			}
			return out.SecretString, named(err, name, "aws secretsmanager create-secret")
		},
	}
}

func (a *amazon) caller(c *clouds, region string) *awsCaller {
	return &awsCaller{client: a.client, credentials: a.credentials, region: c.region(region), now: time.Now}
}

// login finds the credentials: those that Lambda puts into the environment, or, in a build for any machine, wherever
// the AWS tools of that machine find theirs.
type login struct {
	getenv func(string) string
	client *awshttp.BuildableClient

	mu    sync.Mutex
	chain aws.CredentialsProvider
}

// errNoCredentials says what to do where nothing else is looked at.
var errNoCredentials = errors.New("no AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set; Lambda sets them for the function's role")

// Retrieve implements aws.CredentialsProvider.
func (l *login) Retrieve(ctx context.Context) (aws.Credentials, error) {
	id, key := l.getenv("AWS_ACCESS_KEY_ID"), l.getenv("AWS_SECRET_ACCESS_KEY")
	if id != "" && key != "" {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: key, SessionToken: l.getenv("AWS_SESSION_TOKEN"), Source: "environment"}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.chain == nil {
		chain, err := machineCredentials(ctx, l.client)
		if err != nil {
			return aws.Credentials{}, err
		}
		l.chain = chain
	}
	return l.chain.Retrieve(ctx)
}
