package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writeModule makes a module with two functions, as small as a program can be, and returns its directory.
func writeModule(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{
		"go.mod":                      "module example.com/stub\n\ngo 1.26.0\n",
		"functions/grant/main.go":     "package main\n\nfunc main() { println(\"grant\") }\n",
		"functions/send/main.go":      "package main\n\nfunc main() { println(\"send\") }\n",
		"functions/broken/main.go":    "package main\n\nfunc main() { undefined() }\n",
		"yuexin.yaml":                 "store: {kind: dynamodb, table: yuexin-dev}\n",
		"functions/grant/leftover.md": "not part of the zip\n",
	}
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func packageModule(t *testing.T, root, cloud string, names ...string) map[string][]byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "dist")
	args := append([]string{"-cloud", cloud, "-root", root, "-config", filepath.Join(root, "yuexin.yaml"), "-out", out}, names...)
	if err := run(t.Context(), args, io.Discard); err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(out, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func contents(t *testing.T, archive []byte) (map[string]fs.FileMode, map[string][]byte) {
	t.Helper()
	reader, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	modes, files := make(map[string]fs.FileMode), make(map[string][]byte)
	for _, f := range reader.File {
		if !f.Modified.Equal(epoch) {
			t.Errorf("%s was modified at %v, want %v", f.Name, f.Modified, epoch)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		modes[f.Name] = f.Mode()
	}
	return modes, files
}

func TestAZipHoldsTheProgramForItsCloudAndTheConfiguration(t *testing.T) {
	root := writeModule(t)
	tests := []struct {
		cloud, program string
		machine        elf.Machine
		want           map[string]fs.FileMode
	}{
		{"aws", "bootstrap", elf.EM_AARCH64, map[string]fs.FileMode{"bootstrap": 0o755, "yuexin.yaml": 0o644}},
		{"tencent", "main", elf.EM_X86_64, map[string]fs.FileMode{"bootstrap": 0o755, "main": 0o755, "yuexin.yaml": 0o644}},
	}
	for _, test := range tests {
		t.Run(test.cloud, func(t *testing.T) {
			modes, files := contents(t, packageModule(t, root, test.cloud, "grant")["grant.zip"])
			if diff := cmp.Diff(test.want, modes); diff != "" {
				t.Errorf("files of the zip (-want +got):\n%s", diff)
			}
			program, err := elf.NewFile(bytes.NewReader(files[test.program]))
			if err != nil {
				t.Fatalf("%s is no program: %v", test.program, err)
			}
			if program.Machine != test.machine {
				t.Errorf("%s runs on %v, want %v", test.program, program.Machine, test.machine)
			}
			if libraries, _ := program.ImportedLibraries(); len(libraries) > 0 {
				t.Errorf("%s needs %v, which the runtime may not have", test.program, libraries)
			}
			if got := string(files["yuexin.yaml"]); got != "store: {kind: dynamodb, table: yuexin-dev}\n" {
				t.Errorf("yuexin.yaml = %q", got)
			}
		})
	}
}

func TestTheFunctionsAreTestedWithTheTagsOfTheirBundles(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("..", "..", "functions", "build_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, cloud := range []string{"aws", "tencent"} {
		target, err := targetFor(cloud, "")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(source, []byte(`"`+target.tags+`"`)) {
			t.Errorf("functions/build_test.go does not build with -tags %s", target.tags)
		}
	}
}

func TestTheSameSourceGivesTheSameBytesElsewhere(t *testing.T) {
	first := packageModule(t, writeModule(t), "aws", "grant", "send")
	t.Setenv("GOFLAGS", "-tags=other")
	t.Setenv("GOAMD64", "v3")
	t.Setenv("CGO_ENABLED", "1")
	t.Setenv("TZ", "Asia/Shanghai")
	second := packageModule(t, writeModule(t), "aws", "send", "grant", "send")
	for _, name := range []string{"grant.zip", "send.zip", "SHA256SUMS"} {
		if len(first[name]) == 0 || !bytes.Equal(first[name], second[name]) {
			t.Errorf("%s differs between two directories, or is empty (%d and %d bytes)", name, len(first[name]), len(second[name]))
		}
	}
	if bytes.Equal(first["grant.zip"], first["send.zip"]) {
		t.Error("two functions gave the same zip")
	}
	for line := range strings.Lines(string(first["SHA256SUMS"])) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if got := sha256.Sum256(first[name]); hex.EncodeToString(got[:]) != sum {
			t.Errorf("SHA256SUMS has %s for %s, want %x", sum, name, got)
		}
	}
}

func TestAZipDependsOnItsEntriesAlone(t *testing.T) {
	program := entry{name: "bootstrap", mode: 0o755, content: []byte("program")}
	config := entry{name: "yuexin.yaml", mode: 0o644, content: []byte("store: {kind: dynamodb, table: yuexin-dev}\n")}
	other := entry{name: "yuexin.yaml", mode: 0o644, content: []byte("store: {kind: dynamodb, table: other}\n")}
	locked := entry{name: "bootstrap", mode: 0o644, content: program.content}
	tests := map[string]struct {
		entries []entry
		same    bool
	}{
		"in another order":           {[]entry{config, program}, true},
		"with another configuration": {[]entry{program, other}, false},
		"with another mode":          {[]entry{locked, config}, false},
	}
	want, err := writeArchive([]entry{program, config})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := writeArchive(test.entries)
			if err != nil {
				t.Fatal(err)
			}
			if same := bytes.Equal(want, got); same != test.same {
				t.Errorf("the same bytes: %v, want %v", same, test.same)
			}
		})
	}
}

func TestWhatCannotBePackagedIsRefusedAndLeavesNothing(t *testing.T) {
	root := writeModule(t)
	config := filepath.Join(root, "yuexin.yaml")
	empty := filepath.Join(root, "empty.yaml")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		want string
	}{
		"an unknown cloud":          {[]string{"-cloud", "azure", "-config", config}, "must be aws or tencent"},
		"no cloud":                  {[]string{"-config", config}, "must be aws or tencent"},
		"an unknown processor":      {[]string{"-cloud", "aws", "-arch", "mips", "-config", config}, "must be arm64 or amd64"},
		"arm64 on SCF":              {[]string{"-cloud", "tencent", "-arch", "arm64", "-config", config}, "linux/amd64 only"},
		"a missing configuration":   {[]string{"-cloud", "aws", "-config", config + ".missing", "grant"}, "infra/aws/yuexin.example.yaml"},
		"an empty configuration":    {[]string{"-cloud", "aws", "-config", empty, "grant"}, "has 0 bytes"},
		"a function without a main": {[]string{"-cloud", "aws", "-config", config, "grant", "nothing"}, `function "nothing" has no program`},
		"code that does not build":  {[]string{"-cloud", "aws", "-config", config, "grant", "broken"}, "building function broken for linux/arm64"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "dist")
			err := run(t.Context(), append([]string{"-root", root, "-out", out}, test.args...), io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want one with %q", err, test.want)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("something was written all the same")
			}
		})
	}
}

func TestTheReportNamesEachZipWithItsSize(t *testing.T) {
	var text bytes.Buffer
	err := report(&text, "dist/aws", []pack{{"grant.zip", 2430000, strings.Repeat("ab", 32)}, {"schedule.zip", 3480000, strings.Repeat("cd", 32)}})
	if err != nil {
		t.Fatal(err)
	}
	want := "dist/aws/grant.zip     2.43 MB  sha256:abababababababab\ndist/aws/schedule.zip  3.48 MB  sha256:cdcdcdcdcdcdcdcd\n"
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}
