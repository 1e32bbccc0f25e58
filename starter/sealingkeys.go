package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/store"
)

func (a *app) keysCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "keys", Short: "Make and rotate the keys that seal what the store keeps",
		Long: `The keys are worth as much as everything that they seal: keep a copy apart from
the store.

To rotate, so that every process can open at any time what any other seals:

  1. "keys add": a new key, which only opens for now
  2. give the new ring to every process and restart it
  3. "keys promote": the new key seals from now on
  4. give the new ring to every process and restart it
  5. "keys reseal": what old keys sealed is sealed with the new one
  6. "keys prune": the old keys go

Add, promote and prune change the file of CLAIMFLOW_KEYS=file:… in place; a ring
that is the variable's own text is printed as it has to be from then on.`,
		Example: "  starter keys new --file claimflow.keys\n  starter keys add",
	}, a.keysNew(), a.keysAdd(), a.keysPromote(), a.keysReseal(), a.keysPrune())
}

func (a *app) keysNew() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "new", Short: "Make keys for a new store", Example: "  starter keys new --file keys.json   # then CLAIMFLOW_KEYS=file:keys.json\n  export CLAIMFLOW_KEYS=$(starter keys new)",
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
				return fmt.Errorf("write new keys: %w; keys that exist are never overwritten, see `starter keys add`", err)
			}
			if _, err := f.WriteString(text + "\n"); err != nil {
				return fmt.Errorf("write new keys: %w", err)
			}
			if err := f.Close(); err != nil {
				return fmt.Errorf("write new keys: %w", err)
			}
			say(a.out, "CLAIMFLOW_KEYS=file:%s\n", file)
			return nil
		},
	}
	c.Flags().StringVar(&file, "file", "", "write them into this file, which must not exist")
	return c
}

func (a *app) keysAdd() *cobra.Command {
	return &cobra.Command{
		Use: "add", Short: "Add a new key, which only opens for now",
		Long:    "The first step of a rotation: a process must have the new key before another one seals with it.",
		Example: "  starter keys add", Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			return a.changeKeys(seal.Add, "has a new key. Give it to every process and restart it, then run `starter keys promote`")
		},
	}
}

func (a *app) keysPromote() *cobra.Command {
	return &cobra.Command{
		Use: "promote", Short: "Make the newest key the one that seals; what the others sealed still opens",
		Long:    "Run it when every process has the newest key: one that lacks it cannot open what is sealed from now on.",
		Example: "  starter keys promote", Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			return a.changeKeys(seal.Promote, "seals with its newest key. Give it to every process and restart it, then run `starter keys reseal`")
		},
	}
}

func (a *app) keysPrune() *cobra.Command {
	return &cobra.Command{
		Use: "prune", Short: "Drop the keys that nothing in the store is sealed with any more",
		Long: "Refused while the store of CLAIMFLOW_DATABASE_URL holds anything that an old key sealed. It cannot know what is elsewhere: " +
			"a backup made before \"keys reseal\" opens only with the ring of then, so keep a copy of that ring for as long as the backup, in another place.",
		Example: "  starter keys prune", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				n, err := s.Outdated(cmd.Context())
				if err != nil {
					return err
				}
				if n > 0 {
					return fmt.Errorf("the store holds %d values that old keys sealed, so no key was dropped; run `starter keys reseal` first, and if it did so already, "+
						"a process still seals with an old key: give it the new ring and restart it", n)
				}
				if err := a.changeKeys(seal.Prune, "has lost its old keys. Give it to every process when it is restarted next"); err != nil {
					return err
				}
				return s.AuditLog.Append(cmd.Context(), store.AuditEntry{Actor: actor, Action: "prune-keys"})
			})
		},
	}
}

// changeKeys changes the ring of CLAIMFLOW_KEYS, in its file where it has one.
// done says what was done to the ring.
func (a *app) changeKeys(change func(text string) (string, error), done string) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	if c.Keys == "" {
		return usage("CLAIMFLOW_KEYS is not set, so there is nothing to change; `starter keys new` makes keys")
	}
	text, err := change(c.Keys.Reveal())
	if err != nil {
		return fmt.Errorf("CLAIMFLOW_KEYS: %w", err)
	}
	file, inFile := strings.CutPrefix(strings.TrimSpace(c.Keys.Reveal()), "file:")
	if !inFile {
		say(a.out, "%s\n", text)
		say(a.err, "The ring above %s.\n", done)
		return nil
	}
	if err := replace(file, text+"\n"); err != nil {
		return fmt.Errorf("write the changed keys: %w; the file is as it was", err)
	}
	say(a.out, "%s %s.\n", file, done)
	return nil
}

// replace puts a new content in the place of a file in one step.
func replace(file, content string) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already where all went well
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

func (a *app) keysReseal() *cobra.Command {
	return &cobra.Command{
		Use: "reseal", Short: "Seal anew, with the key that seals, what old keys sealed",
		Long:    "Runs beside everything else and may be broken off and run again. After it the old keys are needed only for backups, and `starter keys prune` drops them.",
		Example: "  starter keys reseal", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				n, err := s.Reseal(cmd.Context())
				if err != nil {
					return err
				}
				err = s.AuditLog.Append(cmd.Context(), store.AuditEntry{
					Actor: actor, Action: "reseal-store", Details: map[string]string{"values": strconv.Itoa(n)},
				})
				if err != nil {
					return err
				}
				return a.print(map[string]int{"resealed": n}, func(w *tabwriter.Writer) { line(w, fmt.Sprintf("%d values sealed anew", n)) })
			})
		},
	}
}
