package dynamo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// item is a record as DynamoDB has it. The members of the body are attributes of their own, so that the
// console, an export and a filter can read them; these ones belong to the record:
//
//	pk, sk       the key
//	version      the version
//	kind         the body's kind
//	due          milliseconds; with due_shard the key of the index, both only where the record is due
//	expires_ms   the exact end, in milliseconds, that conditions and filters go by
//	expires      the same in whole seconds, rounded up, for DynamoDB's TTL
type item = map[string]types.AttributeValue

// own are the attribute names that no member of a body may have.
var own = map[string]bool{
	"pk": true, "sk": true, "version": true, "kind": true, "due": true, "due_shard": true, "expires": true, "expires_ms": true,
}

// itemKey is the primary key of a record.
func itemKey(key submsg.Key) item { return item{"pk": text(key.Partition), "sk": text(key.Sort)} }

// dueShard is how the index spells a shard.
func dueShard(shard int) string { return fmt.Sprintf("%02d", shard) }

// kindOf is the part of a key that may appear in an error text: the rest may hold an openid.
func kindOf(key submsg.Key) string {
	kind, _, _ := strings.Cut(key.Partition, "#")
	return kind
}

// encode spells a record with the version it is about to get.
func encode(rec submsg.Record, version submsg.Version) (item, error) {
	if rec.Body == nil {
		return nil, errors.New("the record has no body: use Delete to remove it")
	}
	data, err := submsg.EncodeBody(rec.Body)
	if err != nil {
		return nil, err
	}
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // a float64 would round versions, fingerprints and message ids
	if err := decoder.Decode(&members); err != nil {
		return nil, fmt.Errorf("the body is not a JSON object: %w", err)
	}
	it := itemKey(rec.Key)
	for name, member := range members {
		if own[name] || name == "" {
			return nil, fmt.Errorf("a member of the body is called %q, which is an attribute of the store's own", name)
		}
		if member != nil && member != "" { // both are what an absent member decodes to
			it[name] = toValue(member)
		}
	}
	it["version"], it["kind"] = number(uint64(version)), text(rec.Body.Kind())
	if rec.Due != 0 {
		it["due"], it["due_shard"] = number(int64(rec.Due)), text(dueShard(rec.Key.Shard()))
	}
	if rec.Expires != 0 {
		it["expires_ms"], it["expires"] = number(int64(rec.Expires)), number(int64((rec.Expires-1)/1000+1))
	}
	return it, nil
}

// decode is the inverse of encode. Its errors name the kind, never the key.
func decode(it item) (submsg.Record, error) {
	key, err := decodeKey(it)
	if err != nil {
		return submsg.Record{}, err
	}
	rec := submsg.Record{Key: key}
	version, err := integer(it, "version")
	if err != nil {
		return rec, err
	}
	due, err := integer(it, "due")
	if err != nil {
		return rec, err
	}
	expires, err := integer(it, "expires_ms")
	if err != nil {
		return rec, err
	}
	rec.Version, rec.Due, rec.Expires = submsg.Version(version), submsg.Instant(due), submsg.Instant(expires)
	kind, _ := it["kind"].(*types.AttributeValueMemberS)
	if version == 0 || kind == nil {
		return rec, fmt.Errorf("an item of kind %q has no version or no kind attribute: it was not written by this program", kindOf(key))
	}
	body := []byte{'{'}
	for name, value := range it {
		if own[name] {
			continue
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		body = append(appendString(body, name), ':')
		if body, err = appendValue(body, value); err != nil {
			return rec, fmt.Errorf("attribute %q of a %s item: %w", name, kind.Value, err)
		}
	}
	rec.Body, err = submsg.DecodeBody(kind.Value, append(body, '}'))
	return rec, err
}

// decodeDue reads an item of the index.
func decodeDue(it item) (submsg.DueItem, error) {
	key, err := decodeKey(it)
	if err != nil {
		return submsg.DueItem{}, err
	}
	due, err := integer(it, "due")
	return submsg.DueItem{Key: key, Due: submsg.Instant(due)}, err
}

// decodeKey reads the primary key.
func decodeKey(it item) (submsg.Key, error) {
	pk, _ := it["pk"].(*types.AttributeValueMemberS)
	sk, _ := it["sk"].(*types.AttributeValueMemberS)
	if pk == nil || sk == nil {
		return submsg.Key{}, errors.New("an item has no pk or sk attribute of type S")
	}
	return submsg.Key{Partition: pk.Value, Sort: sk.Value}, nil
}

// integer reads a whole number; 0 where there is no such attribute.
func integer(it item, name string) (int64, error) {
	value, there := it[name]
	if !there {
		return 0, nil
	}
	n, ok := value.(*types.AttributeValueMemberN)
	if !ok {
		return 0, fmt.Errorf("attribute %q is not a number", name)
	}
	i, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("attribute %q is not a whole number of 64 bits", name)
	}
	return i, nil
}

// toValue turns a JSON value into the native one.
func toValue(v any) types.AttributeValue {
	switch v := v.(type) {
	case string:
		return text(v)
	case json.Number:
		return &types.AttributeValueMemberN{Value: v.String()}
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}
	case []any:
		list := make([]types.AttributeValue, len(v))
		for i, element := range v {
			list[i] = toValue(element)
		}
		return &types.AttributeValueMemberL{Value: list}
	case map[string]any:
		members := make(item, len(v))
		for name, member := range v {
			members[escape(name)] = toValue(member)
		}
		return &types.AttributeValueMemberM{Value: members}
	default:
		return &types.AttributeValueMemberNULL{Value: true}
	}
}

// appendValue writes a native value as JSON.
func appendValue(b []byte, value types.AttributeValue) (_ []byte, err error) {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return appendString(b, v.Value), nil
	case *types.AttributeValueMemberN:
		return append(b, v.Value...), nil
	case *types.AttributeValueMemberBOOL:
		return strconv.AppendBool(b, v.Value), nil
	case *types.AttributeValueMemberNULL:
		return append(b, "null"...), nil
	case *types.AttributeValueMemberL:
		b = append(b, '[')
		for i, element := range v.Value {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendValue(b, element); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case *types.AttributeValueMemberM:
		b = append(b, '{')
		first := true
		for name, member := range v.Value {
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(appendString(b, unescape(name)), ':')
			if b, err = appendValue(b, member); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	default:
		return nil, fmt.Errorf("type %T is none that this program writes", value)
	}
}

// appendString writes a JSON string.
func appendString(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic("dynamo: a string that JSON cannot hold: " + err.Error()) // encoding/json has no such strings
	}
	return append(b, quoted...)
}

// escape spells the name of a map's member: DynamoDB refuses an empty one, and the ledger has those
// (the app itself among its templates, in Health.Strikes).
func escape(name string) string {
	if name == "" || name[0] == '~' {
		return "~" + name
	}
	return name
}

// unescape is the inverse of escape.
func unescape(name string) string { return strings.TrimPrefix(name, "~") }
