package main

import (
	"cmp"
	"context"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/client"
)

// endpointPlace says whether a command is about a shop's endpoint or the platform's.
type endpointPlace struct {
	shop     string
	platform bool
}

func (p *endpointPlace) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.shop, "shop", "", "the shop whose endpoint it is")
	c.Flags().BoolVar(&p.platform, "platform", false, "an endpoint that is told of the claims of all shops")
}

func (p *endpointPlace) check() error {
	if (p.shop == "") == !p.platform {
		return usage("say whose endpoint it is: --shop SHOP, or --platform for all shops")
	}
	return nil
}

func (a *app) endpointCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "endpoint", Short: "Manage the endpoints that receive events about claims",
		Long:    "Events go out as Standard Webhooks, as the status of claims to Karla or as e-mail: in order per claim, tried again on a schedule for two days.",
		Example: "  starter endpoint add https://shop.example/claimflow --shop acme\n  starter endpoint deliveries 4c9f… --shop acme --state dead",
	}, a.endpointAdd(), a.endpointList(), a.endpointShow(), a.endpointRotate(), a.endpointCredentials(), a.endpointPause(), a.endpointResume(),
		a.endpointRemove(), a.endpointDeliveries(), a.endpointReplay())
}

// calling runs a command that calls the service: it creates the client first.
func (a *app) calling(run func(ctx context.Context, api *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		api, err := a.api()
		if err != nil {
			return err
		}
		return run(cmd.Context(), api, args)
	}
}

// endpointRun is calling for a command about endpoints: it checks p first.
func (a *app) endpointRun(p *endpointPlace, run func(ctx context.Context, api *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := p.check(); err != nil {
			return err
		}
		return a.calling(run)(cmd, args)
	}
}

func (a *app) endpointAdd() *cobra.Command {
	var p endpointPlace
	var e client.NewEndpoint
	var passwordFile string
	c := &cobra.Command{
		Use: "add URL", Short: "Add an endpoint and print its signing secret once",
		Long: "It is told of what happens from now on; `starter endpoint replay` sends what was before.\n\n" +
			"--kind karla tells Karla's API the status of claims: the URL is that of the API without its /v1, and the password is asked for, or read from --password-file. " +
			"--kind email writes to a person when something has to be done: the URL is an e-mail address.",
		Example: "  starter endpoint add https://shop.example/claimflow --shop acme\n" +
			"  starter endpoint add https://ops.example/hook --platform --event claim.needs_attention,claim.fallback\n" +
			"  starter endpoint add https://api.karla.example --kind karla --user acme --password-file karla.txt --shop acme\n" +
			"  starter endpoint add staff@shop.example --kind email --shop acme",
		Args: arguments("URL"),
	}
	c.RunE = a.endpointRun(&p, func(ctx context.Context, api *client.Client, args []string) error {
		e.URL = args[0]
		if e.Kind == client.EndpointKarla {
			var err error
			if e.Password, err = a.karlaPassword(passwordFile); err != nil {
				return err
			}
		}
		added, err := api.AddEndpoint(ctx, p.shop, e)
		if err != nil {
			return err
		}
		return a.printSecret(added)
	})
	p.flags(c)
	c.Flags().StringVar(&e.Kind, "kind", client.EndpointWebhook, "how it is told: webhook, karla or email")
	c.Flags().StringVar(&e.Description, "description", "", "what it is, for people")
	c.Flags().StringSliceVar(&e.EventTypes, "event", nil, "a type of event that it wants; may be given several times; missing: all of the kind")
	c.Flags().StringVar(&e.User, "user", "", "the user at Karla")
	c.Flags().StringVar(&passwordFile, "password-file", "", "a file that holds the password at Karla, or - for the standard input")
	c.Flags().StringVar(&e.KarlaShop, "karla-shop", "", "the shop's slug at Karla, where it is another than here")
	return c
}

// karlaPassword reads the Karla password from a file, a prompt or the standard
// input.
func (a *app) karlaPassword(file string) (string, error) {
	password, err := a.secret(file, "password at Karla")
	if err == nil && password == "" {
		err = usage("no password was given: use --password-file or the standard input")
	}
	return password, err
}

func (a *app) endpointCredentials() *cobra.Command {
	var p endpointPlace
	var user, passwordFile string
	c := &cobra.Command{
		Use: "credentials ID", Short: "Replace the password of an endpoint of kind karla",
		Long:    "The password is asked for, or read from --password-file or the standard input. One that Karla refused has paused the endpoint: resume it afterwards.",
		Example: "  starter endpoint credentials 4c9f… --shop acme --user acme --password-file karla.txt", Args: arguments("ID"),
	}
	c.RunE = a.endpointRun(&p, func(ctx context.Context, api *client.Client, args []string) error {
		password, err := a.karlaPassword(passwordFile)
		if err != nil {
			return err
		}
		patch := client.EndpointPatch{Password: &password}
		if user != "" {
			patch.User = &user
		}
		e, err := api.PatchEndpoint(ctx, p.shop, args[0], patch)
		if err != nil {
			return err
		}
		return a.print(e, func(w *tabwriter.Writer) { endpointLines(w, e) })
	})
	p.flags(c)
	c.Flags().StringVar(&user, "user", "", "the user at Karla; missing: the same")
	c.Flags().StringVar(&passwordFile, "password-file", "", "a file that holds the password, or - for the standard input")
	return c
}

