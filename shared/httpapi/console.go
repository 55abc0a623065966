package httpapi

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
)

//go:embed console.html
var consolePage string

// consolePolicy lets the page run its own script and style, which it names by their hashes, and talk to its own
// origin: nothing that was smuggled into a template's name or a message can do more than be read.
var consolePolicy = sync.OnceValue(func() string {
	return "default-src 'none'; script-src '" + hashOf(consolePage, "<script>", "</script>") + "'; style-src '" + hashOf(consolePage, "<style>", "</style>") +
		"'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
})

func hashOf(page, from, to string) string {
	_, rest, _ := strings.Cut(page, from)
	inner, _, _ := strings.Cut(rest, to)
	sum := sha256.Sum256([]byte(inner))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// console is the page of an operator. It holds no figures of its own: it asks the API, with the key that is entered.
func (a *api) console(*call) (answer, error) {
	header := http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Content-Security-Policy": {consolePolicy()}}
	return answer{status: http.StatusOK, header: header, body: []byte(consolePage)}, nil
}
