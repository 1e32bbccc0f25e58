package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

type templateList struct {
	Data []struct {
		ID, Name, Content, Subject, CreatedAt, LastEditedAt string
		Type                                                string `json:"_type"`
		Translations                                        []struct {
			Locale, Subject string
			IsDeactivated   bool
		}
	}
	Meta struct{ Previous, Next string }
}

func (d *dixa) templates(path string) (list templateList) {
	d.t.Helper()
	decode(d.t, d.do(http.MethodGet, path, nil, http.StatusOK).body, &list)
	return list
}

func (l templateList) ids() []string {
	ids := []string{}
	for _, template := range l.Data {
		ids = append(ids, template.ID)
	}
	return ids
}

func TestTemplatesAreListed(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	const reply, returns, damaged = server.SeedTemplateAutoReply, server.SeedTemplateReturns, server.SeedTemplateDamaged
	all := d.templates("/templates")
	require.Equal(t, []string{reply, returns, damaged}, all.ids())
	require.Empty(t, all.Meta)
	require.Equal(t, "EmailAutoReply", all.Data[0].Type)
	require.Empty(t, all.Data[0].Translations)
	edited := all.Data[1]
	require.Equal(t, "2024-01-08T09:00:00.000+00:00 2025-03-11T09:00:00.000+00:00", edited.CreatedAt+" "+edited.LastEditedAt)
	require.Equal(t, "da", edited.Translations[0].Locale)
	require.True(t, edited.Translations[1].IsDeactivated)

	require.Equal(t, []string{reply}, d.templates("/templates?type=EmailAutoReply").ids())
	page := d.templates("/templates?type=QuickResponse&pageLimit=1")
	require.Equal(t, []string{returns}, page.ids())
	page = d.templates(page.Meta.Next)
	require.Equal(t, []string{damaged}, page.ids(), "the next page has the same filter")
	require.Empty(t, page.Meta.Next)
	require.Equal(t, []string{returns}, d.templates(page.Meta.Previous).ids())
	d.SetSwitches(server.Switches{ListOrder: server.NewestFirst})
	require.Equal(t, []string{damaged, returns, reply}, d.templates("/templates").ids())
}

func TestTemplatesAreDeleted(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	d.do(http.MethodDelete, "/templates/"+server.SeedTemplateReturns, nil, http.StatusNoContent)
	require.Equal(t, []string{server.SeedTemplateAutoReply, server.SeedTemplateDamaged}, d.templates("/templates").ids())
	d.Reset()
	require.Len(t, d.templates("/templates").Data, 3)
}

func TestTemplateRefusals(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	d.do(http.MethodDelete, "/templates/"+server.SeedTemplateReturns, nil, http.StatusNoContent)
	for request, status := range map[[2]string]int{
		{http.MethodGet, "/templates?type=Macro"}:                             400,
		{http.MethodGet, "/templates?type=quickresponse"}:                     400,
		{http.MethodGet, "/templates?pageLimit=0"}:                            400,
		{http.MethodGet, "/templates?pageLimit=x"}:                            400,
		{http.MethodGet, "/templates?pageKey=x"}:                              400,
		{http.MethodDelete, "/templates/7"}:                                   400,
		{http.MethodDelete, "/templates/" + server.SeedQueueClaims}:           404,
		{http.MethodDelete, "/templates/" + server.SeedTemplateReturns}:       404,
		{http.MethodGet, "/templates/" + server.SeedTemplateDamaged}:          404,
		{http.MethodPatch, "/templates/" + server.SeedTemplateDamaged + "/x"}: 404,
	} {
		require.NotEmpty(t, d.do(request[0], request[1], nil, status).message())
	}
}

func TestTemplatesAreSet(t *testing.T) {
	t.Parallel()
	now := newClock()
	d := start(t, server.Options{Clock: now.Now, Seed: server.Seed{Templates: []*server.Template{}}})
	set := func(status int, changes object) answer {
		template := object{"id": server.SeedTemplateDamaged, "type": "QuickResponse", "name": "Night", "content": "Good night"}
		for name, value := range changes {
			template[name] = value
		}
		return d.do(http.MethodPost, "/_emulator/templates", template, status)
	}
	for part, changes := range map[string]object{
		"UUID":          {"id": "7"},
		"name":          {"name": ""},
		"type":          {"type": "Macro"},
		"locale":        {"translations": []object{{"locale": "da", "content": "x"}, {"locale": "da", "content": "y"}}},
		"unknown field": {"text": "x"},
	} {
		require.Contains(t, set(http.StatusBadRequest, changes).message(), part)
	}
	require.Empty(t, d.templates("/templates").Data)
	set(http.StatusNoContent, nil)
	now.Advance(time.Hour)
	set(http.StatusNoContent, object{"name": "Late", "createdAt": "2026-01-05T00:00:00Z"})
	list := d.templates("/templates")
	require.Len(t, list.Data, 1)
	require.Equal(t, "Late 2026-01-05T00:00:00.000+00:00", list.Data[0].Name+" "+list.Data[0].CreatedAt)
	require.Equal(t, server.SeedAgentAdmin, d.State().Templates[0].CreatedBy)
}
