//go:build !awsonly

package setup

import (
	"time"

	"github.com/yuexin-dev/yuexin/shared/redis"
	"github.com/yuexin-dev/yuexin/shared/scfwake"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// openRedis opens the store at address, a URL as package redis takes it, and returns what closes it.
func openRedis(address string, now func() time.Time) (submsg.Store, func() error, error) {
	store, err := redis.Open(redis.Config{URL: address, Now: now})
	if err != nil {
		return nil, nil, err
	}
	return store, store.Close, nil
}

// checkRedis tells what is wrong with the address of a store that is not opened yet.
func checkRedis(address string) error { return redis.CheckURL(address) }

// openSCF wakes a function by asynchronous invocations.
func openSCF(q QueueConfig, function string, getenv func(string) string) (Sender, error) {
	sender, err := scfwake.New(scfwake.Config{Function: function, Region: q.Region, Endpoint: q.Endpoint, Getenv: getenv})
	if err != nil {
		return nil, err
	}
	return sender, nil
}
