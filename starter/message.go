package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"golang.org/x/net/html"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (a *app) claimMessages() *cobra.Command {
	return &cobra.Command{
		Use: "messages SHOP CLAIM", Short: "List the messages and notes of a claim's conversation",
		Example: "  starter claim messages acme c-10001\n  starter claim messages acme c-10001 -o json",
		Args:    arguments("SHOP", "CLAIM"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			messages := []claim.Message{}
			for m, err := range api.Messages(ctx, claim.Ref{Shop: args[0], ID: args[1]}) {
				if err != nil {
					return aboutClaim(ctx, api, args[0], err)
				}
				messages = append(messages, m)
			}
			return a.print(messages, nil, func(w *tabwriter.Writer) {
				line(w, "TIME", "TYPE", "AUTHOR", "FILES", "TEXT")
				for _, m := range messages {
					by := ""
					if m.Author != nil {
						by = cmp.Or(m.Author.Name, m.Author.ID)
					}
					words := strings.Join(strings.Fields(withoutMarkup(cmp.Or(m.Text, m.HTML))), " ")
					if r := []rune(words); len(r) > 60 {
						words = string(r[:59]) + "…"
					}
					line(w, m.At.Local().Format(time.DateTime), cmp.Or(m.Direction, m.Kind), by, fmt.Sprint(len(m.Attachments)), words)
				}
			})
		}),
	}
}

// withoutMarkup returns the words of a message, whose text may also be HTML.
func withoutMarkup(text string) string {
	if !strings.Contains(text, "</") {
		return text
	}
	var words strings.Builder
	for t := html.NewTokenizer(strings.NewReader(text)); ; {
		switch t.Next() {
		case html.ErrorToken: // the end, because the input is in memory
			return words.String()
		case html.TextToken:
			words.WriteString(t.Token().Data + " ")
		}
	}
}

// savedFile is a file of a message and its location on disk.
type savedFile struct {
	Message string `json:"message_id"`
	Name    string `json:"name"`
	Path    string `json:"path,omitempty"`
	Problem string `json:"problem,omitempty"`
}

func (a *app) claimFiles() *cobra.Command {
	folder := "."
	c := &cobra.Command{
		Use: "files SHOP CLAIM", Short: "Download the files of a claim's conversation",
		Long: "Downloads the files of all messages from Dixa to a directory, numbered in message order. " +
			"Existing files are not overwritten. Exits with 1 if a file cannot be downloaded.",
		Example: "  starter claim files acme c-10001 --to ./c-10001", Args: arguments("SHOP", "CLAIM"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			if err := os.MkdirAll(folder, 0o750); err != nil {
				return err
			}
			saved, err := saveFiles(ctx, api, claim.Ref{Shop: args[0], ID: args[1]}, folder)
			if err != nil {
				return aboutClaim(ctx, api, args[0], err)
			}
			return a.printSaved(saved)
		}),
	}
	c.Flags().StringVar(&folder, "to", folder, "the directory; created if it does not exist")
	return c
}

// saveFiles saves the files of all messages of a claim. Names are untrusted; see
// fileName.
func saveFiles(ctx context.Context, api *client.Client, ref claim.Ref, folder string) ([]savedFile, error) {
	saved := []savedFile{}
	for m, err := range api.Messages(ctx, ref) {
		if err != nil {
			return nil, err
		}
		for _, file := range m.Attachments {
			name := strings.Map(fileName, file.Name)
			s := savedFile{Message: m.ID, Name: name, Path: filepath.Join(folder, fmt.Sprintf("%02d-%s", len(saved)+1, name))}
			if err := saveFile(ctx, api, ref, m.ID, file.ID, s.Path); err != nil {
				s.Path, s.Problem = "", err.Error()
			}
			saved = append(saved, s)
		}
	}
	return saved, nil
}

func saveFile(ctx context.Context, api *client.Client, ref claim.Ref, message, attachment, path string) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	data, err := api.Attachment(ctx, ref, message, attachment)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return errors.Join(err, os.Remove(path)) // a partial file would pass for a complete one
	}
	return nil
}

