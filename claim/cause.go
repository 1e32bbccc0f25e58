package claim

// Cause is the machine-readable reason why a claim needs attention. [Cause.Advice]
// says how to resolve it.
type Cause string

// Causes for which a claim is parked.
const (
	CauseConnection      Cause = "connection_needs_token"
	CauseNoConnection    Cause = "not_connected"
	CauseContactEndpoint Cause = "contact_endpoint_gone"
	CauseTemplate        Cause = "template_broken"
	CauseCustomer        Cause = "customer_unresolvable"
	CauseNoContact       Cause = "no_contact"
	CauseNoEmail         Cause = "no_email_address"
	CauseOutcomeUnknown  Cause = "outcome_unknown"
	CauseRouting         Cause = "routing_refused"
	CauseAttributes      Cause = "attributes_refused"
	CauseRefused         Cause = "refused_by_dixa"
	CauseReadOnly        Cause = "read_only"
	CauseDeadline        Cause = "deadline_passed"
	CauseUnavailable     Cause = "dixa_unavailable"
	CauseUnexpected      Cause = "unexpected"
)

var advice = map[Cause]string{
	CauseConnection:      "Dixa rejects the shop's API token. Save a new one with `starter shop connect`; parked claims then resume automatically.",
	CauseNoConnection:    "The shop has no Dixa token. Save one with `starter shop connect`; parked claims then resume automatically.",
	CauseContactEndpoint: "The mailbox for new conversations is not a contact endpoint in the shop's Dixa. Change the setting email_integration_id; parked claims then resume automatically.",
	CauseTemplate:        "The shop's template for this reason does not render. Correct it with `starter template set`; parked claims then resume automatically.",
	CauseCustomer:        "The customer's address cannot be used in Dixa; it may belong to an agent. Correct it in Dixa, then run `starter claim retry`.",
	CauseNoContact:       "The claim has no email address, phone number or external customer id, so no conversation can be opened. Contact the customer by other means, then run `starter claim abandon`.",
	CauseNoEmail:         "The customer has no email address, and Dixa requires one to open an email conversation. Add the address to the claim with `starter claim update`; the claim then resumes automatically. Or add it to the customer in Dixa, then run `starter claim retry`.",
	CauseOutcomeUnknown:  "Dixa may have created the conversation, but Claimflow cannot find it. Search Dixa for the claim's reference. If the conversation exists, run `starter claim link`; otherwise run `starter claim retry --create-anyway`.",
	CauseRouting:         "The conversation is open, but Dixa rejects its agent or queue. Correct the default agent or the routing rules; the claim then resumes automatically.",
	CauseAttributes:      "The conversation is open, but Dixa rejects its custom attributes. Correct them in the settings; the claim then resumes automatically.",
	CauseRefused:         "Dixa rejected a request. The last error says why. Correct the settings or the template, then run `starter claim retry`.",
	CauseReadOnly:        "The shop is read-only, so nothing is written to Dixa. Change the setting read_only to false; parked claims then resume automatically.",
	CauseDeadline:        "The conversation was not opened before the deadline, so the fallback was triggered. To open it anyway, run `starter claim retry`.",
	CauseUnavailable:     "The conversation is open, but one of the later steps failed in Dixa for an hour. To run the remaining steps, use `starter claim retry` or change any setting.",
	CauseUnexpected:      "An unexpected error occurred. The last error has the details. To try again, run `starter claim retry`.",
}

// Advice says briefly how a person can resolve the cause.
func (c Cause) Advice() string {
	if a, ok := advice[c]; ok {
		return a
	}
	return advice[CauseUnexpected]
}

// Causes lists every cause.
func Causes() []Cause {
	return []Cause{
		CauseConnection, CauseNoConnection, CauseContactEndpoint, CauseTemplate, CauseCustomer, CauseNoContact, CauseNoEmail,
		CauseOutcomeUnknown, CauseRouting, CauseAttributes, CauseRefused, CauseReadOnly, CauseDeadline, CauseUnavailable, CauseUnexpected,
	}
}
