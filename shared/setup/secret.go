package setup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
)

// Secret is a reference to a secret: env:NAME, file:PATH, ssm:NAME or secretsmanager:NAME. In a sandbox it may be the
// secret itself. It prints as nothing but its kind.
type Secret struct{ ref string }

// String never shows the reference's value.
func (s Secret) String() string {
	if s.ref == "" {
		return ""
	}
	if kind, _, ok := strings.Cut(s.ref, ":"); ok && s.reference() {
		return kind + ":…"
	}
	return "(secret)"
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue is String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalYAML is String.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// UnmarshalYAML takes a plain text.
func (s *Secret) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: a secret is a reference such as env:NAME", n.Line)}}
	}
	s.ref = n.Value
	return nil
}

// IsSet reports whether there is a reference at all.
func (s Secret) IsSet() bool { return s.ref != "" }

var secretKinds = []string{"env:", "file:", "ssm:", "secretsmanager:"}

// reference reports whether the secret is referred to, and not written down.
func (s Secret) reference() bool {
	for _, k := range secretKinds {
		if strings.HasPrefix(s.ref, k) && len(s.ref) > len(k) {
			return true
		}
	}
	return false
}

// Duration is a time.Duration written as 10m, 48h or 7d.
type Duration time.Duration

// UnmarshalYAML takes what ParseDuration takes.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := ParseDuration(n.Value)
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %s", n.Line, err)}}
	}
	*d = Duration(v)
	return nil
}

// ParseDuration is time.ParseDuration with whole days: 7d.
func ParseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := time.ParseDuration(days + "h"); err == nil && max(n, -n) <= math.MaxInt64/24 {
			return 24 * n, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration such as 10m, 48h or 7d", s)
	}
	return d, nil
}

// remote fetches a secret of one kind from where it is kept.
type remote func(ctx context.Context, name string) (string, error)

// vault resolves secrets, each once; a refresh asks past what it remembers.
type vault struct {
	getenv  func(string) string
	remotes map[string]remote // by kind, "ssm"

	mu    sync.Mutex
	known map[string]string
}

func (v *vault) get(ctx context.Context, s Secret, refresh bool) (string, error) {
	if !s.reference() {
		return s.ref, nil
	}
	kind, name, _ := strings.Cut(s.ref, ":")
	if kind == "env" {
		value := v.getenv(name)
		if value == "" {
			return "", fmt.Errorf("environment variable %s is empty or not set", name)
		}
		return value, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if value, ok := v.known[s.ref]; ok && !refresh {
		return value, nil
	}
	var value string
	var err error
	switch fetch := v.remotes[kind]; {
	case kind == "file":
		var raw []byte
		raw, err = os.ReadFile(name)
		value = strings.TrimRight(string(raw), "\r\n")
	case fetch == nil:
		return "", fmt.Errorf("secrets of kind %s are not available in this build", kind)
	default:
		value, err = fetch(ctx, name)
	}
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", kind, err)
	}
	if value == "" {
		return "", errors.New("secret " + kind + ":" + name + " is empty")
	}
	if v.known == nil {
		v.known = map[string]string{}
	}
	v.known[s.ref] = value
	return value, nil
}

// of binds a secret for an adapter.
func (v *vault) of(s Secret) func(context.Context, bool) (string, error) {
	return func(ctx context.Context, refresh bool) (string, error) { return v.get(ctx, s, refresh) }
}
