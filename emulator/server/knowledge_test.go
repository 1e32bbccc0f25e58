package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

const collectionsPath, categoriesPath, articlesPath = "/knowledge/collections", "/knowledge/categories/", "/knowledge/articles/"

type restrictions struct {
	IsRestricted          bool
	InheritedRestrictions []struct{ FromCollection, FromCategory string }
}

type version struct {
	Language, Title      string
	IsIndexedVersion     bool
	Contents             struct{ HTML, Plaintext string }
	AvailableAt          struct{ HelpCenterLinks []struct{ ID, URL string } }
	CreatedAt, UpdatedAt string
	CreatedBy, UpdatedBy string
}

type article struct {
	ID                string
	IsDefaultLocation bool
	Translation       *struct {
		Draft     version
		Published *version
	}
	Tags                            []string
	CreatedAt, UpdatedAt, IndexedAt string
	OwnedBy, IndexedBy              string
	Restrictions                    restrictions
	ParentCategory                  string
	ParentCollections               []string
}

type title struct{ LanguageID, Title string }

type category struct {
	Title                       *title
	IsDefaultLocation, IsLocked bool
	Restrictions                restrictions
	ParentCategory              string
	ParentCollections           []string
}

// knowledge sets the switches of the knowledge base.
func knowledge(switches server.KnowledgeSwitches) server.Switches {
	return server.Switches{Knowledge: switches}
}

func (d *dixa) article(path string) (found article) {
	d.t.Helper()
	d.do(http.MethodGet, articlesPath+path, nil, http.StatusOK).data(&found)
	return found
}

// write creates an article in the category with a text in each language.
func (d *dixa) write(category string, languages ...string) (made article) {
	d.t.Helper()
	texts := []object{}
	for _, language := range languages {
		texts = append(texts, object{"languageId": language, "title": "Title " + language, "content": "<p>Text " + language + "</p>"})
	}
	d.do(http.MethodPost, "/knowledge/articles", object{"translations": texts, "parentId": category}, http.StatusOK).data(&made)
	return made
}

// versions describes the drafts and the published versions of an article.
func (d *dixa) versions(id string) (drafts, published []string) {
	d.t.Helper()
	var found struct {
		Translations struct{ Draft, Published []version }
	}
	d.do(http.MethodGet, articlesPath+id+"/translations", nil, http.StatusOK).data(&found)
	describe := func(versions []version) []string {
		described := []string{}
		for _, v := range versions {
			text := v.Language + " " + v.Title
			if v.IsIndexedVersion {
				text += " indexed"
			}
			described = append(described, text)
		}
		return described
	}
	return describe(found.Translations.Draft), describe(found.Translations.Published)
}

func TestCollections(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	var help, team struct {
		ID, Title, Description string
		InternalKBEnabled      bool `json:"internalKbEnabled"`
		Restrictions           restrictions
	}
	d.do(http.MethodGet, collectionsPath+"/"+strings.ToUpper(server.SeedCollectionHelp), nil, http.StatusOK).data(&help)
	require.Equal(t, "Help for customers", help.Title)
	require.True(t, help.InternalKBEnabled)
	require.False(t, help.Restrictions.IsRestricted)
	require.Empty(t, help.Restrictions.InheritedRestrictions)
	d.SetSwitches(knowledge(server.KnowledgeSwitches{OwnRestriction: "listed"}))
	d.do(http.MethodGet, collectionsPath+"/"+server.SeedCollectionTeam, nil, http.StatusOK).data(&team)
	require.True(t, team.Restrictions.IsRestricted)
	require.Equal(t, server.SeedCollectionTeam, team.Restrictions.InheritedRestrictions[0].FromCollection)
}

