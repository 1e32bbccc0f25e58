package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (a *app) shopTryRules() *cobra.Command {
	var file string
	var claims int
	c := &cobra.Command{
		Use: "try-rules SHOP", Short: "Preview status rules against past events",
		Long: "Replays the events from Dixa about the shop's newest claims against the current rules and against the rules in the file. Lists the claims for which the owner would have received different statuses. " +
			"Without a file it tries the built-in rules.",
		Example: "  starter shop try-rules acme -f settings.yaml\n  starter shop try-rules acme -f settings.yaml --claims 500 && starter shop settings acme -f settings.yaml",
		Args:    arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			rules, err := a.statusRules(file)
			if err != nil {
				return err
			}
			tried, err := api.PreviewStatusRules(ctx, args[0], client.StatusRulesRequest{StatusRules: rules, Claims: claims})
			return a.print(tried, err, func(w *tabwriter.Writer) {
				line(w, "CLAIM", "STATE", "CURRENT STATUSES", "NEW STATUSES")
				for _, d := range tried.Different {
					line(w, d.ClaimID, string(d.State), strings.Join(d.Is, ", "), strings.Join(d.Would, ", "))
				}
				line(w, fmt.Sprintf("the owner would have received different statuses for %d of %s claims", len(tried.Different), strconv.Itoa(tried.Claims)))
			})
		}),
	}
	c.Flags().StringVarP(&file, "file", "f", "", "a JSON or YAML file with status_rules, as for starter shop settings; - for the standard input")
	c.Flags().IntVar(&claims, "claims", 0, "number of newest claims to replay (default 100)")
	return c
}

// statusRules reads the member status_rules of a settings file.
func (a *app) statusRules(file string) ([]claim.StatusRule, error) {
	if file == "" {
		return nil, nil
	}
	patch, err := a.settingsPatch(file, nil)
	if err != nil {
		return nil, err
	}
	var settings struct {
		StatusRules *[]claim.StatusRule `json:"status_rules"`
	}
	if err := json.Unmarshal(patch, &settings); err != nil {
		return nil, fmt.Errorf("%s: read status_rules: %w", file, err)
	}
	if settings.StatusRules == nil {
		return nil, usage("%s has no status_rules", file)
	}
	return *settings.StatusRules, nil
}
