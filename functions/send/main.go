// Send takes on-demand sends: one, a batch, a check, a cancellation. The app's back end calls it over HTTPS.
package main

import (
	"github.com/yuexin-dev/yuexin/shared/platform"
	"github.com/yuexin-dev/yuexin/shared/setup"
)

func main() {
	platform.Start("send", setup.Send)
}
