package check

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

var severitiesZH = map[policy.Severity]string{policy.Error: "错误", policy.Warning: "警告", policy.Info: "提示"}

// writeText writes what a terminal shows: one line that editors can jump to, and the advice under it.
func writeText(w io.Writer, r report, lang string) error {
	out := bufio.NewWriter(w)
	for _, f := range r.inOrder() {
		severity, detail, advice := string(f.Severity), f.Detail, f.Advice
		if lang == "zh" {
			severity = severitiesZH[f.Severity]
			if f.DetailZH != "" {
				detail = f.DetailZH
			}
			if f.AdviceZH != "" {
				advice = f.AdviceZH
			}
		}
		at := f.File
		if f.Line > 0 {
			at = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		fmt.Fprintf(out, "%s: %s: %s: ", at, severity, f.Rule)
		if f.Template != "" {
			fmt.Fprintf(out, "%s, ", f.Template)
		}
		if f.Place != "" {
			fmt.Fprintf(out, "%s: ", f.Place)
		}
		fmt.Fprintln(out, indented(detail))
		if advice != "" {
			fmt.Fprintf(out, "    %s\n", indented(advice))
		}
	}
	errors, warnings, infos := r.count(policy.Error), r.count(policy.Warning), r.count(policy.Info)
	if lang == "zh" {
		fmt.Fprintf(out, "%s：%d 个错误，%d 个警告，%d 条提示\n", r.source, errors, warnings, infos)
	} else {
		fmt.Fprintf(out, "%s: %d %s, %d %s, %d %s\n", r.source, errors, plural("error", errors), warnings, plural("warning", warnings), infos, plural("note", infos))
	}
	for _, l := range r.looked {
		fmt.Fprintf(out, "  %s\n", l)
	}
	return out.Flush()
}

// indented keeps what has several lines under its first.
func indented(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ") }

// findingJSON is a finding as the API answers it, with its place in the file.
type findingJSON struct {
	File     string          `json:"file"`
	Line     int             `json:"line,omitempty"`
	AppID    string          `json:"appid,omitempty"`
	Template string          `json:"template,omitempty"`
	Rule     string          `json:"rule"`
	Severity policy.Severity `json:"severity"`
	Place    string          `json:"place,omitempty"`
	Detail   string          `json:"detail"`
	DetailZH string          `json:"detail_zh,omitempty"`
	Advice   string          `json:"advice,omitempty"`
	AdviceZH string          `json:"advice_zh,omitempty"`
}

func writeJSON(w io.Writer, r report, _ string) error {
	list := make([]findingJSON, 0, len(r.findings))
	for _, f := range r.inOrder() {
		list = append(list, findingJSON{
			File: f.File, Line: f.Line, AppID: f.AppID, Template: f.Template, Rule: f.Rule, Severity: f.Severity, Place: f.Place,
			Detail: f.Detail, DetailZH: f.DetailZH, Advice: f.Advice, AdviceZH: f.AdviceZH,
		})
	}
	return encode(w, map[string]any{
		"findings": list,
		"summary":  map[string]int{"errors": r.count(policy.Error), "warnings": r.count(policy.Warning), "infos": r.count(policy.Info)},
	})
}

// encode writes JSON that people can read too: brackets and Chinese as they are.
func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
