package dynamo

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// ItemSize is how many bytes DynamoDB bills rec for: a write unit is 1024 of them, a consistent read unit
// 4096. The index entry of a record that is due is extra: at most one unit for each change of Due.
//
// Source: docs.aws.amazon.com, "DynamoDB item sizes and formats". Names and strings count in UTF-8, so a
// Chinese character is three; a number takes a byte for two significant digits and one more; a list or
// map three, and one for each member.
func ItemSize(rec submsg.Record) (int, error) {
	it, err := encode(rec, submsg.Version(1<<63-1))
	if err != nil {
		return 0, err
	}
	return sizeOfMembers(it), nil
}

func sizeOfMembers(members item) int {
	n := 0
	for name, value := range members {
		n += len(name) + sizeOf(value)
	}
	return n
}

func sizeOf(value types.AttributeValue) int {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		digits := strings.TrimRight(strings.TrimLeft(v.Value, "-0"), "0")
		return (len(digits)+1)/2 + 1 + strings.Count(v.Value, "-")
	case *types.AttributeValueMemberL:
		n := 3
		for _, element := range v.Value {
			n += 1 + sizeOf(element)
		}
		return n
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + sizeOfMembers(v.Value)
	default: // BOOL and NULL
		return 1
	}
}
