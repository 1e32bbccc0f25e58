package config

import (
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/claimflow/claimflow/internal/seal"
)

// Variable is one environment variable.
type Variable struct {
	Name    string `json:"name"`
	Default string `json:"default,omitempty"`
	Secret  bool   `json:"secret,omitempty"`
	// UsedBy names the processes that read it.
	UsedBy  string `json:"used_by"`
	Meaning string `json:"meaning"`
	// Value is the value in this process; hidden if it is secret.
	Value string `json:"value,omitempty"`
}

// Variables lists Claimflow's own variables in the order of [Config], with the
// values of c.
func Variables(c Config) []Variable {
	t, v := reflect.TypeFor[Config](), reflect.ValueOf(c)
	out := make([]Variable, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		variable := Variable{
			Name: f.Tag.Get("env"), Default: f.Tag.Get("envDefault"), UsedBy: f.Tag.Get("used"),
			Meaning: f.Tag.Get("doc"), Value: fmt.Sprint(v.Field(i).Interface()),
			Secret: f.Type == reflect.TypeFor[seal.Secret](),
		}
		if variable.Name == "CLAIMFLOW_DATABASE_URL" && strings.HasPrefix(variable.Value, "postgres") {
			variable.Secret, variable.Value = true, seal.Secret(variable.Value).String()
		}
		out = append(out, variable)
	}
	return out
}

// Others lists the variables that libraries read on Claimflow's behalf: the Temporal
// SDK's envconfig package and the OpenTelemetry SDK. It names only the most common
// ones; the libraries document the full lists.
func Others() []Variable {
	return []Variable{
		{Name: "TEMPORAL_ADDRESS", Default: "localhost:7233", UsedBy: "starter, worker", Meaning: "The address of the Temporal frontend. Like the temporal command, Claimflow reads all TEMPORAL_* variables and the profiles of a TOML file with the Temporal SDK's envconfig package."},
		{Name: "TEMPORAL_NAMESPACE", Default: "default", UsedBy: "starter, worker", Meaning: "The Temporal namespace."},
		{Name: "TEMPORAL_API_KEY", Secret: true, UsedBy: "starter, worker", Meaning: "The API key for Temporal Cloud; enables TLS."},
		{Name: "TEMPORAL_TLS", UsedBy: "starter, worker", Meaning: "Enables or disables TLS; TEMPORAL_TLS_CLIENT_CERT_PATH, TEMPORAL_TLS_CLIENT_KEY_PATH and related variables name the certificates."},
		{Name: "TEMPORAL_CONFIG_FILE", UsedBy: "starter, worker", Meaning: "A TOML file with profiles."},
		{Name: "TEMPORAL_PROFILE", Default: "default", UsedBy: "starter, worker", Meaning: "The profile to use from that file."},
		{Name: "OTEL_EXPORTER_OTLP_ENDPOINT", UsedBy: "starter, worker", Meaning: "The endpoint that receives traces, by OTLP over HTTP. If empty, no traces are exported. The OpenTelemetry SDK reads this and all other OTEL_* variables."},
		{Name: "OTEL_EXPORTER_OTLP_HEADERS", Secret: true, UsedBy: "starter, worker", Meaning: "Headers for the export, such as an API key."},
		{Name: "OTEL_RESOURCE_ATTRIBUTES", UsedBy: "starter, worker", Meaning: "Attributes of this process in addition to its name and version."},
		{Name: "OTEL_TRACES_SAMPLER", UsedBy: "starter, worker", Meaning: "The sampler, which decides which traces to export."},
	}
}

const preamble = `# Configuration

<!-- Generated from internal/config. Run "go test ./internal/config -update" to regenerate it. -->

Environment variables configure every process. An empty variable counts as missing.
` + "`starter config`" + ` prints this list with the effective values.

`

// Markdown returns the content of docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(preamble)
	b.WriteString("## Claimflow\n\n")
	c, err := LoadFrom(nil)
	if err != nil {
		panic("config: invalid defaults: " + err.Error()) // a defect that this package's tests catch
	}
	table(&b, Variables(c))
	b.WriteString("\n## Temporal and OpenTelemetry\n\n")
	table(&b, Others())
	return b.String()
}

// quoted matches a quoted value such as 'text'. A struct tag cannot contain a backtick,
// so the `doc` tags use single quotes. An apostrophe follows a letter and stays.
var quoted = regexp.MustCompile(`(^|[ (])'([^']+)'`)

func table(b *strings.Builder, variables []Variable) {
	b.WriteString("| Variable | Default | Read by | Meaning |\n| --- | --- | --- | --- |\n")
	for _, v := range variables {
		def, meaning := "", v.Meaning
		if v.Default != "" {
			def = "`" + v.Default + "`"
		}
		if v.Secret {
			meaning = "**Secret.** " + meaning
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", v.Name, def, v.UsedBy, quoted.ReplaceAllString(meaning, "$1`$2`"))
	}
}

// WriteTable prints the variables and their values as a table for people.
func WriteTable(w io.Writer, c Config) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		_, _ = io.WriteString(tw, strings.Join(cells, "\t")+"\n") // Flush reports the error
	}
	row("VARIABLE", "VALUE", "READ BY", "MEANING")
	for _, v := range append(Variables(c), Others()...) {
		value := v.Value
		if value == "" {
			value = "-"
		}
		row(v.Name, value, v.UsedBy, firstSentence(v.Meaning))
	}
	return tw.Flush()
}

func firstSentence(s string) string {
	if head, _, found := strings.Cut(s, ". "); found {
		return head + "."
	}
	return s
}
