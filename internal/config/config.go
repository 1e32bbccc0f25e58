// Package config is the single list of the environment variables that Claimflow
// reads: their meanings, their defaults and which are secret. docs/configuration.md
// is generated from it.
package config

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/go-playground/validator/v10"

	"github.com/claimflow/claimflow/internal/seal"
)

// Config is the configuration of every Claimflow process. The `doc` tag of a field
// describes the variable, `used` names its readers. Fields of type [seal.Secret] are
// never printed.
type Config struct {
	DatabaseURL string      `env:"CLAIMFLOW_DATABASE_URL" envDefault:"sqlite:claimflow.db" validate:"required,database" used:"starter, worker" doc:"The address of the store: 'sqlite:' followed by a file name, 'sqlite::memory:' for a temporary store of one process, or 'postgres://user:password@host/database'. A PostgreSQL address contains a password: treat it as a secret."`
	Keys        seal.Secret `env:"CLAIMFLOW_KEYS" used:"starter, worker" doc:"The keyring that encrypts claims and tokens in the store: the output of 'starter keyring new', or 'file:' followed by the path of a file that contains it. All processes that use a store need the same keyring."`

	DixaURL        string        `env:"CLAIMFLOW_DIXA_URL" envDefault:"https://dev.dixa.io/v1/" validate:"required,http_url" used:"starter, worker" doc:"The URL of the Dixa API or of an emulator."`
	DixaFilesURL   string        `env:"CLAIMFLOW_DIXA_FILES_URL" envDefault:"https://files.dixa.io" validate:"required,http_url" used:"starter" doc:"The URL of Dixa's storage for the files of messages. For an emulator, its URL followed by /files. Claimflow sends the Dixa token only to this host and to the API's host."`
	DixaExportsURL string        `env:"CLAIMFLOW_DIXA_EXPORTS_URL" envDefault:"https://exports.dixa.io/v1/" validate:"required,http_url" used:"worker" doc:"The URL of Dixa's Exports API. For an emulator, its URL followed by /exports/v1/."`
	DixaPace       time.Duration `env:"CLAIMFLOW_PACE" envDefault:"104ms" validate:"min=100ms,max=1m" used:"starter, worker" doc:"The minimum interval between two requests with one Dixa token, across all processes. Dixa allows 10 requests per second, so the minimum is 100ms. A slightly longer interval allows for requests that overtake each other."`

	SweepEvery time.Duration `env:"CLAIMFLOW_SWEEP_EVERY" envDefault:"15m" validate:"eq=0|min=1m,max=24h" used:"worker" doc:"How often to search each Dixa organization for events that no webhook delivered. '0s' disables sweeps. A sweep uses at most a tenth of a token's request rate. All workers need the same value."`

	ExportsPace time.Duration `env:"CLAIMFLOW_EXPORTS_PACE" envDefault:"6100ms" validate:"min=100ms,max=10m" used:"worker" doc:"The minimum interval between two requests to Dixa's Exports API with one token, across all processes. Dixa allows 10 per minute, apart from the limit of its other API."`
	ImportEvery time.Duration `env:"CLAIMFLOW_IMPORT_EVERY" envDefault:"1h" validate:"eq=0|min=1m,max=24h" used:"worker" doc:"How often to import what changed in each Dixa organization that has a data source. '0s' disables these imports; webhooks and sweeps still apply. All workers need the same value."`

	Listen        string        `env:"CLAIMFLOW_LISTEN" envDefault:":8080" validate:"required,address" used:"starter" doc:"The address that 'starter serve' listens on."`
	MetricsListen string        `env:"CLAIMFLOW_METRICS_LISTEN" validate:"omitempty,address" used:"worker" doc:"The address on which the worker serves /metrics, /healthz and /readyz. If empty, the worker does not serve them. 'starter serve' serves them on its own address."`
	PublicURL     string        `env:"CLAIMFLOW_PUBLIC_URL" envDefault:"http://localhost:8080" validate:"required,http_url" used:"starter, worker" doc:"The public URL of 'starter serve', which receives webhooks. After a change, run 'starter shop enable' again for one shop of each Dixa organization, so that Dixa sends webhooks to the new URL."`
	WebhookMaxAge time.Duration `env:"CLAIMFLOW_WEBHOOK_MAX_AGE" envDefault:"72h" validate:"min=5m,max=720h" used:"starter" doc:"The maximum age of the signature of an event from Dixa. A long maximum is safe, because events are deduplicated, and lets Dixa deliver late."`

	KeyLimit     int `env:"CLAIMFLOW_KEY_LIMIT" envDefault:"500" validate:"min=0,max=1000000" used:"starter" doc:"The maximum number of requests to the unified API, the proxy and accounts with one API key in 10 seconds. '0' is no limit. Each 'starter serve' counts by itself, so several together admit more."`
	AccountLimit int `env:"CLAIMFLOW_ACCOUNT_LIMIT" envDefault:"50" validate:"min=0,max=1000000" used:"starter" doc:"The maximum number of requests to the unified API and the proxy for one account in 10 seconds. '0' is no limit. Each 'starter serve' counts by itself. Dixa's own limit is kept across all processes in any case."`

	AllowLoopbackEvidence bool `env:"CLAIMFLOW_ALLOW_LOOPBACK_EVIDENCE" envDefault:"false" used:"starter, worker" doc:"Allows files of claims and messages from this machine itself, also over plain HTTP. For development only: anyone who submits a claim can make the worker send requests to its own host."`

	AllowPrivateEndpoints bool `env:"CLAIMFLOW_ALLOW_PRIVATE_ENDPOINTS" envDefault:"false" used:"starter" doc:"Allows endpoints on this machine and in private networks, also over plain HTTP. Anyone who may add endpoints can make 'starter serve' send requests there."`

	OIDCIssuer       string      `env:"CLAIMFLOW_OIDC_ISSUER" validate:"required_with=OIDCClientID,omitempty,http_url" used:"starter" doc:"The OpenID Connect provider with which operators of the platform sign in to the portal, such as 'https://login.example/realms/staff'. If empty, the portal has no pages for operators. Register '/portal/operators/callback' below CLAIMFLOW_PUBLIC_URL as the redirect URL."`
	OIDCClientID     string      `env:"CLAIMFLOW_OIDC_CLIENT_ID" validate:"required_with=OIDCIssuer" used:"starter" doc:"The client id of Claimflow at the provider."`
	OIDCClientSecret seal.Secret `env:"CLAIMFLOW_OIDC_CLIENT_SECRET" used:"starter" doc:"The client secret of Claimflow at the provider. Empty for a public client."`
	OIDCGroup        string      `env:"CLAIMFLOW_OIDC_GROUP" used:"starter" doc:"The group that operators must be in, as a value of the claim 'groups' of the ID token. If empty, everyone whom the provider signs in for this client is an operator and sees all shops."`

	SMTPURL seal.Secret `env:"CLAIMFLOW_SMTP_URL" validate:"omitempty,smtp" used:"starter" doc:"The mail server for endpoints of kind email: 'smtp://user:password@mail.example:587?from=claims@acme.example', with special characters percent-encoded. 'smtp' requires STARTTLS, 'smtps' uses TLS from the start; '&tls=none' disables encryption and allows no password. If empty, no email is sent."`

	LogFormat string `env:"CLAIMFLOW_LOG_FORMAT" validate:"omitempty,oneof=text json" used:"starter, worker" doc:"The log format: 'text' for people or 'json' for machines. If empty, text on a terminal and JSON elsewhere."`
	LogLevel  string `env:"CLAIMFLOW_LOG_LEVEL" envDefault:"info" validate:"oneof=debug info warn error" used:"starter, worker" doc:"The minimum level to log: debug, info, warn or error."`

	URL    string      `env:"CLAIMFLOW_URL" envDefault:"http://localhost:8080" validate:"required,http_url" used:"starter" doc:"The URL of the 'starter serve' that the other starter commands call, without the API's /v1."`
	APIKey seal.Secret `env:"CLAIMFLOW_API_KEY" used:"starter" doc:"The API key that the starter commands authenticate with: the output of 'starter api-key create'."`
	// DixaToken is taken as is: onboarding rejects surrounding space.
	DixaToken seal.Secret `env:"CLAIMFLOW_DIXA_TOKEN" used:"starter" doc:"The Dixa API token that 'starter shop connect' saves. The command fails if --token-file or the standard input also provides a token."`
}

