package check

import (
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

// The part of SARIF 2.1.0 that code review tools read (docs.oasis-open.org/sarif/sarif/v2.1.0).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
		FullDescription  sarifText `json:"fullDescription,omitzero"`
		Help             sarifText `json:"help,omitzero"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
	}
)

var sarifLevels = map[policy.Severity]string{policy.Error: "error", policy.Warning: "warning", policy.Info: "note"}

func writeSARIF(w io.Writer, r report, _ string) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "yuexin check", Rules: []sarifRule{}}}, ColumnKind: "utf16CodeUnits", Results: []sarifResult{}}
	rules := &run.Tool.Driver.Rules
	for _, f := range r.inOrder() {
		at := slices.IndexFunc(*rules, func(x sarifRule) bool { return x.ID == f.Rule })
		if at < 0 {
			at = len(*rules)
			*rules = append(*rules, describe(f.Rule))
		}
		location := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{fileURI(f.File)}}}
		if f.Line > 0 {
			location.Physical.Region = &sarifRegion{f.Line}
		}
		if name := strings.Trim(f.Template+"/"+f.Place, "/"); name != "" {
			location.Logical = []sarifLogical{{name}}
		}
		text := f.Detail
		for _, more := range []string{f.Advice, f.DetailZH, f.AdviceZH} {
			if more != "" {
				text += "\n" + more
			}
		}
		run.Results = append(run.Results, sarifResult{RuleID: f.Rule, RuleIndex: at, Level: sarifLevels[f.Severity], Message: sarifText{text}, Locations: []sarifLocation{location}})
	}
	return encode(w, sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

// describe is what the file says of a rule that was broken.
func describe(name string) sarifRule {
	switch name {
	case ruleConfiguration:
		return sarifRule{ID: name, ShortDescription: sarifText{"A setting cannot be read, or makes no sense."}}
	case ruleStore:
		return sarifRule{ID: name, ShortDescription: sarifText{"The store is not as the program needs it."}}
	case ruleTemplateFile:
		return sarifRule{ID: name, ShortDescription: sarifText{"The file of templates cannot be read."}}
	}
	r, _ := policy.Lookup(name)
	return sarifRule{ID: name, ShortDescription: sarifText{r.EN}, FullDescription: sarifText{r.EN + " " + r.ZH + " (" + r.Source + ")"}, Help: sarifText{strings.TrimSpace(r.Advice + " " + r.AdviceZH)}}
}

// fileURI is the file as SARIF names it: relative names stay so, since reviews are made in another checkout.
func fileURI(file string) string {
	u := url.URL{Path: filepath.ToSlash(file)}
	if filepath.IsAbs(file) {
		u.Scheme = "file"
	}
	return u.String()
}
