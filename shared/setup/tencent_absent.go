//go:build awsonly

package setup

import (
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func openRedis(string, func() time.Time) (submsg.Store, func() error, error) {
	return nil, nil, &absentError{"store.kind redis", "awsonly"}
}

func checkRedis(string) error { return nil } // openRedis will say it

func openSCF(QueueConfig, string, func(string) string) (Sender, error) {
	return nil, &absentError{"queue.kind scf", "awsonly"}
}
