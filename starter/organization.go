package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/client"
)

// organization says which Dixa organization a command is about: that of a shop, or a
// connection.
type organization struct{ shop, connection string }

func (o *organization) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.shop, "shop", "", "act on the Dixa organization of this shop")
	c.Flags().StringVar(&o.connection, "connection", "", "act on the Dixa organization of this connection, by id")
}

// arguments returns the flags that select the same organization.
func (o *organization) arguments() string {
	if o.connection != "" {
		return "--connection " + o.connection
	}
	return "--shop " + o.shop
}

// id returns the id of the connection.
func (o *organization) id(ctx context.Context, api *client.Client) (string, error) {
	if o.connection != "" {
		return o.connection, nil
	}
	shop, err := api.Shop(ctx, o.shop)
	switch {
	case client.HasCode(err, client.CodeNotFound):
		return "", &nextError{fmt.Errorf("shop %q does not exist: %w", o.shop, err), "list the shops with `starter shop list`"}
	case err != nil:
		return "", err
	case shop.Connection == nil:
		return "", fmt.Errorf("shop %q is not connected to a Dixa organization; save a token with `starter shop connect %[1]s`", o.shop)
	default:
		return shop.Connection.ID, nil
	}
}

// callingIn is calling for a command that needs an organization. run receives the id
// of its connection.
func (a *app) callingIn(o *organization, run func(ctx context.Context, api *client.Client, connection string, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if (o.shop == "") == (o.connection == "") {
			return usage("specify --shop SHOP or --connection ID")
		}
		return a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			id, err := o.id(ctx, api)
			if err != nil {
				return err
			}
			return run(ctx, api, id, args)
		})(cmd, args)
	}
}

// aboutPart returns the error of a command on a part of an organization's data. next
// says how to list such parts.
func aboutPart(err error, next string) error {
	if client.HasCode(err, client.CodeNotFound) {
		return &nextError{err, next}
	}
	return err
}
