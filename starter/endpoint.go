package main

import (
	"cmp"
	"context"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

const (
	endpointOfShop = "act on this shop's endpoints"
	endpointOfAll  = "act on the platform's endpoints instead of a shop's"
)

func (a *app) endpointCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "endpoint", Short: "Manage the endpoints that receive events about claims",
		Long:    "Claimflow sends events as Standard Webhooks, as claim statuses to Karla's API or as email. It delivers the events of a claim in order and retries for two days.",
		Example: "  starter endpoint add https://shop.example/claimflow --shop acme\n  starter endpoint deliveries 4c9f… --shop acme --state dead",
	}, a.endpointAdd(), a.endpointList(), a.endpointRotate(), a.endpointCredentials(), a.endpointRemove(), a.endpointTest(), a.endpointDeliveries(), a.endpointReplay(),
		a.endpointOne("show", "Show an endpoint", (*client.Client).Endpoint),
		a.endpointOne("pause", "Pause an endpoint; its events wait", func(api *client.Client, ctx context.Context, shop, id string) (client.Endpoint, error) {
			paused := claim.EndpointPaused
			return api.UpdateEndpoint(ctx, shop, id, client.EndpointPatch{State: &paused})
		}),
		a.endpointOne("resume", "Resume a paused endpoint where it stopped", (*client.Client).ResumeEndpoint))
}

func (a *app) endpointAdd() *cobra.Command {
	var p place
	var e client.NewEndpoint
	var passwordFile string
	c := &cobra.Command{
		Use: "add URL", Short: "Add an endpoint and print its signing secret once",
		Long: "The endpoint receives new events; `starter endpoint replay` sends earlier ones.\n\n" +
			"--event record:created, record:updated and record:deleted send records of the unified API, see docs/unified.md. --kind truto sends webhooks in Truto's form. " +
			"--kind karla sends the status of claims to Karla's API: the URL is the API's without /v1. The command reads the password from --password-file or prompts for it. " +
			"--kind email sends an email when a person has to act: the URL is an email address.",
		Example: "  starter endpoint add https://shop.example/claimflow --shop acme\n" +
			"  starter endpoint add https://ops.example/hook --platform --event claim.needs_attention,claim.fallback\n" +
			"  starter endpoint add https://desk.example/hook --platform --event record:created,record:updated --resource ticketing/tickets\n" +
			"  starter endpoint add https://api.karla.example --kind karla --user acme --password-file karla.txt --shop acme\n" +
			"  starter endpoint add staff@shop.example --kind email --shop acme",
		Args: arguments("URL"),
	}
	c.RunE = a.callingFor(&p, func(ctx context.Context, api *client.Client, args []string) error {
		e.URL = args[0]
		if e.Kind == client.EndpointKarla {
			var err error
			if e.Password, err = a.karlaPassword(passwordFile); err != nil {
				return err
			}
		}
		return a.printSecret(api.AddEndpoint(ctx, p.shop, e))
	})
	p.flags(c, endpointOfShop, endpointOfAll)
	c.Flags().StringVar((*string)(&e.Kind), "kind", string(client.EndpointWebhook), "how events are sent: webhook, truto, karla or email")
	c.Flags().StringVar(&e.Description, "description", "", "a free-text description")
	c.Flags().StringSliceVar(&e.EventTypes, "event", nil, "an event type to send; can be repeated (default: all types of the kind, but none of records)")
	c.Flags().StringSliceVar(&e.Resources, "resource", nil, "a resource of the unified API whose records to send, such as ticketing/tickets; can be repeated (default: all)")
	c.Flags().BoolVar(&e.History, "history", false, "also send records from before the endpoint")
	c.Flags().StringVar(&e.User, "user", "", "the Karla user")
	c.Flags().StringVar(&passwordFile, "password-file", "", "the file with the Karla password; - for the standard input")
	c.Flags().StringVar(&e.KarlaShop, "karla-shop", "", "the shop's slug at Karla, if it differs")
	return c
}

func (a *app) karlaPassword(file string) (string, error) {
	return a.required(file, "Karla password", "a password is required: use --password-file or the standard input")
}