func (a *app) printSecret(e client.EndpointWithSecret) error {
	return a.print(e, func(w *tabwriter.Writer) {
		endpointLines(w, e.Endpoint)
		if e.Secret != "" {
			line(w, "Secret", e.Secret)
		}
	})
}

func endpointLines(w *tabwriter.Writer, e client.Endpoint) {
	line(w, "ID", e.ID)
	line(w, "Shop", e.Shop)
	line(w, "Kind", e.Kind)
	line(w, "URL", e.URL)
	if e.KarlaShop != "" {
		line(w, "Shop at Karla", e.KarlaShop)
	}
	line(w, "Description", e.Description)
	line(w, "Events", eventsInWords(e.Kind, e.EventTypes))
	line(w, "State", e.State)
	line(w, "Reason", e.Reason)
	line(w, "Two secrets until", e.PreviousSecretUntil)
	line(w, "Failing since", e.FailingSince)
	line(w, "Last success", e.SucceededAt)
	line(w, "Waiting", e.Waiting)
	line(w, "Dead", e.Dead)
}

func eventsInWords(kind string, types []string) string {
	switch {
	case len(types) == 0 && kind == client.EndpointKarla:
		return "all with a status"
	case len(types) == 0 && kind == client.EndpointEmail:
		return "all that need a person"
	case len(types) == 0:
		return "all"
	}
	return strings.Join(types, ",")
}

func (a *app) endpointList() *cobra.Command {
	var p endpointPlace
	c := &cobra.Command{
		Use: "list", Short: "List endpoints", Example: "  starter endpoint list --shop acme\n  starter endpoint list --platform", Args: arguments(),
		RunE: a.endpointRun(&p, func(ctx context.Context, api *client.Client, _ []string) error {
			endpoints, err := api.Endpoints(ctx, p.shop)
			if err != nil {
				return err
			}
			return a.print(endpoints, func(w *tabwriter.Writer) {
				line(w, "ID", "KIND", "URL", "EVENTS", "STATE", "WAITING", "DEAD", "REASON")
				for _, e := range endpoints {
					line(w, e.ID, e.Kind, e.URL, eventsInWords(e.Kind, e.EventTypes), e.State, e.Waiting, e.Dead, e.Reason)
				}
			})
		}),
	}
	p.flags(c)
	return c
}

// endpointOne returns a command that acts on one endpoint and prints it.
func (a *app) endpointOne(use, short, example string, do func(context.Context, *client.Client, string, string) (client.Endpoint, error)) *cobra.Command {
	var p endpointPlace
	c := &cobra.Command{
		Use: use + " ID", Short: short, Example: example, Args: arguments("ID"),
		RunE: a.endpointRun(&p, func(ctx context.Context, api *client.Client, args []string) error {
			e, err := do(ctx, api, p.shop, args[0])
			if err != nil {
				return err
			}
			return a.print(e, func(w *tabwriter.Writer) { endpointLines(w, e) })
		}),
	}
	p.flags(c)
	return c
}

func (a *app) endpointShow() *cobra.Command {
	return a.endpointOne("show", "Show an endpoint", "  starter endpoint show 4c9f… --shop acme",
		func(ctx context.Context, api *client.Client, shop, id string) (client.Endpoint, error) {
			return api.Endpoint(ctx, shop, id)
		})
}

func (a *app) endpointPause() *cobra.Command {
	return a.endpointOne("pause", "Let an endpoint's events wait", "  starter endpoint pause 4c9f… --shop acme",
		func(ctx context.Context, api *client.Client, shop, id string) (client.Endpoint, error) {
			paused := "paused"
			return api.PatchEndpoint(ctx, shop, id, client.EndpointPatch{State: &paused})
		})
}

func (a *app) endpointResume() *cobra.Command {
	return a.endpointOne("resume", "Let a paused endpoint go on where it stopped", "  starter endpoint resume 4c9f… --shop acme",
		func(ctx context.Context, api *client.Client, shop, id string) (client.Endpoint, error) {
			return api.ResumeEndpoint(ctx, shop, id)
		})
}

