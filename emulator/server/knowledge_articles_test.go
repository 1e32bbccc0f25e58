package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

func TestArticleIsCreated(t *testing.T) {
	t.Parallel()
	now := newClock()
	d := start(t, server.Options{Clock: now.Now})
	made := d.write(server.SeedCategoryLabels, "en", "da")
	require.Equal(t, server.SeedCategoryLabels, made.ParentCategory)
	require.Equal(t, []string{server.SeedCollectionHelp}, made.ParentCollections)
	require.Equal(t, "2026-03-02T08:30:00.000Z[GMT]", made.CreatedAt)
	require.Equal(t, server.SeedAgentAdmin, made.OwnedBy)
	require.Empty(t, made.IndexedAt)
	require.Nil(t, made.Translation.Published)
	draft := made.Translation.Draft
	require.Equal(t, "en Title en <p>Text en</p> Text en", draft.Language+" "+draft.Title+" "+draft.Contents.HTML+" "+draft.Contents.Plaintext)
	require.Equal(t, made, d.article(made.ID))
	require.Equal(t, "Title da", d.article(made.ID+"?language=da").Translation.Draft.Title)
	require.NotEqual(t, made.ID, d.write(server.SeedCategoryLabels, "en").ID)

	var bare article
	d.do(http.MethodPost, "/knowledge/articles", object{}, http.StatusOK).data(&bare)
	require.Nil(t, bare.Translation)
	require.Empty(t, bare.ParentCategory)
	require.Empty(t, bare.ParentCollections)
	require.Equal(t, "Ask us for a QR code & show it at the shop.", d.article(server.SeedArticlePrinter).Translation.Draft.Contents.Plaintext)
}

func TestArticleIsUpdated(t *testing.T) {
	t.Parallel()
	now := newClock()
	d := start(t, server.Options{Clock: now.Now})
	made := d.write(server.SeedCategoryLabels, "en")
	now.Advance(time.Hour)
	update := func(body object) (updated article) {
		d.do(http.MethodPatch, articlesPath+made.ID, body, http.StatusOK).data(&updated)
		return updated
	}
	require.Equal(t, []string{"a", "b"}, update(object{"tags": object{"add": []string{"a", "b", "a"}}, "ownedBy": server.SeedAgentBen}).Tags)
	updated := update(object{"tags": object{"add": []string{"c"}, "remove": []string{"a", "x", "c"}}, "preRelease": true})
	require.Equal(t, []string{"b"}, updated.Tags)
	require.Equal(t, server.SeedAgentBen, updated.OwnedBy)
	require.Equal(t, made.CreatedAt+" 2026-03-02T09:30:00.000Z[GMT]", updated.CreatedAt+" "+updated.UpdatedAt)
	require.True(t, d.State().Knowledge.Articles[2].PreRelease)
	require.Equal(t, updated, update(object{}), "nothing changes")
}

func TestArticleIsMoved(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	id := d.write(server.SeedCategoryLabels, "en").ID
	for range 2 { // a move may be repeated
		d.do(http.MethodPatch, articlesPath+id+"/parent/"+strings.ToUpper(server.SeedCategoryPolicies), nil, http.StatusNoContent)
		moved := d.article(id)
		require.Equal(t, server.SeedCategoryPolicies, moved.ParentCategory)
		require.True(t, moved.Restrictions.IsRestricted)
	}
	for range 2 {
		d.do(http.MethodDelete, articlesPath+id+"/parent", nil, http.StatusNoContent)
		moved := d.article(id)
		require.Empty(t, moved.ParentCategory)
		require.False(t, moved.Restrictions.IsRestricted)
	}
}

