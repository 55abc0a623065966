package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// target says how a cloud wants its zips.
type target struct {
	name   string
	arch   string
	tags   string // build tags
	binary string // name of the program inside the zip
	extra  []entry
	limit  int // bytes of a zip that can be uploaded directly
}

// scfBootstrap lets one zip serve both runtimes of SCF: the Go runtime starts the handler that it is given, "main",
// the custom runtime starts "bootstrap" (cloud.tencent.com, product 583, documents 67383 and 47274).
const scfBootstrap = "#!/bin/sh\nexec \"$(dirname \"$0\")/main\"\n"

// Build tags of the bundles: each leaves out what its cloud never asks for. docs/adr/0005-one-source-two-bundles.md has the
// figures; the functions are tested with the same tags.
//
//   - lambda.norpc: without it aws-lambda-go carries its RPC starter, 2 MB, and would take SCF for Lambda;
//   - noscfgo: no net/rpc, which scf-go-lib is made of;
//   - nethttpomithttp2: no HTTP/2, which neither Lambda's runtime API nor DynamoDB, SSM, SQS and WeChat are spoken to in;
//   - awsonly, tencentonly: the stores, queues and secrets of one cloud.
const (
	tagsAWS     = "lambda.norpc,noscfgo,awsonly,nethttpomithttp2"
	tagsTencent = "lambda.norpc,tencentonly"
)

// targetFor returns what the cloud of that name takes; an empty arch means its usual processor.
func targetFor(cloud, arch string) (target, error) {
	var t target
	switch cloud {
	case "aws":
		// provided.al2023 starts /var/task/bootstrap (docs.aws.amazon.com, Building a custom runtime).
		t = target{name: "aws", arch: "arm64", tags: tagsAWS, binary: "bootstrap", limit: 50 << 20}
	case "tencent":
		t = target{name: "tencent", arch: "amd64", tags: tagsTencent, binary: "main", limit: 50 << 20,
			extra: []entry{{name: "bootstrap", mode: 0o755, content: []byte(scfBootstrap)}}}
	default:
		return target{}, fmt.Errorf("-cloud is %q, it must be aws or tencent", cloud)
	}
	if arch == "" {
		return t, nil
	}
	if arch != "amd64" && arch != "arm64" {
		return target{}, fmt.Errorf("-arch is %q, it must be arm64 or amd64", arch)
	}
	if t.name == "tencent" && arch != "amd64" {
		return target{}, fmt.Errorf("-arch is %q, but SCF runs linux/amd64 only (cloud.tencent.com, product 583, document 67383)", arch)
	}
	t.arch = arch
	return t, nil
}

// pack is one finished zip.
type pack struct {
	file string
	size int
	sum  string // SHA-256 in hexadecimal
}

// packageAll builds the functions and writes <function>.zip for each, and SHA256SUMS over them, into outDir. Nothing
// is written unless all of them were built.
func packageAll(ctx context.Context, root, outDir string, t target, names []string, configuration []byte) ([]pack, error) {
	names = slices.Sorted(slices.Values(names))
	names = slices.Compact(names)
	for _, name := range names {
		main := filepath.Join(root, "functions", name, "main.go")
		if _, err := os.Stat(main); err != nil {
			return nil, fmt.Errorf("function %q has no program: %w", name, err)
		}
	}
	work, err := os.MkdirTemp("", "yuexin-package-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(work) }()

	var packages []pack
	var sums bytes.Buffer
	archives := make(map[string][]byte)
	for _, name := range names {
		program, err := build(ctx, root, work, t, name)
		if err != nil {
			return nil, err
		}
		archive, err := writeArchive(append([]entry{
			{name: t.binary, mode: 0o755, content: program},
			{name: "yuexin.yaml", mode: 0o644, content: configuration},
		}, t.extra...))
		if err != nil {
			return nil, fmt.Errorf("zipping %s: %w", name, err)
		}
		if len(archive) > t.limit {
			return nil, fmt.Errorf("%s.zip has %d bytes, more than the %d that can be uploaded", name, len(archive), t.limit)
		}
		digest := sha256.Sum256(archive)
		p := pack{file: name + ".zip", size: len(archive), sum: hex.EncodeToString(digest[:])}
		fmt.Fprintf(&sums, "%s  %s\n", p.sum, p.file)
		archives[p.file] = archive
		packages = append(packages, p)
	}
	archives["SHA256SUMS"] = sums.Bytes()
	if err := os.MkdirAll(outDir, 0o755); err != nil {
		return nil, err
	}
	for file, content := range archives {
		if err := os.WriteFile(filepath.Join(outDir, file), content, 0o644); err != nil {
			return nil, err
		}
	}
	return packages, nil
}

// build compiles one function for the target and returns the program.
func build(ctx context.Context, root, work string, t target, name string) ([]byte, error) {
	program := filepath.Join(work, name)
	cmd := exec.CommandContext(ctx, "go", "build",
		"-tags", t.tags,
		"-trimpath", "-buildvcs=false", // no path, no working-copy state in the bytes
		"-ldflags", "-s -w -buildid=",
		"-o", program, "./functions/"+name)
	cmd.Dir = root
	cmd.Env = append(withoutGoSettings(os.Environ()), "GOOS=linux", "GOARCH="+t.arch, "GOAMD64=v1", "GOARM64=v8.0", "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if output, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building function %s for linux/%s: %w\n%s", name, t.arch, err, output)
	}
	return os.ReadFile(program)
}

// withoutGoSettings drops what a shell may have set that changes the program that comes out.
func withoutGoSettings(environ []string) []string {
	settings := []string{"GOOS", "GOARCH", "GOAMD64", "GOARM64", "CGO_ENABLED", "GOFLAGS", "GOEXPERIMENT", "GOFIPS140", "GOWORK"}
	return slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(settings, name)
	})
}
