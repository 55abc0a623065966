//go:build !awsonly && !tencentonly

package setup

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/yuexin-dev/yuexin/shared/embedded"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// What only a machine of one's own has: a disk to keep the store on, and AWS profiles.

// openEmbedded opens the store in the file at path, and returns what closes it.
func openEmbedded(path string, now func() time.Time) (submsg.Store, func() error, error) {
	store, err := embedded.Open(path, embedded.Options{Now: now})
	if err != nil {
		return nil, nil, err
	}
	return store, store.Close, nil
}

// machineCredentials looks where AWS's own tools look: profiles, single sign-on, the roles of containers and machines.
func machineCredentials(ctx context.Context, client *awshttp.BuildableClient) (aws.CredentialsProvider, error) {
	found, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(client))
	if err != nil {
		return nil, fmt.Errorf("%w; the AWS configuration of this machine cannot be read: %w", errNoCredentials, err)
	}
	return found.Credentials, nil
}
