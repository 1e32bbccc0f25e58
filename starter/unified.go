package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/client"
)

func (a *app) unifiedCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "unified", Short: "Read and write tickets and people of a Dixa organization through the unified API",
		Long: "Resources are tickets, comments, contacts, attachments, fields, tags, teams, collections, ticket_status, ticket_types and users, " +
			"and user-directory/users, user-directory/groups and user-directory/roles.",
		Example: "  starter unified list tickets --shop acme --filter status=open --limit 10\n  starter unified get tickets 123 --shop acme\n" +
			"  echo '{\"name\": \"vip\"}' | starter unified create tags --shop acme -f -",
	}, a.unifiedList(), a.unifiedGet(), a.unifiedCreate(), a.unifiedUpdate(), a.unifiedDelete(), a.unifiedProxy())
}

// object is an object of any resource.
type object = map[string]any

// resource returns a resource of an account by its name on the command line.
func resource(api *client.Client, account, name string) client.Resource[object] {
	model, rest, directory := strings.Cut(name, "/")
	if !directory {
		model, rest = client.ModelTicketing, name
	}
	if account == ownAccount {
		account = ""
	}
	return client.ResourceOf[object](api, account, model, rest)
}

// parameters reads NAME=VALUE pairs.
func parameters(flag string, pairs []string) (url.Values, error) {
	q := url.Values{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, usage("--%s %s: must be NAME=VALUE, such as status=open or created_at[gt]=2026-01-31", flag, pair)
		}
		q.Add(name, value)
	}
	return q, nil
}

func (a *app) unifiedList() *cobra.Command {
	var o organization
	var filters []string
	var limit int
	var live bool
	c := &cobra.Command{
		Use: "list RESOURCE", Short: "List objects",
		Long: "-o json prints an array of whole objects.",
		Example: "  starter unified list tickets --shop acme --filter status=open --filter 'created_at[gt]=2026-01-31'\n" +
			"  starter unified list comments --shop acme --filter ticket_id=123 -o json\n  starter unified list user-directory/users --connection 0b6a… --live",
		Args: arguments("RESOURCE"),
	}
	c.RunE = a.callingAccount(&o, func(ctx context.Context, api *client.Client, account string, args []string) error {
		if limit < 1 {
			return usage("--limit %d: must be at least 1", limit)
		}
		q, err := parameters("filter", filters)
		if err != nil {
			return err
		}
		q.Set("limit", fmt.Sprint(min(limit, 100)))
		if live {
			q.Set("live", "true")
		}
		objects := []object{}
		for o, err := range resource(api, account, args[0]).List(ctx, q) {
			if err != nil {
				return aboutUnified(err)
			}
			if len(objects) == limit {
				say(a.err, "there are more than %d objects; see more with --limit\n", limit)
				break
			}
			objects = append(objects, o)
		}
		return a.print(objects, nil, func(w *tabwriter.Writer) { objectTable(w, objects) })
	})
	o.flags(c)
	c.Flags().StringArrayVar(&filters, "filter", nil, "only objects with this value, as NAME=VALUE; also other parameters of the API; can be repeated")
	c.Flags().IntVar(&limit, "limit", 50, "the maximum number of objects")
	c.Flags().BoolVar(&live, "live", false, "ask Dixa even if the mirror is fresh")
	return c
}

func (a *app) unifiedGet() *cobra.Command {
	var o organization
	var live bool
	c := &cobra.Command{
		Use: "get RESOURCE ID", Short: "Show an object",
		Example: "  starter unified get tickets 123 --shop acme\n  starter unified get contacts 5c1d… --shop acme --live -o json", Args: arguments("RESOURCE", "ID"),
	}
	c.RunE = a.callingAccount(&o, func(ctx context.Context, api *client.Client, account string, args []string) error {
		q := url.Values{}
		if live {
			q.Set("live", "true")
		}
		return a.printObject(resource(api, account, args[0]).Get(ctx, args[1], q))
	})
	o.flags(c)
	c.Flags().BoolVar(&live, "live", false, "ask Dixa even if the mirror is fresh")
	return c
}

