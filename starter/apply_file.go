package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// shopsFile is the file that `starter apply` reads.
type shopsFile struct {
	Platform *layer     `yaml:"platform"`
	Shops    []shopFile `yaml:"shops"`
}

// layer is what the platform and a shop have in common.
type layer struct {
	// Settings is the complete own layer; nil leaves the existing one.
	Settings map[string]any `yaml:"settings"`
	// Templates are keyed by reason and language.
	Templates map[string]map[string]templateFile `yaml:"templates"`
}

type shopFile struct {
	Slug      string  `yaml:"slug"`
	Name      *string `yaml:"name"`
	Feature   *bool   `yaml:"dixa_feature"`
	TokenEnv  string  `yaml:"token_env"`
	TokenFile string  `yaml:"token_file"`
	Enabled   *bool   `yaml:"enabled"`
	Paused    *bool   `yaml:"paused"`
	layer     `yaml:",inline"`

	token string
}

type templateFile struct {
	client.TemplateSource `yaml:",inline"`
	// BodyFile names a file with the body, relative to the shops file.
	BodyFile string `yaml:"body_file"`
}

// readShops reads the file and everything that it refers to. It reports all mistakes
// at once.
func (a *app) readShops(path string) (*shopsFile, error) {
	data, err := a.read(path)
	if err != nil {
		return nil, err
	}
	var f shopsFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w; `starter apply --help` shows the format", path, err)
	}
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	dir := filepath.Dir(path)
	if f.Platform != nil {
		collect(&problems, f.Platform.complete(dir, "platform"))
	}
	seen := map[string]bool{}
	for i := range f.Shops {
		s := &f.Shops[i]
		where := "shop " + s.Slug
		switch {
		case s.Slug == "":
			add("shop %d has no slug", i+1)
			continue
		case seen[s.Slug]:
			add("%s is listed twice", where)
		case s.TokenEnv != "" && s.TokenFile != "":
			add("%s: set token_env or token_file, not both", where)
		}
		seen[s.Slug] = true
		collect(&problems, s.complete(dir, where))
		collect(&problems, a.findToken(s, dir, where))
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("cannot apply %s:\n%w", path, errors.Join(problems...))
	}
	return &f, nil
}

func collect(problems *[]error, err error) {
	if err != nil {
		*problems = append(*problems, err)
	}
}

// complete reads the body files and normalizes the template keys.
func (l *layer) complete(dir, where string) error {
	var problems []error
	templates := map[string]map[string]templateFile{}
	for key, languages := range l.Templates {
		reason := claim.NormalizeKey(key)
		if reason == "" || templates[reason] != nil {
			problems = append(problems, fmt.Errorf("%s: template key %q is invalid or a duplicate", where, key))
			continue
		}
		templates[reason] = map[string]templateFile{}
		for language, t := range languages {
			if t.BodyFile != "" {
				data, err := os.ReadFile(filepath.Join(dir, t.BodyFile))
				if err == nil {
					data, err = textOf(t.BodyFile, data)
				}
				if err != nil || t.Body != "" {
					problems = append(problems, fmt.Errorf("%s: template %s/%s: body_file: %w", where, key, language, errors.Join(err, twice(t.Body))))
				}
				t.Body = string(data)
			}
			templates[reason][language] = t
		}
	}
	l.Templates = templates
	return errors.Join(problems...)
}

func twice(body string) error {
	if body == "" {
		return nil
	}
	return errors.New("body is set too; use only one of them")
}

func (a *app) findToken(s *shopFile, dir, where string) error {
	switch {
	case s.TokenEnv != "":
		if s.token = a.env(s.TokenEnv); s.token == "" {
			return fmt.Errorf("%s: token_env names %s, which is not set", where, s.TokenEnv)
		}
	case s.TokenFile != "":
		data, err := os.ReadFile(filepath.Join(dir, s.TokenFile))
		if err == nil {
			data, err = textOf(s.TokenFile, data)
		}
		if err != nil {
			return fmt.Errorf("%s: token_file: %w", where, err)
		}
		if s.token = withoutLineEnd(string(data)); strings.TrimSpace(s.token) == "" {
			return fmt.Errorf("%s: token_file: %s is empty", where, s.TokenFile)
		}
	}
	return nil
}

// settingsChanges returns the merge patch that turns the own layer into wanted, with
// each change in words.
func settingsChanges(own json.RawMessage, wanted map[string]any) (json.RawMessage, []string, error) {
	have := map[string]json.RawMessage{}
	if len(own) > 0 {
		if err := json.Unmarshal(own, &have); err != nil {
			return nil, nil, fmt.Errorf("read the current settings: %w", err)
		}
	}
	patch, words := map[string]any{}, []string{}
	for _, name := range sortedNames(wanted) {
		value, err := json.Marshal(wanted[name])
		if err != nil {
			return nil, nil, fmt.Errorf("setting %s: %w", name, err)
		}
		if present, ok := have[name]; ok && same(present, value) {
			continue
		}
		patch[name] = replacement(have[name], wanted[name])
		words = append(words, fmt.Sprintf("settings.%s: %s -> %s", name, shown(have[name]), shown(value)))
	}
	for _, name := range sortedNames(have) {
		if _, ok := wanted[name]; !ok {
			patch[name] = nil
			words = append(words, fmt.Sprintf("settings.%s: %s -> inherited", name, shown(have[name])))
		}
	}
	if len(patch) == 0 {
		return nil, nil, nil
	}
	doc, err := json.Marshal(patch)
	return doc, words, err
}

// replacement returns the merge patch that turns an object into wanted. Members that
// are not wanted must be named to be removed.
func replacement(have json.RawMessage, wanted any) any {
	object, ok := wanted.(map[string]any)
	var present map[string]json.RawMessage
	if !ok || json.Unmarshal(have, &present) != nil {
		return wanted
	}
	out := map[string]any{}
	for name := range present {
		out[name] = nil
	}
	for name, value := range object {
		out[name] = replacement(present[name], value)
	}
	return out
}

func same(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	one, errOne := json.Marshal(x)
	other, errOther := json.Marshal(y)
	return errOne == nil && errOther == nil && bytes.Equal(one, other)
}

const shownAtMost = 80

func shown(value json.RawMessage) string {
	text := []rune(string(value))
	switch {
	case len(text) == 0:
		return "inherited"
	case len(text) > shownAtMost:
		return string(text[:shownAtMost]) + "…"
	default:
		return string(text)
	}
}
