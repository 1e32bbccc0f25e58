package main

import (
	"context"
	"maps"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/client"
)

func (a *app) accountMapping() *cobra.Command {
	return group(&cobra.Command{
		Use: "mapping", Short: "Give your own categories to queues, channels and states of an account",
		Long: "Objects of the unified API show the category of a value beside its id, and filters and writes take it. " +
			"The fields are collections (queues and contact endpoints), ticket_types (channels) and ticket_status.",
		Example: "  starter account mapping show collections --shop acme\n  starter account mapping set ticket_types Email=written WidgetChat=chat --shop acme",
	}, a.mappingShow(), a.mappingSet(), a.mappingClear())
}

func (a *app) mappingShow() *cobra.Command {
	var o organization
	c := &cobra.Command{
		Use: "show FIELD", Short: "Show the mapping of a field, with the values that have no category",
		Example: "  starter account mapping show collections --shop acme", Args: arguments("FIELD"),
		RunE: a.callingAccount(&o, func(ctx context.Context, api *client.Client, account string, args []string) error {
			return a.printMapping(api.Mapping(ctx, account, args[0]))
		}),
	}
	o.flags(c)
	return c
}

func (a *app) mappingSet() *cobra.Command {
	var o organization
	var replace bool
	c := &cobra.Command{
		Use: "set FIELD VALUE=CATEGORY...", Short: "Give categories to values of a field",
		Long:    "VALUE is an id in Dixa. An empty category removes that of the value. Other values keep theirs, unless --replace is given.",
		Example: "  starter account mapping set ticket_types Email=written WidgetChat=chat --shop acme", Args: cobra.MinimumNArgs(2),
		RunE: a.callingAccount(&o, func(ctx context.Context, api *client.Client, account string, args []string) error {
			categories := map[string]string{}
			if !replace {
				present, err := api.Mapping(ctx, account, args[0])
				if err != nil {
					return err
				}
				maps.Copy(categories, present.Mapping)
			}
			for _, pair := range args[1:] {
				value, category, ok := strings.Cut(pair, "=")
				if !ok || value == "" {
					return usage("%q: must have the form VALUE=CATEGORY", pair)
				}
				if categories[value] = category; category == "" {
					delete(categories, value)
				}
			}
			return a.printMapping(api.SaveMapping(ctx, account, args[0], categories))
		}),
	}
	o.flags(c)
	c.Flags().BoolVar(&replace, "replace", false, "remove the categories of all other values")
	return c
}

func (a *app) mappingClear() *cobra.Command {
	var o organization
	c := &cobra.Command{
		Use: "clear FIELD", Short: "Remove all categories of a field", Example: "  starter account mapping clear collections --shop acme", Args: arguments("FIELD"),
		RunE: a.callingAccount(&o, func(ctx context.Context, api *client.Client, account string, args []string) error {
			return api.DeleteMapping(ctx, account, args[0])
		}),
	}
	o.flags(c)
	return c
}

func (a *app) printMapping(m client.FieldMapping, err error) error {
	return a.print(m, err, func(w *tabwriter.Writer) {
		line(w, "VALUE", "NAME", "CATEGORY")
		for _, values := range [][]client.MappedValue{m.Values, m.Unmapped} {
			for _, v := range values {
				line(w, v.Value, wordOf(v.Name), wordOf(v.Category))
			}
		}
	})
}

func wordOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
