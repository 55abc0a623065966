// Command package builds the functions and puts each into a zip that a cloud takes as it is: the program
// and the team's yuexin.yaml, nothing else.
//
// The zips reproduce: the same source, configuration and Go version give the same bytes on any machine, so
// that a deployment can be compared with a commit, and an unchanged function is not deployed again. That is why this
// is a program and not a line of shell: zip(1) records the clock, the umask and the order of the directory.
//
//	go run ./tools/package -cloud aws -config yuexin.yaml
//	go run ./tools/package -cloud tencent -config yuexin.yaml -out dist/tencent grant send
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"text/tabwriter"
)

// allFunctions are the deployable functions; standalone is for one's own machine and is not among them.
var allFunctions = []string{"deliver", "grant", "manage", "schedule", "send"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

// run does what the arguments ask for and writes a table of the zips to out.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("package", flag.ContinueOnError)
	cloudName := flags.String("cloud", "", "aws or tencent")
	arch := flags.String("arch", "", "processor: arm64 or amd64 (default: the cloud's usual one)")
	config := flags.String("config", "yuexin.yaml", "configuration to bundle")
	outDir := flags.String("out", "", "directory for the zips (default dist/<cloud>)")
	root := flags.String("root", ".", "directory of the Go module")
	if err := flags.Parse(args); err != nil {
		return err
	}
	target, err := targetFor(*cloudName, *arch)
	if err != nil {
		return err
	}
	names := flags.Args()
	if len(names) == 0 {
		names = allFunctions
	}
	configuration, err := readConfiguration(*config)
	if err != nil {
		return err
	}
	if *outDir == "" {
		*outDir = filepath.Join(*root, "dist", target.name)
	}
	packages, err := packageAll(ctx, *root, *outDir, target, names, configuration)
	if err != nil {
		return err
	}
	return report(out, *outDir, packages)
}

// readConfiguration reads the file that every zip carries. Whether it is right is checked by standalone check,
// which knows what the words mean; here it has to exist and be small.
func readConfiguration(path string) ([]byte, error) {
	const most = 1 << 20
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("there is no configuration %s: copy infra/aws/yuexin.example.yaml or infra/tencent/yuexin.example.yaml and put your apps into it, or name another file with -config (make: CONFIG=)", path)
	case err != nil:
		return nil, err
	case len(content) == 0 || len(content) > most:
		return nil, fmt.Errorf("configuration %s has %d bytes, it should have between 1 and %d: is this the right file?", path, len(content), most)
	}
	return content, nil
}

// report writes the zips with their sizes and digests as a table for people.
func report(out io.Writer, dir string, packages []pack) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, p := range packages {
		fmt.Fprintf(table, "%s\t%.2f MB\tsha256:%s\n", filepath.Join(dir, p.file), float64(p.size)/1e6, p.sum[:16])
	}
	return table.Flush()
}
