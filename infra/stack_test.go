package infra

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/dynamo"
)

func TestTheTableIsTheOneThatTheStoreNeeds(t *testing.T) {
	s := stack(t, "dev")
	table, ok := s.Resources["Table"]
	if !ok {
		t.Fatal("the stack has no table")
	}
	var got struct {
		AttributeDefinitions   []struct{ AttributeName, AttributeType string }
		KeySchema              []struct{ AttributeName, KeyType string }
		GlobalSecondaryIndexes []struct {
			IndexName  string
			KeySchema  []struct{ AttributeName, KeyType string }
			Projection struct {
				ProjectionType   string
				NonKeyAttributes []string
			}
		}
		BillingMode string
	}
	want := got
	convert(t, table.Properties, &got)
	convert(t, dynamo.Definition("any"), &want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-what shared/dynamo needs +what is deployed):\n%s", diff)
	}
	for _, check := range []struct {
		what      string
		got, want any
	}{
		{"TTL attribute", at(table.Properties, "TimeToLiveSpecification", "AttributeName"), "expires"},
		{"TTL enabled", at(table.Properties, "TimeToLiveSpecification", "Enabled"), true},
		{"point-in-time recovery", at(table.Properties, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"), true},
		{"deletion policy", any(table.DeletionPolicy), "Retain"},
		{"name, as in the bundled configuration", table.Properties["TableName"], "yuexin-dev"},
		{"deletion protection in prod", stack(t, "prod").Resources["Table"].Properties["DeletionProtectionEnabled"], true},
	} {
		if check.got != check.want {
			t.Errorf("%s is %v, want %v", check.what, check.got, check.want)
		}
	}
}

// A restored table has a name of its own and exists already: the stack must do with it, and leave the one that it made where it is.
func TestTheStackWorksWithATableThatItDidNotMake(t *testing.T) {
	for _, existing := range []string{"false", "true"} {
		s := stack(t, "dev", "existingTable="+existing)
		if got := s.Parameters["ExistingTable"]["Default"]; got != existing {
			t.Errorf("with existingTable=%s the parameter is %v", existing, got)
		}
		if got := spell(s.Conditions["MakeTable"]); got != "Equals Ref ExistingTable.false" {
			t.Errorf("the table is made where %s", got)
		}
		table := s.Resources["Table"]
		if table.Condition != "MakeTable" || table.DeletionPolicy != "Retain" {
			t.Errorf("the table is made if %q, and when it leaves the stack: %q", table.Condition, table.DeletionPolicy)
		}
		delete(s.Resources, "Table")
		content, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		s.Resources["Table"] = table
		for _, reference := range []string{`"Ref":"Table"`, `["Table",`, `"Table.Arn"`, "${Table", `"DependsOn":"Table"`} {
			if strings.Contains(string(content), reference) {
				t.Errorf("something refers to the table by %s, which is not there with existingTable=true", reference)
			}
		}
		if got := at(s.Outputs["TableName"], "Value"); got != "yuexin-dev" {
			t.Errorf("the output TableName is %v", got)
		}
	}
	if got := stack(t, "dev").Parameters["ExistingTable"]["Default"]; got != "false" {
		t.Errorf("ExistingTable is %v unless somebody says otherwise", got)
	}
}

// convert copies a value into another type by way of JSON.
func convert(t *testing.T, from, to any) {
	t.Helper()
	content, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(content, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAMessageStaysHiddenSixTimesAsLongAsDeliverMayWork(t *testing.T) {
	s := stack(t, "dev")
	timeout := s.Resources["DeliverLambdaFunction"].Properties["Timeout"].(float64)
	queue := s.Resources["WakeQueue"].Properties
	if visibility := queue["VisibilityTimeout"].(float64); visibility <= 6*timeout {
		t.Errorf("visibility is %v s, with a time-out of %v s it must be above %v s", visibility, timeout, 6*timeout)
	}
	if dead := spell(at(queue, "RedrivePolicy", "deadLetterTargetArn")); dead != "GetAtt DeadLetterQueue.Arn" {
		t.Errorf("failed messages go to %q", dead)
	}
	sources := s.ofType("AWS::Lambda::EventSourceMapping")
	if len(sources) != 1 {
		t.Fatalf("%d event sources, want 1", len(sources))
	}
	for _, source := range sources {
		if diff := cmp.Diff([]any{"ReportBatchItemFailures"}, source.Properties["FunctionResponseTypes"]); diff != "" {
			t.Errorf("response types (-want +got):\n%s", diff)
		}
		if most, ok := at(source.Properties, "ScalingConfig", "MaximumConcurrency").(float64); !ok || most < 2 {
			t.Errorf("maximum concurrency is %v, Lambda wants at least 2", most)
		}
	}
}

func TestEveryFunctionIsSetUpAlike(t *testing.T) {
	s := stack(t, "prod")
	for _, function := range functions {
		properties := s.Resources[logical(function)+"LambdaFunction"].Properties
		for key, want := range map[string]string{"Runtime": "provided.al2023", "Handler": "bootstrap", "Architectures": `["arm64"]`, "FunctionName": "yuexin-prod-" + function} {
			if got := spell(properties[key]); got != want {
				t.Errorf("%s: %s is %s, want %s", function, key, got, want)
			}
		}
		if at(properties, "TracingConfig", "Mode") != "Active" {
			t.Errorf("%s is not traced", function)
		}
		if at(properties, "Environment", "Variables", "YUEXIN_CONFIG") != "/var/task/yuexin.yaml" {
			t.Errorf("%s does not know its configuration", function)
		}
		if wakes := at(properties, "Environment", "Variables", "YUEXIN_QUEUE_URL") != nil; wakes != (function != "grant") {
			t.Errorf("%s knows the queue: %v", function, wakes)
		}
		if !strings.HasSuffix(spell(at(properties, "Code", "S3Key")), "/"+function+".zip") {
			t.Errorf("%s runs %s", function, spell(at(properties, "Code", "S3Key")))
		}
		// deliver is bounded by its queue's maximum concurrency instead. Where nothing is to be sent, 0 stops who sends.
		if got := spell(properties["ReservedConcurrentExecutions"]); got != map[string]string{
			"grant":    "If ReserveConcurrency.50.Ref AWS::NoValue",
			"send":     "If Sending.If ReserveConcurrency.50.Ref AWS::NoValue.0",
			"schedule": "If Sending.If ReserveConcurrency.2.Ref AWS::NoValue.0",
			"deliver":  "If Sending.Ref AWS::NoValue.0",
			"manage":   "If ReserveConcurrency.20.Ref AWS::NoValue",
		}[function] {
			t.Errorf("%s reserves concurrency: %s", function, got)
		}
	}
	for name, want := range map[string]string{"Sending": "Equals Ref Sending.true", "ReserveConcurrency": "Equals Ref ReserveConcurrency.true"} {
		if got := spell(s.Conditions[name]); got != want || s.Parameters[name]["Default"] != "true" {
			t.Errorf("condition %s is %s, by default of %v", name, got, s.Parameters[name]["Default"])
		}
	}
	for name, group := range s.ofType("AWS::Logs::LogGroup") {
		if group.Properties["RetentionInDays"] == nil {
			t.Errorf("%s keeps its logs for ever", name)
		}
	}
}

func TestTheTickComesEveryMinuteAndAFailedOneIsNotRepeated(t *testing.T) {
	s := stack(t, "dev")
	rules := s.ofType("AWS::Events::Rule")
	if len(rules) != 1 {
		t.Fatalf("%d timers, want 1", len(rules))
	}
	for _, rule := range rules {
		if got := rule.Properties["ScheduleExpression"]; got != "rate(1 minute)" {
			t.Errorf("the tick comes at %v", got)
		}
	}
	if got := at(s.Resources["ScheduleLambdaEvConf"].Properties, "MaximumRetryAttempts"); got != float64(0) {
		t.Errorf("a failed tick is tried %v more times", got)
	}
}

// Paths and queries hold openids (GET …/subscribers/{openid}, …/prompts?openid=), which must not reach a log.
func TestTheAccessLogHoldsNoPath(t *testing.T) {
	stage := stack(t, "dev").Resources["HttpApiStage"].Properties
	format := spell(at(stage, "AccessLogSettings", "Format"))
	for _, secret := range []string{"$context.path", "$context.requestOverride", "queryString", "$context.authorizer", "sourceIp", "$request"} {
		if strings.Contains(format, secret) {
			t.Errorf("the access log records %s: %s", secret, format)
		}
	}
	if !strings.Contains(format, "$context.routeKey") || !strings.Contains(format, "$context.status") {
		t.Errorf("the access log says neither route nor status: %s", format)
	}
	if rate := at(stage, "DefaultRouteSettings", "ThrottlingRateLimit"); rate != float64(500) {
		t.Errorf("requests per second: %v, want a limit of 500", rate)
	}
}

var playbookName = regexp.MustCompile(`docs/playbooks/([a-z-]+)\.md`)

func TestEveryAlarmHasAPlaybookAndEveryPlaybookAnAlarm(t *testing.T) {
	s := stack(t, "dev")
	named := make(map[string]bool)
	for name, alarm := range s.ofType("AWS::CloudWatch::Alarm") {
		description := spell(alarm.Properties["AlarmDescription"])
		match := playbookName.FindStringSubmatch(description)
		if match == nil {
			t.Errorf("%s names no playbook: %s", name, description)
			continue
		}
		named[match[1]] = true
		if len(list(alarm.Properties["AlarmActions"])) == 0 {
			t.Errorf("%s tells nobody", name)
		}
	}
	for _, function := range functions {
		if _, ok := s.Resources[logical(function)+"ErrorsAlarm"]; !ok {
			t.Errorf("nobody hears of errors of %s", function)
		}
	}
	files, err := filepath.Glob(filepath.Join(root, "docs", "playbooks", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	for _, file := range files {
		written = append(written, strings.TrimSuffix(filepath.Base(file), ".md"))
	}
	want := []string{"dead-letters", "function-errors", "oldest-due", "server-errors", "suspension", "unknown-outcomes"}
	if diff := cmp.Diff(want, written); diff != "" {
		t.Errorf("playbooks (-want +written):\n%s", diff)
	}
	for _, name := range want {
		if !named[name] {
			t.Errorf("no alarm of serverless.yml leads to playbook %s", name)
		}
	}
	for _, cloud := range []string{"aws", "tencent"} {
		source := readAll(t, filepath.Join(cloud, "*.tf")) + readAll(t, filepath.Join(cloud, "function", "*.tf"))
		for _, match := range playbookName.FindAllStringSubmatch(source, -1) {
			if !slices.Contains(written, match[1]) {
				t.Errorf("infra/%s leads to playbook %s, which is not written", cloud, match[1])
			}
		}
		for _, name := range want {
			// SCF has no dead-letter queue here: a lost wake-up is found by the tick.
			if !strings.Contains(source, "docs/playbooks/"+name+".md") && !(cloud == "tencent" && name == "dead-letters") {
				t.Errorf("no alarm of infra/%s leads to playbook %s", cloud, name)
			}
		}
	}
}

// A function that answers 503 has served its invocation: Lambda's Errors and SCF's status say nothing of a store that is out of reach.
func TestA5xxOfTheAPIRaisesAnAlarm(t *testing.T) {
	alarm := stack(t, "dev").Resources["ServerErrorsAlarm"].Properties
	dimensions := list(alarm["Dimensions"])
	if len(dimensions) != 1 {
		t.Fatalf("dimensions: %v, want ApiId", dimensions)
	}
	for what, pair := range map[string][2]string{
		"namespace":  {spell(alarm["Namespace"]), "AWS/ApiGateway"},
		"metric":     {spell(alarm["MetricName"]), "5xx"}, // 5XXError is that of REST APIs
		"dimension":  {spell(at(dimensions[0], "Name")), "ApiId"},
		"API":        {spell(at(dimensions[0], "Value")), "Ref HttpApi"},
		"statistic":  {spell(alarm["Statistic"]), "Sum"},
		"threshold":  {spell(alarm["Threshold"]), "0"},
		"comparison": {spell(alarm["ComparisonOperator"]), "GreaterThanThreshold"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %s, want %s", what, pair[0], pair[1])
		}
	}
	alarms, logs := terraformSource(t, "tencent"), readAll(t, "tencent/logs.tf")
	if !strings.Contains(alarms, "msg:request AND status:>=500") || !regexp.MustCompile(`\bstatus\s+= "long"`).MatchString(logs) {
		t.Error("infra/tencent has no alarm over the request log, or does not index the status")
	}
}

// The same alarms by the same names, so that a playbook, a dashboard or a silence made for one way of deploying fits the other.
func TestBothWaysToDeployOnAWSRaiseTheSameAlarms(t *testing.T) {
	raised := make(map[string]string)
	for _, alarm := range stack(t, "dev").ofType("AWS::CloudWatch::Alarm") {
		raised[strings.TrimPrefix(spell(alarm.Properties["AlarmName"]), "yuexin-dev-")] = spell(alarm.Properties["AlarmDescription"])
	}
	named := regexp.MustCompile(`alarm_name\s+= "([^"]+)"\s+alarm_description\s+= "([^"]+)"`)
	terraform := make(map[string]string)
	for _, match := range named.FindAllStringSubmatch(readAll(t, "aws/*.tf"), -1) {
		terraform[strings.TrimPrefix(match[1], "${local.name}-")] = match[2]
	}
	for _, match := range named.FindAllStringSubmatch(readAll(t, "aws/function/*.tf"), -1) {
		for _, function := range functions {
			name := strings.NewReplacer("${var.settings.prefix}", "yuexin-dev", "${var.package}", function).Replace(match[1])
			terraform[strings.TrimPrefix(name, "yuexin-dev-")] = match[2]
		}
	}
	if diff := cmp.Diff(raised, terraform); diff != "" {
		t.Errorf("alarms (-serverless.yml +infra/aws):\n%s", diff)
	}
}

func TestAPlaybookSaysWhatItMeansWhereToLookAndWhatToDo(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(root, "docs", "playbooks", "*.md"))
	if len(files) == 0 {
		t.Fatal("there are no playbooks")
	}
	for _, file := range files {
		text := readAll(t, file)
		for _, heading := range []string{"## What it means", "## Where to look", "## What to do"} {
			if !strings.Contains(text, "\n"+heading+"\n") {
				t.Errorf("%s lacks %q", file, heading)
			}
		}
		if !strings.Contains(text, "```") {
			t.Errorf("%s has no query to run", file)
		}
	}
}

func readAll(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	var all strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(content)
		all.WriteByte('\n')
	}
	return all.String()
}

func TestTheDashboardIsJSONOnceItsNamesAreFilledIn(t *testing.T) {
	body := list(at(stack(t, "dev").Resources["Dashboard"].Properties, "DashboardBody", "Fn::Sub"))
	if len(body) != 2 {
		t.Fatalf("the dashboard's body is %v", body)
	}
	text := spell(body[0])
	for name := range body[1].(map[string]any) {
		text = strings.ReplaceAll(text, "${"+name+"}", "filled-in")
	}
	if strings.Contains(text, "${") {
		t.Errorf("a name is not filled in: %s", text[strings.Index(text, "${"):])
	}
	var dashboard struct{ Widgets []any }
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Widgets) == 0 {
		t.Error("the dashboard is empty")
	}
	for _, metric := range []string{"Sends", "CreditsRefused", "LatenessSeconds", "Unknown", "TokenRefreshes", "OldestDueSeconds", "Suspended", "5xx"} {
		if !strings.Contains(text, metric) {
			t.Errorf("the dashboard does not show %s", metric)
		}
	}
}
