package activities_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

func (b *importBench) messages(id int64) map[string]mirror.Message {
	b.Helper()
	messages, err := b.store.Mirror.Messages(b.Context(), b.connection, id)
	require.NoError(b, err)
	found := map[string]mirror.Message{}
	for _, m := range messages {
		found[m.ID] = m
	}
	return found
}

func (b *importBench) patch(path string) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPatch, b.host+"/v1"+path, http.NoBody)
	require.NoError(b, err)
	r.Header.Set("Authorization", "demo-token")
	answer, err := http.DefaultClient.Do(r)
	require.NoError(b, err)
	require.NoError(b, answer.Body.Close())
	require.Less(b, answer.StatusCode, 300, path)
	b.dixa.Settle()
}

// Messages that were imported once are read again if their conversation changed: their
// export knows only when they were created.
func TestChangedMessagesAreReadAgain(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 20, server.Switches{}, 20*24*time.Hour)
	b.everything()
	b.importAll(claim.ImportRequest{})
	var redacted, anonymized server.Truth
	for _, c := range b.dixa.Truth() {
		switch {
		case len(c.Messages) == 0 || !c.AnonymizedAt.IsZero() || c.Messages[0].Text == "":
		case redacted.ID == 0:
			redacted = c
		default:
			anonymized = c
		}
	}
	first := redacted.Messages[0]
	require.Equal(t, first.Text, b.messages(redacted.ID)[first.ID].Text+b.messages(redacted.ID)[first.ID].HTML)
	b.patch("/conversations/" + jsonOf(redacted.ID) + "/messages/" + first.ID + "/anonymize")
	b.patch("/conversations/" + jsonOf(anonymized.ID) + "/anonymize?force=true")
	i := b.importAll(claim.ImportRequest{})
	require.Positive(t, i.Changed)
	m := b.messages(redacted.ID)[first.ID]
	require.Empty(t, m.Text+m.HTML)
	require.True(t, m.Redacted)
	for _, m := range b.messages(anonymized.ID) {
		require.Empty(t, m.Text+m.HTML+m.From, "message %s of the anonymized conversation", m.ID)
	}
	c, err := b.store.Mirror.Conversation(t.Context(), b.connection, anonymized.ID)
	require.NoError(t, err)
	require.False(t, c.Reported.AnonymizedAt.IsZero())
	require.Empty(t, c.Origin.Subject+c.Origin.Email+c.Origin.Phone)
	b.requireTruth(true)
}

// periods are the windows of an import by stream.
func periods(windows []claim.ImportWindow) map[claim.Stream]time.Duration {
	sum := map[claim.Stream]time.Duration{}
	for _, w := range windows {
		sum[w.Stream] += w.To.Sub(w.From)
	}
	return sum
}

// A source that reaches further back adds windows for what is missing. One that selects
// more reads all again. Both end as one import of the two.
func TestSecondSource(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	b := newImportBench(t, 30, server.Switches{}, 50*day)
	now := time.Now()
	d := b.source(claim.DataSource{Title: "Mail of the last days", Channels: []string{"Email"}, From: now.Add(-10 * day)})
	b.importAll(claim.ImportRequest{})

	began := time.Now()
	older := b.source(claim.DataSource{Title: "Older mail", Channels: []string{"email"}, From: now.Add(-55 * day)})
	i := b.importAll(claim.ImportRequest{})
	for stream, read := range periods(i.Windows) {
		if stream != claim.StreamDirectory {
			require.InDelta(t, 45*day+time.Hour, read, float64(time.Hour), "only what is missing of %s", stream)
		}
	}
	idle := b.importAll(claim.ImportRequest{})
	for stream, read := range periods(idle.Windows) {
		require.LessOrEqual(t, read, time.Hour+time.Since(began)+time.Second, stream)
	}
	require.Zero(t, idle.Added+idle.Changed)

	require.NoError(t, b.store.DataSources.Delete(t.Context(), b.connection, d.ID))
	older.Channels = nil
	_, err := b.store.DataSources.Update(t.Context(), b.connection, older)
	require.NoError(t, err)
	i = b.importAll(claim.ImportRequest{})
	require.InDelta(t, 55*day, periods(i.Windows)[claim.StreamConversations], float64(time.Hour))
	b.requireTruth(true)
}

