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
	// ErrForeignHost means that a link or redirect named a scheme, host or port
	// other than the base URL's. The client did not follow it or send the token
	// there.
	ErrForeignHost = errors.New("the URL has a different origin than the base URL, so the token was not sent")

	// ErrInvalidArgument means that the call's arguments do not form a valid
	// request.
	ErrInvalidArgument = errors.New("invalid argument")

	// ErrMalformedResponse means that a success response does not have the format of
	// the operation.
	ErrMalformedResponse = errors.New("the response is malformed")

	// ErrNoMessage means that Dixa rejected the request without a readable message.
	ErrNoMessage = errors.New("the response has no readable message")

	// ErrReadOnly means that the client was created with WithReadOnly.
	ErrReadOnly = errors.New("the client is read-only and the request could change data")

	// ErrRedirected means that the response was a redirect, which the client never
	// follows.
	ErrRedirected = errors.New("redirected; check the base URL")

	// ErrResponseTooLarge means that a response exceeded MaxResponseBytes.
	ErrResponseTooLarge = errors.New("the response is too large")
)

// Outcome is the known effect of a failed request in Dixa. The zero value means that
// the call did not fail.
type Outcome int

const (
	// Unsent means that nothing reached Dixa. The request could not be built, was
	// rejected by read-only mode or the budget, or never got a connection.
	Unsent Outcome = iota + 1
	// Rejected means that Dixa reported that it did not execute the request (every
	// 4xx, including 429). For reads, it covers any failure after connecting.
	Rejected
	// Ambiguous means that Dixa may have executed the request. The connection broke
	// or the call timed out after bytes could have been sent, Dixa returned 5xx, or
	// the response to a successful write could not be read. Check before sending it
	// again.
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
	// Operation is "Service.Method", Method is the HTTP method and Path is the path
	// template.
	Operation string
	Method    string
	Path      string
	// Status is Dixa's HTTP status, or 0 if no response was received.
	Status int
	// Message is Dixa's message, shortened, with the token, email addresses and
	// phone numbers masked. Empty if there is none.
	Message string
	// Outcome says whether the request may have taken effect.
	Outcome Outcome
	// Retryable reports whether the same request may succeed later. If the Outcome
	// of a write is Ambiguous, check whether it took effect before you retry.
	Retryable bool
	// RetryAfter is the wait that Dixa or the budget requested, at most one day, or
	// 0 if none.
	RetryAfter time.Duration
	// Err is the cause if Message does not give it: a sentinel error of this
	// package, or an error from the network, the context or the budget.
	Err error
}

// Error describes the operation, its failure and what to do next.
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
		return "the request may have taken effect: check Dixa before retrying" + wait
	case e.Outcome == Ambiguous:
		return "the request may have taken effect: check Dixa"
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		return "the request had no effect: check the token and its permissions in Dixa"
	case e.Retryable:
		return "the request had no effect: retry" + wait
	default:
		return "the request had no effect: an identical request will fail again"
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

// OutcomeOf returns the outcome of err. An error from outside this package is
// Ambiguous, the conservative choice. A nil error has the zero Outcome.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return 0
	}
	if e, ok := AsError(err); ok {
		return e.Outcome
	}
	return Ambiguous
}

// IsUnauthorized reports a 401 or 403: the token is wrong, revoked or lacks permission.
func IsUnauthorized(err error) bool {
	return hasStatus(err, http.StatusUnauthorized) || hasStatus(err, http.StatusForbidden)
}

// IsTokenRefused reports that Dixa rejects the token itself. A token that only lacks a
// permission gets a different message. It is unknown whether Dixa ever answers 403, so
// a 403 does not count.
func IsTokenRefused(err error) bool {
	e, ok := AsError(err)
	return ok && e.Status == http.StatusUnauthorized && !strings.Contains(e.Message, "underlying operation")
}

// IsNotFound reports a 404: the entity in the path or the body does not exist.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// IsConflict reports a 409: the entity's state does not allow the request, such as a
// claim without force of a conversation that is assigned to an agent.
func IsConflict(err error) bool { return hasStatus(err, http.StatusConflict) }

// IsRateLimited reports a 429 or a request that the budget rejected.
func IsRateLimited(err error) bool {
	_, exceeded := budgetExceeded(err)
	return exceeded || hasStatus(err, http.StatusTooManyRequests)
}

// IsDuplicateExternalID reports the 400 for a message whose externalId already
// exists in Dixa. An earlier attempt to send it may have succeeded.
func IsDuplicateExternalID(err error) bool {
	return says(err, "Duplicate externalId") || says(err, "DuplicateExternalId")
}

// IsAttachmentDownload reports the 400 for an attachment URL that Dixa could not
// fetch. The response does not name the attachment.
func IsAttachmentDownload(err error) bool {
	return says(err, "Failure to download attachment")
}

// IsEmailExists reports the 400 for an email address that belongs to another user
// of the organization.
func IsEmailExists(err error) bool { return says(err, "EmailExists") }

// IsPhoneExists reports the 400 for a phone number that belongs to another user of
// the organization.
func IsPhoneExists(err error) bool { return says(err, "PhoneNumberExists") }

// says reports whether the message of a 400 or of a failed bulk item contains the
// fragment. It matches anywhere because Dixa prefixes some messages with ids.
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

// failure completes an error for an operation. A read has no effect, so its outcome
// cannot be Ambiguous.
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
	return phonePattern.ReplaceAllString(emailPattern.ReplaceAllString(s, "[email]"), "[phone]")
}