func (a *app) endpointCredentials() *cobra.Command {
	var p place
	var user, passwordFile string
	c := &cobra.Command{
		Use: "credentials ID", Short: "Replace the password of an endpoint of kind karla",
		Long:    "The command reads the password from --password-file or the standard input, or prompts for it. If Karla rejected the old password, the endpoint is paused: resume it afterwards.",
		Example: "  starter endpoint credentials 4c9f… --shop acme --user acme --password-file karla.txt", Args: arguments("ID"),
	}
	c.RunE = a.callingFor(&p, func(ctx context.Context, api *client.Client, args []string) error {
		password, err := a.karlaPassword(passwordFile)
		if err != nil {
			return err
		}
		patch := client.EndpointPatch{Password: &password}
		if user != "" {
			patch.User = &user
		}
		e, err := api.UpdateEndpoint(ctx, p.shop, args[0], patch)
		return a.print(e, err, func(w *tabwriter.Writer) { endpointLines(w, e) })
	})
	p.flags(c, endpointOfShop, endpointOfAll)
	c.Flags().StringVar(&user, "user", "", "the Karla user (default: unchanged)")
	c.Flags().StringVar(&passwordFile, "password-file", "", "the file with the password; - for the standard input")
	return c
}

func (a *app) printSecret(e client.EndpointWithSecret, err error) error {
	return a.print(e, err, func(w *tabwriter.Writer) {
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
		line(w, "Karla shop", e.KarlaShop)
	}
	line(w, "Description", e.Description)
	line(w, "Events", eventsInWords(e.Kind, e.EventTypes))
	if claim.WantsRecords(e.EventTypes) {
		line(w, "Resources", cmp.Or(strings.Join(e.Resources, ","), "all"))
		line(w, "History", e.History)
		line(w, "Records missed", e.RecordsMissedAt)
	}
	line(w, "State", e.State)
	line(w, "Reason", e.Reason)
	line(w, "Previous secret until", e.PreviousSecretUntil)
	line(w, "Failing since", e.FailingSince)
	line(w, "Last success", e.SucceededAt)
	line(w, "Waiting", e.Waiting)
	line(w, "Dead", e.Dead)
}

func eventsInWords(kind claim.EndpointKind, types []string) string {
	switch {
	case len(types) == 0 && kind == client.EndpointKarla:
		return "all with a status"
	case len(types) == 0 && kind == client.EndpointEmail:
		return "all that require action"
	case len(types) == 0:
		return "all"
	}
	return strings.Join(types, ",")
}

func (a *app) endpointList() *cobra.Command {
	var p place
	c := &cobra.Command{
		Use: "list", Short: "List endpoints", Example: "  starter endpoint list --shop acme\n  starter endpoint list --platform", Args: arguments(),
		RunE: a.callingFor(&p, func(ctx context.Context, api *client.Client, _ []string) error {
			endpoints, err := api.Endpoints(ctx, p.shop)
			return a.print(endpoints, err, func(w *tabwriter.Writer) {
				line(w, "ID", "KIND", "URL", "EVENTS", "STATE", "WAITING", "DEAD", "REASON")
				for _, e := range endpoints {
					line(w, e.ID, e.Kind, e.URL, eventsInWords(e.Kind, e.EventTypes), e.State, e.Waiting, e.Dead, e.Reason)
				}
			})
		}),
	}
	p.flags(c, endpointOfShop, endpointOfAll)
	return c
}

// endpointOne returns a command that acts on one endpoint and prints it.
func (a *app) endpointOne(verb, short string, do func(*client.Client, context.Context, string, string) (client.Endpoint, error)) *cobra.Command {
	var p place
	c := &cobra.Command{
		Use: verb + " ID", Short: short, Example: "  starter endpoint " + verb + " 4c9f… --shop acme", Args: arguments("ID"),
		RunE: a.callingFor(&p, func(ctx context.Context, api *client.Client, args []string) error {
			e, err := do(api, ctx, p.shop, args[0])
			return a.print(e, err, func(w *tabwriter.Writer) { endpointLines(w, e) })
		}),
	}
	p.flags(c, endpointOfShop, endpointOfAll)
	return c
}

func (a *app) endpointRotate() *cobra.Command {
	var p place
	var keep int
	c := &cobra.Command{
		Use: "rotate ID", Short: "Rotate an endpoint's signing secret and print the new one once",
		Long:    "Both secrets sign for a while, so that the receiver can switch to the new one.",
		Example: "  starter endpoint rotate 4c9f… --shop acme\n  starter endpoint rotate 4c9f… --shop acme --keep-hours 0", Args: arguments("ID"),
		RunE: a.callingFor(&p, func(ctx context.Context, api *client.Client, args []string) error {
			return a.printSecret(api.RotateEndpoint(ctx, p.shop, args[0], keep))
		}),
	}
	p.flags(c, endpointOfShop, endpointOfAll)
	c.Flags().IntVar(&keep, "keep-hours", 24, "hours for which the previous secret also signs; 0 revokes it immediately")
	return c
}

func (a *app) endpointRemove() *cobra.Command {
	var p place
	c := &cobra.Command{
		Use: "remove ID", Short: "Delete an endpoint and its pending deliveries", Example: "  starter endpoint remove 4c9f… --shop acme", Args: arguments("ID"),
		RunE: a.callingFor(&p, func(ctx context.Context, api *client.Client, args []string) error {
			err := api.RemoveEndpoint(ctx, p.shop, args[0])
			return a.print(struct{}{}, err, func(w *tabwriter.Writer) { line(w, "removed "+args[0]) })
		}),
	}
	p.flags(c, endpointOfShop, endpointOfAll)
	return c
}

func (a *app) endpointDeliveries() *cobra.Command {
	var p place
	var f client.DeliveryFilter
	var limit int
	c := &cobra.Command{
		Use: "deliveries ID", Short: "List deliveries, newest first",
		Long:    "With -o json, the output also contains the event bodies.",
		Example: "  starter endpoint deliveries 4c9f… --shop acme\n  starter endpoint deliveries 4c9f… --shop acme --state dead -o json", Args: arguments("ID"),
		RunE: a.callingFor(&p, func(ctx context.Context, api *client.Client, args []string) error {
			if limit < 1 {
				return usage("--limit %d: must be at least 1", limit)
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
			return a.print(found, nil, func(w *tabwriter.Writer) {
				line(w, "CREATED", "CLAIM", "SEQUENCE", "TYPE", "STATE", "ATTEMPTS", "STATUS", "NEXT", "PROBLEM")
				for _, d := range found {
					line(w, d.CreatedAt, ofClaim(d), d.Sequence, d.Type, d.State, d.Attempts, int64(d.LastStatus), d.NextAttemptAt, cmp.Or(d.LastError, d.Note))
				}
			})
		}),
	}
	p.flags(c, endpointOfShop, endpointOfAll)
	c.Flags().StringVar((*string)(&f.State), "state", "", "only deliveries that are waiting, delivered or dead")
	c.Flags().StringVar(&f.ClaimID, "claim", "", "only deliveries of this claim")
	c.Flags().IntVar(&limit, "limit", 100, "maximum number of deliveries to list")
	return c
}

// ofClaim names the claim of a delivery; empty if the delivery has none.
func ofClaim(d client.Delivery) string {
	if d.ClaimID == "" {
		return ""
	}
	return d.Shop + "/" + d.ClaimID
}

func (a *app) endpointTest() *cobra.Command {
	var p place
	c := &cobra.Command{
		Use: "test ID", Short: "Send a test event",
		Long:    "Queues an event of the type endpoint.test for the endpoint, whatever types it wants. `starter endpoint deliveries` shows its result.",
		Example: "  starter endpoint test 4c9f… --shop acme", Args: arguments("ID"),
		RunE: a.callingFor(&p, func(ctx context.Context, api *client.Client, args []string) error {
			d, err := api.TestEndpoint(ctx, p.shop, args[0])
			return a.print(d, err, func(w *tabwriter.Writer) { say(w, "sending the test event %s\n", d.ID) })
		}),
	}
	p.flags(c, endpointOfShop, endpointOfAll)
	return c
}

func (a *app) endpointReplay() *cobra.Command {
	var p place
	var since, until string
	c := &cobra.Command{
		Use: "replay ID --since TIME", Short: "Replay the events of a time range",
		Long:    "Sends all matching events again, in order and with their original webhook-id. A paused endpoint receives them after you resume it.",
		Example: "  starter endpoint replay 4c9f… --shop acme --since 24h\n  starter endpoint replay 4c9f… --platform --since 2026-01-31 --until 2026-02-01", Args: arguments("ID"),
		RunE: a.callingFor(&p, func(ctx context.Context, api *client.Client, args []string) error {
			if since == "" {
				return usage("--since is required, such as --since 24h")
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
			return a.print(client.EventCount{Events: n}, err, func(w *tabwriter.Writer) { say(w, "replaying %d events\n", n) })
		}),
	}
	p.flags(c, endpointOfShop, endpointOfAll)
	c.Flags().StringVar(&since, "since", "", "start of the range: a time, a day, or an age such as 24h")
	c.Flags().StringVar(&until, "until", "", "end of the range (default: now)")
	return c
}
