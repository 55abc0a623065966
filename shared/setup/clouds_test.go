//go:build !awsonly && !tencentonly

package setup

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/scfwake"
	"github.com/yuexin-dev/yuexin/shared/sqswake"
)

func TestTheQueueIsTheOneThatConfigurationOrEnvironmentNames(t *testing.T) {
	const address = "https://sqs.ap-southeast-1.amazonaws.com/123456789012/wake"
	tests := map[string]struct {
		queue QueueConfig
		env   map[string]string
		want  any
		fails string
	}{
		"none":                     {QueueConfig{}, nil, nil, ""},
		"SQS by the environment":   {QueueConfig{}, map[string]string{"YUEXIN_QUEUE_URL": address}, &sqswake.Sender{}, ""},
		"SQS by the configuration": {QueueConfig{Kind: "sqs", URL: address}, nil, &sqswake.Sender{}, ""},
		"SCF by the environment":   {QueueConfig{}, map[string]string{"YUEXIN_DELIVER_FUNCTION": "deliver"}, &scfwake.Sender{}, ""},
		"SCF by the configuration": {QueueConfig{Kind: "scf", Function: "deliver"}, nil, &scfwake.Sender{}, ""},
		"a function that wakes nobody needs no address": {QueueConfig{Kind: "sqs"}, nil, nil, ""},
		"an address that is none":                       {QueueConfig{}, map[string]string{"YUEXIN_QUEUE_URL": "wake"}, nil, "no URL of an SQS queue"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := environment(test.env)
			c := &clouds{getenv: func(name string) string {
				if name == "TENCENTCLOUD_REGION" {
					return "ap-guangzhou"
				}
				return env(name)
			}}
			got, err := (&Config{Queue: test.queue}).openQueue(c)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("the error is %v, want %q", err, test.fails)
				}
				return
			}
			if err != nil || fmt.Sprintf("%T", got) != fmt.Sprintf("%T", test.want) {
				t.Errorf("got a %T, %v; want a %T", got, err, test.want)
			}
		})
	}
}

func TestARedisAddressThatCannotBeOneIsAFaultOfTheFile(t *testing.T) {
	for address, want := range map[string]string{
		"http://127.0.0.1": `yuexin.yaml:2: store.url: begins with "http": want redis`, "redis://127.0.0.1/first": "yuexin.yaml:2: store.url: ",
		"redis://127.0.0.1:6379/0": "", "env:REDIS_URL": "",
	} {
		store := fmt.Sprintf("{kind: redis, url: %q}", address)
		_, err := Parse([]byte(strings.Replace(exampleConfig, "{kind: embedded, path: data/yuexin.db}", store, 1)), "yuexin.yaml", false)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", address, err, want)
		}
	}
}

func TestAStoreOpensWithoutTheNetwork(t *testing.T) {
	for name, cfg := range map[string]StoreConfig{
		"DynamoDB": {Kind: "dynamodb", Table: "yuexin"},
		"Redis":    {Kind: "redis", URL: Secret{"redis://127.0.0.1:1"}},
		"one file": {Kind: "embedded", Path: filepath.Join(t.TempDir(), "yuexin.db")},
		"memory":   {Kind: "memory"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &clouds{getenv: environment(nil)}
			w := &Wired{}
			store, err := (&Config{Store: cfg}).openStore(w, &vault{getenv: c.getenv}, c, time.Now)
			if err != nil || store == nil {
				t.Fatalf("got %v, %v", store, err)
			}
			for _, closer := range w.closers {
				if err := closer(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestMetricsAreWrittenWhereALogServiceReadsThem(t *testing.T) {
	for env, want := range map[string]bool{"AWS_LAMBDA_FUNCTION_NAME": true, "SCF_FUNCTIONNAME": true, "HOME": false} {
		m := newMetrics(func(name string) string {
			if name == env {
				return "x"
			}
			return ""
		}, time.Now)
		if (m != nil) != want {
			t.Errorf("with %s there are metrics: %v, want %v", env, m != nil, want)
		}
	}
}