func TestPagesOfCollections(t *testing.T) {
	t.Parallel()
	const help, team = server.SeedCollectionHelp, server.SeedCollectionTeam
	for _, tt := range []struct {
		switches server.Switches
		query    string
		want     []string
		linked   bool
	}{
		{server.Switches{}, "", []string{help, team}, false},
		{server.Switches{ListOrder: server.NewestFirst}, "", []string{team, help}, false},
		{server.Switches{}, "?pageLimit=1", []string{help}, false},
		{knowledge(server.KnowledgeSwitches{CollectionPages: "linked"}), "?pageLimit=1", []string{help}, true},
		{knowledge(server.KnowledgeSwitches{CollectionPages: "all"}), "?pageLimit=1", []string{help, team}, false},
	} {
		d := start(t, server.Options{Switches: tt.switches})
		d.contract = nil // the links are not in Dixa's schema
		var list struct {
			Data []struct{ ID string }
			Meta struct{ Next string }
		}
		decode(t, d.do(http.MethodGet, collectionsPath+tt.query, nil, http.StatusOK).body, &list)
		ids := []string{}
		for _, collection := range list.Data {
			ids = append(ids, collection.ID)
		}
		require.Equal(t, tt.want, ids)
		require.Equal(t, tt.linked, list.Meta.Next != "")
		if tt.linked {
			require.Contains(t, string(d.do(http.MethodGet, list.Meta.Next, nil, http.StatusOK).body), team)
		}
	}
}

func TestCategories(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	get := func(path string) (found category) {
		d.do(http.MethodGet, categoriesPath+path, nil, http.StatusOK).data(&found)
		return found
	}
	returns := get(server.SeedCategoryReturns)
	require.Equal(t, &title{"en", "Returns"}, returns.Title)
	require.Equal(t, []string{server.SeedCollectionHelp}, returns.ParentCollections)
	require.Equal(t, &title{"da", "Returneringer"}, get(server.SeedCategoryReturns+"?language=da").Title)
	require.Nil(t, get(server.SeedCategoryReturns+"?language=de").Title)
	labels := get(server.SeedCategoryLabels)
	require.Equal(t, server.SeedCategoryReturns, labels.ParentCategory)
	require.Equal(t, []string{server.SeedCollectionHelp}, labels.ParentCollections)
	policies := get(server.SeedCategoryPolicies)
	require.True(t, policies.IsLocked)
	require.True(t, policies.Restrictions.IsRestricted)
	require.Equal(t, server.SeedCollectionTeam, policies.Restrictions.InheritedRestrictions[0].FromCollection)
	require.True(t, get(server.SeedCategoryDefault).IsDefaultLocation)

	var titles struct{ Titles []title }
	d.do(http.MethodGet, categoriesPath+server.SeedCategoryReturns+"/translations", nil, http.StatusOK).data(&titles)
	require.Equal(t, []title{{"en", "Returns"}, {"da", "Returneringer"}}, titles.Titles)

	d.SetSwitches(knowledge(server.KnowledgeSwitches{MissingTranslation: "default", ParentCollections: "direct"}))
	require.Equal(t, &title{"en", "Labels"}, get(server.SeedCategoryLabels+"?language=da").Title)
	require.Empty(t, get(server.SeedCategoryLabels).ParentCollections)
	d.SetSwitches(knowledge(server.KnowledgeSwitches{MissingTranslation: "404"}))
	d.do(http.MethodGet, categoriesPath+server.SeedCategoryLabels+"?language=da", nil, http.StatusNotFound)
}

// catalog describes the articles of a collection by their path and title.
func (d *dixa) catalog(collection, query string) []string {
	d.t.Helper()
	type item struct {
		Title      *title
		Categories []json.RawMessage
		Articles   []struct{ Title *title }
	}
	lines := []string{}
	var walk func(path string, item item)
	walk = func(path string, level item) {
		for _, article := range level.Articles {
			text := "-"
			if article.Title != nil {
				text = article.Title.Title
			}
			lines = append(lines, path+text)
		}
		for _, raw := range level.Categories {
			var child item
			decode(d.t, raw, &child)
			name := "-"
			if child.Title != nil {
				name = child.Title.Title
			}
			walk(path+name+"/", child)
		}
	}
	var root item
	d.do(http.MethodGet, collectionsPath+"/"+collection+"/catalog"+query, nil, http.StatusOK).data(&root)
	walk("", root)
	return lines
}

