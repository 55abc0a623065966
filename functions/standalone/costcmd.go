package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/yuexin-dev/yuexin/shared/cost"
)

// costCommand prints the bill for one's own figures, at the prices that come with the program or those of a file.
func costCommand(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("cost", flag.ExitOnError)
	f := cost.DefaultFigures()
	flags.Float64Var(&f.Scheduled, "scheduled", f.Scheduled, "messages a month that schedules send")
	flags.Float64Var(&f.OnDemand, "on-demand", f.OnDemand, "messages a month that are asked for over HTTP")
	flags.Float64Var(&f.Later, "later", f.Later, "messages a month that are accepted at once and sent by a worker")
	flags.Float64Var(&f.Events, "events", f.Events, "sent events a month")
	file := flags.String("prices", "", "file of prices, in the form of shared/cost/prices.json")
	_ = flags.Parse(args)
	prices := cost.Known()
	if *file != "" {
		raw, err := os.ReadFile(*file)
		if err != nil {
			return err
		}
		if prices, err = cost.ParsePrices(raw); err != nil {
			return err
		}
	}
	for _, p := range prices {
		fmt.Print(cost.Bill(f, p).Text())
	}
	return nil
}
