package platform

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// UnknownEventError reports an event whose shape none of the supported sources has.
type UnknownEventError struct {
	// Keys are the names at the event's top level, sorted, at most 20 of them, each cut to 40 bytes.
	// Values are left out on purpose: they may be anybody's data.
	Keys []string
	// Hint says what to change, where the shape is recognised as one that could be configured away.
	Hint string
}

func (e *UnknownEventError) Error() string {
	text := fmt.Sprintf("platform: unknown event with the keys [%s]", strings.Join(e.Keys, " "))
	if e.Hint != "" {
		return text + ": " + e.Hint
	}
	return text + ": expected an API Gateway HTTP API or function URL request, a timer, an SQS, CKafka or CMQ batch, or {\"wakeups\":[…]}"
}

// classify recognises an event by its shape. The shape is all there is: neither cloud names the source of an
// event anywhere but in it. Keys are compared exactly, which encoding/json would not do by itself.
func classify(payload []byte) (event, error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(payload, &top); err != nil || top == nil {
		return nil, errors.New("platform: the event is not a JSON object")
	}
	has := func(keys ...string) bool {
		return !slices.ContainsFunc(keys, func(key string) bool { return top[key] == nil })
	}
	switch {
	case has("Records"):
		return classifyRecords(top)
	case has("wakeups"):
		return decodeWakeups(top["wakeups"])
	case has("rawPath", "requestContext"):
		return decodeHTTPAPI(payload)
	case has("httpMethod", "path"):
		if hint := foreignGateway(top); hint != "" {
			return nil, &UnknownEventError{Keys: names(top), Hint: hint}
		}
		return decodeSCFRequest(payload)
	case text(top["Type"]) == "Timer":
		return tickEvent{source: "SCF timer"}, nil
	case text(top["detail-type"]) == "Scheduled Event":
		return tickEvent{source: "EventBridge schedule"}, nil
	}
	return nil, &UnknownEventError{Keys: names(top)}
}

// foreignGateway recognises requests that look like those of Tencent's gateways and come from elsewhere.
// They are refused rather than guessed at: their query strings, paths and client addresses mean other
// things, and they want other answers.
func foreignGateway(top map[string]json.RawMessage) (hint string) {
	if top["resource"] != nil {
		return "this is payload format 1.0 of API Gateway; set the integration's payload format version to 2.0"
	}
	requestContext, ok := top["requestContext"]
	if !ok {
		return "" // an SCF function URL
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(requestContext, &fields) != nil || fields["serviceId"] == nil {
		return "requests of this gateway are not supported; use a function URL or an HTTP API with payload format 2.0"
	}
	return ""
}

// text returns the string that raw holds, or "" when it holds anything else.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// names returns the keys of fields as UnknownEventError wants them.
func names(fields map[string]json.RawMessage) []string {
	const most, longest = 20, 40
	keys := make([]string, 0, len(fields))
	for key := range fields {
		if len(key) > longest {
			key = strings.ToValidUTF8(key[:longest], "") + "…"
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if len(keys) > most {
		keys = append(keys[:most], "…")
	}
	return keys
}
