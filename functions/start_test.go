package functions_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// lambdaConfig is what the functions on AWS start with; nothing of it is asked of the network at start.
const lambdaConfig = `store: {kind: dynamodb, table: yuexin-test}
apps:
  - appid: wx0123456789abcdef
    secret: ssm:/yuexin/test/secret
    push: {token: ssm:/yuexin/test/token, aes_key: ssm:/yuexin/test/key, mode: secure}
    time_zone: Asia/Shanghai
    limits: {per_day: 3, per_week: 10}
    quiet_hours: "22:00-08:00"
    templates:
      - id: Aq7nT0V9fYx2bR4cS8dW1eZ3hJ5kL6mN7pQ8rS9tU0v
        name: order_shipped
        kind: one_time
        title: 订单发货提醒
        content: "订单编号:{{character_string1.DATA}}\n发货时间:{{time2.DATA}}\n温馨提示:{{thing3.DATA}}"
        page: pages/order/index
api_keys:
  - {name: backend, sha256: "0000000000000000000000000000000000000000000000000000000000000000", scopes: [read], apps: ["*"]}
`

// BenchmarkStart measures the time from the start of a function's process to its first request for an event, which is
// Lambda's cold start without the time Lambda itself takes, beside that of a function that does nothing. Both take turns,
// so that other work on the machine meets them alike; the ratio of the medians is the figure to keep. "client" is a function
// that has a DynamoDB client and nothing else: below that no function over DynamoDB can get.
//
//	go test -run '^$' -bench Start -benchtime 40x ./functions
func BenchmarkStart(b *testing.B) {
	yardsticks := compilePackages(b, tagsAWS, "./testdata/empty", "./testdata/client")
	empty := filepath.Join(yardsticks, "empty")
	config := filepath.Join(b.TempDir(), "yuexin.yaml")
	if err := os.WriteFile(config, []byte(lambdaConfig), 0o600); err != nil {
		b.Fatal(err)
	}
	programs := map[string]string{"client": filepath.Join(yardsticks, "client")}
	for _, name := range names {
		programs[name] = compile(b, tagsAWS, name)
	}
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		b.Run(name, func(b *testing.B) {
			function := programs[name]
			var own, least []time.Duration
			for b.Loop() {
				least = append(least, firstPoll(b, empty, config))
				own = append(own, firstPoll(b, function, config))
			}
			b.ReportMetric(0, "ns/op") // of both together, which says nothing
			b.ReportMetric(median(own).Seconds()*1000, "ms")
			b.ReportMetric(median(least).Seconds()*1000, "empty-ms")
			b.ReportMetric(float64(median(own))/float64(median(least)), "ratio")
		})
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// firstPoll starts a program behind a runtime API without events and returns how long it took to ask for one.
func firstPoll(b *testing.B, program, config string) time.Duration {
	polled := make(chan time.Time, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		now := time.Now()
		if !strings.HasSuffix(r.URL.Path, "/invocation/next") {
			b.Errorf("asked for %s before an event", r.URL.Path)
		}
		select {
		case polled <- now:
		default:
		}
		<-r.Context().Done()
	}))
	defer server.Close()
	defer server.CloseClientConnections()
	command := exec.Command(program)
	command.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(server.URL, "http://"), "AWS_LAMBDA_FUNCTION_NAME=yuexin-test",
		"AWS_REGION=ap-southeast-1", "AWS_ACCESS_KEY_ID=fake", "AWS_SECRET_ACCESS_KEY=fake",
		"YUEXIN_CONFIG=" + config, "YUEXIN_QUEUE_URL=https://sqs.ap-southeast-1.amazonaws.com/123456789012/wake",
	}
	var stderr strings.Builder
	command.Stderr = &stderr
	began := time.Now()
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}()
	select {
	case at := <-polled:
		return at.Sub(began)
	case <-time.After(10 * time.Second):
		b.Fatalf("it asked for no event:\n%s", &stderr)
		return 0
	}
}
