package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/seal"
)

// change is one step of a plan.
type change struct {
	// Shop is the shop that the change is about; empty for the platform.
	Shop string `json:"shop,omitempty"`
	// Kind is + for an addition and ~ for a change.
	Kind string `json:"kind"`
	Text string `json:"change"`
	do   func(context.Context) error
}

func (c *change) where() string {
	if c.Shop == "" {
		return "platform"
	}
	return "shop " + c.Shop
}

// plan lists the required changes, in order.
type plan struct {
	api     *client.Client
	changes []change
}

func (p *plan) add(shop, kind, text string, do func(context.Context) error) {
	p.changes = append(p.changes, change{Shop: shop, Kind: kind, Text: text, do: do})
}

func (p *plan) print(w io.Writer) {
	last := ""
	for i := range p.changes {
		c := &p.changes[i]
		if where := c.where(); where != last {
			say(w, "%s\n", where)
			last = where
		}
		say(w, "  %s %s\n", c.Kind, c.Text)
	}
}

// compare reads the current state and adds the differences.
func (p *plan) compare(ctx context.Context, f *shopsFile) error {
	if f.Platform != nil {
		if err := p.comparePlatform(ctx, f.Platform); err != nil {
			return err
		}
	}
	for i := range f.Shops {
		if err := p.compareShop(ctx, &f.Shops[i]); err != nil {
			return fmt.Errorf("read shop %s: %w", f.Shops[i].Slug, err)
		}
	}
	return nil
}

func (p *plan) comparePlatform(ctx context.Context, l *layer) error {
	settings, err := p.api.PlatformSettings(ctx)
	if err != nil {
		return err
	}
	err = p.compareSettings("", settings.Own, l.Settings, func(ctx context.Context, patch json.RawMessage) error {
		_, err := p.api.UpdatePlatformSettings(ctx, patch)
		return err
	})
	if err != nil {
		return err
	}
	have, err := p.api.Templates(ctx, "")
	if err != nil {
		return err
	}
	return p.compareTemplates("", "platform", have, l.Templates)
}

func (p *plan) compareShop(ctx context.Context, s *shopFile) error {
	in, err := p.api.Integration(ctx, s.Slug)
	isNew := client.HasCode(err, client.CodeNotFound)
	if err != nil && !isNew {
		return err
	}
	if isNew {
		p.add(s.Slug, "+", "add the shop", func(ctx context.Context) error {
			_, err := p.api.AddShop(ctx, client.NewShop{Slug: s.Slug, Name: text(s.Name), Feature: s.Feature})
			return err
		})
		in.Name, in.Feature = text(s.Name), s.Feature == nil || *s.Feature
	}
	p.compareFacts(s, in.Shop)
	if err := p.compareToken(ctx, s, in.Connection); err != nil {
		return err
	}
	err = p.compareSettings(s.Slug, in.Own, s.Settings, func(ctx context.Context, patch json.RawMessage) error {
		_, err := p.api.UpdateSettings(ctx, s.Slug, patch)
		return err
	})
	if err != nil {
		return err
	}
	var have []client.Template
	if !isNew && len(s.Templates) > 0 {
		if have, err = p.api.Templates(ctx, s.Slug); err != nil {
			return err
		}
	}
	if err := p.compareTemplates(s.Slug, "shop", have, s.Templates); err != nil {
		return err
	}
	// Last, because enabling needs everything before it.
	p.compareSwitch(s.Slug, "enabled", in.Enabled, s.Enabled, p.api.Enable, p.api.Disable)
	p.compareSwitch(s.Slug, "paused", in.Paused, s.Paused, p.api.Pause, p.api.Resume)
	return nil
}

func (p *plan) compareFacts(s *shopFile, have claim.Shop) {
	var patch client.ShopPatch
	words := ""
	if s.Name != nil && *s.Name != have.Name {
		patch.Name, words = s.Name, fmt.Sprintf("name: %q -> %q", have.Name, *s.Name)
	}
	if s.Feature != nil && *s.Feature != have.Feature {
		if words != "" {
			words += ", "
		}
		patch.Feature, words = s.Feature, words+fmt.Sprintf("dixa_feature: %t -> %t", have.Feature, *s.Feature)
	}
	if words == "" {
		return
	}
	p.add(s.Slug, "~", words, func(ctx context.Context) error {
		_, err := p.api.UpdateShop(ctx, s.Slug, patch)
		return err
	})
}

// compareToken sends a token unless it is the saved one and Dixa accepts it.
func (p *plan) compareToken(ctx context.Context, s *shopFile, have *claim.Connection) error {
	if s.token == "" {
		return nil
	}
	before := "none"
	if have != nil {
		before = have.TokenInWords()
		same, err := p.api.HasToken(ctx, s.Slug, s.token)
		switch {
		case err != nil:
			return err
		case have.State == claim.ConnectionNeedsToken:
			before += ", rejected by Dixa"
		case same:
			return nil
		}
	}
	after := seal.Mask(s.token)
	if after == seal.Hidden {
		after = "new token"
	}
	p.add(s.Slug, "~", "token: "+before+" -> "+after, func(ctx context.Context) error {
		_, err := p.api.Connect(ctx, s.Slug, s.token)
		return err
	})
	return nil
}

func (p *plan) compareSettings(shop string, own json.RawMessage, wanted map[string]any, do func(context.Context, json.RawMessage) error) error {
	if wanted == nil {
		return nil
	}
	patch, words, err := settingsChanges(own, wanted)
	if err != nil || patch == nil {
		return err
	}
	// Settings are validated together, so the first step saves them all.
	for i, w := range words {
		step := func(context.Context) error { return nil }
		if i == 0 {
			step = func(ctx context.Context) error { return do(ctx, patch) }
		}
		p.add(shop, "~", w, step)
	}
	return nil
}

func (p *plan) compareTemplates(shop, scope string, have []client.Template, wanted map[string]map[string]templateFile) error {
	stored := map[string]json.RawMessage{}
	for _, t := range have {
		if t.Scope == scope && t.Source != nil {
			doc, err := json.Marshal(t.Source)
			if err != nil {
				return err
			}
			stored[t.Key+"/"+t.Language] = doc
		}
	}
	for _, key := range sortedNames(wanted) {
		for _, language := range sortedNames(wanted[key]) {
			source := wanted[key][language].TemplateSource
			doc, err := json.Marshal(source)
			if err != nil {
				return err
			}
			name := key + "/" + language
			kind, present := "+", stored[name]
			if present != nil {
				kind = "~"
			}
			if present != nil && same(present, doc) {
				continue
			}
			p.add(shop, kind, "template "+name, func(ctx context.Context) error {
				_, err := p.api.SetTemplate(ctx, shop, key, language, source)
				return err
			})
		}
	}
	return nil
}

func (p *plan) compareSwitch(shop, name string, have bool, wanted *bool, on, off func(context.Context, string) (claim.Shop, error)) {
	if wanted == nil || *wanted == have {
		return
	}
	do := off
	if *wanted {
		do = on
	}
	p.add(shop, "~", fmt.Sprintf("%s: %t -> %t", name, have, *wanted), func(ctx context.Context) error {
		_, err := do(ctx, shop)
		return err
	})
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
