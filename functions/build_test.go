package functions_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// names are the deployed functions.
var names = []string{"deliver", "grant", "manage", "schedule", "send"}

// Build tags of the two bundles, as tools/package sets them (a test there holds them together with these), and of a program
// that has everything.
const (
	tagsAWS     = "lambda.norpc,noscfgo,awsonly,nethttpomithttp2"
	tagsTencent = "lambda.norpc,tencentonly"
	tagsAll     = "lambda.norpc"
)

// programs are what this run has built so far, by tags.
var programs struct {
	sync.Mutex
	folder string
	built  map[string]*build
}

// build is the compilation of some main packages with the same tags.
type build struct {
	once   sync.Once
	folder string
	failed string
}

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "yuexin-functions-")
	if err != nil {
		panic(err)
	}
	programs.folder, programs.built = folder, map[string]*build{}
	code := m.Run()
	_ = os.RemoveAll(folder) // what is left is in the system's temporary folder
	os.Exit(code)
}

// compile compiles all functions as they are deployed, once in a run, and returns the path of one of them.
func compile(t testing.TB, tags, name string) string {
	t.Helper()
	packages := make([]string, len(names))
	for i, n := range names {
		packages[i] = "./" + n
	}
	return filepath.Join(compilePackages(t, tags, packages...), name)
}

// compilePackages compiles main packages below this folder and returns the folder of the programs, which are called as
// the last element of their package.
func compilePackages(t testing.TB, tags string, packages ...string) string {
	t.Helper()
	key := tags
	for _, p := range packages {
		key += " " + p
	}
	programs.Lock()
	b := programs.built[key]
	if b == nil {
		b = &build{}
		programs.built[key] = b
	}
	programs.Unlock()
	b.once.Do(func() {
		var err error
		if b.folder, err = os.MkdirTemp(programs.folder, ""); err != nil {
			b.failed = err.Error()
			return
		}
		arguments := append([]string{"build", "-tags", tags, "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", b.folder + "/"}, packages...)
		command := exec.Command("go", arguments...)
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := command.CombinedOutput(); err != nil {
			b.failed = err.Error() + "\n" + string(out)
		}
	})
	if b.failed != "" {
		t.Fatalf("building %v with -tags %s: %s", packages, tags, b.failed)
	}
	return b.folder
}
