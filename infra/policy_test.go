package infra

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// allowedWildcards are the only actions and resources with a star in an Allow statement, each with the reason why nothing
// narrower will do. One that is no longer used must go: the test says so.
var allowedWildcards = map[string]string{
	"*": "X-Ray knows no resources: its two write actions accept nothing but a star (docs.aws.amazon.com, Service Authorization Reference, AWS X-Ray)",

	"Sub arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/yuexin-dev-grant:*":    "Lambda names the streams of the function's own log group",
	"Sub arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/yuexin-dev-send:*":     "as above",
	"Sub arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/yuexin-dev-schedule:*": "as above",
	"Sub arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/yuexin-dev-deliver:*":  "as above",
	"Sub arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/yuexin-dev-manage:*":   "as above",

	"Sub arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/yuexin/dev/*":         "the parameters that yuexin.yaml refers to, all under this stage's own prefix",
	"Sub arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:yuexin/dev/*": "likewise; Secrets Manager also appends six random characters to a name",
}

// starOnlyFor says which actions may stand beside the resource "*".
var starOnlyFor = []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords"}

// finding is one thing in a policy that is wider than it should be.
type finding struct{ Where, What string }

// wildcards returns every star in an Allow statement of a template's policies that is not in allowed, and notes in used
// which of the allowed ones occur. Principals count, too: a resource policy that lets anybody in is the widest star.
func wildcards(t template, allowed map[string]string, used map[string]bool) []finding {
	var found []finding
	for _, name := range slices.Sorted(maps.Keys(t.Resources)) {
		r := t.Resources[name]
		var documents []any
		documents = append(documents, r.Properties["AssumeRolePolicyDocument"], r.Properties["PolicyDocument"], r.Properties["KeyPolicy"])
		for _, policy := range list(r.Properties["Policies"]) {
			documents = append(documents, at(policy, "PolicyDocument"))
		}
		for _, managed := range list(r.Properties["ManagedPolicyArns"]) {
			found = append(found, finding{name, "managed policy " + spell(managed) + ": what it allows is not in this template"})
		}
		for _, document := range documents {
			for i, statement := range list(at(document, "Statement")) {
				where := fmt.Sprintf("%s statement %d", name, i)
				found = append(found, starsOf(statement, where, allowed, used)...)
			}
		}
	}
	return found
}

func starsOf(statement any, where string, allowed map[string]string, used map[string]bool) []finding {
	if at(statement, "Effect") != "Allow" {
		return nil
	}
	var found []finding
	for _, key := range []string{"NotAction", "NotResource", "NotPrincipal"} {
		if at(statement, key) != nil {
			found = append(found, finding{where, key + " allows everything else"})
		}
	}
	actions := list(at(statement, "Action"))
	for _, action := range actions {
		if text := spell(action); strings.Contains(text, "*") {
			found = append(found, finding{where, "action " + text})
		}
	}
	for _, r := range list(at(statement, "Resource")) {
		text := spell(r)
		if !strings.Contains(text, "*") {
			continue
		}
		if _, ok := allowed[text]; !ok {
			found = append(found, finding{where, "resource " + text})
			continue
		}
		used[text] = true
		for _, action := range actions {
			if text == "*" && !slices.Contains(starOnlyFor, spell(action)) {
				found = append(found, finding{where, "action " + spell(action) + " on every resource"})
			}
		}
	}
	if principal := at(statement, "Principal"); strings.Contains(spell(principal), "*") {
		found = append(found, finding{where, "principal " + spell(principal)})
	}
	return found
}

func TestNoPolicyIsWiderThanTheShortListAllows(t *testing.T) {
	used := make(map[string]bool)
	for _, f := range wildcards(stack(t, "dev"), allowedWildcards, used) {
		t.Errorf("%s: %s. Narrow it, or put it on the list with a reason", f.Where, f.What)
	}
	for text := range allowedWildcards {
		if !used[text] {
			t.Errorf("the list allows %q, which nothing uses: take it off", text)
		}
	}
}

