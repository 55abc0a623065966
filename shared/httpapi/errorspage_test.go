package httpapi

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/yuexin-dev/yuexin/shared/fields"
	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func errorsPage(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestTheErrorsPageExplainsEveryProblemWithItsStatus(t *testing.T) {
	page := errorsPage(t)
	for code, k := range kinds {
		if heading := fmt.Sprintf("#### `%s`\n\n**%d.** ", code, k.status); strings.Count(page, heading) != 1 {
			t.Errorf("docs/errors.md lacks a section that begins with %q", heading)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^#### `(.*)`$").FindAllStringSubmatch(page, -1) {
		if _, known := kinds[submsg.Code(m[1])]; !known {
			t.Errorf("docs/errors.md explains %s, which nothing answers", m[1])
		}
	}
}

func TestTheErrorsPageNamesEveryRule(t *testing.T) {
	page := errorsPage(t)
	for _, r := range policy.Rules() {
		if row := fmt.Sprintf("| [`%s`](rules.md#%s) | %s |", r.Name, r.Name, r.Action); !strings.Contains(page, row) {
			t.Errorf("docs/errors.md lacks the row %q", row)
		}
	}
}

// TestTheErrorsPageNamesEveryReasonOfTheCore looks for the reasons that the core writes in its source, so that one that
// is added there is missed here.
func TestTheErrorsPageNamesEveryReasonOfTheCore(t *testing.T) {
	page := errorsPage(t)
	files, err := filepath.Glob("../submsg/*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`Code: *"([a-z_]+)"`).FindAllStringSubmatch(string(raw), -1) {
			if !strings.HasSuffix(file, "_test.go") {
				seen[m[1]] = true
			}
		}
	}
	if len(seen) < 8 {
		t.Fatalf("only %d reasons were found in the core's source", len(seen))
	}
	for code := range seen {
		if !strings.Contains(page, "`"+code+"`") {
			t.Errorf("docs/errors.md lacks the reason %s", code)
		}
	}
}

func TestTheErrorsPageNamesEveryFieldCode(t *testing.T) {
	page := errorsPage(t)
	for _, code := range []string{
		faultType, faultUnknown, faultMissing, faultTime, faultDuration, faultValue, faultText,
		fields.Missing, fields.UnknownKey, fields.Empty, fields.BadEncoding, fields.BadCharacter, fields.TooLong, fields.BadFormat, fields.NotAllowed,
	} {
		if !strings.Contains(page, "\n| `"+code+"` |") {
			t.Errorf("docs/errors.md lacks the field code %s", code)
		}
	}
}
