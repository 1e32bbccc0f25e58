package delivery

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// composeEmail formats an event for staff. It contains no personal data of the customer,
// because others can read an email in transit.
func composeEmail(p store.LeasedDelivery) (subject, text string, err error) {
	var b strings.Builder
	row := func(name string, value any) {
		if v := strings.Join(strings.Fields(fmt.Sprint(value)), " "); v != "" && v != "0" {
			fmt.Fprintf(&b, "%-14s%s\n", name, v)
		}
	}
	switch {
	case strings.HasPrefix(p.Type, "connection."):
		var n claim.ConnectionNotice
		if err := json.Unmarshal(p.Body, &n); err != nil {
			return "", "", err
		}
		subject = connectionSubject(n)
		fmt.Fprintf(&b, "%s.\n\n", subject)
		row("What to do", n.Data.Advice)
		row("Shops", strings.Join(n.Data.Shops, ", "))
		row("Organization", strings.TrimSpace(n.Data.OrganizationName+" "+n.Data.OrganizationID))
		row("Connection", n.Data.ConnectionID)
		row("Time", moment(n.Timestamp))
	case p.Type == claim.OutboundEndpointPaused, p.Type == claim.OutboundEndpointTest:
		var n claim.EndpointNotice
		if err := json.Unmarshal(p.Body, &n); err != nil {
			return "", "", err
		}
		subject = of(n.Data.Shop, n.Data.Kind+" endpoint is paused")
		if p.Type == claim.OutboundEndpointTest {
			subject = of(n.Data.Shop, "test of an email endpoint")
		}
		fmt.Fprintf(&b, "%s.\n\n", subject)
		row("Why", n.Data.Reason)
		row("What to do", n.Data.Advice)
		row("Endpoint", n.Data.EndpointID)
		row("Description", n.Data.Description)
		row("Time", moment(n.Timestamp))
	default:
		var n claim.Notice
		if err := json.Unmarshal(p.Body, &n); err != nil {
			return "", "", err
		}
		about, words := claimWords(n)
		subject = of(n.Data.Shop, about)
		fmt.Fprintf(&b, "%s\n\n", words)
		row("Shop", n.Data.Shop)
		row("Reference", n.Data.Reference)
		row("Order", n.Data.OrderNumber)
		row("Reason", n.Data.Reason)
		row("State", n.Data.State)
		row("Status", n.Data.Status)
		row("Cause", n.Data.Cause)
		row("What to do", n.Data.Advice)
		row("Conversation", n.Data.ConversationID)
		row("Claim", n.Data.ID)
		row("Workflow", n.Data.WorkflowID)
		row("Time", moment(n.Timestamp))
	}
	fmt.Fprintf(&b, "\nEvent %s, %s. Replies to this address are not read.\n", p.Type, p.ID)
	return "[Claimflow] " + subject, b.String(), nil
}

func connectionSubject(n claim.ConnectionNotice) string {
	name := cmp.Or(n.Data.OrganizationName, strings.Join(n.Data.Shops, ", "))
	switch n.Type {
	case claim.OutboundConnectionNeedsToken:
		return "Dixa connection of " + name + " needs a new API token"
	case claim.OutboundConnectionRecovered:
		return "Dixa connection of " + name + " accepts the API token again"
	default:
		return "Dixa connection of " + name + ": " + n.Type
	}
}

// claimWords returns the subject and the first sentence of an email about a claim.
func claimWords(n claim.Notice) (about, words string) {
	name := "claim " + n.Data.Reference
	if n.Data.OrderNumber != "" {
		name += ", order " + n.Data.OrderNumber + ","
	}
	switch n.Type {
	case claim.OutboundNeedsAttention:
		return name + " needs attention", "A claim cannot continue until someone acts."
	case claim.OutboundFallback:
		return name + " is not open in Dixa", "A claim could not be opened in Dixa in time: contact the customer through another channel."
	default:
		return name + " " + strings.TrimPrefix(n.Type, "claim."), "A claim has a new event: " + n.Type + "."
	}
}

func of(shop, words string) string {
	if shop == "" {
		return words
	}
	return shop + ": " + words
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