func TestArticleSwitches(t *testing.T) {
	t.Parallel()
	type set = server.KnowledgeSwitches
	const post, patch, del = http.MethodPost, http.MethodPatch, http.MethodDelete
	const base, printer, missing = "/knowledge/articles", articlesPath + server.SeedArticlePrinter, server.SeedQueueClaims
	tag := object{"add": []string{missing}}
	for name, tt := range map[string]struct {
		switches     set
		method, path string
		body         any
		status       int
	}{
		"unknown parent":                {set{UnknownParent: "400"}, post, base, object{"parentId": missing}, 400},
		"collection as parent":          {set{CollectionParent: "accepted"}, post, base, object{"parentId": server.SeedCollectionHelp}, 200},
		"locked category":               {set{}, post, base, object{"parentId": server.SeedCategoryPolicies}, 200},
		"locked category, refused":      {set{LockedCategory: "rejected"}, post, base, object{"parentId": server.SeedCategoryPolicies}, 400},
		"move to locked category":       {set{LockedCategory: "rejected"}, patch, printer + "/parent/" + server.SeedCategoryPolicies, nil, 400},
		"unknown owner":                 {set{UnknownOwner: "404"}, patch, printer, object{"ownedBy": missing}, 404},
		"unknown owner, accepted":       {set{UnknownOwner: "accepted"}, patch, printer, object{"ownedBy": missing}, 200},
		"unknown tag":                   {set{UnknownTag: "400"}, patch, printer, object{"tags": tag}, 400},
		"unknown tag of a new article":  {set{UnknownTag: "404"}, post, base, object{"tags": []string{missing}}, 404},
		"removal of an unknown tag":     {set{UnknownTag: "404"}, patch, printer, object{"tags": object{"remove": []string{missing}}}, 200},
		"any language":                  {set{Languages: "any"}, post, base, object{"translations": []object{{"languageId": "en-US", "title": "x"}}}, 200},
		"configured language":           {set{Languages: "configured"}, post, base, object{"translations": []object{{"languageId": "de", "title": "x"}}}, 200},
		"language that is not":          {set{Languages: "configured"}, post, base, object{"translations": []object{{"languageId": "fr", "title": "x"}}}, 400},
		"blank title":                   {set{EmptyTitle: "accepted"}, post, base, object{"translations": []object{{"languageId": "de", "title": ""}}}, 200},
		"long title":                    {set{MaxTitleChars: 3}, post, base, object{"translations": []object{{"languageId": "de", "title": "äöüx"}}}, 400},
		"title that fits":               {set{MaxTitleChars: 3}, post, base, object{"translations": []object{{"languageId": "de", "title": "äöü"}}}, 200},
		"long content":                  {set{MaxContentBytes: 3}, post, base, object{"translations": []object{{"languageId": "de", "title": "x", "content": "äö"}}}, 400},
		"repeated language":             {set{}, post, base, object{"translations": []object{{"languageId": "de", "title": "x"}, {"languageId": "de", "title": "y"}}}, 200},
		"repeated language, refused":    {set{RepeatedLanguage: "rejected"}, post, base, object{"translations": []object{{"languageId": "de", "title": "x"}, {"languageId": "de", "title": "y"}}}, 400},
		"all failed":                    {set{AllFailed: "rejected"}, patch, printer + "/translations", object{"translations": []object{{"languageId": "?", "title": "x"}}}, 400},
		"one failed":                    {set{AllFailed: "rejected"}, patch, printer + "/translations", object{"translations": []object{{"languageId": "?", "title": "x"}, {"languageId": "de", "title": "x"}}}, 200},
		"only translation":              {set{LastTranslation: "400"}, del, printer + "/translations/en", nil, 400},
		"one of two translations":       {set{LastTranslation: "400"}, del, articlesPath + server.SeedArticleReturn + "/translations/en", nil, 204},
		"what is not published":         {set{}, post, printer + "/unpublish", nil, 204},
		"what is not published, 400":    {set{UnpublishTwice: "400"}, post, printer + "/unpublish", nil, 400},
		"draft that is unpublished":     {set{UnpublishTwice: "404"}, post, printer + "/translations/en/unpublish", nil, 404},
		"asked language is missing":     {set{MissingTranslation: "404"}, http.MethodGet, printer + "?language=de", nil, 404},
		"asked language is there":       {set{MissingTranslation: "404"}, http.MethodGet, printer + "?language=en", nil, 200},
		"a longer path is no operation": {set{}, post, printer + "/publish/now", nil, 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t, server.Options{Switches: knowledge(tt.switches)})
			d.do(tt.method, tt.path, tt.body, tt.status)
		})
	}
}

