package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/client"
)

// Exit codes, for scripts.
const (
	exitOK          = 0
	exitFailed      = 1 // an error occurred or a check failed
	exitUsage       = 2 // wrong usage
	exitRefused     = 3 // the service rejected the request: 4xx, or 501
	exitUnavailable = 4 // no usable answer: retry
)

// nextSteps says how to resolve a refusal, by error code.
var nextSteps = map[string]string{
	client.CodeUnauthorized: "set CLAIMFLOW_API_KEY to a key that `starter api-key create` created in the service's store",
	client.CodeForbidden:    "use a key with that scope: `starter api-key create --scope …`",
	client.CodeNotFound:     "list what exists with `starter shop list` or `starter claim list SHOP`",
	client.CodeInvalid:      "correct the errors and run the command again",
	client.CodeDiffers:      "submit the changed claim with a new id",
	client.CodeTooLarge:     "omit what is not needed, and submit files as URLs",
	client.CodeUnavailable:  "retry in a moment",
	client.CodeRateLimited:  "retry in a moment",
}

// nextError is an error with its own next step.
type nextError struct {
	error
	next string
}

func (e *nextError) Unwrap() error { return e.error }

// nextStep returns how to resolve an error; empty if the message already says it.
func nextStep(err error) string {
	var own *nextError
	if errors.As(err, &own) {
		return own.next
	}
	var e *client.Error
	if errors.As(err, &e) {
		return nextSteps[e.Code]
	}
	return ""
}

// explain returns the error's message, ending with the next step.
func explain(err error) string {
	var e *client.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	text := strings.TrimSuffix(err.Error(), ".")
	if next := nextStep(err); next != "" {
		text += ".\nNext: " + next
	}
	if e.Instance != "" && e.Status >= 500 {
		text += " (request " + e.Instance + ")"
	}
	return text + "."
}

// failure is an error as -o json prints it: the meaningful members of a
// [client.Problem], with local codes if the error is not from the service.
type failure struct {
	Code     string              `json:"code"`
	Status   int                 `json:"status,omitempty"`
	Detail   string              `json:"detail"`
	Errors   []client.FieldError `json:"errors,omitempty"`
	Instance string              `json:"instance,omitempty"`
	Next     string              `json:"next,omitempty"`
}

// localCodes maps exit codes to codes for errors that are not from the service.
var localCodes = map[int]string{exitUsage: "usage", exitUnavailable: "no_answer"}

func failureOf(err error) failure {
	f := failure{Code: localCodes[codeOf(err)], Detail: err.Error(), Next: nextStep(err)}
	var e *client.Error
	if errors.As(err, &e) {
		// Keep the text that the command put before the service's own.
		said, _ := strings.CutSuffix(err.Error(), e.Error())
		if said == err.Error() {
			said = ""
		}
		f.Code, f.Status, f.Detail, f.Errors, f.Instance = e.Code, e.Status, said+e.Detail, e.Errors, e.Instance
		if e.Detail == "" {
			f.Detail = said + e.Title
		}
	}
	f.Code = cmp.Or(f.Code, "failed")
	return f
}

// complain prints an error as text, or as JSON with -o json.
func (a *app) complain(err error) {
	if a.output == "json" {
		enc := json.NewEncoder(a.err)
		enc.SetEscapeHTML(false)
		if failed := enc.Encode(failureOf(err)); failed == nil {
			return
		}
	}
	say(a.err, "starter: %s\n", explain(err))
}

// wantsJSON reports whether arguments that could not be fully parsed ask for JSON.
func wantsJSON(args []string) bool {
	for i, arg := range args {
		if slices.Contains([]string{"-o=json", "-ojson", "--output=json"}, arg) {
			return true
		}
		if (arg == "-o" || arg == "--output") && i+1 < len(args) && args[i+1] == "json" {
			return true
		}
	}
	return false
}

func codeOf(err error) int {
	var wrong *usageError
	var refused *client.Error
	switch {
	case errors.As(err, &wrong):
		return exitUsage
	case errors.As(err, &refused) && (refused.Status < 500 || refused.Code == client.CodeUnsupported):
		return exitRefused
	case errors.As(err, &refused), errors.Is(err, client.ErrNoAnswer):
		return exitUnavailable
	default:
		return exitFailed
	}
}