func TestCatalog(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	const help = server.SeedCollectionHelp
	require.Equal(t, []string{"Returns/How to return an order", "Returns/Labels/No printer?"}, d.catalog(help, ""))
	require.Equal(t, []string{"Returneringer/Sådan returnerer du", "Returneringer/-/-"}, d.catalog(help, "?language=da"))
	require.Empty(t, d.catalog(server.SeedCollectionTeam, ""))
	d.write(server.SeedCategoryPolicies, "en")
	require.Equal(t, []string{"Policies/Title en"}, d.catalog(server.SeedCollectionTeam, ""))

	type set = server.KnowledgeSwitches
	d.SetSwitches(knowledge(set{MissingTranslation: "default"}))
	require.Equal(t, []string{"Returneringer/Sådan returnerer du", "Returneringer/Labels/No printer?"}, d.catalog(help, "?language=da"))
	d.SetSwitches(knowledge(set{MissingTranslation: "404"}))
	require.Equal(t, []string{"Returneringer/Sådan returnerer du"}, d.catalog(help, "?language=da"))

	d.do(http.MethodPatch, articlesPath+server.SeedArticleReturn+"/translations", object{"translations": []object{{"languageId": "en", "title": "New"}}}, http.StatusOK)
	require.Contains(t, d.catalog(help, ""), "Returns/New")
	d.SetSwitches(knowledge(set{CatalogTitles: "published"}))
	require.Contains(t, d.catalog(help, ""), "Returns/How to return an order")

	d.SetSwitches(knowledge(set{CollectionParent: "accepted"}))
	d.do(http.MethodPatch, articlesPath+server.SeedArticlePrinter+"/parent/"+help, nil, http.StatusNoContent)
	require.Equal(t, []string{"No printer?", "Returns/New"}, d.catalog(help, ""))
	d.do(http.MethodDelete, articlesPath+server.SeedArticleReturn, nil, http.StatusNoContent)
	require.Equal(t, []string{"No printer?"}, d.catalog(help, ""))
}

func TestKnowledgeRefusals(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	const get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	const missing, article = server.SeedQueueClaims, articlesPath + server.SeedArticleReturn
	text := object{"languageId": "en", "title": "x"}
	for _, tt := range []struct {
		method, path string
		body         any
		status       int
	}{
		{get, collectionsPath + "?pageLimit=0", nil, 400},
		{get, collectionsPath + "?pageKey=x", nil, 400},
		{get, collectionsPath + "/7", nil, 400},
		{get, collectionsPath + "/" + missing, nil, 404},
		{get, collectionsPath + "/7/catalog", nil, 400},
		{get, collectionsPath + "/" + missing + "/catalog", nil, 404},
		{get, categoriesPath + "7", nil, 400},
		{get, categoriesPath + missing, nil, 404},
		{get, categoriesPath + "7/translations", nil, 400},
		{get, categoriesPath + missing + "/translations", nil, 404},
		{get, articlesPath + "7", nil, 400},
		{get, articlesPath + missing, nil, 404},
		{del, articlesPath + "7", nil, 400},
		{del, articlesPath + missing, nil, 404},
		{patch, articlesPath + "7", object{}, 400},
		{patch, articlesPath + missing, object{}, 404},
		{patch, article, nil, 400},
		{patch, article, `{`, 400},
		{patch, article, object{"tags": []string{"x"}}, 400},
		{patch, article, object{"ownedBy": missing}, 400},
		{get, articlesPath + "7/translations", nil, 400},
		{get, articlesPath + missing + "/translations", nil, 404},
		{patch, articlesPath + missing + "/translations", object{"translations": []object{text}}, 404},
		{patch, article + "/translations", nil, 400},
		{patch, article + "/translations", object{"translations": []object{{"languageId": "en"}}}, 400},
		{patch, article + "/translations", object{"translations": []object{{"title": "x"}}}, 400},
		{post, "/knowledge/articles", nil, 400},
		{post, "/knowledge/articles", `[]`, 400},
		{post, "/knowledge/articles", object{"translations": []object{{"languageId": "en"}}}, 400},
		{post, "/knowledge/articles", object{"translations": []object{{"languageId": "English", "title": "x"}}}, 400},
		{post, "/knowledge/articles", object{"translations": []object{{"languageId": "en", "title": " "}}}, 400},
		{post, "/knowledge/articles", object{"parentId": missing}, 404},
		{post, "/knowledge/articles", object{"parentId": "7"}, 404},
		{post, "/knowledge/articles", object{"parentId": server.SeedCollectionHelp}, 404},
		{post, "/knowledge/articles", object{"preRelease": "yes"}, 400},
		{post, articlesPath + "7/publish", nil, 400},
		{post, articlesPath + missing + "/publish", nil, 404},
		{post, articlesPath + "7/unpublish", nil, 400},
		{post, articlesPath + missing + "/unpublish", nil, 404},
		{post, articlesPath + "7/translations/en/publish", nil, 400},
		{post, articlesPath + missing + "/translations/en/publish", nil, 404},
		{post, article + "/translations/de/publish", nil, 404},
		{post, articlesPath + "7/translations/en/unpublish", nil, 400},
		{post, articlesPath + missing + "/translations/en/unpublish", nil, 404},
		{post, article + "/translations/de/unpublish", nil, 404},
		{del, articlesPath + "7/translations/en", nil, 400},
		{del, articlesPath + missing + "/translations/en", nil, 404},
		{del, article + "/translations/de", nil, 404},
		{patch, articlesPath + "7/parent/" + server.SeedCategoryLabels, nil, 400},
		{patch, articlesPath + missing + "/parent/" + server.SeedCategoryLabels, nil, 404},
		{patch, article + "/parent/7", nil, 400},
		{patch, article + "/parent/" + missing, nil, 404},
		{patch, article + "/parent/" + server.SeedCollectionHelp, nil, 404},
		{del, articlesPath + "7/parent", nil, 400},
		{del, articlesPath + missing + "/parent", nil, 404},
	} {
		before := d.State().Knowledge
		require.NotEmpty(t, d.do(tt.method, tt.path, tt.body, tt.status).message())
		require.Equal(t, before, d.State().Knowledge, "%s %s changed something", tt.method, tt.path)
	}
}