// Load reads the process's environment. The error names every invalid variable at
// once, and never its value.
func Load() (Config, error) { return LoadFrom(os.Environ()) }

// LoadFrom reads an environment given as "NAME=value" entries. A variable that is
// set but empty counts as missing.
func LoadFrom(environ []string) (Config, error) {
	vars := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && value != "" {
			vars[name] = value
		}
	}
	var c Config
	if err := env.ParseWithOptions(&c, env.Options{Environment: vars}); err != nil {
		return Config{}, unreadable(err)
	}
	if err := check(&c); err != nil {
		return Config{}, err
	}
	return c, nil
}

func unreadable(err error) error {
	problems := []string{}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return fmt.Errorf("read the configuration from the environment: %w", err)
	}
	for _, e := range all.Errors {
		var field env.ParseError
		if errors.As(e, &field) {
			problems = append(problems, fmt.Sprintf("%s must be %s", variableOf(field.Name), kindInWords(field.Type)))
			continue
		}
		problems = append(problems, e.Error())
	}
	return problem(problems)
}

func kindInWords(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 104ms or 1s"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "a whole number"
	default:
		return t.String()
	}
}

func variableOf(fieldName string) string {
	if f, ok := reflect.TypeFor[Config]().FieldByName(fieldName); ok {
		return f.Tag.Get("env")
	}
	return fieldName
}