func (a *app) endpointRotate() *cobra.Command {
	var p endpointPlace
	var keep int
	c := &cobra.Command{
		Use: "rotate ID", Short: "Rotate an endpoint's signing secret and print the new one once",
		Long:    "The present secret signs beside the new one for a while, so that the receiver can change over.",
		Example: "  starter endpoint rotate 4c9f… --shop acme\n  starter endpoint rotate 4c9f… --shop acme --keep-hours 0", Args: arguments("ID"),
		RunE: a.endpointRun(&p, func(ctx context.Context, api *client.Client, args []string) error {
			e, err := api.RotateEndpoint(ctx, p.shop, args[0], keep)
			if err != nil {
				return err
			}
			return a.printSecret(e)
		}),
	}
	p.flags(c)
	c.Flags().IntVar(&keep, "keep-hours", 24, "for how many hours the present secret signs too; 0 ends it at once")
	return c
}

func (a *app) endpointRemove() *cobra.Command {
	var p endpointPlace
	c := &cobra.Command{
		Use: "remove ID", Short: "Delete an endpoint and its pending deliveries", Example: "  starter endpoint remove 4c9f… --shop acme", Args: arguments("ID"),
		RunE: a.endpointRun(&p, func(ctx context.Context, api *client.Client, args []string) error {
			if err := api.RemoveEndpoint(ctx, p.shop, args[0]); err != nil {
				return err
			}
			return a.print(struct{}{}, func(w *tabwriter.Writer) { line(w, "removed "+args[0]) })
		}),
	}
	p.flags(c)
	return c
}

func (a *app) endpointDeliveries() *cobra.Command {
	var p endpointPlace
	var f client.DeliveryFilter
	var limit int
	c := &cobra.Command{
		Use: "deliveries ID", Short: "List deliveries, newest first",
		Long:    "With -o json the bodies are shown too.",
		Example: "  starter endpoint deliveries 4c9f… --shop acme\n  starter endpoint deliveries 4c9f… --shop acme --state dead -o json", Args: arguments("ID"),
		RunE: a.endpointRun(&p, func(ctx context.Context, api *client.Client, args []string) error {
			if limit < 1 {
				return usage("--limit %d: list at least one", limit)
			}
			found := []client.Delivery{}
			for d, err := range api.Deliveries(ctx, p.shop, args[0], f) {
				if err != nil {
					return err
				}
				if found = append(found, d); len(found) == limit {
					break
				}
			}
			return a.print(found, func(w *tabwriter.Writer) {
				line(w, "CREATED", "CLAIM", "SEQUENCE", "TYPE", "STATE", "ATTEMPTS", "STATUS", "NEXT", "PROBLEM")
				for _, d := range found {
					line(w, d.CreatedAt, ofClaim(d), d.Sequence, d.Type, d.State, d.Attempts, int64(d.LastStatus), d.NextAttemptAt, cmp.Or(d.LastError, d.Note))
				}
			})
		}),
	}
	p.flags(c)
	c.Flags().StringVar(&f.State, "state", "", "only deliveries that are waiting, delivered or dead")
	c.Flags().StringVar(&f.ClaimID, "claim", "", "only deliveries of this claim")
	c.Flags().IntVar(&limit, "limit", 100, "how many to list at most")
	return c
}

// ofClaim names the claim of a delivery; empty if the delivery has none.
func ofClaim(d client.Delivery) string {
	if d.ClaimID == "" {
		return ""
	}
	return d.Shop + "/" + d.ClaimID
}

func (a *app) endpointReplay() *cobra.Command {
	var p endpointPlace
	var since, until string
	c := &cobra.Command{
		Use: "replay ID --since TIME", Short: "Replay the events of a time range",
		Long:    "Every event that the endpoint wants is sent again, in order, with the webhook-id that it had. A paused endpoint gets them when it is resumed.",
		Example: "  starter endpoint replay 4c9f… --shop acme --since 24h\n  starter endpoint replay 4c9f… --platform --since 2026-01-31 --until 2026-02-01", Args: arguments("ID"),
		RunE: a.endpointRun(&p, func(ctx context.Context, api *client.Client, args []string) error {
			if since == "" {
				return usage("say from when on with --since, such as --since 24h")
			}
			var r client.ReplayRequest
			var err error
			now := time.Now()
			if r.Since, err = instant("since", since, now); err != nil {
				return err
			}
			if r.Until, err = instant("until", until, now); err != nil {
				return err
			}
			n, err := api.Replay(ctx, p.shop, args[0], r)
			if err != nil {
				return err
			}
			return a.print(client.EventCount{Events: n}, func(w *tabwriter.Writer) { say(w, "%d events are sent again\n", n) })
		}),
	}
	p.flags(c)
	c.Flags().StringVar(&since, "since", "", "from when on: a time, a day, or how long ago")
	c.Flags().StringVar(&until, "until", "", "until when; missing: now")
	return c
}