func TestKnowledgeIsSet(t *testing.T) {
	t.Parallel()
	now := newClock()
	d := start(t, server.Options{Clock: now.Now, Seed: server.Seed{Knowledge: &server.Knowledge{DefaultLanguage: "de"}}})
	const top, inner, text = server.SeedCategoryReturns, server.SeedCategoryLabels, server.SeedArticleReturn
	set := func(status int, changes object) answer {
		base := object{
			"defaultLanguage": "de", "collections": []object{{"id": server.SeedCollectionHelp, "title": "Hilfe"}},
			"categories": []object{
				{"id": top, "titles": []object{{"language": "de", "title": "Oben"}}, "collections": []string{server.SeedCollectionHelp}, "restricted": true},
				{"id": inner, "parentId": top},
			},
			"articles": []object{{"id": text, "parentId": inner, "translations": []object{{"language": "de", "draft": object{"title": "Text"}, "published": object{"title": "Text"}, "indexed": true}}}},
		}
		for name, value := range changes {
			base[name] = value
		}
		return d.do(http.MethodPost, "/_emulator/knowledge", base, status)
	}
	for part, changes := range map[string]object{
		"defaultLanguage":            {"defaultLanguage": ""},
		"not a UUID":                 {"collections": []object{{"id": "7", "title": "x"}}},
		"is there twice":             {"articles": []object{{"id": top}}},
		"needs a title":              {"collections": []object{{"id": text}}},
		"needs no collections":       {"categories": []object{{"id": top}, {"id": inner, "parentId": top, "collections": []string{server.SeedCollectionHelp}}}},
		"collection of category":     {"categories": []object{{"id": top, "collections": []string{inner}}}},
		"its own ancestor":           {"categories": []object{{"id": top, "parentId": inner}, {"id": inner, "parentId": top}}},
		"default location":           {"categories": []object{{"id": top, "defaultLocation": true}, {"id": inner, "defaultLocation": true}}},
		"parent of article":          {"articles": []object{{"id": text, "parentId": text}}},
		"each language once":         {"articles": []object{{"id": text, "translations": []object{{"language": "de", "draft": object{"title": "x"}}, {"language": "de", "draft": object{"title": "y"}}}}}},
		"unknown field \"sections\"": {"sections": []object{}},
	} {
		require.Contains(t, set(http.StatusBadRequest, changes).message(), part)
	}
	require.Empty(t, d.State().Knowledge.Articles)
	set(http.StatusNoContent, nil)
	found := d.article(text)
	require.Equal(t, "Text", found.Translation.Published.Title)
	require.Equal(t, "2026-03-02T08:30:00.000Z[GMT]", found.CreatedAt)
	require.Equal(t, server.SeedCategoryReturns, found.Restrictions.InheritedRestrictions[0].FromCategory)
	require.Equal(t, []string{"Oben/-/Text"}, d.catalog(server.SeedCollectionHelp, ""))
	d.Reset()
	require.Equal(t, "de", d.State().Knowledge.DefaultLanguage)
	d.do(http.MethodGet, articlesPath+text, nil, http.StatusNotFound)
}