func (a *app) unifiedCreate() *cobra.Command {
	var o organization
	var file, key string
	c := &cobra.Command{
		Use: "create RESOURCE", Short: "Create an object",
		Long: "The file has the members of the object as JSON. With --key, repeating the command creates nothing more.",
		Example: "  starter unified create comments --shop acme -f note.json --key order-10001-note\n" +
			"  echo '{\"name\": \"Ada\", \"emails\": [{\"email\": \"ada@example.org\"}]}' | starter unified create contacts --shop acme -f -",
		Args: arguments("RESOURCE"),
	}
	c.RunE = a.callingAccount(&o, func(ctx context.Context, api *client.Client, account string, args []string) error {
		body, err := a.objectFile(file)
		if err != nil {
			return err
		}
		return a.printObject(resource(api, account, args[0]).Create(ctx, body, key))
	})
	o.flags(c)
	writeFlags(c, &file, &key)
	return c
}

func (a *app) unifiedUpdate() *cobra.Command {
	var o organization
	var file, key string
	c := &cobra.Command{
		Use: "update RESOURCE ID", Short: "Change an object", Long: "The file has the members to change as JSON.",
		Example: "  echo '{\"status\": {\"name\": \"closed\"}}' | starter unified update tickets 123 --shop acme -f -", Args: arguments("RESOURCE", "ID"),
	}
	c.RunE = a.callingAccount(&o, func(ctx context.Context, api *client.Client, account string, args []string) error {
		body, err := a.objectFile(file)
		if err != nil {
			return err
		}
		return a.printObject(resource(api, account, args[0]).Update(ctx, args[1], body, key))
	})
	o.flags(c)
	writeFlags(c, &file, &key)
	return c
}

func (a *app) unifiedDelete() *cobra.Command {
	var o organization
	var key string
	var yes bool
	c := &cobra.Command{
		Use: "delete RESOURCE ID", Short: "Delete an object", Example: "  starter unified delete tags 7d1e… --shop acme --yes", Args: arguments("RESOURCE", "ID"),
	}
	c.RunE = a.callingAccount(&o, func(ctx context.Context, api *client.Client, account string, args []string) error {
		if !yes {
			return usage("deletes %s %s in Dixa; confirm with --yes", args[0], args[1])
		}
		if err := resource(api, account, args[0]).Delete(ctx, args[1], key); err != nil {
			return aboutUnified(err)
		}
		return a.print(object{"id": args[1]}, nil, func(w *tabwriter.Writer) { say(w, "deleted %s\n", cell(args[1])) })
	})
	o.flags(c)
	c.Flags().StringVar(&key, "key", "", "the Idempotency-Key (default: a new one)")
	c.Flags().BoolVar(&yes, "yes", false, "confirm that the object is to be deleted")
	return c
}

func (a *app) unifiedProxy() *cobra.Command {
	var o organization
	var file string
	var pairs []string
	c := &cobra.Command{
		Use: "proxy METHOD PATH", Short: "Pass a request on to Dixa and print its answer",
		Long: "The path is that of Dixa's documentation below /v1. The answer is printed as Dixa sends it. Exit code 3: Dixa refused the request.",
		Example: "  starter unified proxy GET agents --shop acme --query pageLimit=10\n" +
			"  echo '{\"name\": \"vip\"}' | starter unified proxy POST tags --shop acme -f -",
		Args: arguments("METHOD", "PATH"),
	}
	c.RunE = a.callingAccount(&o, func(ctx context.Context, api *client.Client, account string, args []string) error {
		q, err := parameters("query", pairs)
		if err != nil {
			return err
		}
		if account == ownAccount {
			account = ""
		}
		var body io.Reader
		if file != "" {
			data, err := a.readBytes(file)
			if err != nil {
				return err
			}
			body = bytes.NewReader(data)
		}
		answer, err := api.Proxy(ctx, account, strings.ToUpper(args[0]), args[1], q, body)
		if err != nil {
			return aboutUnified(err)
		}
		defer func() { _ = answer.Body.Close() }() // read to the end
		if _, err := io.Copy(a.out, answer.Body); err != nil {
			return fmt.Errorf("read Dixa's answer: %w", err)
		}
		say(a.out, "\n")
		if answer.StatusCode >= http.StatusBadRequest {
			return &nextError{&client.Error{Problem: client.Problem{
				Status: answer.StatusCode, Title: http.StatusText(answer.StatusCode), Code: client.CodeDixaRefused, Detail: "Dixa answered " + answer.Status,
			}}, "compare the path, the parameters and the body with Dixa's documentation at https://docs.dixa.io"}
		}
		return nil
	})
	o.flags(c)
	c.Flags().StringVarP(&file, "file", "f", "", "the file with the request's body; - is the standard input")
	c.Flags().StringArrayVar(&pairs, "query", nil, "a parameter of Dixa, as NAME=VALUE; can be repeated")
	return c
}

