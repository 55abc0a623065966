//go:build tencentonly

package setup

import (
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// amazon is left out.
type amazon struct{}

func (*amazon) dynamo(*clouds, StoreConfig, func() time.Time) (submsg.Store, error) {
	return nil, &absentError{"store.kind dynamodb", "tencentonly"}
}

func (*amazon) queue(*clouds, QueueConfig, string) (Sender, error) {
	return nil, &absentError{"queue.kind sqs", "tencentonly"}
}

func (*amazon) secrets(*clouds) map[string]remote { return nil }
