// Package setup turns a configuration into a wired application: it reads yuexin.yaml, says what is wrong with it and
// where, resolves secrets, opens the store, and hands each function its part. It is the only place that knows
// every adapter, and the only one that reads the environment.
package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Config is yuexin.yaml. Good zero values: a member that is left out means its default.
type Config struct {
	Listen  string      `yaml:"listen"` // standalone only
	Store   StoreConfig `yaml:"store"`
	Queue   QueueConfig `yaml:"queue"`
	Apps    []AppConfig `yaml:"apps"`
	APIKeys []KeyConfig `yaml:"api_keys"`
	LogKey  Secret      `yaml:"log_key"` // keys the hash that logs show for an openid; "" derives one from the configuration

	source string         // the file's name, for messages
	lines  map[string]int // line of each member, by its path
}

// StoreConfig says where records are kept.
type StoreConfig struct {
	Kind     string `yaml:"kind"`     // embedded, dynamodb, redis, memory
	Path     string `yaml:"path"`     // embedded
	Table    string `yaml:"table"`    // dynamodb
	Region   string `yaml:"region"`   // dynamodb; "" takes AWS_REGION
	Endpoint string `yaml:"endpoint"` // dynamodb; for a compatible server
	URL      Secret `yaml:"url"`      // redis
}

// QueueConfig says how functions wake each other. Without one, the tick does the work it finds.
type QueueConfig struct {
	Kind     string `yaml:"kind"`     // sqs, scf; "" for none (standalone has its own)
	URL      string `yaml:"url"`      // sqs; "" takes YUEXIN_QUEUE_URL
	Function string `yaml:"function"` // scf: the deliver function; "" takes YUEXIN_DELIVER_FUNCTION
	Endpoint string `yaml:"endpoint"`
	Region   string `yaml:"region"`
}

// AppConfig is one WeChat account.
type AppConfig struct {
	AppID                 string              `yaml:"appid"`
	BaseURL               string              `yaml:"base_url"`
	Kind                  string              `yaml:"kind"`
	Secret                Secret              `yaml:"secret"`
	Push                  PushConfig          `yaml:"push"`
	TimeZone              string              `yaml:"time_zone"`
	Categories            []string            `yaml:"categories"`
	Rate                  int                 `yaml:"rate"`
	Limits                *LimitsConfig       `yaml:"limits"`
	TemplateLimits        *LimitsConfig       `yaml:"template_limits"`
	QuietHours            *string             `yaml:"quiet_hours"`
	MaxTemplatesPerPrompt int                 `yaml:"max_templates_per_prompt"`
	Brands                []string            `yaml:"brands"`
	Words                 map[string][]string `yaml:"words"`
	NoBurst               Duration            `yaml:"no_burst"`
	Spread                *Duration           `yaml:"spread"`
	RefusalWait           Duration            `yaml:"refusal_wait"`
	ShelfLife             Duration            `yaml:"shelf_life"`
	UnknownAfter          Duration            `yaml:"unknown_after"`
	MiniprogramState      string              `yaml:"miniprogram_state"`
	Lang                  string              `yaml:"lang"`
	Miniprogram           string              `yaml:"miniprogram"` // service accounts: the mini program their cards open
	Provider              ProviderConfig      `yaml:"provider"`
	Webhook               WebhookConfig       `yaml:"webhook"`
	Templates             []TemplateConfig    `yaml:"templates"`
}

// PushConfig is the message push as entered in the account's console.
type PushConfig struct {
	Token  Secret `yaml:"token"`
	AESKey Secret `yaml:"aes_key"`
	Mode   string `yaml:"mode"`
}

// LimitsConfig caps messages per subscriber; 0 is no cap.
type LimitsConfig struct {
	PerDay  int `yaml:"per_day"`
	PerWeek int `yaml:"per_week"`
}

// ProviderConfig is the allow list of content providers, and the key their calls are signed with.
type ProviderConfig struct {
	Hosts  []string `yaml:"hosts"`
	Secret Secret   `yaml:"secret"`
}

// WebhookConfig is where notices go.
type WebhookConfig struct {
	URL    string `yaml:"url"`
	Secret Secret `yaml:"secret"`
}