func writeFlags(c *cobra.Command, file, key *string) {
	c.Flags().StringVarP(file, "file", "f", "", "the file with the object as JSON; - is the standard input")
	c.Flags().StringVar(key, "key", "", "the Idempotency-Key: repeating the command with it writes only once (default: a new one)")
}

// objectFile reads the object to write.
func (a *app) objectFile(file string) (json.RawMessage, error) {
	if file == "" {
		return nil, usage("specify the file with -f; - is the standard input")
	}
	data, err := a.read(file)
	if err != nil {
		return nil, err
	}
	if !json.Valid(data) {
		return nil, fmt.Errorf("%s is not JSON; write the members of the object, such as {\"name\": \"vip\"}", file)
	}
	return data, nil
}

// aboutUnified returns an error of the unified API with its next step.
func aboutUnified(err error) error {
	switch {
	case client.HasCode(err, client.CodeNotFound):
		return &nextError{err, "list what exists with `starter unified list RESOURCE`, and accounts with `starter account list`"}
	case client.HasCode(err, client.CodeUnsupported):
		return &nextError{err, ""}
	default:
		return err
	}
}

func (a *app) printObject(o object, err error) error {
	if err != nil {
		return aboutUnified(err)
	}
	return a.print(o, nil, func(w *tabwriter.Writer) {
		for _, name := range columns([]object{o}) {
			line(w, name, inWords(o[name]))
		}
	})
}

// firstColumns are in front of all others, and hiddenColumns only in JSON.
var (
	firstColumns  = []string{"id", "name", "label", "file_name", "status", "type", "body"}
	hiddenColumns = []string{"remote_data", "html_body", "number", "custom_fields", "roles", "phones", "first_name", "last_name"}
)

// columns returns the names of the members that objects have: the first columns, then
// the others by name.
func columns(objects []object) []string {
	var names []string
	for _, o := range objects {
		for name := range o {
			if !slices.Contains(names, name) && !slices.Contains(hiddenColumns, name) {
				names = append(names, name)
			}
		}
	}
	place := func(name string) int {
		if at := slices.Index(firstColumns, name); at >= 0 {
			return at
		}
		return len(firstColumns)
	}
	slices.SortFunc(names, func(x, y string) int {
		if d := place(x) - place(y); d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
	return names
}

// objectTable prints one line per object.
func objectTable(w *tabwriter.Writer, objects []object) {
	names := columns(objects)
	heads := make([]any, len(names))
	for i, name := range names {
		heads[i] = strings.ToUpper(name)
	}
	line(w, heads...)
	for _, o := range objects {
		cells := make([]any, len(names))
		for i, name := range names {
			cells[i] = inWords(o[name])
		}
		line(w, cells...)
	}
}

// maxWords bounds the text of a cell, in characters.
const maxWords = 40

// inWords returns a value as the text of a cell. Of an object, it is what a person knows
// it by.
func inWords(v any) any {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		return v
	case string:
		if r := []rune(v); len(r) > maxWords {
			return string(r[:maxWords-1]) + "…"
		}
		return v
	case object:
		for _, name := range []string{"name", "email", "number", "label", "id"} {
			if text, ok := v[name].(string); ok && text != "" {
				return inWords(text)
			}
		}
		return ""
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, fmt.Sprint(inWords(item)))
		}
		return inWords(strings.Join(all, ","))
	default:
		return fmt.Sprint(v)
	}
}
