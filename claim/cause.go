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
	CauseConnection:      "Dixa refuses the shop's API token. Save a new one with `starter shop connect`; parked claims then go on by themselves.",
	CauseNoConnection:    "The shop has no Dixa token. Save one with `starter shop connect`; parked claims then go on by themselves.",
	CauseContactEndpoint: "The mailbox that conversations are opened in is not a contact endpoint of this Dixa. Save one that is; parked claims then go on by themselves.",
	CauseTemplate:        "The shop's template for this reason does not render. Correct it with `starter template set`; parked claims then go on by themselves.",
	CauseCustomer:        "The customer's address cannot be used in Dixa (it may belong to an agent). Correct it in Dixa, then `starter claim retry`.",
	CauseNoContact:       "The claim has no e-mail, phone or external customer id, so no conversation can be opened. Reach the customer by other means, then `starter claim abandon`.",
	CauseNoEmail:         "The customer has no e-mail address, and Dixa opens no e-mail conversation without one. Add the address to the claim with `starter claim update`; the claim then goes on by itself. Or add it to the customer in Dixa, then `starter claim retry`.",
	CauseOutcomeUnknown:  "Dixa may have opened the conversation, but it cannot be found. Look in Dixa for the claim's reference: `starter claim link` if it is there, `starter claim retry --create-anyway` if it is not.",
	CauseRouting:         "The conversation is open, but Dixa refuses the agent or queue that it should go to. Correct the default agent or the routing rules; the claim then goes on by itself.",
	CauseAttributes:      "The conversation is open, but Dixa refuses the custom attributes. Correct them in the settings; the claim then goes on by itself.",
	CauseRefused:         "Dixa refuses what was sent. The last error says why; correct the settings or the template, then `starter claim retry`.",
	CauseReadOnly:        "The connection is read-only. Allow writing in the settings; parked claims then go on by themselves.",
	CauseDeadline:        "The conversation could not be opened in time and the fallback was raised. `starter claim retry` opens it all the same.",
	CauseUnavailable:     "The conversation is open, but Dixa failed for an hour at one of the steps after it. `starter claim retry` does what is left, and so does any change of the settings.",
	CauseUnexpected:      "Something went wrong that nobody foresaw. The last error says what; `starter claim retry` tries again.",
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
