package unify_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/unified"
)

// enrich adds what a filled emulator lacks: every field of every resource then occurs.
func (w *world) enrich() {
	w.Helper()
	client, err := w.clients.Client(w.Context(), w.account)
	require.NoError(w, err)
	user, err := client.EndUsers.Create(w.Context(), dixa.EndUserInput{
		DisplayName: "Nora Berg", FirstName: "Nora", LastName: "Berg", Email: "nora@example.com", PhoneNumber: "+4511223344", ExternalID: "shop-77",
		AdditionalEmails: []string{"nora.work@example.com"}, AdditionalPhoneNumbers: []string{"+4555667788"}, AvatarURL: w.host + "/_emulator/avatar.png",
	})
	require.NoError(w, err)
	_, err = client.EndUsers.SetCustomAttributes(w.Context(), user.ID, map[string]dixa.AttributeValue{server.SeedAttrLoyalty: dixa.TextValue("gold")})
	require.NoError(w, err)
	_, err = client.Tags.Create(w.Context(), dixa.TagInput{Name: "fragile", Color: "#ff8800"})
	require.NoError(w, err)
	agent, err := client.Agents.Create(w.Context(), dixa.AgentInput{
		DisplayName: "Otto Lind", FirstName: "Otto", LastName: "Lind", Email: "otto@example.com", PhoneNumber: "+4511000000",
		AdditionalEmails: []string{"otto.l@example.com"}, AdditionalPhoneNumbers: []string{"+4511000001"}, AvatarURL: w.host + "/_emulator/avatar.png",
	})
	require.NoError(w, err)
	id, err := client.Conversations.Create(w.Context(), dixa.NewConversation{
		Type: dixa.NewEmail, RequesterID: user.ID, EmailIntegrationID: server.SeedMailbox, Subject: "Broken lamp", Language: "en",
		Message: dixa.MessageInput{
			Type: dixa.Inbound, Content: dixa.HTMLContent("<p>It is <b>broken</b>.</p>"),
			Attachments: []dixa.Attachment{{URL: w.host + "/_emulator/page.css", PrettyName: "lamp.jpg"}},
		},
	})
	require.NoError(w, err)
	require.NoError(w, client.Conversations.Claim(w.Context(), id, agent.ID, true))
	_, err = client.Conversations.AddNote(w.Context(), id, dixa.NoteInput{Message: "Ask the warehouse.", AgentID: agent.ID})
	require.NoError(w, err)
	for _, field := range unified.MappedFields() {
		w.maps(field, func(value string) string { return "our " + value })
	}
}

// objects lists all objects of a resource. Comments and attachments are those of every
// fourth ticket, from the newest.
func (w *world) objects(r *unified.Resource, query string) []map[string]any {
	w.Helper()
	var all []map[string]any
	if r.Name != "comments" && r.Name != "attachments" {
		return w.walk(r.Model, r.Name, query)
	}
	tickets := w.dixa.Truth()
	for i := len(tickets) - 1; i >= 0; i -= 4 {
		all = append(all, w.walk(r.Model, r.Name, fmt.Sprintf("ticket_id=%d&%s", tickets[i].ID, query))...)
	}
	return all
}

// walk lists all pages.
func (w *world) walk(model, resource, query string) []map[string]any {
	w.Helper()
	all := []map[string]any{}
	for cursor := ""; ; {
		answer, err := w.service.List(w.Context(), w.account, model, resource, query+"&limit=500&next_cursor="+url.QueryEscape(cursor))
		require.NoError(w, err, "%s?%s", resource, query)
		var p page
		require.NoError(w, json.Unmarshal(answer.Body, &p))
		if live := strings.Contains(query, "live=true"); w.imported && !strings.HasPrefix(resource, "ticket_") && (live || resource != "comments" && resource != "attachments") && !strings.Contains(query, "email=") && !strings.Contains(query, "external_id=") {
			require.Equal(w, live, answer.Live, "%s?%s", resource, query)
		}
		all = append(all, p.Result...)
		if p.Next == nil {
			return all
		}
		require.NotEmpty(w, p.Result, "an empty page with a cursor: %s?%s", resource, query)
		cursor = *p.Next
	}
}

