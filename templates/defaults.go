package templates

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/claimflow/claimflow/claim"
)

//go:embed defaults words samples
var files embed.FS

// place is where a default template is used.
type place struct {
	voice          claim.Voice
	language, flow string
}

// defaults are the default templates: those of the customer's voice in defaults/de and so
// on, those of the agent's in defaults/agent/de.
var defaults = sync.OnceValue(func() map[place]Source {
	all := map[place]Source{}
	err := fs.WalkDir(files, "defaults", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		at := place{claim.VoiceCustomer, path.Base(path.Dir(name)), strings.TrimSuffix(path.Base(name), ".yaml")}
		if strings.HasPrefix(name, "defaults/agent/") {
			at.voice = claim.VoiceAgent
		}
		var s Source
		if err := readYAML(name, &s); err != nil {
			return err
		}
		all[at] = s
		return nil
	})
	if err != nil {
		panic(err) // the files are embedded and tested
	}
	return all
})

// readYAML decodes an embedded file. Members that v does not have are errors.
func readYAML(name string, v any) error {
	data, err := files.ReadFile(name)
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// Default returns the built-in template of a flow in a language of [DefaultLanguages] and
// a voice, or false if there is none.
func Default(key, language string, voice claim.Voice) (Source, bool) {
	s, ok := defaults()[place{voice, language, key}]
	return s, ok
}

// DefaultLanguages returns the languages of the built-in templates.
func DefaultLanguages() []string { return []string{"en", "de"} }

// builtIn returns the built-in templates of a voice as candidates.
func builtIn(voice claim.Voice) []Candidate {
	var out []Candidate
	for _, language := range DefaultLanguages() {
		for _, flow := range claim.Flows() {
			if s, ok := Default(flow, language, voice); ok {
				out = append(out, Candidate{Scope: ScopeBuiltIn, Key: flow, Language: language, Source: s})
			}
		}
	}
	return slices.Clip(out)
}