func TestKnowledgeIsSaved(t *testing.T) {
	t.Parallel()
	now := newClock()
	before := start(t, server.Options{Clock: now.Now})
	made := before.write(server.SeedCategoryLabels, "en", "da")
	before.do(http.MethodPost, articlesPath+made.ID+"/publish", nil, http.StatusNoContent)
	before.do(http.MethodDelete, "/templates/"+server.SeedTemplateReturns, nil, http.StatusNoContent)
	image := before.upload(http.StatusOK, file{"a.png", "image/png", pixel}).Data[0]
	var saved bytes.Buffer
	require.NoError(t, before.Save(&saved))
	after := start(t, server.Options{Clock: now.Now})
	require.NoError(t, after.Load(&saved))
	require.Equal(t, before.State(), after.State())
	require.Equal(t, before.article(made.ID), after.article(made.ID))
	require.Equal(t, pixel, string(after.do(http.MethodGet, strings.TrimPrefix(image.URL, before.url), nil, http.StatusOK).body))

	again := start(t, server.Options{Clock: now.Now})
	require.Equal(t, made, again.write(server.SeedCategoryLabels, "en", "da"), "the same requests make the same article")
}

// Under every setting of every switch, an article has the same life and every reply keeps
// to the contract.
func TestKnowledgeUnderEverySetting(t *testing.T) {
	t.Parallel()
	trials := map[string]server.Switches{}
	for name, settings := range server.NamedKnowledgeSettings() {
		for _, setting := range settings {
			var switches server.Switches
			require.NoError(t, json.Unmarshal([]byte(fmt.Sprintf(`{"knowledge": {%q: %q}}`, strings.TrimPrefix(name, "knowledge."), setting)), &switches))
			trials[name+"="+setting] = switches
		}
	}
	require.Greater(t, len(trials), 50)
	for name, switches := range trials {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := newClock()
			d := start(t, server.Options{Switches: switches, Clock: now.Now})
			id := d.write(server.SeedCategoryLabels, "en").ID
			require.Contains(t, d.catalog(server.SeedCollectionHelp, ""), "Returns/Labels/Title en")
			now.Advance(time.Minute)
			d.do(http.MethodPatch, articlesPath+id+"/translations", object{"translations": []object{{"languageId": "en", "title": "New", "content": "<p>New</p>"}}}, http.StatusOK)
			d.do(http.MethodPost, articlesPath+id+"/publish", nil, http.StatusNoContent)
			d.do(http.MethodPatch, articlesPath+id+"/parent/"+server.SeedCategoryReturns, nil, http.StatusNoContent)
			d.do(http.MethodPatch, articlesPath+id, object{"ownedBy": server.SeedAgentBen}, http.StatusOK)
			found := d.article(id)
			require.Equal(t, "New", found.Translation.Published.Title)
			require.Equal(t, "New", found.Translation.Published.Contents.Plaintext)
			require.Equal(t, server.SeedCategoryReturns+server.SeedAgentBen, found.ParentCategory+found.OwnedBy)
			require.Len(t, d.upload(http.StatusOK, file{"a.png", "image/png", pixel}).Data, 1)
			d.do(http.MethodPost, articlesPath+id+"/unpublish", nil, http.StatusNoContent)
			d.do(http.MethodDelete, articlesPath+id+"/parent", nil, http.StatusNoContent)
			d.do(http.MethodDelete, articlesPath+id, nil, http.StatusNoContent)
			d.do(http.MethodGet, articlesPath+id, nil, http.StatusNotFound)
			d.do(http.MethodDelete, articlesPath+id, nil, http.StatusNotFound)
		})
	}
}