// Every resource gives the same objects, in lists and alone, whether the mirror or Dixa
// answers. The mirror's remote_data is a part of Dixa's own.
func TestBothSourcesGiveTheSameObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 240)
	w.enrich()
	w.mirror()
	for _, r := range unified.Resources() {
		t.Run(r.Model+"/"+r.Name, func(t *testing.T) {
			t.Parallel()
			w := w.on(t)
			if r.Name == "comments" || r.Name == "attachments" {
				w.objects(r, "live=true") // the first read of a conversation stores it
			}
			mirrored, live := byID(t, w.objects(r, "")), byID(t, w.objects(r, "live=true"))
			require.NotEmpty(t, mirrored)
			require.Len(t, live, len(mirrored))
			alone := 0
			for id, listed := range mirrored {
				require.Contains(t, live, id)
				same(t, listed, live[id])
				if alone++; alone > 40 {
					continue // lists have shown the others
				}
				query := ""
				if ticket, ok := listed["ticket"].(map[string]any); ok {
					query = fmt.Sprintf("ticket_id=%s", ticket["id"])
				}
				same(t, listed, w.one(r, id, query))
				same(t, listed, w.one(r, id, query+"&live=true"))
			}
		})
	}
}

// one gets an object.
func (w *world) one(r *unified.Resource, id, query string) map[string]any {
	w.Helper()
	answer, err := w.service.Get(w.Context(), w.account, r.Model, r.Name, id, query)
	require.NoError(w, err, "%s/%s?%s", r.Name, id, query)
	var o map[string]any
	require.NoError(w, json.Unmarshal(answer.Body, &o))
	return o
}

func byID(t *testing.T, all []map[string]any) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	for _, o := range all {
		id, _ := o["id"].(string)
		require.NotEmpty(t, id)
		require.NotContains(t, out, id, "listed twice")
		out[id] = o
	}
	return out
}

// same compares two answers for the same object. remote_data of the first must be part of
// that of the second.
func same(t *testing.T, have, other map[string]any) {
	t.Helper()
	require.Equal(t, without(have, "remote_data"), without(other, "remote_data"))
	partOf(t, have["remote_data"], other["remote_data"], "remote_data")
}

func without(o map[string]any, member string) map[string]any {
	out := map[string]any{}
	for name, v := range o {
		if name != member {
			out[name] = v
		}
	}
	return out
}

// partOf requires that every member of a value is in another one. Elements of lists are
// matched by id, otherwise by place.
func partOf(t *testing.T, part, whole any, path string) {
	t.Helper()
	switch part := part.(type) {
	case map[string]any:
		members, ok := whole.(map[string]any)
		require.True(t, ok, path)
		for name, v := range part {
			if _, has := members[name]; !has && isEmpty(v) {
				continue
			}
			require.Contains(t, members, name, path)
			partOf(t, v, members[name], path+"."+name)
		}
	case []any:
		elements, ok := whole.([]any)
		require.True(t, ok, path)
		require.Len(t, elements, len(part), path)
		for i, v := range part {
			match := elements[i]
			for _, e := range elements {
				if idOf(v) != nil && idOf(v) == idOf(e) {
					match = e
				}
			}
			partOf(t, v, match, path)
		}
	case string:
		text, ok := whole.(string)
		require.True(t, ok, path)
		at, err := time.Parse(time.RFC3339, part)
		otherAt, otherErr := time.Parse(time.RFC3339, text)
		if err == nil && otherErr == nil {
			// Whether Dixa's conversations have finer times than seconds is unknown.
			require.True(t, at.Equal(otherAt) || at.Equal(otherAt.Truncate(time.Second)), "%s: %s is not %s", path, part, text)
			return
		}
		require.Equal(t, part, text, path)
	default:
		require.Equal(t, part, whole, path)
	}
}

func idOf(v any) any {
	o, _ := v.(map[string]any)
	return o["id"]
}

// isEmpty reports whether a value says nothing.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	default:
		return false
	}
}
