package api_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/mirror"
)

func names(list any, member string) []string {
	var all []string
	items, _ := list.([]any)
	for _, item := range items {
		o, _ := item.(map[string]any)
		name, _ := o[member].(string)
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// at returns a member of nested objects.
func at(o map[string]any, path ...string) any {
	var v any = o
	for _, name := range path {
		members, _ := v.(map[string]any)
		v = members[name]
	}
	return v
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func TestTicketIsCreatedWithEverything(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	made := b.done("POST", "/unified/ticketing/tickets", `{
		"name": "A vase", "description": "It is broken.",
		"contact": {"name": "Ada Lovelace", "emails": [{"email": "ada@example.org", "type": "primary"}]},
		"collections": [{"id": "`+emulator.SeedReturnsMailbox+`", "type": "contact_endpoint"}, {"id": "`+emulator.SeedQueueClaims+`", "type": "queue"}],
		"assignees": [{"id": "`+emulator.SeedAgentBen+`"}], "tags": [{"name": "vip"}, "broken"], "custom_fields": {"order_number": "10001"},
		"remote_data": {"language": "de"}}`)
	c := b.conversation()
	require.Equal(t, "A vase", made["name"])
	require.Equal(t, []string{"broken", "vip"}, names(made["tags"], "name"))
	require.Equal(t, []string{emulator.SeedAgentBen}, names(made["assignees"], "id"))
	require.Equal(t, []string{emulator.SeedQueueClaims, emulator.SeedReturnsMailbox}, names(made["collections"], "id"))
	require.Equal(t, map[string]any{"order_number": "10001"}, made["custom_fields"])
	require.Equal(t, "de", c.Language)
	require.Len(t, c.Messages, 1)
	require.Equal(t, emulator.Inbound, c.Messages[0].Direction)
	require.Equal(t, b.done("GET", "/unified/ticketing/tickets/"+text(made["id"])+"?live=true", ""), made, "the answer must be what a read gives")

	again := b.done("POST", "/unified/ticketing/tickets", `{"name": "Another", "description": "Also broken.", "contact": {"emails": [{"email": "ADA@example.org"}]}}`)
	require.Equal(t, at(made, "contact", "id"), at(again, "contact", "id"), "the contact must be found")

	sent := b.done("POST", "/unified/ticketing/tickets", `{"name": "News", "html_description": "<p>Your vase is on its way.</p>", "contact": {"id": "`+text(at(again, "contact", "id"))+`"},
		"created_by": {"id": "`+emulator.SeedAgentAnna+`", "type": "user"}, "status": "closed"}`)
	require.Equal(t, "closed", at(sent, "status", "id"))
	c = b.conversation()
	require.Equal(t, emulator.Outbound, c.Messages[0].Direction)
	require.Equal(t, emulator.SeedAgentAnna, c.Messages[0].AuthorID)
}

func TestTicketIsUpdated(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	ticket := "/unified/ticketing/tickets/" + b.ticket()
	due := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)

	made := b.done("PATCH", ticket, `{"tags": ["a", "b"], "assignees": [{"id": "`+emulator.SeedAgentAnna+`"}], "custom_fields": {"order_number": "10002"}}`)
	require.Equal(t, []string{"a", "b"}, names(made["tags"], "name"))
	require.Equal(t, []string{emulator.SeedAgentAnna}, names(made["assignees"], "id"))
	made = b.done("PUT", ticket, `{"tags": [{"name": "b"}, {"name": "c"}]}`)
	require.Equal(t, []string{"b", "c"}, names(made["tags"], "name"))
	made = b.done("PATCH", ticket, `{"collections": [{"id": "`+emulator.SeedQueueClaims+`", "type": "queue"}]}`)
	require.Empty(t, made["assignees"])
	require.Contains(t, names(made["collections"], "id"), emulator.SeedQueueClaims)
	made = b.done("PATCH", ticket, `{"status": {"id": "pending"}, "due_date": "`+due.Format(time.RFC3339)+`"}`)
	require.Equal(t, "pending", at(made, "status", "id"))
	made = b.done("PATCH", ticket, `{"status": {"name": "closed"}, "custom_fields": {"order_number": null}}`)
	require.Equal(t, "closed", at(made, "status", "id"))
	require.NotNil(t, made["closed_at"])
	made = b.done("PATCH", ticket, `{"status": "open", "tags": []}`)
	require.Equal(t, "open", at(made, "status", "id"))
	require.Empty(t, made["tags"])

	r := b.send("PATCH", ticket, "", `{"custom_fields": {"no_such_field": "x"}}`)
	require.Equal(t, http.StatusBadRequest, r.status, r.raw)
	require.Contains(t, r.raw, "custom_fields.no_such_field")
	r = b.send("DELETE", ticket, "", "")
	require.Equal(t, http.StatusNotImplemented, r.status, r.raw)
	r = b.send("PATCH", "/unified/ticketing/tickets/999999", "", `{"status": "closed"}`)
	require.Equal(t, http.StatusNotFound, r.status, r.raw)
	require.Equal(t, true, r.body["truto_is_remote_error"])
}

func TestRepliesAndNotesAreNeverConfused(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := b.ticket()
	const path = "/unified/ticketing/comments"
	made := b.done("POST", path, `{"ticket": {"id": "`+id+`"}, "html_body": "<p>We send another.</p>", "author": {"id": "`+emulator.SeedAgentAnna+`", "type": "user"}}`)
	require.Equal(t, false, made["is_private"])
	require.Equal(t, "user", at(made, "author", "type"))
	made = b.done("POST", path, `{"ticket": {"id": "`+id+`"}, "body": "Thank you.", "author": {"type": "contact"}, "is_internal": false}`)
	require.Equal(t, "contact", at(made, "author", "type"))
	b.done("POST", path, `{"ticket": {"id": "`+id+`"}, "html_body": "<b>Careful</b>", "is_internal": true, "author": {"id": "`+emulator.SeedAgentBen+`"}}`)
	c := b.conversation()
	require.Len(t, c.Messages, 3)
	require.Equal(t, []string{emulator.Inbound, emulator.Outbound, emulator.Inbound}, []string{c.Messages[0].Direction, c.Messages[1].Direction, c.Messages[2].Direction})
	require.Len(t, c.Notes, 1)
	require.Equal(t, "Careful", c.Notes[0].Text)
	require.Equal(t, emulator.SeedAgentBen, c.Notes[0].AuthorID)

	for body, field := range map[string]string{
		`{"body": "x", "is_private": true, "is_internal": false}`:                      "is_internal",
		`{"body": "x", "is_private": true, "author": {"type": "contact"}}`:             "author.type",
		`{"body": "x", "is_private": true, "attachments": [{"file_url": "http://x"}]}`: "attachments",
		`{"is_private": true}`:             "body",
		`{"body": "x"}`:                    "author.id",
		`{"body": "x", "is_privat": true}`: "is_privat",
		`{"body": "x", "ticket": {"id": "a"}, "author": {"id": 7}}`: "author.id",
	} {
		if !strings.Contains(body, `"ticket"`) {
			body = `{"ticket": {"id": "` + id + `"}, ` + body[1:]
		}
		r := b.send("POST", path, "", body)
		require.GreaterOrEqual(t, r.status, 400, body)
		require.Contains(t, r.raw, field, body)
	}
	c = b.conversation()
	require.Len(t, c.Messages, 3)
	require.Len(t, c.Notes, 1)
}

func TestFilesAreSentByContentAndByAddress(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := b.ticket()
	content := []byte("%PDF-1.7\nthe label")
	made := b.done("POST", "/unified/ticketing/comments", `{"ticket": {"id": "`+id+`"}, "body": "Here is the label.", "author": {"id": "`+emulator.SeedAgentAnna+`"},
		"attachments": [{"file_name": "label.pdf", "content_type": "application/pdf", "data": "`+base64.StdEncoding.EncodeToString(content)+`"}]}`)
	require.Equal(t, []string{"label.pdf"}, names(made["attachments"], "file_name"))
	c := b.conversation()
	files := c.Messages[len(c.Messages)-1].Attachments
	require.Len(t, files, 1)
	require.Equal(t, "label.pdf", files[0].PrettyName)
	require.Equal(t, content, b.copied("/files"+files[0].Path), "Dixa must have fetched the file")

	// The address was ours; it has ended with the operation.
	r := b.send("GET", "/operations/files/AAAA", "", "")
	require.Equal(t, http.StatusNotFound, r.status)

	r = b.send("POST", "/unified/ticketing/comments", "", `{"ticket": {"id": "`+id+`"}, "body": "x", "author": {"id": "`+emulator.SeedAgentAnna+`"}, "attachments": [{"file_url": "`+b.url+`/nothing"}]}`)
	require.Equal(t, http.StatusBadRequest, r.status, r.raw)
	require.Equal(t, true, r.body["truto_is_remote_error"])
	require.Len(t, b.conversation().Messages, 2)
}

func TestContactsAreWritten(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	const path = "/unified/ticketing/contacts"
	made := b.done("POST", path, `{"name": "Grace Hopper", "first_name": "Grace", "emails": [{"email": "grace@example.org"}, {"email": "hopper@example.org"}],
		"phones": [{"number": "+4520304050"}], "external_id": "c-1", "custom_fields": {"loyalty_tier": "gold"}, "remote_data": {"middleNames": ["Brewster"]}}`)
	require.Equal(t, "Grace Hopper", made["name"])
	require.Equal(t, []string{"grace@example.org", "hopper@example.org"}, names(made["emails"], "email"))
	require.Equal(t, map[string]any{"loyalty_tier": "gold"}, made["custom_fields"])
	contact := path + "/" + text(made["id"])
	made = b.done("PATCH", contact, `{"name": "Rear Admiral", "custom_fields": {"loyalty_tier": null}}`)
	require.Equal(t, "Rear Admiral", made["name"])
	require.Equal(t, []string{"grace@example.org", "hopper@example.org"}, names(made["emails"], "email"))

	r := b.send("POST", path, "", `{"name": "Somebody", "emails": ["grace@example.org"]}`)
	require.Equal(t, http.StatusBadRequest, r.status, r.raw)
	require.Contains(t, r.raw, "emails")
	r = b.send("POST", path, "", `{"name": "Nobody", "account_id": "7", "remote_data": {"nickname": "x"}}`)
	require.Equal(t, http.StatusBadRequest, r.status, r.raw)
	for _, part := range []string{"missing_required_body_fields", "emails", "account_id", "nickname"} {
		require.Contains(t, r.raw, part)
	}
	r = b.send("DELETE", contact, "", "")
	require.Equal(t, http.StatusNotImplemented, r.status)
	r = b.send("PATCH", contact, "", `{"anonymize": true, "name": "x"}`)
	require.Equal(t, http.StatusBadRequest, r.status)
	b.done("PATCH", contact, `{"anonymize": true}`)
	require.NotEmpty(t, b.dixa.State().Anonymizations)
}

func TestTagsAreWritten(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	const path = "/unified/ticketing/tags"
	made := b.done("POST", path, `{"name": "fragile", "color": "#00aaff"}`)
	require.Equal(t, "active", made["status"])
	tag := path + "/" + text(made["id"])
	require.Equal(t, made["id"], b.done("POST", path, `{"name": "fragile"}`)["id"])
	require.Equal(t, "inactive", b.done("PATCH", tag, `{"status": "inactive"}`)["status"])
	require.Equal(t, "active", b.done("PATCH", tag, `{"status": "active"}`)["status"])
	require.Equal(t, map[string]any{"id": made["id"]}, b.done("DELETE", tag, ""))
	require.Equal(t, http.StatusNotFound, b.send("DELETE", tag, "", "").status)
	require.Equal(t, http.StatusNotImplemented, b.send("PATCH", tag, "", `{"name": "other"}`).status)
}

func TestTeamsAndQueuesAreProvisioned(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	for _, path := range []string{"/unified/ticketing/teams", "/unified/user-directory/groups"} {
		made := b.done("POST", path, `{"name": "Night", "user_ids": ["`+emulator.SeedAgentAnna+`"]}`)
		team := path + "/" + text(made["id"])
		b.done("PATCH", team, `{"add_user_ids": ["`+emulator.SeedAgentBen+`"]}`)
		require.ElementsMatch(t, []string{emulator.SeedAgentAnna, emulator.SeedAgentBen}, b.team(made["id"]).Members)
		b.done("PATCH", team, `{"remove_user_ids": ["`+emulator.SeedAgentAnna+`"]}`)
		require.Equal(t, []string{emulator.SeedAgentBen}, b.team(made["id"]).Members)
		b.done("PATCH", team, `{"user_ids": ["`+emulator.SeedAgentAnna+`"]}`)
		require.Equal(t, []string{emulator.SeedAgentAnna}, b.team(made["id"]).Members)
		require.Equal(t, http.StatusNotImplemented, b.send("PATCH", team, "", `{"name": "Day"}`).status)
		require.Equal(t, map[string]any{"id": made["id"]}, b.done("DELETE", team, ""))
	}
	const path = "/unified/ticketing/collections"
	made := b.done("POST", path, `{"name": "Night queue", "type": "queue", "user_ids": ["`+emulator.SeedAgentAnna+`"], "remote_data": {"offerTimeout": 30}}`)
	require.Equal(t, "queue", made["type"])
	queue := path + "/" + text(made["id"])
	b.done("PATCH", queue, `{"user_ids": ["`+emulator.SeedAgentBen+`"]}`)
	require.Equal(t, []string{emulator.SeedAgentBen}, b.queue(made["id"]).Members)
	r := b.send("PATCH", queue, "", `{"add_user_ids": ["3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d9999"]}`)
	require.Equal(t, http.StatusBadRequest, r.status, r.raw)
	require.Contains(t, r.raw, "0a6a3a1d9999")
	require.Equal(t, http.StatusNotImplemented, b.send("DELETE", queue, "", "").status)
}

func (b *writeBench) team(id any) *emulator.Team {
	b.Helper()
	all := b.dixa.State().Teams
	i := slices.IndexFunc(all, func(t *emulator.Team) bool { return t.ID == id })
	require.GreaterOrEqual(b, i, 0)
	return all[i]
}

func (b *writeBench) queue(id any) *emulator.Queue {
	b.Helper()
	all := b.dixa.State().Queues
	i := slices.IndexFunc(all, func(q *emulator.Queue) bool { return q.ID == id })
	require.GreaterOrEqual(b, i, 0)
	return all[i]
}

func TestUsersAreProvisioned(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	for _, path := range []string{"/unified/ticketing/users", "/unified/user-directory/users"} {
		email := strings.ReplaceAll(strings.TrimPrefix(path, "/unified/"), "/", "-") + "@example.org"
		made := b.done("POST", path, `{"name": "Mary Jackson", "emails": [{"email": "`+email+`"}], "team_ids": ["`+emulator.SeedTeamCare+`"], "add_queue_ids": ["`+emulator.SeedQueueClaims+`"]}`)
		id := text(made["id"])
		require.Equal(t, true, made["is_active"])
		require.Equal(t, []any{emulator.SeedTeamCare}, made["team_ids"])
		require.Contains(t, b.queue(emulator.SeedQueueClaims).Members, id)

		r := b.send("POST", path, "", `{"name": "Mary Jackson", "emails": [{"email": "`+email+`"}]}`)
		require.Equal(t, http.StatusConflict, r.status, r.raw)
		require.Contains(t, r.raw, id)
		made = b.done("PATCH", path+"/"+id, `{"name": "M. Jackson", "username": "`+email+`", "team_ids": ["`+emulator.SeedTeamReturns+`"], "remove_queue_ids": ["`+emulator.SeedQueueClaims+`"]}`)
		require.Equal(t, "M. Jackson", made["name"])
		require.Equal(t, []any{emulator.SeedTeamReturns}, made["team_ids"])
		require.NotContains(t, b.queue(emulator.SeedQueueClaims).Members, id)
		r = b.send("PATCH", path+"/"+id, "", `{"emails": [{"email": "other@example.org"}]}`)
		require.Equal(t, http.StatusNotImplemented, r.status, r.raw)
		r = b.send("PATCH", path+"/"+id, "", `{"roles": [{"name": "Admin"}]}`)
		require.Equal(t, http.StatusNotImplemented, r.status, r.raw)

		made = b.done("PATCH", path+"/"+id, `{"is_active": false}`)
		require.Equal(t, false, made["is_active"])
		require.Equal(t, false, b.done("GET", path+"/"+id, "")["is_active"], "a former user must stay readable")
		require.Equal(t, false, b.done("PATCH", path+"/"+id, `{"is_active": false}`)["is_active"])
		require.Equal(t, map[string]any{"id": id}, b.done("DELETE", path+"/"+id, ""))
		require.Equal(t, http.StatusNotFound, b.send("DELETE", path+"/3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d9999", "", "").status)
	}
}

// What Dixa does with a new agent who has the address of a contact is unknown. A former
// user returns if it makes an agent of the contact; otherwise the answer says what to do.
func TestFormerUserReturns(t *testing.T) {
	t.Parallel()
	const user = "/unified/user-directory/users/" + emulator.SeedAgentBen
	for _, sources := range []bool{false, true} {
		b := newWriteBench(t, emulator.Switches{AgentOfEndUser: "promoted"})
		if sources {
			b.source()
		}
		before := b.done("GET", user+"?live=true", "")
		b.done("DELETE", user, "")
		require.Equal(t, false, b.done("GET", user, "")["is_active"])
		require.Equal(t, false, b.done("GET", user+"?live=true", "")["is_active"])
		b.dixa.Inject(emulator.Fault{Operation: "POST /agents", Kind: emulator.FaultDropAfter, Times: 2})
		made := b.done("PATCH", user, `{"is_active": true, "team_ids": ["`+emulator.SeedTeamReturns+`"]}`)
		require.Equal(t, true, made["is_active"])
		require.Equal(t, before["emails"], made["emails"])
		require.Equal(t, []any{emulator.SeedTeamReturns}, made["team_ids"])
		require.Equal(t, true, b.done("GET", user, "")["is_active"])
		b.done("DELETE", user, "")
		made = b.done("POST", "/unified/user-directory/users", `{"name": "Ben again", "emails": ["`+emulator.SeedAgentBenEmail+`"]}`)
		require.Equal(t, true, made["is_active"])
	}

	b := newWriteBench(t, emulator.Switches{})
	b.done("DELETE", user, "")
	r := b.send("PATCH", user, "", `{"is_active": true}`)
	require.Equal(t, http.StatusBadRequest, r.status, r.raw)
	require.Contains(t, r.raw, "Invite the person")

	// The stored person is sent, so Dixa may repeat the name, which the request has not.
	b.dixa.Inject(emulator.Fault{Operation: "POST /agents", Kind: emulator.FaultStatus, Status: http.StatusBadRequest, Body: `{"message": "No seat for Ben Agent here"}`})
	r = b.send("PATCH", user, "", `{"is_active": true}`)
	require.Equal(t, http.StatusBadRequest, r.status, r.raw)
	require.Contains(t, r.raw, "No seat for … … here")
}

// A read after a write sees it, also from the mirror.
func TestMirrorLearnsTheResultAtOnce(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	b.source()
	id := b.ticket()
	b.done("PATCH", "/unified/ticketing/tickets/"+id, `{"tags": ["vip"], "assignees": [{"id": "`+emulator.SeedAgentAnna+`"}], "custom_fields": {"order_number": "7"}}`)
	b.done("POST", "/unified/ticketing/comments", `{"ticket": {"id": "`+id+`"}, "body": "A note", "is_private": true}`)
	b.done("POST", "/unified/ticketing/comments", `{"ticket": {"id": "`+id+`"}, "body": "A reply", "author": {"id": "`+emulator.SeedAgentAnna+`"}}`)
	c := b.conversation()
	known, err := b.store.Mirror.Conversation(t.Context(), b.account, c.ID)
	require.NoError(t, err)
	require.Equal(t, emulator.SeedAgentAnna, known.Assignee.ID)
	require.Equal(t, []string{"vip"}, known.Tags)
	messages, err := b.store.Mirror.Messages(t.Context(), b.account, c.ID)
	require.NoError(t, err)
	require.Len(t, messages, 3)

	contact := b.done("POST", "/unified/ticketing/contacts", `{"name": "Grace", "emails": ["grace@example.org"]}`)
	row, err := b.store.Mirror.DirectoryRow(t.Context(), b.account, mirror.KindEndUser, text(contact["id"]))
	require.NoError(t, err)
	require.Equal(t, "Grace", row.Name)
	team := b.done("POST", "/unified/ticketing/teams", `{"name": "Night", "user_ids": ["`+emulator.SeedAgentAnna+`"]}`)
	row, err = b.store.Mirror.DirectoryRow(t.Context(), b.account, mirror.KindTeam, text(team["id"]))
	require.NoError(t, err)
	require.Equal(t, []string{emulator.SeedAgentAnna}, row.MemberIDs)
	b.done("DELETE", "/unified/ticketing/teams/"+text(team["id"]), "")
	row, err = b.store.Mirror.DirectoryRow(t.Context(), b.account, mirror.KindTeam, text(team["id"]))
	require.NoError(t, err)
	require.NotZero(t, row.GoneAt)
	b.done("PATCH", "/unified/ticketing/users/"+emulator.SeedAgentAnna, `{"team_ids": ["`+emulator.SeedTeamReturns+`"]}`)
	row, err = b.store.Mirror.DirectoryRow(t.Context(), b.account, mirror.KindTeam, text(team["id"]))
	require.NoError(t, err)
	require.NotZero(t, row.GoneAt, "a team that is gone must not return with a change of its former member")
}

// source makes the store mirror the organization.
func (b *writeBench) source() {
	b.Helper()
	_, err := b.store.DataSources.Create(b.Context(), b.account, claim.DataSource{Title: "Everything", From: time.Now().AddDate(0, 0, -30)})
	require.NoError(b, err)
}

// A write that takes longer than its caller waits is followed at its own address.
func TestSlowWriteIsFollowed(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{}, func(o *api.Options) { o.WriteWait = 3 * time.Second })
	id := b.ticket()
	b.hold = make(chan struct{})
	r := b.send("PATCH", "/unified/ticketing/tickets/"+id, "k", `{"status": "closed"}`)
	require.Equal(t, http.StatusAccepted, r.status, r.raw)
	require.Equal(t, "running", r.body["status"])
	address := text(r.body["url"])
	require.Equal(t, address, r.header.Get("Location"))
	path := strings.TrimPrefix(address, b.url)
	require.Equal(t, "running", b.done("GET", path, "")["status"])
	close(b.hold)
	require.Eventually(t, func() bool { return b.done("GET", path, "")["status"] == "done" }, 20*time.Second, 10*time.Millisecond)
	done := b.done("GET", path, "")
	require.Equal(t, "closed", at(done, "result", "status", "id"))
	require.NotContains(t, done, "error")

	own := b.secret
	b.secret = b.key("", client.ScopeClaimsRead)
	require.Equal(t, http.StatusForbidden, b.send("GET", path, "", "").status)
	b.secret = own
	require.Equal(t, http.StatusNotFound, b.send("GET", "/operations/none", "", "").status)
}
