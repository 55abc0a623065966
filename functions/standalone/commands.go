package main

import (
	"context"
	"os"

	"github.com/yuexin-dev/yuexin/shared/check"
)

const usage = `usage: standalone COMMAND
  tour     play the main job once against a simulated WeChat, and compare both sides
  serve    serve every function on one port: --config yuexin.yaml, or --sandbox
  check    validate a configuration and audit its templates
  keygen   make an API key and its hash
  cost     estimate the bill of a million messages on AWS`

var commands = map[string]func(ctx context.Context, args []string) error{
	"tour":   tourCommand,
	"serve":  serveCommand,
	"check":  checkCommand,
	"keygen": keygenCommand,
	"cost":   costCommand,
}

// exitCode is the error of a command that has said all there is to say and only has a code left.
type exitCode int

// Error is never shown.
func (exitCode) Error() string { return "" }

func checkCommand(_ context.Context, args []string) error {
	if code := check.Run(args, os.Stdout, os.Stderr); code != 0 {
		return exitCode(code)
	}
	return nil
}
