// Standalone is every function in one process, on one machine, with the store in one file. "standalone tour" shows what
// it does, "standalone serve" does it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

var commands = map[string]func(ctx context.Context, args []string) error{
	"tour":   tourCommand,
	"serve":  serveCommand,
	"keygen": keygenCommand,
}

const usage = `usage: standalone COMMAND
  tour     play the main job once against a simulated WeChat, and compare both sides
  serve    serve every function on one port: --config yuexin.yaml, or --sandbox
  check    validate a configuration and audit its templates
  keygen   make an API key and its hash
  cost     estimate the bill of a million messages on AWS`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	if err := commands[os.Args[1]](ctx, os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "standalone %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
