package dixa

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

var (
	// ErrForeignHost: a link or redirect named another scheme, host or port than
	// the base URL's. It was not followed and the token not sent there.
	ErrForeignHost = errors.New("it leads to another host than the base URL, where the token must not go")

	// ErrInvalidArgument: the call's arguments cannot make a request.
	ErrInvalidArgument = errors.New("invalid argument")

	// ErrMalformedResponse: a reply with a status of success was not what the
	// operation answers.
	ErrMalformedResponse = errors.New("the reply is malformed")

	// ErrNoMessage: Dixa refused without a readable message.
	ErrNoMessage = errors.New("the reply has no readable message")

	// ErrReadOnly: the client was made with WithReadOnly.
	ErrReadOnly = errors.New("the client is read-only and this request could change something")

	// ErrRedirected: the reply was a redirect; none is followed.
	ErrRedirected = errors.New("redirected; check the base URL")

	// ErrResponseTooLarge: a reply was longer than WithMaxResponseBytes allows.
	ErrResponseTooLarge = errors.New("the reply is too large")
)

// Outcome says what is known of a failed request's effect in Dixa. The zero
// value stands for no failure.
type Outcome int

const (
	// Unsent: nothing reached Dixa. The request could not be built, was refused
	// by read-only mode or the budget, or never got a connection.
	Unsent Outcome = iota + 1
	// Rejected: Dixa answered that it did not do it (every 4xx, 429 included).
	// For reads, any failure after a connection was there.
	Rejected
	// Ambiguous: it may have been done. The connection broke or time ran out
	// after bytes could have left, Dixa answered 5xx, or the reply of a write
	// that succeeded could not be read. Look before sending it again.
	Ambiguous
)

// String returns "unsent", "rejected", "ambiguous", or "none" for the zero value.
func (o Outcome) String() string {
	switch o {
	case Unsent:
		return "unsent"
	case Rejected:
		return "rejected"
	case Ambiguous:
		return "ambiguous"
	default:
		return "none"
	}
}

// Error is the failure of one call.
type Error struct {
	// Operation is "Service.Method", Method the HTTP method, Path the template.
	Operation string
	Method    string
	Path      string
	// Status is Dixa's HTTP status, 0 where none was received.
	Status int
	// Message is Dixa's message, shortened, with the token, e-mail addresses and
	// phone numbers masked. Empty where there was none.
	Message string
	// Outcome says whether the request can have had an effect.
	Outcome Outcome
	// Retryable says that the same request may succeed later. A write whose
	// Outcome is Ambiguous must be looked for first.
	Retryable bool
	// RetryAfter is the wait that Dixa or the budget asked for, 0 for none; at
	// most a day.
	RetryAfter time.Duration
	// Err is the cause where Message is not it: a sentinel of this package, an
	// error of the network, of the context or of the budget.
	Err error
}

// Error says what was being done, what came of it and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "dixa: %s (%s %s): ", e.Operation, e.Method, e.Path)
	if e.Status != 0 {
		fmt.Fprintf(&b, "status %d: ", e.Status)
	}
	switch {
	case e.Message != "" && e.Err != nil:
		fmt.Fprintf(&b, "%q: %s", e.Message, redactPersonal(e.Err.Error()))
	case e.Message != "":
		fmt.Fprintf(&b, "%q", e.Message)
	case e.Err != nil:
		b.WriteString(redactPersonal(e.Err.Error()))
	}
	b.WriteString("; " + e.advice())
	return b.String()
}

func (e *Error) advice() string {
	wait := ""
	if e.RetryAfter > 0 {
		wait = fmt.Sprintf(" after %s", e.RetryAfter.Round(time.Millisecond))
	}
	switch {
	case e.Outcome == Ambiguous && e.Retryable:
		return "it may have been done: look before sending it again" + wait
	case e.Outcome == Ambiguous:
		return "it may have been done: look for it"
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		return "it was not done: check the token and its rights in Dixa"
	case e.Retryable:
		return "it was not done: try again" + wait
	default:
		return "it was not done: the same request will fail again"
	}
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// AsError finds the *Error in err's tree.
func AsError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// OutcomeOf returns the outcome that err carries. An error that is not of this
// package is Ambiguous, the careful reading; nil has the zero Outcome.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return 0
	}
	if e, ok := AsError(err); ok {
		return e.Outcome
	}
	return Ambiguous
}

// IsUnauthorized reports a 401 or 403: the token is wrong, revoked or lacks rights.
func IsUnauthorized(err error) bool {
	return hasStatus(err, http.StatusUnauthorized) || hasStatus(err, http.StatusForbidden)
}

// IsNotFound reports a 404: the entity in the path or the body does not exist.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// IsConflict reports a 409: the entity's state does not allow it, such as a
// claim without force of a conversation that has an agent.
func IsConflict(err error) bool { return hasStatus(err, http.StatusConflict) }

// IsRateLimited reports a 429, or a request that the budget held back.
func IsRateLimited(err error) bool {
	return hasStatus(err, http.StatusTooManyRequests) || isBudgetExceeded(err)
}

// IsDuplicateExternalID reports the 400 for a message whose externalId Dixa
// already has: an earlier send of it may have succeeded.
func IsDuplicateExternalID(err error) bool {
	return says(err, "Duplicate externalId") || says(err, "DuplicateExternalId")
}

// IsAttachmentDownload reports the 400 for an attachment URL that Dixa could
// not fetch. The reply does not say which.
func IsAttachmentDownload(err error) bool {
	return says(err, "Failure to download attachment")
}

// IsEmailExists reports the 400 for an e-mail address that another user of the
// organisation has.
func IsEmailExists(err error) bool { return says(err, "EmailExists") }

// IsPhoneExists reports the 400 for a phone number that another user of the
// organisation has.
func IsPhoneExists(err error) bool { return says(err, "PhoneNumberExists") }

// says looks for the fragment in a 400's message or a failed bulk item's,
// whatever stands around it: Dixa prefixes some with ids.
func says(err error, fragment string) bool {
	message := ""
	if e, ok := AsError(err); ok && e.Status == http.StatusBadRequest {
		message = e.Message
	}
	var item *BulkError
	if errors.As(err, &item) {
		message = item.Message
	}
	return strings.Contains(strings.ToLower(message), strings.ToLower(fragment))
}

func hasStatus(err error, status int) bool {
	e, ok := AsError(err)
	return ok && e.Status == status
}

func isBudgetExceeded(err error) bool {
	var pointer *BudgetExceededError
	var value BudgetExceededError
	return errors.As(err, &pointer) || errors.As(err, &value)
}

// failure completes an error for an operation. A read has no effect to be
// unsure of.
func failure(op Operation, e Error) *Error {
	e.Operation, e.Method, e.Path = op.Name, op.Method, op.Path
	if op.safe() && e.Outcome == Ambiguous {
		e.Outcome = Rejected
	}
	return &e
}

func invalid(op Operation, err error) *Error {
	return failure(op, Error{Outcome: Unsent, Err: err})
}

const maxMessageRunes = 500

func shorten(s string) string {
	if utf8.RuneCountInString(s) <= maxMessageRunes {
		return s
	}
	return string([]rune(s)[:maxMessageRunes]) + "…"
}

var (
	emailPattern = regexp.MustCompile(`[^\s@"'<>\[\](){},;:=]+@[^\s@"'<>\[\](){},;:=]+`)
	phonePattern = regexp.MustCompile(`\+\d[\d ().-]{5,}\d`)
)

func redactPersonal(s string) string {
	return phonePattern.ReplaceAllString(emailPattern.ReplaceAllString(s, "[e-mail]"), "[phone]")
}
