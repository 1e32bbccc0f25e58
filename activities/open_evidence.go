package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/evidence"
	"github.com/claimflow/claimflow/store"
)

// evidenceDraft records which of a claim's files are offered to Dixa.
type evidenceDraft struct {
	evidence.Result
	// Revision is the revision of the claim's body that names the files.
	Revision int64 `json:"revision,omitempty"`
	pieces
	// Refused are the files, by index, that Dixa rejected when sent separately, with
	// the reason.
	Refused map[int]string `json:"refused,omitempty"`
}

// attachments returns the files that are sent with the message itself.
func attachments(files evidenceDraft) []dixa.Attachment {
	if files.Separate {
		return nil
	}
	out := make([]dixa.Attachment, len(files.Files))
	for i, f := range files.Files {
		out[i] = dixa.Attachment{URL: f.URL, PrettyName: f.Name}
	}
	return out
}

func (e evidenceDraft) conversation(id int64) Conversation {
	return Conversation{ID: id, Attached: e.attached(), LeftOut: len(e.leftOut())}
}

// attached counts the files that are, or will be, in the conversation.
func (e evidenceDraft) attached() int { return len(e.Files) - len(e.Refused) }

// leftOut lists the files that are not in the conversation: those not offered and
// those that Dixa rejected.
func (e evidenceDraft) leftOut() []evidence.LeftOut {
	out := append([]evidence.LeftOut(nil), e.LeftOut...)
	for i, f := range e.Files {
		if reason, ok := e.Refused[i]; ok {
			out = append(out, evidence.LeftOut{File: f, Reason: reason})
		}
	}
	return out
}

// evidenceLimits returns the limits that a shop's settings put on the files.
func evidenceLimits(s claim.EvidenceSettings) evidence.Limits {
	return evidence.Limits{Files: s.MaxFiles, Bytes: map[evidence.Type]int{
		evidence.Image: s.Types.Image, evidence.PDF: s.Types.PDF,
		evidence.MP4: s.Types.MP4, evidence.MOV: s.Types.MOV, evidence.WebM: s.Types.WebM,
	}}
}

// Evidence checks the claims' files.
type Evidence struct {
	Store   *store.Store
	Checker *evidence.Checker
}

// CheckEvidence checks every file that the claim names and the template wants, and
// stores which of them are offered to Dixa. A file that cannot be offered is left
// out with a reason. It never stops a claim.
func (a *Evidence) CheckEvidence(ctx context.Context, ref claim.Ref) (EvidenceResult, error) {
	c, err := a.check(ctx, ref)
	return c, toTemporal("check the evidence", err)
}

func (a *Evidence) check(ctx context.Context, ref claim.Ref) (EvidenceResult, error) {
	var kept evidenceDraft
	err := a.Store.Claims.Draft(ctx, ref, draftEvidence, &kept)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return EvidenceResult{}, fmt.Errorf("read the earlier result: %w", err)
	}
	c, revision, err := a.Store.Claims.OpeningBody(ctx, ref)
	if err != nil {
		return EvidenceResult{}, fmt.Errorf("read the claim: %w", err)
	}
	// After files and parts of the text are sent separately, their indexes are keys.
	if !kept.whole() && kept.Revision == revision {
		return EvidenceResult{Files: len(kept.Files), LeftOut: len(kept.LeftOut)}, nil
	}
	integration, err := a.Store.Settings.Integration(ctx, ref.Shop)
	if err != nil {
		return EvidenceResult{}, fmt.Errorf("read the shop's settings: %w", err)
	}
	var t ticket
	if err := a.Store.Claims.Draft(ctx, ref, draftTicket, &t); err != nil {
		return EvidenceResult{}, fmt.Errorf("read the ticket: %w", err)
	}
	limits := evidenceLimits(integration.Effective.Evidence)
	checked, err := a.Checker.Check(ctx, evidence.Candidates(photosOf(c, t.Evidence)), limits)
	if err != nil {
		return EvidenceResult{}, err
	}
	if err := a.Store.Claims.SaveDraft(ctx, ref, draftEvidence, evidenceDraft{Result: checked, Revision: revision}); err != nil {
		return EvidenceResult{}, fmt.Errorf("save the result: %w", err)
	}
	return EvidenceResult{Files: len(checked.Files), LeftOut: len(checked.LeftOut)}, nil
}

// photosOf lists a claim's files of the kinds that the template wants, in the order
// item, claim, optional, signature.
func photosOf(c *claim.Claim, kinds []string) []evidence.Photos {
	wanted := map[string]bool{}
	for _, k := range kinds {
		wanted[k] = true
	}
	var out []evidence.Photos
	add := func(p evidence.Photos) {
		if wanted[p.Kind] {
			out = append(out, p)
		}
	}
	for _, i := range c.Items {
		sku := i.SKU
		if sku == "" {
			sku = i.Title
		}
		add(evidence.Photos{Kind: evidence.KindItem, SKU: sku, URLs: i.ImageURLs})
	}
	add(evidence.Photos{Kind: evidence.KindClaim, URLs: c.ImageURLs})
	add(evidence.Photos{Kind: evidence.KindOptional, URLs: c.OptionalImageURLs})
	add(evidence.Photos{Kind: evidence.KindSignature, URLs: []string{c.SignatureURL}})
	return out
}