func TestArticlesWithoutParent(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{Switches: knowledge(server.KnowledgeSwitches{NoParent: "default", Owner: "none"})})
	var made article
	d.do(http.MethodPost, "/knowledge/articles", object{}, http.StatusOK).data(&made)
	require.Equal(t, server.SeedCategoryDefault, made.ParentCategory)
	require.True(t, made.IsDefaultLocation)
	require.Empty(t, made.OwnedBy)
	d.do(http.MethodDelete, articlesPath+server.SeedArticlePrinter+"/parent", nil, http.StatusNoContent)
	require.Equal(t, server.SeedCategoryDefault, d.article(server.SeedArticlePrinter).ParentCategory)
	for status, code := range map[string]int{"400": http.StatusBadRequest, "404": http.StatusNotFound} {
		d.SetSwitches(knowledge(server.KnowledgeSwitches{NoParent: "default", RemoveNoParent: status}))
		d.do(http.MethodDelete, articlesPath+server.SeedArticlePrinter+"/parent", nil, code)
	}
	d.SetSwitches(knowledge(server.KnowledgeSwitches{CollectionParent: "accepted", ParentCollections: "direct"}))
	require.Empty(t, d.article(server.SeedArticleReturn).ParentCollections, "the category is in between")
	d.do(http.MethodPatch, articlesPath+server.SeedArticleReturn+"/parent/"+server.SeedCollectionHelp, nil, http.StatusNoContent)
	direct := d.article(server.SeedArticleReturn)
	require.Equal(t, []string{server.SeedCollectionHelp}, direct.ParentCollections)
	require.Empty(t, direct.ParentCategory)
}

func TestTranslationsArePublished(t *testing.T) {
	t.Parallel()
	now := newClock()
	d := start(t, server.Options{Clock: now.Now})
	id := d.write(server.SeedCategoryReturns, "en", "da").ID
	act := func(method, path string) {
		t.Helper()
		d.do(method, articlesPath+id+path, nil, http.StatusNoContent)
	}
	expect := func(drafts, published []string) {
		t.Helper()
		gotDrafts, gotPublished := d.versions(id)
		require.Equal(t, drafts, gotDrafts)
		require.Equal(t, published, gotPublished)
	}
	expect([]string{"en Title en", "da Title da"}, []string{})
	now.Advance(time.Hour)
	for range 2 {
		act(http.MethodPost, "/translations/da/publish")
		expect([]string{"en Title en", "da Title da indexed"}, []string{"da Title da indexed"})
	}
	require.Equal(t, "2026-03-02T09:30:00.000Z[GMT] "+server.SeedAgentAdmin, d.article(id).IndexedAt+" "+d.article(id).IndexedBy)
	published := d.article(id + "?language=da").Translation.Published
	require.Equal(t, "https://help.demo-shop.example", published.AvailableAt.HelpCenterLinks[0].URL)
	require.Empty(t, d.article(id).Translation.Draft.AvailableAt.HelpCenterLinks)

	d.do(http.MethodPatch, articlesPath+id+"/translations", object{"translations": []object{{"languageId": "da", "title": "Ny"}}}, http.StatusOK)
	expect([]string{"en Title en", "da Ny"}, []string{"da Title da indexed"})
	act(http.MethodPost, "/publish")
	expect([]string{"en Title en indexed", "da Ny indexed"}, []string{"en Title en indexed", "da Ny indexed"})
	act(http.MethodPost, "/translations/en/unpublish")
	expect([]string{"en Title en", "da Ny indexed"}, []string{"da Ny indexed"})
	require.NotEmpty(t, d.article(id).IndexedAt)
	act(http.MethodPost, "/unpublish")
	expect([]string{"en Title en", "da Ny"}, []string{})
	require.Empty(t, d.article(id).IndexedAt)
	act(http.MethodPost, "/publish")
	act(http.MethodDelete, "/translations/da")
	expect([]string{"en Title en indexed"}, []string{"en Title en indexed"})
	act(http.MethodDelete, "/translations/en")
	expect([]string{}, []string{})
	require.Nil(t, d.article(id).Translation)
	require.Empty(t, d.article(id).IndexedAt)
	act(http.MethodPost, "/publish")
	d.SetSwitches(knowledge(server.KnowledgeSwitches{PublishNothing: "400"}))
	d.do(http.MethodPost, articlesPath+id+"/publish", nil, http.StatusBadRequest)
}

