// Package shared pins modules until their users land. Temporary.
package shared

import (
	_ "github.com/aws/aws-lambda-go/lambda"
	_ "github.com/aws/aws-lambda-go/events"
	_ "github.com/aws/aws-sdk-go-v2/config"
	_ "github.com/aws/aws-sdk-go-v2/credentials"
	_ "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	_ "github.com/aws/aws-sdk-go-v2/service/sqs"
	_ "github.com/aws/aws-sdk-go-v2/service/ssm"
	_ "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	_ "github.com/aws/smithy-go"
	_ "github.com/tencentyun/scf-go-lib/cloudfunction"
	_ "github.com/tencentyun/scf-go-lib/events"
	_ "github.com/redis/go-redis/v9"
	_ "go.etcd.io/bbolt"
	_ "github.com/teambition/rrule-go"
	_ "go.yaml.in/yaml/v3"
	_ "golang.org/x/text/unicode/norm"
	_ "golang.org/x/text/width"
	_ "golang.org/x/time/rate"
	_ "golang.org/x/sync/errgroup"
	_ "pgregory.net/rapid"
	_ "github.com/getkin/kin-openapi/openapi3"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/petar-dambovaliev/aho-corasick"
	_ "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/scf/v20180416"
)
