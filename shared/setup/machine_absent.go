//go:build awsonly || tencentonly

package setup

import (
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func openEmbedded(string, func() time.Time) (submsg.Store, func() error, error) {
	return nil, nil, &absentError{"store.kind embedded", "awsonly or tencentonly"}
}
