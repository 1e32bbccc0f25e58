package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// token reads a Dixa token from a file, the environment, a prompt or the standard
// input. It rejects two of them at once, because either may hold the old token.
func (a *app) token(file string) (string, error) {
	c, err := a.config()
	if err != nil {
		return "", err
	}
	inVariable := c.DixaToken.Reveal()
	switch {
	case file != "" && inVariable != "":
		return "", usage("--token-file and CLAIMFLOW_DIXA_TOKEN are both set; use only one of them")
	case inVariable != "" && a.prompts:
		return inVariable, nil
	case inVariable != "":
		if a.pipedIn() != "" {
			return "", usage("CLAIMFLOW_DIXA_TOKEN is set and the standard input is not empty; use only one of them: " +
				"unset the variable, or add < /dev/null")
		}
		return inVariable, nil
	}
	token, err := a.secret(file, "Dixa API token")
	if err == nil && token == "" && file == "" {
		err = usage("a token is required: use --token-file, CLAIMFLOW_DIXA_TOKEN or the standard input")
	}
	return token, err
}

// required is secret for a command that needs one; hint says how to pass it.
func (a *app) required(file, what, hint string) (string, error) {
	secret, err := a.secret(file, what)
	if err == nil && secret == "" {
		err = usage("%s", hint)
	}
	return secret, err
}

// secret reads a secret from a file, a prompt or the standard input. It removes one
// line ending and nothing else: the service reports surrounding space.
func (a *app) secret(file, what string) (string, error) {
	if file != "" {
		data, err := a.read(file)
		return withoutLineEnd(string(data)), err
	}
	if f, ok := a.in.(*os.File); ok && a.prompts {
		say(a.err, "%s (input is hidden): ", what)
		data, err := term.ReadPassword(int(f.Fd()))
		say(a.err, "\n")
		if err != nil {
			return "", fmt.Errorf("read the %s from the terminal: %w; pass it in a file instead", what, err)
		}
		return string(data), nil
	}
	data, err := a.read("-")
	return withoutLineEnd(string(data)), err
}

// pipedIn returns the beginning of the standard input. An input that nobody writes
// to or closes, as under a scheduler, must not block the command, so it counts as
// empty after a while.
func (a *app) pipedIn() string {
	first := make(chan string, 1)
	go func() {
		buffer := make([]byte, 64)
		n, _ := io.ReadAtLeast(a.in, buffer, 1) // an unreadable input holds no token
		first <- strings.TrimSpace(string(buffer[:n]))
	}()
	wait := cmp.Or(a.inputWait, time.Second)
	select {
	case text := <-first:
		return text
	case <-time.After(wait):
		return ""
	}
}

func withoutLineEnd(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}
