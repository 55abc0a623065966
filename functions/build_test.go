package functions_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// names are the deployed functions.
var names = []string{"deliver", "grant", "manage", "schedule", "send"}

// Build tags of the two bundles, as tools/package sets them, and of a program that has everything.
const (
	tagsAWS     = "lambda.norpc,noscfgo,awsonly,nethttpomithttp2"
	tagsTencent = "lambda.norpc,tencentonly"
	tagsAll     = "lambda.norpc"
)

// programs are the binaries built so far in this run, by tags and package.
var programs struct {
	sync.Mutex
	folder string
	built  map[string]*program
}

type program struct {
	once sync.Once
	path string
	err  string
}

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "yuexin-functions-")
	if err != nil {
		panic(err)
	}
	programs.folder, programs.built = folder, map[string]*program{}
	code := m.Run()
	_ = os.RemoveAll(folder) // what is left is in the system's temporary folder
	os.Exit(code)
}

// build compiles a main package as it is deployed, once in a run, and returns the program's path. pkg is a folder below
// this one.
func build(t testing.TB, tags, pkg string) string {
	t.Helper()
	programs.Lock()
	p := programs.built[tags+" "+pkg]
	if p == nil {
		p = &program{path: filepath.Join(programs.folder, strings.NewReplacer(",", "-", "/", "-", ".", "").Replace(tags+"-"+pkg))}
		programs.built[tags+" "+pkg] = p
	}
	programs.Unlock()
	p.once.Do(func() {
		command := exec.Command("go", "build", "-tags", tags, "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", p.path, "./"+pkg)
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := command.CombinedOutput(); err != nil {
			p.err = err.Error() + "\n" + string(out)
		}
	})
	if p.err != "" {
		t.Fatalf("building %s with -tags %s: %s", pkg, tags, p.err)
	}
	return p.path
}
