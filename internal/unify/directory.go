package unify

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/directory"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// Agents lists the agents of an account as Dixa listed them a moment ago,
// and those who lost their rights. Errors are those of [Service.List].
//
// Dixa: GET /v1/agents.
func (s *Service) Agents(ctx context.Context, account string) ([]store.DirectoryRow, error) {
	entries, _, err := s.listed(ctx, account, mirror.KindAgent, directory.Listed, cacheFor)
	if err != nil {
		return nil, s.failed(ctx, account, err)
	}
	return s.withFormer(ctx, account, asRows(entries))
}

// Agent reads an agent from Dixa now. One whom Dixa no longer has is answered from the
// store, with GoneAt. The error is a 404 if neither knows the agent.
//
// Dixa: GET /v1/agents/{agentId}.
func (s *Service) Agent(ctx context.Context, account, id string) (store.DirectoryRow, error) {
	e, err := s.now(ctx, account, mirror.KindAgent, id)
	var missing *unified.Error
	if !errors.As(err, &missing) || missing.StatusCode != http.StatusNotFound {
		return store.DirectoryRow{DirectoryEntry: e}, err
	}
	return s.former(ctx, account, id, err)
}

// former returns an agent whom Dixa no longer has. The error is missing, which says so, if
// the store does not know the agent either.
func (s *Service) former(ctx context.Context, account, id string, missing error) (store.DirectoryRow, error) {
	row, err := s.Store.Mirror.DirectoryRow(ctx, account, mirror.KindAgent, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return row, missing
	case err == nil && row.GoneAt.IsZero():
		row.GoneAt = time.Now()
	}
	return row, err
}

// Teams lists the teams of an account as Dixa listed them a moment ago. The
// members take a request for each team.
//
// Dixa: GET /v1/teams and GET /v1/teams/{teamId}/agents.
func (s *Service) Teams(ctx context.Context, account string, members bool) ([]mirror.DirectoryEntry, error) {
	detail := directory.Listed
	if members {
		detail = directory.WithMembers
	}
	entries, _, err := s.listed(ctx, account, mirror.KindTeam, detail, cacheFor)
	if err != nil {
		return nil, s.failed(ctx, account, err)
	}
	return entries, nil
}

// Team reads a team from Dixa now, with its members if they are wanted. The error is a
// 404 if there is none.
//
// Dixa: GET /v1/teams/{teamId} and GET /v1/teams/{teamId}/agents.
func (s *Service) Team(ctx context.Context, account, id string, members bool) (mirror.DirectoryEntry, error) {
	e, err := s.now(ctx, account, mirror.KindTeam, id)
	if err != nil || !members {
		return e, err
	}
	client, err := s.Clients.Client(ctx, account)
	if err != nil {
		return e, s.failed(ctx, account, err)
	}
	if e.MemberIDs, err = directory.TeamMembers(ctx, client, id); err != nil {
		return e, s.failed(ctx, account, err)
	}
	return e, nil
}

// now reads an entry from Dixa. Ids that Dixa refuses are not found.
func (s *Service) now(ctx context.Context, account string, kind mirror.DirectoryKind, id string) (mirror.DirectoryEntry, error) {
	e, _, err := s.readOne(ctx, account, kind, id, 0)
	if refused, ok := dixa.AsError(err); ok && refused.Status == http.StatusBadRequest {
		err = notFound()
	}
	if err != nil {
		return e, s.failed(ctx, account, err)
	}
	return e, nil
}

// failed converts an error of a read, and has a refused token confirmed.
func (s *Service) failed(ctx context.Context, account string, err error) error {
	s.Clients.ConfirmRefusal(ctx, account, err)
	return errorOf(err)
}