// TemplateConfig is one template of the account.
type TemplateConfig struct {
	ID              string            `yaml:"id"`
	Name            string            `yaml:"name"`
	Kind            string            `yaml:"kind"`
	Title           string            `yaml:"title"`
	Content         string            `yaml:"content"`
	Page            string            `yaml:"page"`
	Limits          *LimitsConfig     `yaml:"limits"`
	QuietHours      *string           `yaml:"quiet_hours"`
	Class           string            `yaml:"class"`
	Scenes          []string          `yaml:"scenes"`
	PromptCopy      string            `yaml:"prompt_copy"`
	KeyField        string            `yaml:"key_field"`
	Period          string            `yaml:"period"`
	Unasked         string            `yaml:"unasked"`
	DisclaimerField string            `yaml:"disclaimer_field"`
	Exceptions      []ExceptionConfig `yaml:"exceptions"`
}

// ExceptionConfig allows one listed word in one template, for a reason.
type ExceptionConfig struct {
	Word   string `yaml:"word"`
	Reason string `yaml:"reason"`
	Field  string `yaml:"field"`
}

// KeyConfig is one API key, by its hash.
type KeyConfig struct {
	Name   string   `yaml:"name"`
	SHA256 string   `yaml:"sha256"`
	Scopes []string `yaml:"scopes"`
	Apps   []string `yaml:"apps"`
}

// Read reads and validates the configuration at path. Secrets must be references. The error lists every fault,
// each with its line.
func Read(path string) (*Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w; name the file with --config or YUEXIN_CONFIG", err)
	}
	return Parse(raw, path, false)
}

// Parse reads and validates a configuration. literals allows secrets to stand in it as they are: for the sandbox only.
func Parse(raw []byte, source string, literals bool) (*Config, error) {
	c := &Config{source: source, lines: map[string]int{}}
	var root yaml.Node
	if err := yaml.Unmarshal(raw, &root); err != nil {
		return nil, c.syntax(err)
	}
	if root.Kind == 0 || root.Content[0].Kind != yaml.MappingNode {
		return nil, &Fault{Source: source, Line: 1, Detail: "a configuration is a mapping with store, apps and api_keys"}
	}
	index(root.Content[0], "", c.lines)
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil {
		return nil, c.syntax(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, &Fault{Source: source, Detail: "one YAML document is expected, and something follows it"}
	}
	return c, c.validate(literals)
}

// index notes the line of every member, by its path: apps[0].templates[1].kind; and of the lines of texts that stand
// in the file as they are: apps[0].templates[1].content line 2.
func index(n *yaml.Node, path string, lines map[string]int) {
	lines[path] = n.Line
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Style&yaml.LiteralStyle != 0 {
			for i := range strings.Count(n.Value, "\n") + 1 {
				lines[fmt.Sprintf("%s line %d", path, i+1)] = n.Line + i + 1
			}
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			at := strings.TrimPrefix(path+"."+n.Content[i].Value, ".")
			index(n.Content[i+1], at, lines)
			lines[at] = n.Content[i].Line
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			index(item, fmt.Sprintf("%s[%d]", path, i), lines)
		}
	}
}

// syntax puts the YAML library's complaints into the words of whoever wrote the file.
func (c *Config) syntax(err error) error {
	var (
		unknownField = regexp.MustCompile(`^line (\d+): field (\S+) not found in type \S+$`)
		atLine       = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
		goType       = regexp.MustCompile(` into \S+$`)
	)
	var many *yaml.TypeError
	list := []string{err.Error()}
	if errors.As(err, &many) {
		list = many.Errors
	}
	var all []error
	for _, text := range list {
		switch {
		case unknownField.MatchString(text):
			m := unknownField.FindStringSubmatch(text)
			all = append(all, c.unreadable(m[1], fmt.Sprintf("unknown key %q", m[2])))
		case atLine.MatchString(text):
			m := atLine.FindStringSubmatch(text)
			all = append(all, c.unreadable(m[1], goType.ReplaceAllString(m[2], "")))
		default:
			all = append(all, c.unreadable("", strings.TrimPrefix(text, "yaml: ")))
		}
	}
	return errors.Join(all...)
}

func (c *Config) unreadable(line, detail string) *Fault {
	n, _ := strconv.Atoi(line) // "": the file as a whole
	return &Fault{Source: c.source, Line: n, Detail: detail}
}
