//go:build awsonly

package setup

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

func machineCredentials(context.Context, *awshttp.BuildableClient) (aws.CredentialsProvider, error) {
	return nil, errNoCredentials
}
