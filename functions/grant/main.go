// Grant takes what users agreed to: WeChat's message push, the mini program's own reports, prompt plans and what is known
// of a subscriber. WeChat and the app's back end call it over HTTPS.
package main

import (
	"github.com/yuexin-dev/yuexin/shared/platform"
	"github.com/yuexin-dev/yuexin/shared/setup"
)

func main() {
	platform.Start("grant", setup.Grant)
}
