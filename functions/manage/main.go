// Manage keeps schedules and templates, and shows figures and the console. Operators and the app's back end call it
// over HTTPS.
package main

import (
	"github.com/yuexin-dev/yuexin/shared/platform"
	"github.com/yuexin-dev/yuexin/shared/setup"
)

func main() {
	platform.Start("manage", setup.Manage)
}