func TestTranslationsAreUpdated(t *testing.T) {
	t.Parallel()
	now := newClock()
	d := start(t, server.Options{Clock: now.Now, Switches: knowledge(server.KnowledgeSwitches{RepeatedLanguage: "rejected", MaxTitleChars: 10, MaxContentBytes: 10})})
	id := d.write(server.SeedCategoryReturns).ID
	now.Advance(time.Hour)
	var got struct {
		Data          []version
		PartialErrors []struct{ LanguageID, Message string }
	}
	decode(t, d.do(http.MethodPatch, articlesPath+id+"/translations", object{"translations": []object{
		{"languageId": "en", "title": "One", "content": "<b>1</b>"},
		{"languageId": "en", "title": "Two"},
		{"languageId": "EN", "title": "Three"},
		{"languageId": "da", "title": ""},
		{"languageId": "sv", "title": "Eleven char"},
		{"languageId": "nb", "title": "x", "content": "<p>eleven</p>"},
		{"languageId": "de", "title": "Eins"},
	}}, http.StatusOK).body, &got)
	require.Len(t, got.Data, 2)
	require.Equal(t, "en One 1 2026-03-02T09:30:00.000Z[GMT]", got.Data[0].Language+" "+got.Data[0].Title+" "+got.Data[0].Contents.Plaintext+" "+got.Data[0].CreatedAt)
	require.Equal(t, "de", got.Data[1].Language)
	failed := []string{}
	for _, problem := range got.PartialErrors {
		require.NotEmpty(t, problem.Message)
		failed = append(failed, problem.LanguageID)
	}
	require.Equal(t, []string{"en", "EN", "da", "sv", "nb"}, failed)
	drafts, _ := d.versions(id)
	require.Equal(t, []string{"en One", "de Eins"}, drafts)
	require.Equal(t, "2026-03-02T09:30:00.000Z[GMT]", d.article(id).UpdatedAt)

	reply := d.do(http.MethodPatch, articlesPath+id+"/translations", object{"translations": []object{}}, http.StatusOK)
	require.JSONEq(t, `{"data":[]}`, string(reply.body))
}

func TestEditSwitches(t *testing.T) {
	t.Parallel()
	type set = server.KnowledgeSwitches
	d := start(t, server.Options{Switches: knowledge(set{Edits: "published", DraftIndexed: "never"})})
	made := d.write(server.SeedCategoryLabels, "en")
	drafts, published := d.versions(made.ID)
	require.Equal(t, []string{"en Title en"}, drafts)
	require.Equal(t, []string{"en Title en indexed"}, published)
	write := func(content any) string {
		text := object{"languageId": "en", "title": "Again"}
		if content != nil {
			text["content"] = content
		}
		d.do(http.MethodPatch, articlesPath+made.ID+"/translations", object{"translations": []object{{"languageId": "en", "title": "First"}, text}}, http.StatusOK)
		return d.article(made.ID).Translation.Draft.Contents.HTML
	}
	require.Equal(t, "<p>Text en</p>", write(nil))
	_, published = d.versions(made.ID)
	require.Equal(t, []string{"en Again indexed"}, published)
	d.SetSwitches(knowledge(set{AbsentContent: "cleared"}))
	require.Empty(t, write(nil))
	const script = `<p>a</p><script src="x">alert(1)</script ><style>p{}</style>b`
	require.Equal(t, script, write(script))
	d.SetSwitches(knowledge(set{Contents: "cleaned", Unpublished: "unindexed"}))
	require.Equal(t, "<p>a</p>b", write(script))
	d.do(http.MethodPost, articlesPath+made.ID+"/unpublish", nil, http.StatusNoContent)
	_, published = d.versions(made.ID)
	require.Equal(t, []string{"en Again"}, published, "it stays, but search does not find it")
	require.NotEmpty(t, d.article(made.ID).IndexedAt)
	d.do(http.MethodDelete, articlesPath+made.ID+"/translations/en", nil, http.StatusNoContent)
	_, published = d.versions(made.ID)
	require.Empty(t, published)
}
