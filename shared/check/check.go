// Package check is the command that a review runs before a configuration is deployed or a template is submitted: it says
// what is wrong, at which line, by which rule, and what to do about it, for people and for tools that read SARIF.
package check

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/setup"
)

// storePatience is how long a store may take to answer.
const storePatience = 20 * time.Second

// The exit codes of Run.
const (
	exitClean  = 0 // warnings at most
	exitErrors = 1
	exitUsage  = 2
)

// order is what was asked for on the command line.
type order struct {
	config    string
	named     bool // --config was given
	templates string
	app       string
	store     bool
	format    string
	lang      string
	getenv    func(string) string
}

// Run checks a configuration, or with --templates a file of templates, and writes what it finds to stdout in the format
// asked for. It returns the exit code: 0 where nothing worse than a warning was found, 1 for errors, 2 for arguments that
// make no sense, which stderr explains.
func Run(args []string, stdout, stderr io.Writer) int {
	o := order{getenv: os.Getenv}
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.config, "config", "", "configuration file; YUEXIN_CONFIG or yuexin.yaml if it is left out")
	flags.StringVar(&o.templates, "templates", "", `audit the templates of a JSON file instead: {"templates":[{"title","content","kind","legacy"}]}; with --config, as templates of its app`)
	flags.StringVar(&o.app, "app", "", "with --templates and --config: the appid they are for; the first app if it is left out")
	flags.BoolVar(&o.store, "store", false, "open the configured store too, and see whether it is sound")
	flags.StringVar(&o.format, "format", "text", "text, json or sarif")
	flags.StringVar(&o.lang, "lang", "en", "language of the text format: en or zh")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitClean
		}
		return exitUsage
	}
	flags.Visit(func(f *flag.Flag) { o.named = o.named || f.Name == "config" })
	write, known := formats[o.format]
	var wrong string
	switch {
	case flags.NArg() > 0:
		wrong = fmt.Sprintf("%q is no argument of check", flags.Arg(0))
	case !known:
		wrong = fmt.Sprintf("--format %q is none of text, json, sarif", o.format)
	case o.lang != "en" && o.lang != "zh":
		wrong = fmt.Sprintf("--lang %q is neither en nor zh", o.lang)
	case o.templates != "" && o.store:
		wrong = "--store belongs to a configuration, --templates audits a file of templates: ask for one at a time"
	case o.app != "" && (o.templates == "" || !o.named):
		wrong = "--app says which app of --config the --templates are for"
	}
	if wrong != "" {
		fmt.Fprintln(stderr, "check: "+wrong)
		return exitUsage
	}
	if o.config == "" {
		if o.config = o.getenv("YUEXIN_CONFIG"); o.config == "" {
			o.config = "yuexin.yaml"
		}
	}
	var r report
	if o.templates != "" {
		r = o.templateFile()
	} else {
		r = o.configuration()
	}
	if err := write(stdout, r, o.lang); err != nil {
		fmt.Fprintln(stderr, "check: what was found could not be written:", err)
		return exitErrors
	}
	if r.count(policy.Error) > 0 {
		return exitErrors
	}
	return exitClean
}

// configuration checks yuexin.yaml, and the store it names where that is asked for.
func (o order) configuration() report {
	r := report{source: o.config}
	c, err := setup.Read(o.config)
	r.faults(o.config, err)
	if c == nil {
		return r
	}
	for _, f := range c.Audit() {
		r.add(finding{File: c.Source(), Line: f.Line, AppID: f.AppID, Finding: f.Finding})
	}
	templates := 0
	for i := range c.Apps {
		templates += len(c.Apps[i].Templates)
	}
	r.looked = append(r.looked, fmt.Sprintf("%d %s, %d %s", len(c.Apps), plural("app", len(c.Apps)), templates, plural("template", templates)))
	switch {
	case !o.store:
	case err != nil:
		r.looked = append(r.looked, "the store was not opened: the configuration has faults")
	default:
		o.checkStore(&r, c)
	}
	return r
}

func (o order) checkStore(r *report, c *setup.Config) {
	ctx, cancel := context.WithTimeout(context.Background(), storePatience)
	defer cancel()
	looked, err := c.CheckStore(ctx, o.getenv)
	if err == nil {
		r.looked = append(r.looked, looked)
		return
	}
	r.add(finding{File: c.Source(), Line: c.Line("store"), Finding: policy.Finding{
		Rule: ruleStore, Severity: policy.Error, Place: "store", Detail: err.Error(),
		DetailZH: "存储检查未通过：" + err.Error(),
		Advice:   "Put the store in order before anything is deployed on it.", AdviceZH: "请先修复存储，再进行部署。",
	}})
}

// faults adds what a configuration is refused for.
func (r *report) faults(file string, err error) {
	for _, f := range setup.Faults(err) {
		found := finding{File: f.Source, Line: f.Line, Finding: policy.Finding{Rule: f.Rule, Severity: policy.Error, Place: f.Path, Detail: f.Detail}}
		if found.File == "" {
			found.File = file
		}
		if found.Rule == "" {
			found.Rule = ruleConfiguration
		}
		r.add(found)
	}
}

func plural(word string, n int) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
