package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/store"
)

func (a *app) keyringCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "keyring", Short: "Create and rotate the keys that encrypt the store",
		Long: `Without its keyring a store cannot be decrypted. Keep a copy of the keyring
separate from the store.

Rotate keys without downtime:

  1. "keyring add" adds a key that can only decrypt.
  2. Deploy the keyring to every process and restart it.
  3. "keyring promote" makes the new key the primary: it encrypts from now on.
  4. Deploy the keyring to every process and restart it.
  5. "keyring reencrypt" re-encrypts everything with the primary key.
  6. "keyring prune" removes the old keys.

If CLAIMFLOW_KEYS is file:…, add, promote and prune update the file in place.
Otherwise they print the new keyring.`,
		Example: "  starter keyring new --file claimflow.keys\n  starter keyring add",
	}, a.keyringNew(), a.keyringAdd(), a.keyringPromote(), a.keyringReencrypt(), a.keyringPrune(), renamed("reseal", a.keyringReencrypt()))
}

func (a *app) keyringNew() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "new", Short: "Create a keyring for a new store", Example: "  starter keyring new --file keys.json   # then CLAIMFLOW_KEYS=file:keys.json\n  export CLAIMFLOW_KEYS=$(starter keyring new)",
		Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			text, err := seal.Generate()
			if err != nil {
				return err
			}
			if file == "" {
				say(a.out, "%s\n", text)
				return nil
			}
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return fmt.Errorf("create a keyring: %w; an existing keyring is never overwritten, see `starter keyring add`", err)
			}
			if _, err := f.WriteString(text + "\n"); err != nil {
				return fmt.Errorf("create a keyring: %w", err)
			}
			if err := f.Close(); err != nil {
				return fmt.Errorf("create a keyring: %w", err)
			}
			say(a.out, "CLAIMFLOW_KEYS=file:%s\n", file)
			return nil
		},
	}
	c.Flags().StringVar(&file, "file", "", "write the keyring to this file, which must not exist")
	return c
}

func (a *app) keyringAdd() *cobra.Command {
	return &cobra.Command{
		Use: "add", Short: "Add a new key that can only decrypt",
		Long:    "The first step of a rotation. Every process must have the new key before any process encrypts with it.",
		Example: "  starter keyring add", Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			return a.changeKeys(seal.Add, "has a new key. Deploy it to every process and restart it, then run `starter keyring promote`")
		},
	}
}

func (a *app) keyringPromote() *cobra.Command {
	return &cobra.Command{
		Use: "promote", Short: "Make the newest key the primary; older keys still decrypt",
		Long:    "Run it once every process has the newest key. A process without it cannot decrypt what is encrypted from now on.",
		Example: "  starter keyring promote", Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			return a.changeKeys(seal.Promote, "encrypts with its newest key. Deploy it to every process and restart it, then run `starter keyring reencrypt`")
		},
	}
}

func (a *app) keyringPrune() *cobra.Command {
	return &cobra.Command{
		Use: "prune", Short: "Remove the keys that no longer encrypt anything in the store",
		Long: "Fails while an old key still encrypts values in the store of CLAIMFLOW_DATABASE_URL. It does not check backups: " +
			"a backup made before \"keyring reencrypt\" needs the keyring of that time. Keep a copy of that keyring in another place for as long as you keep the backup.",
		Example: "  starter keyring prune", Args: arguments(),
		RunE: a.storing(func(ctx context.Context, s *store.Store, _ []string) error {
			n, err := s.CountOutdated(ctx)
			if err != nil {
				return err
			}
			if n > 0 {
				return fmt.Errorf("old keys still encrypt %d values, so no key was removed; run `starter keyring reencrypt` first. If you did, "+
					"a process still encrypts with an old key: deploy the new keyring to it and restart it", n)
			}
			if err := a.changeKeys(seal.Prune, "no longer has the old keys. Deploy it to every process with its next restart"); err != nil {
				return err
			}
			return s.AuditLog.Append(ctx, claim.AuditEntry{Actor: actor, Action: "prune-keys"})
		}),
	}
}

// changeKeys changes the keyring of CLAIMFLOW_KEYS, in its file if it has one. done
// completes the sentence "the keyring …".
func (a *app) changeKeys(change func(text string) (string, error), done string) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	if c.Keys == "" {
		return usage("CLAIMFLOW_KEYS is not set, so there is no keyring to change; `starter keyring new` creates one")
	}
	text, err := change(c.Keys.Reveal())
	if err != nil {
		return fmt.Errorf("CLAIMFLOW_KEYS: %w", err)
	}
	file, inFile := strings.CutPrefix(strings.TrimSpace(c.Keys.Reveal()), "file:")
	if !inFile {
		say(a.out, "%s\n", text)
		say(a.err, "The keyring above %s.\n", done)
		return nil
	}
	if err := replace(file, text+"\n"); err != nil {
		return fmt.Errorf("write the changed keyring: %w; the file is unchanged", err)
	}
	say(a.out, "%s %s.\n", file, done)
	return nil
}

// replace atomically replaces the content of a file.
func replace(file, content string) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // the rename moves it on success
	if _, err := f.WriteString(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

func (a *app) keyringReencrypt() *cobra.Command {
	return &cobra.Command{
		Use: "reencrypt", Short: "Re-encrypt everything with the primary key",
		Long:    "You can run it while the service runs, interrupt it and repeat it. Afterwards only backups need the old keys, and `starter keyring prune` removes them.",
		Example: "  starter keyring reencrypt", Args: arguments(),
		RunE: a.storing(func(ctx context.Context, s *store.Store, _ []string) error {
			n, err := s.Reencrypt(ctx)
			if err != nil {
				return err
			}
			err = s.AuditLog.Append(ctx, claim.AuditEntry{
				Actor: actor, Action: "reseal-store", Details: map[string]string{"values": strconv.Itoa(n)},
			})
			if err != nil {
				return err
			}
			return a.print(map[string]int{"reencrypted": n}, nil, func(w *tabwriter.Writer) { line(w, fmt.Sprintf("%d values re-encrypted", n)) })
		}),
	}
}
