// Command probe is a function whose every reaction is asked for by its input. The tests of the runtimes build
// it and run it as the clouds run a deployed function.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/yuexin-dev/yuexin/shared/platform"
)

func main() { platform.Start("probe", build) }

func build(_ context.Context, getenv func(string) string) (platform.App, error) {
	if file := getenv("PROBE_FAIL_WHILE"); file != "" {
		if _, err := os.Stat(file); err == nil {
			return platform.App{}, errors.New("the secret store\nis out of reach")
		}
	}
	greeting := getenv("PROBE_GREETING")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /echo/{rest...}", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Greeting", greeting)
		fmt.Fprintf(w, "%s %s %s", r.URL.EscapedPath(), r.URL.RawQuery, body)
	})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("a secret") })
	// Waits until it is told to stop, and says how much of the platform's own time was left then.
	mux.HandleFunc("/patient", func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		fmt.Fprintf(w, "stopped at %d", time.Now().UnixMilli())
	})
	mux.HandleFunc("/stubborn", func(http.ResponseWriter, *http.Request) { select {} })
	mux.HandleFunc("/request-id", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s of %s", platform.RequestID(r.Context()), platform.FunctionName(r.Context()))
	})
	return platform.App{
		HTTP:  mux,
		Queue: queue,
		Close: func(context.Context) error {
			if file := getenv("PROBE_CLOSED"); file != "" {
				return os.WriteFile(file, []byte("flushed"), 0o600)
			}
			return nil
		},
	}, nil
}

// queue fails the messages whose body says so: {"do":"fail"}, "error" or "panic". It prints all others.
func queue(_ context.Context, messages []platform.Message) (failed []string, err error) {
	for _, m := range messages {
		var order struct{ Do string }
		if json.Unmarshal(m.Body, &order) != nil {
			order.Do = "fail"
		}
		switch order.Do {
		case "fail":
			failed = append(failed, m.ID)
		case "error":
			return nil, errors.New("the table is out of reach")
		case "panic":
			panic("a secret")
		default:
			fmt.Printf("handled %s\n", m.Body)
		}
	}
	return failed, nil
}
