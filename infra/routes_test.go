package infra

import (
	"strings"
	"testing"
)

// route finds the function that API Gateway would hand a request to: among the matching routes a full match wins over a
// greedy one, a method over ANY, a literal over a variable, and $default is last (docs.aws.amazon.com, Create routes for HTTP
// APIs in API Gateway).
func route(routes map[string]string, method, path string) string {
	best, function := -1, routes["$default"]
	for key, target := range routes {
		verb, pattern, ok := strings.Cut(key, " ")
		if !ok || (verb != "ANY" && verb != method) {
			continue
		}
		score := match(strings.Split(pattern, "/"), strings.Split(path, "/"))
		if score < 0 {
			continue
		}
		score *= 2
		if verb == method {
			score++
		}
		if score > best {
			best, function = score, target
		}
	}
	return function
}

// match returns how specific a pattern is for the path, or -1 where it does not match.
func match(pattern, path []string) int {
	score := 0
	for i, part := range pattern {
		switch {
		case i >= len(path):
			return -1
		case strings.HasSuffix(part, "+}"):
			return score
		case strings.HasPrefix(part, "{"):
			score += 10
		case part == path[i]:
			score += 11
		default:
			return -1
		}
	}
	if len(pattern) != len(path) {
		return -1
	}
	return score + 1000
}

func TestEveryPathReachesItsFunction(t *testing.T) {
	s := stack(t, "dev")
	routes := make(map[string]string)
	for _, r := range s.ofType("AWS::ApiGatewayV2::Route") {
		integration := list(at(r.Properties, "Target", "Fn::Join"))
		name := spell(list(integration[1])[1])
		routes[spell(r.Properties["RouteKey"])] = strings.ToLower(strings.TrimPrefix(name, "Ref HttpApiIntegration"))
	}
	const app = "/v1/apps/wx0123456789abcdef"
	tests := []struct{ method, path, function string }{
		{"GET", "/wechat/wx0123456789abcdef", "grant"},
		{"POST", "/wechat/wx0123456789abcdef", "grant"},
		{"POST", app + "/grants", "grant"},
		{"GET", app + "/prompts", "grant"},
		{"GET", app + "/subscribers/oUser", "grant"},
		{"DELETE", app + "/subscribers/oUser", "grant"},
		{"PUT", app + "/subscribers/oUser/preferences", "grant"},
		{"POST", app + "/sends", "send"},
		{"POST", app + "/sends:batch", "send"},
		{"POST", app + "/sends:check", "send"},
		{"GET", app + "/sends/01J0ABC", "send"},
		{"DELETE", app + "/sends/01J0ABC", "send"},
		{"POST", app + "/schedules", "manage"},
		{"PUT", app + "/schedules/weekly", "manage"},
		{"POST", app + "/schedules/weekly:pause", "manage"},
		{"GET", app + "/schedules/weekly/occurrences", "manage"},
		{"GET", app + "/templates", "manage"},
		{"POST", app + "/templates:sync", "manage"},
		{"POST", app + "/templates:audit", "manage"},
		{"GET", app + "/stats", "manage"},
		{"POST", app + "/opens", "manage"},
		{"GET", app + "/holds", "manage"},
		{"GET", "/console", "manage"},
		{"GET", "/healthz", "manage"},
		{"GET", "/favicon.ico", "manage"},
		{"GET", app + "/send", "manage"},
	}
	for _, test := range tests {
		if got := route(routes, test.method, test.path); got != test.function {
			t.Errorf("%s %s goes to %q, want %q", test.method, test.path, got, test.function)
		}
	}
}