func problem(problems []string) error {
	return fmt.Errorf("invalid configuration: %s; docs/configuration.md describes every variable", strings.Join(problems, "; "))
}

func check(c *Config) error {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string { return f.Tag.Get("env") })
	for tag, test := range map[string]func(string) bool{"database": isDatabase, "address": isAddress, "smtp": isMailServer} {
		err := v.RegisterValidation(tag, func(fl validator.FieldLevel) bool { return test(fl.Field().String()) })
		if err != nil {
			return fmt.Errorf("set up the validation of the configuration: %w", err)
		}
	}
	err := v.Struct(c)
	var fields validator.ValidationErrors
	if !errors.As(err, &fields) {
		return err
	}
	problems := make([]string, len(fields))
	for i, f := range fields {
		problems[i] = f.Field() + " " + inWords(f)
	}
	return problem(problems)
}

func isDatabase(s string) bool {
	for _, scheme := range []string{"sqlite:", "postgres://", "postgresql://"} {
		if rest, ok := strings.CutPrefix(s, scheme); ok && rest != "" {
			return true
		}
	}
	return false
}

func isMailServer(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "smtp" || u.Scheme == "smtps") && u.Hostname() != "" && strings.Contains(u.Query().Get("from"), "@")
}

func isAddress(s string) bool { return strings.Contains(s, ":") }

func inWords(f validator.FieldError) string {
	switch f.Tag() {
	case "required", "required_with":
		return "is required"
	case "http_url":
		return "must be an http or https URL"
	case "database":
		return "must be sqlite:FILE or postgres://…"
	case "smtp":
		return "must be a URL such as smtp://user:password@mail.example:587?from=claims@acme.example"
	case "address":
		return "must be an address such as :8080 or 127.0.0.1:8080"
	case "oneof":
		return "must be one of " + strings.Join(strings.Fields(f.Param()), ", ")
	case "eq=0|min=1m":
		return "must be 0s or at least 1m"
	case "min":
		return "must be at least " + f.Param()
	case "max":
		return "must be at most " + f.Param()
	default:
		return "violates the rule " + f.Tag()
	}
}
