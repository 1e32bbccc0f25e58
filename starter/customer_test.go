package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCustomerErase(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	for _, wrong := range [][]string{
		{"--email", "ada@customer.example"},
		{"--shop", "acme"},
		{"--shop", "acme", "--email", "ada@customer.example", "--phone", "+45"},
	} {
		b.fails(exitUsage, append([]string{"customer", "erase"}, wrong...)...)
	}
	b.noted = []string{"Dixa was not asked: the shop is read-only"}
	out := b.ok("customer", "erase", "--shop", "acme", "--email", "ada@customer.example")
	require.Regexp(t, `State +done\n`, out)
	require.Contains(t, out, "read-only")
	require.NotContains(t, out, "customer.example")
	require.Contains(t, b.ok("customer", "erase", "--shop", "acme", "--end-user", "eu-1", "--dry-run"), "dry run: nothing was changed")
	require.Contains(t, b.ok("customer", "erase", "--shop", "acme", "--external-id", "cust-1", "-o", "json"), `"state": "done"`)

	b.left = map[string]int{"messages": 2}
	code, out, _ := b.run("", "customer", "erase", "--shop", "acme", "--phone", "+4512345678")
	require.NotEqual(t, exitOK, code)
	require.Regexp(t, `Left in messages +2`, out)
	require.Contains(t, b.fails(exitRefused, "customer", "erase", "--shop", "nobody", "--email", "ada@customer.example"), "nobody")
}

func TestCustomerErasures(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	b.fails(exitUsage, "customer", "erasures")
	b.ok("customer", "erase", "--shop", "acme", "--email", "ada@customer.example")
	list, err := b.store.Erasures.List(t.Context(), "acme")
	require.NoError(t, err)
	require.Len(t, list, 1)
	out := b.ok("customer", "erasures", "--shop", "acme")
	require.Contains(t, out, list[0].ID)
	require.NotContains(t, out, "customer.example")
	require.Regexp(t, `State +done`, b.ok("customer", "erasures", "--shop", "acme", list[0].ID))
	b.fails(exitRefused, "customer", "erasures", "--shop", "acme", "unknown")
}
