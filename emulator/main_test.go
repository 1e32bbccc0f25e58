package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// run runs the command with the arguments. It returns the address, a function that
// stops the command, and its result.
func run(t *testing.T, args ...string) (address string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	cmd := command()
	cmd.SetArgs(longFlags(args))
	cmd.SetOut(writer)
	cmd.SetErr(io.Discard)
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.ExecuteContext(ctx)
		_ = writer.Close()
	}()
	var said bytes.Buffer
	buffer := make([]byte, 1024)
	for !strings.Contains(said.String(), "Ctrl-C") {
		n, err := reader.Read(buffer)
		require.NoError(t, err, "the command exited early with output %q", said.String())
		said.Write(buffer[:n])
	}
	found := regexp.MustCompile(`API\s+(http://\S+)/v1`).FindStringSubmatch(said.String())
	require.NotNil(t, found, said.String())
	return found[1], func() error {
		cancel()
		return <-ended
	}
}

func TestCommandServesAndStops(t *testing.T) {
	t.Parallel()
	address, stop := run(t, "-addr", "127.0.0.1:0", "-token", "one", "-token", "two", "-limit", "off")
	for token, status := range map[string]int{"one": 200, "two": 200, "demo-token": 401} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/v1/organization", nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", token)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, status, response.StatusCode, token)
	}
	require.NoError(t, stop())
	_, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(address, "http://"))
	require.Error(t, err, "the port is still in use")
}

func TestCommandStopsDuringDelayedResponse(t *testing.T) {
	t.Parallel()
	address, stop := run(t, "-addr", "127.0.0.1:0")
	fault, err := http.Post(address+"/_emulator/faults", "application/json", strings.NewReader(`{"kind":"delay","delay":"1h"}`))
	require.NoError(t, err)
	require.NoError(t, fault.Body.Close())
	answered := make(chan error, 1)
	go func() {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/v1/organization", nil)
		if err != nil {
			answered <- err
			return
		}
		request.Header.Set("Authorization", "demo-token")
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			err = response.Body.Close()
		}
		answered <- err
	}()
	require.Eventually(t, func() bool {
		response, err := http.Get(address + "/_emulator/stats")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return err == nil && strings.Contains(string(body), `"struck":1`)
	}, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, stop())
	require.NoError(t, <-answered, "the delayed response was not sent at shutdown")
}

func TestCommandPersistsData(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dixa.json")
	for _, status := range []int{http.StatusCreated, http.StatusBadRequest} {
		address, stop := run(t, "-addr", "127.0.0.1:0", "-data", path)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/v1/endusers", strings.NewReader(`{"email":"a@example.org"}`))
		require.NoError(t, err)
		request.Header.Set("Authorization", "demo-token")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, status, response.StatusCode, "the second run did not load the saved state")
		require.NoError(t, stop())
	}
}

func TestCommandFills(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dixa.json")
	for range 2 { // the second run does not fill again
		address, stop := run(t, "-addr", "127.0.0.1:0", "-data", path, "-fill", "30", "-fill-seed", "5")
		for conversation, status := range map[string]int{"1001": http.StatusOK, "1030": http.StatusOK, "1031": http.StatusNotFound} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/v1/conversations/"+conversation, nil)
			require.NoError(t, err)
			request.Header.Set("Authorization", "demo-token")
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, status, response.StatusCode, conversation)
		}
		require.NoError(t, stop())
	}
}

func TestCommandErrors(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	for words, args := range map[string][]string{
		"the address is already in use; stop the process that uses it or set another address with -addr": {"-addr", taken.Addr().String()},
		"flag -limit: invalid setting":                                         {"-limit", "none"},
		"flag -token: at least one token is required":                          {"-token", ""},
		"flag -fill: the number of conversations must not be negative, got -1": {"-fill", "-1"},
		"unknown command": {"serve"},
	} {
		cmd := command()
		cmd.SetArgs(longFlags(args))
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		require.ErrorContains(t, cmd.ExecuteContext(t.Context()), words)
	}
}
