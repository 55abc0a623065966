package dynamo_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/yuexin-dev/yuexin/shared/dynamo"
	"github.com/yuexin-dev/yuexin/shared/dynamotest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func TestCheckFindsWhatIsWrongWithATable(t *testing.T) {
	t.Parallel()
	server := dynamotest.Start(t)
	for _, c := range []struct {
		name   string
		change func(*dynamodb.CreateTableInput)
		want   string
	}{
		{"no index", func(in *dynamodb.CreateTableInput) {
			in.GlobalSecondaryIndexes, in.AttributeDefinitions = nil, in.AttributeDefinitions[:2]
		}, `no index "due"`},
		{"an index without the expiry", func(in *dynamodb.CreateTableInput) {
			in.GlobalSecondaryIndexes[0].Projection = &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
		}, "does not project expires_ms"},
		{"an index that sorts due as text", func(in *dynamodb.CreateTableInput) {
			in.AttributeDefinitions[3].AttributeType = types.ScalarAttributeTypeS
		}, "due_shard S HASH, due S RANGE, not due_shard S HASH, due N RANGE"},
		{"a key of another name", func(in *dynamodb.CreateTableInput) {
			in.AttributeDefinitions[0].AttributeName, in.KeySchema[0].AttributeName = aws.String("id"), aws.String("id")
		}, "its key is id S HASH, sk S RANGE, not pk S HASH, sk S RANGE"},
		{"no sort key", func(in *dynamodb.CreateTableInput) {
			in.KeySchema = in.KeySchema[:1]
			in.AttributeDefinitions = append(in.AttributeDefinitions[:1:1], in.AttributeDefinitions[2:]...)
		}, "its key is pk S HASH, not pk S HASH, sk S RANGE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			definition := dynamo.Definition("wrong-" + strings.ReplaceAll(c.name, " ", "-"))
			c.change(definition)
			dynamotest.Create(t, server.Endpoint, definition)
			err := dynamotest.Open(t, server.Endpoint, dynamo.Config{Table: *definition.TableName}).Check(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Check said %v, want %q in it", err, c.want)
			}
		})
	}

	t.Run("the table as it should be, but for a TTL, which this server does not have", func(t *testing.T) {
		err := dynamotest.Open(t, server.Endpoint, dynamo.Config{Table: server.Table()}).Check(t.Context())
		if !errors.Is(err, dynamo.ErrNoTTL) || strings.Contains(err.Error(), "index") {
			t.Errorf("Check said %v, want ErrNoTTL alone", err)
		}
	})
}

func TestAMissingTableIsSaidClearlyAndNotCreated(t *testing.T) {
	t.Parallel()
	server := dynamotest.Start(t)
	store := dynamotest.Open(t, server.Endpoint, dynamo.Config{Table: "yuexin-typo"})
	calls := map[string]func() error{
		"Load":   func() error { _, err := store.Load(t.Context(), key); return err },
		"Save":   func() error { _, err := store.Save(t.Context(), submsg.Record{Key: key, Body: entry(1)}); return err },
		"Delete": func() error { return store.Delete(t.Context(), key, 1) },
		"List":   func() error { _, err := store.List(t.Context(), key.Partition, "", 10); return err },
		"Due":    func() error { _, err := store.Due(t.Context(), 0, 1, 10); return err },
		"Check":  func() error { return store.Check(t.Context()) },
	}
	for name, call := range calls {
		if err := call(); err == nil || !strings.Contains(err.Error(), `table "yuexin-typo"`) || !strings.Contains(err.Error(), "does not exist: deploy it") {
			t.Errorf("%s on a missing table said: %v", name, err)
		}
	}
}

func TestAMissingIndexIsSaidClearly(t *testing.T) {
	t.Parallel()
	server := dynamotest.Start(t)
	definition := dynamo.Definition("no-index")
	definition.GlobalSecondaryIndexes, definition.AttributeDefinitions = nil, definition.AttributeDefinitions[:2]
	dynamotest.Create(t, server.Endpoint, definition)
	_, err := dynamotest.Open(t, server.Endpoint, dynamo.Config{Table: "no-index"}).Due(t.Context(), 0, 1, 10)
	if err == nil || !strings.Contains(err.Error(), `no index "due": deploy the table again`) {
		t.Errorf("Due said: %v", err)
	}
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]dynamo.Config{
		"store.table":    {Region: "eu-west-1", Credentials: aws.AnonymousCredentials{}},
		"AWS_REGION":     {Table: "t", Credentials: aws.AnonymousCredentials{}},
		"no credentials": {Table: "t", Region: "eu-west-1"},
	} {
		if _, err := dynamo.Open(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%+v) said %v, want %q in it", c, err, want)
		}
	}
}
