package dynamo

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func TestAnyJSONValueSurvivesTheDetourOverNativeAttributes(t *testing.T) {
	var value *rapid.Generator[any]
	value = rapid.OneOf(
		rapid.Map(rapid.String(), func(s string) any { return strings.ToValidUTF8(s, "?") }),
		rapid.Map(rapid.Uint64(), func(n uint64) any { return json.Number(fmt.Sprint(n)) }),
		rapid.Map(rapid.Int64(), func(n int64) any { return json.Number(fmt.Sprint(n)) }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Just[any](nil),
		rapid.Map(rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[any] { return value }), 0, 3), func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(rapid.StringOf(rapid.RuneFrom([]rune("ab~元"))), rapid.Deferred(func() *rapid.Generator[any] { return value }), 0, 3),
			func(m map[string]any) any { return m }),
	)
	rapid.Check(t, func(t *rapid.T) {
		want := value.Draw(t, "value")
		data, err := appendValue(nil, toValue(want))
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(strings.NewReader(string(data)))
		decoder.UseNumber()
		var got any
		if err := decoder.Decode(&got); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-went in +came out:\n%s", diff)
		}
	})
}

func TestARecordIsReadableInTheConsole(t *testing.T) {
	rec := submsg.Record{Key: submsg.SendKey("wx1", "s_1"), Due: 1_790_000_000_123, Expires: 1_790_000_000_001, Body: &submsg.Send{
		ID: "s_1", State: submsg.SendSent, Data: map[string]string{"thing1": "账单", "": ""}, RequestHash: math.MaxUint64, TryAnyway: true,
	}}
	got, err := encode(rec, 42)
	if err != nil {
		t.Fatal(err)
	}
	n := func(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
	want := item{
		"pk": text("send#wx1#s_1"), "sk": text("-"), "kind": text("send"), "version": n("42"),
		"due": n("1790000000123"), "due_shard": text(dueShard(rec.Key.Shard())),
		"expires_ms": n("1790000000001"), "expires": n("1790000001"), // rounded up: TTL must not be early
		"id": text("s_1"), "state": text("sent"), "request_hash": n("18446744073709551615"),
		"try_anyway": &types.AttributeValueMemberBOOL{Value: true},
		"data":       &types.AttributeValueMemberM{Value: item{"thing1": text("账单"), "~": text("")}},
		"created_at": n("0"), "updated_at": n("0"),
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(), cmp.Comparer(sameValue)); diff != "" {
		t.Errorf("item (-want +got):\n%s", diff)
	}
}

// sameValue compares attribute values by what they spell.
func sameValue(a, b types.AttributeValue) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return fmt.Sprintf("%T%s", a, x) == fmt.Sprintf("%T%s", b, y)
}

// clashing is a body that has a member of the store's own name.
type clashing struct {
	Version int `json:"version"`
}

func (clashing) Kind() string { return "clashing" }

func TestABodyThatWouldOverwriteTheStoresOwnAttributesIsRefused(t *testing.T) {
	_, err := encode(submsg.Record{Key: submsg.SendKey("wx1", "s_1"), Body: clashing{3}}, 42)
	if err == nil || !strings.Contains(err.Error(), `"version"`) {
		t.Errorf("got %v, want an error that names the member", err)
	}
}

func TestAnItemThatIsNotOursIsAnErrorWithoutItsKey(t *testing.T) {
	good, err := encode(submsg.Record{Key: submsg.SubscriberKey("wx1", "oSECRET"), Body: &submsg.Subscriber{AppID: "wx1"}}, 42)
	if err != nil {
		t.Fatal(err)
	}
	for name, broken := range map[string]types.AttributeValue{
		"version": text("42"), "kind": text("unheard of"), "appid": &types.AttributeValueMemberB{Value: []byte("x")},
		"due": &types.AttributeValueMemberN{Value: "1.5"}, "expires_ms": text("soon"), "sk": &types.AttributeValueMemberN{Value: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			it := item{}
			for k, v := range good {
				it[k] = v
			}
			it[name] = broken
			if _, err := decode(it); err == nil || strings.Contains(err.Error(), "oSECRET") {
				t.Errorf("got %v, want an error that names no openid", err)
			}
		})
	}
}
