package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/yuexin-dev/yuexin/functions/standalone/sandbox"
	"github.com/yuexin-dev/yuexin/shared/platform"
	"github.com/yuexin-dev/yuexin/shared/setup"
)

// tickEvery is how often the process looks for what is due; expectedTick is what the schedules are told, with room
// for a busy machine.
const (
	tickEvery    = time.Second
	expectedTick = 5 * time.Second
	workers      = 16
)

func serveCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	config := flags.String("config", os.Getenv("YUEXIN_CONFIG"), "configuration file; yuexin.yaml if neither this nor YUEXIN_CONFIG names one")
	play := flags.Bool("sandbox", false, "serve a simulated WeChat and a ready configuration with it")
	listen := flags.String("listen", "", "address to listen on, instead of the configuration's")
	_ = flags.Parse(args)
	named := false // YUEXIN_CONFIG may be there for other commands
	flags.Visit(func(f *flag.Flag) { named = named || f.Name == "config" })
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("%q is no argument of serve", flags.Arg(0))
	case named && *play:
		return errors.New("--sandbox brings a configuration of its own and would not read the one of --config: leave one of them out")
	}
	if *play {
		return serveSandbox(ctx, *listen)
	}
	if *config == "" {
		*config = "yuexin.yaml"
	}
	c, err := setup.Read(*config)
	if err != nil {
		return err
	}
	if err := c.CheckSecrets(ctx, os.Getenv); err != nil {
		return err
	}
	address := c.Listen
	if *listen != "" {
		address = *listen
	}
	if address == "" {
		address = "127.0.0.1:8080"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", address, err)
	}
	p, err := process(c, listener, nil)
	if err != nil {
		_ = listener.Close()
		return err
	}
	p.App.Log.Info("serving", "address", listener.Addr().String(), "store", c.Store.Kind)
	return p.Run(ctx)
}

// process is every function over one configuration.
func process(c *setup.Config, listener net.Listener, now func() time.Time) (platform.Process, error) {
	wakeups := platform.NewChannel(65536)
	w, err := c.Wire(setup.Surroundings{Bodies: wakeups, TickEvery: expectedTick, Now: now})
	if err != nil {
		return platform.Process{}, err
	}
	return platform.Process{App: setup.Plain(w), Name: "standalone", Listener: listener, Wakeups: wakeups, Tick: tickEvery, Workers: workers, Limit: 30 * time.Second}, nil
}

func serveSandbox(ctx context.Context, address string) error {
	if address == "" {
		address = "127.0.0.1:8080"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", address, err)
	}
	dir, err := os.MkdirTemp("", "yuexin-sandbox-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	box, err := sandbox.New(sandbox.Options{Address: listener.Addr().String(), Store: filepath.Join(dir, "yuexin.db"), Now: time.Now})
	if err != nil {
		return err
	}
	defer box.Sim.Close()
	p, err := process(box.Config, listener, nil)
	if err != nil {
		return err
	}
	p.App.HTTP = box.Mount(p.App.HTTP)
	fmt.Printf("Yuexin and a simulated WeChat on http://%s\n  app %s, API key %s; nothing is kept when it ends\n  console http://%s/console\n", listener.Addr(), sandbox.AppID, sandbox.Key, listener.Addr())
	return p.Run(ctx)
}

func keygenCommand(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("keygen", flag.ExitOnError)
	name := flags.String("name", "backend", "the key's name in the configuration")
	_ = flags.Parse(args)
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("keygen takes no argument %q; the key's name goes with --name", flags.Arg(0))
	case !setup.IsName(*name):
		return fmt.Errorf("--name %q: a key needs a name of letters, digits, '-', '_' and '.'", *name)
	}
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return err
	}
	key := "yx_" + base64.RawURLEncoding.EncodeToString(raw)
	sum := sha256.Sum256([]byte(key))
	fmt.Printf("key (give it to the caller, it is not kept anywhere):\n  %s\nconfiguration:\n  - {name: %s, sha256: %q, scopes: [grants, sends, schedules, read], apps: [\"*\"]}\n", key, *name, hex.EncodeToString(sum[:]))
	return nil
}