func TestTheCheckFindsAPlantedWildcard(t *testing.T) {
	allow := func(action, resource any) map[string]any {
		return map[string]any{"Effect": "Allow", "Action": action, "Resource": resource}
	}
	role := func(statements ...any) template {
		return template{Resources: map[string]resource{"Role": {Type: "AWS::IAM::Role", Properties: map[string]any{
			"Policies": []any{map[string]any{"PolicyDocument": map[string]any{"Statement": statements}}},
		}}}}
	}
	table := map[string]any{"Fn::GetAtt": []any{"Table", "Arn"}}
	tests := map[string]struct {
		template template
		want     []finding
	}{
		"none":                       {role(allow("dynamodb:GetItem", table)), nil},
		"an action family":           {role(allow("dynamodb:*", table)), []finding{{"Role statement 0", "action dynamodb:*"}}},
		"an action in a list":        {role(allow([]any{"sqs:SendMessage", "dynamodb:Get*"}, table)), []finding{{"Role statement 0", "action dynamodb:Get*"}}},
		"every resource":             {role(allow("dynamodb:GetItem", "*")), []finding{{"Role statement 0", "action dynamodb:GetItem on every resource"}}},
		"a resource pattern":         {role(allow("ssm:GetParameter", map[string]any{"Fn::Sub": "arn:x:parameter/*"})), []finding{{"Role statement 0", "resource Sub arn:x:parameter/*"}}},
		"an index pattern in a join": {role(allow("dynamodb:Query", map[string]any{"Fn::Join": []any{"", []any{table, "/index/*"}}})), []finding{{"Role statement 0", `resource Join .[{"Fn::GetAtt":["Table","Arn"]},"/index/*"]`}}},
		"everything but":             {role(map[string]any{"Effect": "Allow", "NotAction": "iam:PassRole", "Resource": table}), []finding{{"Role statement 0", "NotAction allows everything else"}}},
		"a managed policy": {template{Resources: map[string]resource{"Role": {Properties: map[string]any{"ManagedPolicyArns": []any{"arn:aws:iam::aws:policy/AdministratorAccess"}}}}},
			[]finding{{"Role", "managed policy arn:aws:iam::aws:policy/AdministratorAccess: what it allows is not in this template"}}},
		"an open queue": {template{Resources: map[string]resource{"Policy": {Type: "AWS::SQS::QueuePolicy", Properties: map[string]any{
			"PolicyDocument": map[string]any{"Statement": map[string]any{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": table}},
		}}}}, []finding{{"Policy statement 0", "principal *"}}},
		"a denial, which may be wide": {role(map[string]any{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Principal": "*"}), nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := wildcards(test.template, map[string]string{"*": "X-Ray"}, make(map[string]bool))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// permissions returns what the role of a function allows, as sorted "action on resource" lines, without its own log,
// tracing and secrets.
func permissions(t *testing.T, s template, function string) []string {
	t.Helper()
	role := at(s.Resources[logical(function)+"LambdaFunction"].Properties, "Role", "Fn::GetAtt")
	name := spell(list(role)[0])
	var lines []string
	for _, policy := range list(s.Resources[name].Properties["Policies"]) {
		for _, statement := range list(at(policy, "PolicyDocument", "Statement")) {
			for _, action := range list(at(statement, "Action")) {
				for _, on := range list(at(statement, "Resource")) {
					service, _, _ := strings.Cut(spell(action), ":")
					if service == "dynamodb" || service == "sqs" {
						lines = append(lines, spell(action)+" on "+spell(on))
					}
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// logical is the name that osls gives a function in the template, without its suffix.
func logical(function string) string { return strings.ToUpper(function[:1]) + function[1:] }

func TestEachFunctionMayDoWhatItNeedsAndNothingElse(t *testing.T) {
	const table = "Sub arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/yuexin-dev"
	records := []string{
		"dynamodb:BatchGetItem on " + table, "dynamodb:DeleteItem on " + table, "dynamodb:GetItem on " + table,
		"dynamodb:PutItem on " + table, "dynamodb:Query on " + table,
	}
	const (
		due     = "dynamodb:Query on " + table + "/index/due"
		wake    = "sqs:SendMessage on GetAtt WakeQueue.Arn"
		receive = "sqs:ReceiveMessage on GetAtt WakeQueue.Arn"
		remove  = "sqs:DeleteMessage on GetAtt WakeQueue.Arn"
		inspect = "sqs:GetQueueAttributes on GetAtt WakeQueue.Arn"
	)
	want := map[string][]string{
		"grant":    records,
		"send":     append(slices.Clone(records), wake),
		"manage":   append(slices.Clone(records), wake),
		"schedule": append(slices.Clone(records), wake, due),
		"deliver":  append(slices.Clone(records), wake, due, receive, remove, inspect),
	}
	s := stack(t, "dev")
	for _, function := range functions {
		slices.Sort(want[function])
		if diff := cmp.Diff(want[function], permissions(t, s, function)); diff != "" {
			t.Errorf("permissions of %s (-want +got):\n%s", function, diff)
		}
	}
}

func TestNoTwoFunctionsShareARole(t *testing.T) {
	roles := make(map[string]string)
	for name, function := range stack(t, "dev").ofType("AWS::Lambda::Function") {
		role := spell(function.Properties["Role"])
		if other, taken := roles[role]; taken {
			t.Errorf("%s and %s share %s", name, other, role)
		}
		roles[role] = name
	}
	if len(roles) != len(functions) {
		t.Errorf("%d roles for %d functions", len(roles), len(functions))
	}
}
