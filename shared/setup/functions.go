package setup

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/yuexin-dev/yuexin/shared/httpapi"
	"github.com/yuexin-dev/yuexin/shared/platform"
)

// The five functions. Each reads the configuration that YUEXIN_CONFIG names and offers its own part of the application.

// Grant is WeChat's message push, the reports of grants, prompt plans and subscribers.
func Grant(ctx context.Context, getenv func(string) string) (platform.App, error) {
	return function(getenv, func(w *Wired) platform.App { return platform.App{HTTP: flushing(w, httpapi.Grant(w.API))} })
}

// Send is on-demand sends.
func Send(ctx context.Context, getenv func(string) string) (platform.App, error) {
	return function(getenv, func(w *Wired) platform.App { return platform.App{HTTP: flushing(w, httpapi.Send(w.API))} })
}

// Manage is schedules, templates, figures and the console.
func Manage(ctx context.Context, getenv func(string) string) (platform.App, error) {
	return function(getenv, func(w *Wired) platform.App { return platform.App{HTTP: flushing(w, httpapi.Manage(w.API))} })
}

// Schedule is the tick.
func Schedule(ctx context.Context, getenv func(string) string) (platform.App, error) {
	return function(getenv, func(w *Wired) platform.App {
		return platform.App{Timer: func(ctx context.Context, _ time.Time) error {
			defer w.flushMetrics()
			return w.Service.Tick(ctx)
		}}
	})
}

// Deliver works on what is due.
func Deliver(ctx context.Context, getenv func(string) string) (platform.App, error) {
	return function(getenv, func(w *Wired) platform.App {
		work := queue(w.Service)
		return platform.App{Queue: func(ctx context.Context, messages []platform.Message) ([]string, error) {
			defer w.flushMetrics()
			return work(ctx, messages)
		}}
	})
}

func function(getenv func(string) string, offer func(*Wired) platform.App) (platform.App, error) {
	path := getenv("YUEXIN_CONFIG")
	if path == "" {
		return platform.App{}, fmt.Errorf("YUEXIN_CONFIG is not set: it names the configuration file in the bundle, such as /var/task/yuexin.yaml")
	}
	c, err := Read(path)
	if err != nil {
		return platform.App{}, err
	}
	w, err := c.Wire(Surroundings{Getenv: getenv})
	if err != nil {
		return platform.App{}, err
	}
	app := offer(w)
	app.Log, app.Close = w.Log, w.Close
	return app, nil
}

// flushing writes metrics, and figures that have been gathered for a while, before the instance may be frozen.
func flushing(w *Wired, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		defer w.flushMetrics()
		next.ServeHTTP(rw, r)
		if err := w.Service.FlushSoon(r.Context()); err != nil {
			w.Log.WarnContext(r.Context(), "figures could not be written", "error", err)
		}
	})
}

// Plain is every function in one process, for platform.Process.
func Plain(w *Wired) platform.App {
	return platform.App{
		HTTP:  httpapi.All(w.API),
		Timer: func(ctx context.Context, _ time.Time) error { return w.Service.Tick(ctx) },
		Queue: queue(w.Service),
		Close: w.Close,
		Log:   w.Log,
	}
}
