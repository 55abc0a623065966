package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

const (
	dueIndex     = "due"
	ttlAttribute = "expires"
)

// ErrNoTTL is in the error of Check where nothing else is wrong but that DynamoDB does not remove
// expired items: everything works, and the table grows.
var ErrNoTTL = errors.New("TTL is not enabled on the attribute \"" + ttlAttribute + "\": expired records stay and are paid for")

// Definition is the table that the store needs, apart from its TTL attribute, "expires", which DynamoDB has
// a call of its own for. It is what Check compares with and what tests create; the program itself
// never creates a table, since one made by a mistyped name would look like an empty ledger.
//
// The index is sparse: only records with a due instant are in it. It projects expires_ms besides the
// keys, so that Due can leave expired records out.
func Definition(table string) *dynamodb.CreateTableInput {
	attribute := func(name string, t types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: t}
	}
	keys := func(hash, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: &hash, KeyType: types.KeyTypeHash},
			{AttributeName: &sort, KeyType: types.KeyTypeRange},
		}
	}
	return &dynamodb.CreateTableInput{
		TableName:   &table,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			attribute("pk", types.ScalarAttributeTypeS), attribute("sk", types.ScalarAttributeTypeS),
			attribute("due_shard", types.ScalarAttributeTypeS), attribute("due", types.ScalarAttributeTypeN),
		},
		KeySchema: keys("pk", "sk"),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName:  aws.String(dueIndex),
			KeySchema:  keys("due_shard", "due"),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{"expires_ms"}},
		}},
	}
}

// Check compares the table with Definition and its TTL attribute, and returns everything that is wrong, or
// nil. It needs dynamodb:DescribeTable and dynamodb:DescribeTimeToLive; a server or role that refuses the
// second leaves the TTL unexamined.
func (s *Store) Check(ctx context.Context) error {
	out, err := s.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.table})
	if err != nil {
		return s.explain("checking the table", err)
	}
	var problems []error
	complain := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	table, want := out.Table, Definition(s.table)
	if table.TableStatus != types.TableStatusActive && table.TableStatus != types.TableStatusUpdating {
		complain("the table is %s, not ACTIVE", table.TableStatus)
	}
	kinds := attributeTypes(table.AttributeDefinitions)
	wanted := attributeTypes(want.AttributeDefinitions)
	if got, want := spell(table.KeySchema, kinds), spell(want.KeySchema, wanted); got != want {
		complain("its key is %s, not %s", got, want)
	}
	wantIndex := want.GlobalSecondaryIndexes[0]
	at := slices.IndexFunc(table.GlobalSecondaryIndexes, func(i types.GlobalSecondaryIndexDescription) bool { return aws.ToString(i.IndexName) == dueIndex })
	if at < 0 {
		complain("it has no index %q: what is due would never be found", dueIndex)
	} else {
		index := table.GlobalSecondaryIndexes[at]
		if got, want := spell(index.KeySchema, kinds), spell(wantIndex.KeySchema, wanted); got != want {
			complain("the key of its index %q is %s, not %s", dueIndex, got, want)
		}
		if !projects(index.Projection, "expires_ms") {
			complain("its index %q does not project expires_ms (INCLUDE): expired records would count as due", dueIndex)
		}
		if index.IndexStatus != types.IndexStatusActive && index.IndexStatus != types.IndexStatusUpdating {
			complain("its index %q is %s, not ACTIVE", dueIndex, index.IndexStatus)
		}
	}
	ttl, err := s.client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &s.table})
	switch {
	case err != nil && !refused(err):
		return s.explain("checking the TTL of the table", err)
	case err == nil && !ttlEnabled(ttl.TimeToLiveDescription):
		problems = append(problems, ErrNoTTL)
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("dynamo: table %q (%s) is not as this program needs it; deploy it again: %w", s.table, s.place, errors.Join(problems...))
}

// attributeTypes gives the types of the key attributes by their names.
func attributeTypes(definitions []types.AttributeDefinition) map[string]types.ScalarAttributeType {
	out := make(map[string]types.ScalarAttributeType)
	for _, d := range definitions {
		out[aws.ToString(d.AttributeName)] = d.AttributeType
	}
	return out
}

// spell writes a key as "pk S HASH, sk S RANGE".
func spell(key []types.KeySchemaElement, kinds map[string]types.ScalarAttributeType) string {
	var parts []string
	for _, k := range key {
		name := aws.ToString(k.AttributeName)
		parts = append(parts, fmt.Sprintf("%s %s %s", name, kinds[name], k.KeyType))
	}
	return strings.Join(parts, ", ")
}

// projects reports whether an index holds the attribute.
func projects(p *types.Projection, attribute string) bool {
	return p != nil && (p.ProjectionType == types.ProjectionTypeAll || slices.Contains(p.NonKeyAttributes, attribute))
}

// ttlEnabled reports whether DynamoDB removes expired items, or is about to.
func ttlEnabled(d *types.TimeToLiveDescription) bool {
	return d != nil && aws.ToString(d.AttributeName) == ttlAttribute &&
		(d.TimeToLiveStatus == types.TimeToLiveStatusEnabled || d.TimeToLiveStatus == types.TimeToLiveStatusEnabling)
}

// refused reports whether the server does not know the call, or the role may not make it.
func refused(err error) bool {
	code := errorCode(err)
	return code == "UnknownOperationException" || code == "AccessDeniedException"
}

// errorCode is the name of an error that DynamoDB answered, or "".
func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// explain makes an error for the person who must act: what was being done, in which table, and what to
// do about the causes that are known. doing names kinds of records, never keys: those may hold an openid.
func (s *Store) explain(doing string, err error) error {
	advice := ""
	switch code := errorCode(err); {
	case code == "ResourceNotFoundException":
		advice = " does not exist: deploy it, or correct store.table and the region; it is never created silently"
	case code == "ValidationException" && strings.Contains(err.Error(), "specified index"):
		advice = fmt.Sprintf(" has no index %q: deploy the table again", dueIndex)
	case code == "AccessDeniedException":
		advice = " is closed to this role: grant it the actions of the deployment's policy on the table and on its index"
	case code == "ProvisionedThroughputExceededException" || code == "ThrottlingException" || code == "RequestLimitExceeded" || errors.Is(err, errUnprocessed):
		advice = " is throttled: see docs/limits.md"
	}
	return fmt.Errorf("dynamo: %s: table %q (%s)%s: %w", doing, s.table, s.place, advice, err)
}
