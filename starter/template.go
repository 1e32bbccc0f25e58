package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/claimflow/claimflow/client"
)

// templatePlace is a shop's or the platform's templates in one language.
type templatePlace struct {
	place
	language string
}

func (p *templatePlace) flags(c *cobra.Command) {
	p.place.flags(c, "use the template of this shop", "use the template that all shops inherit")
	c.Flags().StringVar(&p.language, "language", "", "the language, such as de (default: the default language)")
}

func (a *app) templateCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "template", Short: "Manage the templates of conversations, per reason and language",
		Example: "  starter template show damaged --shop acme --language de > damaged.yaml\n  starter template set damaged --shop acme --language de -f damaged.yaml",
	}, a.templatePreview(), a.templateSet(), a.templateShow(), a.templateList(), a.templateDelete())
}

func (a *app) templatePreview() *cobra.Command {
	var p templatePlace
	var file, claimFile string
	c := &cobra.Command{
		Use: "preview REASON", Short: "Render a template without calling Dixa",
		Long:    "Renders the effective template, or an unsaved template from a file, for a sample claim or your own claim.",
		Example: "  starter template preview damaged --shop acme --language de\n  starter template preview damaged --shop acme -f damaged.yaml --claim claim.json",
		Args:    arguments("REASON"),
		RunE: a.callingFor(&p.place, func(ctx context.Context, api *client.Client, args []string) error {
			var request client.PreviewRequest
			if file != "" {
				source, err := a.readTemplate(file)
				if err != nil {
					return err
				}
				request.Template = &source
			}
			if claimFile != "" {
				data, err := a.read(claimFile)
				if err != nil {
					return err
				}
				request.Claim = data
			}
			t, err := api.PreviewTemplate(ctx, p.shop, args[0], p.language, request)
			return a.print(t, err, func(w *tabwriter.Writer) {
				line(w, "Template", t.Template)
				line(w, "Subject", t.Subject)
				line(w, "Format", t.Format)
				for _, tag := range t.Tags {
					line(w, "Tag", tag)
				}
				say(w, "\n%s\n", t.Body)
				if t.Note != "" {
					say(w, "\nInternal note:\n%s\n", t.Note)
				}
			})
		}),
	}
	p.flags(c)
	c.Flags().StringVarP(&file, "file", "f", "", "an unsaved template, as YAML or JSON")
	c.Flags().StringVar(&claimFile, "claim", "", "the claim to render, as JSON (default: a sample)")
	return c
}

func (a *app) templateSet() *cobra.Command {
	var p templatePlace
	var file string
	c := &cobra.Command{
		Use: "set REASON -f FILE", Short: "Validate a template and save it",
		Long:    "The file is YAML or JSON with subject, body, format (html or text), tags, note and evidence. Omitted members are inherited.",
		Example: "  starter template set damaged --shop acme --language de -f damaged.yaml",
		Args:    arguments("REASON"),
		RunE: a.callingFor(&p.place, func(ctx context.Context, api *client.Client, args []string) error {
			if file == "" {
				return usage("specify the template file with -f, or -f - for the standard input")
			}
			source, err := a.readTemplate(file)
			if err != nil {
				return err
			}
			t, err := api.SetTemplate(ctx, p.shop, args[0], p.language, source)
			return a.print(t, err, func(w *tabwriter.Writer) { line(w, fmt.Sprintf("saved %s/%s/%s", t.Scope, t.Key, t.Language)) })
		}),
	}
	p.flags(c)
	c.Flags().StringVarP(&file, "file", "f", "", "the template file; - for the standard input")
	return c
}

// readTemplate reads a template as YAML, which includes JSON. It rejects unknown
// members.
func (a *app) readTemplate(file string) (client.TemplateSource, error) {
	var source client.TemplateSource
	data, err := a.read(file)
	if err != nil {
		return source, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&source); err != nil && !errors.Is(err, io.EOF) {
		return source, fmt.Errorf("%s is not a valid template (subject, body, format, tags, note, evidence): %w", file, err)
	}
	return source, nil
}

func (a *app) templateShow() *cobra.Command {
	var p templatePlace
	c := &cobra.Command{
		Use: "show REASON", Short: "Show the effective template as YAML",
		Example: "  starter template show damaged --shop acme --language de > damaged.yaml", Args: arguments("REASON"),
		RunE: a.callingFor(&p.place, func(ctx context.Context, api *client.Client, args []string) error {
			t, err := api.Template(ctx, p.shop, args[0], p.language)
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.print(t, nil, nil)
			}
			say(a.out, "# %s/%s/%s\n", t.Scope, t.Key, t.Language)
			enc := yaml.NewEncoder(a.out)
			enc.SetIndent(2)
			return errors.Join(enc.Encode(t.Source), enc.Close())
		}),
	}
	p.flags(c)
	return c
}

func (a *app) templateList() *cobra.Command {
	var shop string
	c := &cobra.Command{
		Use: "list", Short: "List the templates of a shop or of the platform",
		Example: "  starter template list\n  starter template list --shop acme", Args: arguments(),
		RunE: a.calling(func(ctx context.Context, api *client.Client, _ []string) error {
			list, err := api.Templates(ctx, shop)
			return a.print(list, err, func(w *tabwriter.Writer) {
				line(w, "REASON", "LANGUAGE", "FROM", "SAVED")
				for _, t := range list {
					line(w, t.Key, t.Language, t.Scope, t.UpdatedAt)
				}
			})
		}),
	}
	c.Flags().StringVar(&shop, "shop", "", "the shop (default: the platform)")
	return c
}

func (a *app) templateDelete() *cobra.Command {
	var p templatePlace
	c := &cobra.Command{
		Use: "delete REASON", Short: "Delete a template; the inherited one applies again",
		Example: "  starter template delete damaged --shop acme --language de", Args: arguments("REASON"),
		RunE: a.callingFor(&p.place, func(ctx context.Context, api *client.Client, args []string) error {
			err := api.DeleteTemplate(ctx, p.shop, args[0], p.language)
			return a.print(struct{}{}, err, func(w *tabwriter.Writer) { line(w, "deleted the template for "+args[0]) })
		}),
	}
	p.flags(c)
	return c
}
