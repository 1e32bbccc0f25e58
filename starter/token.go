package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// token reads a Dixa token from a file, the environment, a person or the
// standard input. One end of line is taken off, nothing else: that space around a
// token is wrong is for the service to say.
func (a *app) token(file string) (string, error) {
	if file != "" {
		data, err := a.read(file)
		return withoutLineEnd(string(data)), err
	}
	c, err := a.config()
	if err != nil || c.DixaToken != "" {
		return c.DixaToken.Reveal(), err
	}
	if f, ok := a.in.(*os.File); ok && a.prompts {
		say(a.err, "Dixa API token (it is not shown): ")
		data, err := term.ReadPassword(int(f.Fd()))
		say(a.err, "\n")
		if err != nil {
			return "", fmt.Errorf("read the token from the terminal: %w; give it by --token-file", err)
		}
		return string(data), nil
	}
	data, err := a.read("-")
	if err != nil {
		return "", err
	}
	if token := withoutLineEnd(string(data)); token != "" {
		return token, nil
	}
	return "", usage("no token was given: use --token-file, CLAIMFLOW_DIXA_TOKEN or the standard input")
}

func withoutLineEnd(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}
