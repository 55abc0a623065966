//go:build noscfgo

package platform

import "errors"

// serveSCFGo refuses to run. The tag noscfgo leaves scf-go-lib out: net/rpc, which it is made of, brings
// html/template along, and that keeps the linker from dropping methods nobody calls. A zip for Lambda, which
// never has a use for it, is a quarter smaller without.
func serveSCFGo(*builder) error {
	return errors.New("platform: this binary was built with -tags noscfgo, which leaves SCF's Go runtime out; build it without the tag, or deploy it to the custom runtime")
}