// fileName keeps a name from being a path and from controlling a terminal.
func fileName(r rune) rune {
	if r == '/' || r == '\\' || r == ':' {
		return '_'
	}
	return printable(r)
}

func (a *app) printSaved(saved []savedFile) error {
	failed := false
	err := a.print(saved, nil, func(w *tabwriter.Writer) {
		line(w, "FILE", "SAVED AS")
		for _, s := range saved {
			line(w, s.Name, cmp.Or(s.Path, "not saved: "+s.Problem))
		}
	})
	for _, s := range saved {
		failed = failed || s.Problem != ""
	}
	if err == nil && failed {
		return errReported
	}
	return err
}

// sendFlags are the flags that reply and note share.
type sendFlags struct {
	text, key string
	noWait    bool
}

func (f *sendFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.text, "text", "", "the text of the message")
	c.Flags().StringVar(&f.key, "key", "", "the idempotency key: a message with the same key is sent once (default: a new key)")
	c.Flags().BoolVar(&f.noWait, "no-wait", false, "do not wait until the message is sent")
}

func (a *app) claimReply() *cobra.Command {
	var f sendFlags
	m := client.NewMessage{Kind: claim.InstructReply}
	c := &cobra.Command{
		Use: "reply SHOP CLAIM --text TEXT", Short: "Send a message to the customer",
		Example: "  starter claim reply acme c-10001 --text \"Your refund is on its way.\"\n  starter claim reply acme c-10001 --text \"See the label.\" --attach https://acme.example/label.pdf",
		Args:    arguments("SHOP", "CLAIM"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			return a.send(ctx, api, args, f, m)
		}),
	}
	f.add(c)
	c.Flags().StringVar(&m.HTML, "html", "", "the text as HTML, instead of --text")
	c.Flags().StringVar(&m.AgentID, "agent", "", "the Dixa agent who sends the message (default: the shop's default agent)")
	c.Flags().StringSliceVar(&m.Attachments, "attach", nil, "the URL of a file to attach; can be repeated")
	return c
}

func (a *app) claimNote() *cobra.Command {
	var f sendFlags
	c := &cobra.Command{
		Use: "note SHOP CLAIM --text TEXT", Short: "Add an internal note; the customer never sees it",
		Example: "  starter claim note acme c-10001 --text \"The warehouse found the parcel.\"",
		Args:    arguments("SHOP", "CLAIM"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			return a.send(ctx, api, args, f, client.NewMessage{Kind: claim.InstructNote})
		}),
	}
	f.add(c)
	return c
}

// sendLook is how often to check whether a message was sent.
const sendLook = 300 * time.Millisecond

func (a *app) send(ctx context.Context, api *client.Client, args []string, f sendFlags, m client.NewMessage) error {
	m.Text = f.text
	if m.Text == "" && m.HTML == "" {
		return usage("the message is empty; set --text")
	}
	key := cmp.Or(f.key, uuid.NewString())
	ref := claim.Ref{Shop: args[0], ID: args[1]}
	in, err := api.Send(ctx, ref, key, m)
	if err != nil {
		return aboutClaim(ctx, api, args[0], err)
	}
	for !f.noWait && in.State == claim.InstructionWaiting {
		select {
		case <-ctx.Done():
			return fmt.Errorf("message %s is accepted but not sent yet; check the claim with `starter claim show %s %s`: %w", key, ref.Shop, ref.ID, context.Cause(ctx))
		case <-time.After(sendLook):
		}
		if in, err = api.Instruction(ctx, ref, key); err != nil {
			return err
		}
	}
	if err := a.print(in, nil, func(w *tabwriter.Writer) {
		line(w, "Key", in.ID)
		line(w, "State", string(in.State))
		if in.Why != "" {
			line(w, "Reason", in.Why)
		}
		var sent struct {
			MessageID string `json:"message_id"`
		}
		if json.Unmarshal(in.Result, &sent) == nil && sent.MessageID != "" {
			line(w, "Message", sent.MessageID)
		}
	}); err != nil {
		return err
	}
	if in.State == claim.InstructionRefused {
		return fmt.Errorf("the message was not sent: %s", in.Why)
	}
	return nil
}