// A source of some streams brings what they need, and nothing else.
func TestStreamsOfASource(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		streams                          []claim.Stream
		conversations, messages, entries bool
	}{
		"ratings":       {[]claim.Stream{claim.StreamRatings}, true, false, false},
		"messages":      {[]claim.Stream{claim.StreamMessages}, true, true, false},
		"activity logs": {[]claim.Stream{claim.StreamActivityLogs}, true, false, true},
		"directory":     {[]claim.Stream{claim.StreamDirectory}, false, false, false},
	} {
		for _, access := range []claim.ImportAccess{claim.AccessExports, claim.AccessSearch} {
			t.Run(name+" by "+string(access), func(t *testing.T) {
				t.Parallel()
				b := newImportBench(t, 10, server.Switches{}, 5*24*time.Hour)
				if access == claim.AccessSearch {
					b.dixa.Inject(server.Fault{Operation: conversationExport, Kind: server.FaultStatus, Status: http.StatusForbidden})
				}
				b.source(claim.DataSource{Title: name, Streams: tt.streams, From: time.Now().AddDate(0, 0, -6)})
				i := b.importAll(claim.ImportRequest{})
				require.Equal(t, access, i.Access)
				var conversations, messages, entries int
				for _, id := range b.ids() {
					c, err := b.store.Mirror.Conversation(t.Context(), b.connection, id)
					require.NoError(t, err)
					if !c.Origin.CreatedAt.IsZero() {
						conversations++
					}
					for _, m := range b.messages(id) {
						if m.Kind == claim.MessageKind {
							messages++
						}
					}
					found, err := b.store.Mirror.Activities(t.Context(), b.connection, id)
					require.NoError(t, err)
					entries += len(found)
				}
				require.Equal(t, tt.conversations, conversations == 10, "%d conversations", conversations)
				require.Equal(t, tt.messages, messages > 0, "%d messages", messages)
				require.Equal(t, tt.entries, entries > 0, "%d entries", entries)
			})
		}
	}
}

// A conversation that moves to a queue that a source selects brings its messages and
// its log, although those of its time were imported before.
func TestConversationThatIsSelectedLater(t *testing.T) {
	t.Parallel()
	for _, access := range []claim.ImportAccess{claim.AccessExports, claim.AccessSearch} {
		t.Run(string(access), func(t *testing.T) {
			t.Parallel()
			now := &movable{}
			b := setupImport(t, importSetup{conversations: 12, span: 6 * 24 * time.Hour, clock: now.Now})
			if access == claim.AccessSearch {
				b.dixa.Inject(server.Fault{Operation: conversationExport, Kind: server.FaultStatus, Status: http.StatusForbidden})
			}
			b.source(claim.DataSource{Title: "Claims", QueueIDs: []string{server.SeedQueueClaims}, From: time.Now().AddDate(0, 0, -7)})
			i := b.plan(claim.ImportRequest{})
			for _, w := range b.waiting(i) {
				b.finish(i, w)
			}
			now.Move(2 * store.OrphanGrace)
			b.end(i)
			now.Move(-2 * store.OrphanGrace)
			moved := 0
			for _, c := range b.dixa.Truth() {
				if c.QueueID != server.SeedQueueClaims && len(c.Messages) > 1 && c.AnonymizedAt.IsZero() {
					require.Empty(t, b.messages(c.ID))
					b.act(c.ID, server.Step{Action: server.PlayTransfer, Queue: server.SeedQueueClaims})
					moved++
				}
			}
			require.Positive(t, moved)
			b.importAll(claim.ImportRequest{})
			for _, c := range b.dixa.Truth() {
				if c.QueueID != server.SeedQueueClaims {
					continue
				}
				for _, m := range c.Messages {
					require.Contains(t, b.messages(c.ID), m.ID)
				}
				entries, err := b.store.Mirror.Activities(t.Context(), b.connection, c.ID)
				require.NoError(t, err)
				require.Len(t, entries, len(c.Activity), "the log of %d", c.ID)
			}
		})
	}
}

// The conversation of a claim is stored although no source selects it.
func TestClaimsConversationIsNeverExcluded(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 5, server.Switches{}, 5*24*time.Hour)
	id := b.ids()[2]
	_, err := b.store.Claims.Accept(t.Context(), &claim.Claim{
		ID: "c-1", Shop: "acme", Reason: "damaged", Preference: "refund", Customer: claim.Customer{Email: "anna@example.org"}, Order: claim.Order{Number: "1"},
	})
	require.NoError(t, err)
	require.NoError(t, b.store.Links.Create(t.Context(), store.LinkInput{Ref: claim.Ref{Shop: "acme", ID: "c-1"}, ConnectionID: b.connection, ConversationID: id}))
	b.source(claim.DataSource{Title: "Nothing", Channels: []string{"Fax"}, From: time.Now().AddDate(0, 0, -6)})
	b.importAll(claim.ImportRequest{})
	for _, want := range b.dixa.Truth() {
		c, err := b.store.Mirror.Conversation(t.Context(), b.connection, want.ID)
		require.NoError(t, err)
		require.Equal(t, want.ID == id, !c.Origin.CreatedAt.IsZero())
		if want.ID == id {
			require.GreaterOrEqual(t, len(b.messages(id)), len(want.Messages))
		}
	}
}

func jsonOf(id int64) string { return ms(time.UnixMilli(id)) }
