package dixa

import "regexp"

// knownMessages matches the message formats that Dixa's contract lists or that
// integrators have seen. They contain ids and field names, never text written by a
// person.
var knownMessages = regexp.MustCompile(`^(` +
	`Decoding failure in request` +
	`|Invalid value in request` +
	`|Invalid value for: (body|(path|query) parameter \w+)` +
	`|Invalid value extracted from request context` +
	`|Invalid filters: Cannot provide [a-z ]+` +
	`|Create EndUser failed with \[errors[:=][A-Za-z, ]+\]` +
	`|Updating EndUser \[id[:=][0-9a-f-]+\]( in \[org[:=][0-9a-f-]+\])? failed with \[errors[:=][A-Za-z, ]+\]` +
	`|AddMessageError\.\w+` +
	`|Failure to download attachment|Duplicate external[iI]d|Unsupported ConversationChannel|Invalid input for Message` +
	`|User (not found|is not agent/admin|is not admin or agent)` +
	`|User is unauthorized to perform an underlying operation|Unauthorized` +
	`|(Queue|Requester|Agent) does not exist|Agent was not found|Invalid date format` +
	`|Duplicate (phone number|email address)` +
	`|The requested resource could not be found` +
	`|There was an internal server error while processing the request` +
	`)\.?$`)

// KnownMessage reports whether a Dixa message has a format known to contain no
// personal data.
func KnownMessage(message string) bool { return knownMessages.MatchString(message) }
