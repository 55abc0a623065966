package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/yuexin-dev/yuexin/functions/standalone/sandbox"
	"github.com/yuexin-dev/yuexin/functions/standalone/tour"
	"github.com/yuexin-dev/yuexin/shared/platform"
	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/setup"
)

func tourCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("tour", flag.ExitOnError)
	audience := flags.Int("audience", 1000, "subscribers of the monthly bill, 10 at least")
	_ = flags.Parse(args)
	if *audience < 10 {
		return fmt.Errorf("--audience %d: the tour needs 10 subscribers at least, each with a part to play", *audience)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	return playTour(ctx, *audience, os.Stdout, nil)
}

// clock is simulated: real time, moved on as the tour wants.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// playTour plays the tour in this process, from the second of a month on, by a simulated clock. meddle, unless nil, comes
// between both sides and what they hear of each other: a tour shows something only if it can fail.
func playTour(ctx context.Context, audience int, out io.Writer, meddle func(http.Handler) http.Handler) (err error) {
	var c clock
	c.offset.Store(int64(time.Until(time.Date(2026, 12, 2, 10, 0, 0, 0, policy.Shanghai))))
	dir, err := os.MkdirTemp("", "yuexin-tour-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	bills, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	provider := &http.Server{Handler: tour.ProvideBills("sandbox-provider-key"), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = provider.Serve(bills) }()
	defer func() { _ = provider.Close() }()
	box, err := sandbox.New(sandbox.Options{Address: listener.Addr().String(), Store: filepath.Join(dir, "yuexin.db"), Now: c.now, ProviderHosts: []string{bills.Addr().String()}, Copies: 3})
	if err != nil {
		return err
	}
	defer box.Sim.Close()
	wakeups := platform.NewChannel(65536)
	w, err := box.Config.Wire(setup.Surroundings{Bodies: wakeups, TickEvery: expectedTick, Now: c.now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	app := setup.Plain(w)
	app.HTTP = box.Mount(app.HTTP)
	if meddle != nil {
		app.HTTP = meddle(app.HTTP)
	}
	p := platform.Process{App: app, Name: "tour", Listener: listener, Wakeups: wakeups, Tick: 20 * time.Millisecond, Workers: workers, Limit: 30 * time.Second}
	served, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- p.Run(served) }()
	defer func() {
		stop()
		err = errors.Join(err, <-done)
	}()
	fmt.Fprintf(out, "Yuexin and a simulated WeChat, in this process, over HTTP on %s.\nThe clock says %s.\n\n", listener.Addr(), c.now().In(policy.Shanghai).Format("2 January 2006, 15:04, Asia/Shanghai"))
	return tour.Run(ctx, tour.Stage{
		URL: "http://" + listener.Addr().String(), Key: sandbox.Key, AppID: sandbox.AppID, Order: sandbox.Order, Bill: sandbox.Bill, Sim: box.Sim, Now: c.now,
		Pass:   func(_ context.Context, d time.Duration) error { c.offset.Add(int64(d)); return nil },
		BillAt: func() time.Time { return time.Date(2026, 12, 5, 9, 0, 0, 0, policy.Shanghai) }, UnknownAfter: 2 * time.Minute,
		Provider: "http://" + bills.Addr().String() + "/bills", Audience: audience, Out: out,
	})
}
