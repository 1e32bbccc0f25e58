package server

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Ids of the knowledge base of the default seed.
const (
	// SeedCollectionHelp is the collection of the help center for customers.
	SeedCollectionHelp = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0080"
	// SeedCollectionTeam is a restricted collection for agents.
	SeedCollectionTeam = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0081"
	// SeedCategoryReturns is a category of SeedCollectionHelp with titles in English and
	// Danish.
	SeedCategoryReturns = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0082"
	// SeedCategoryLabels is a category within SeedCategoryReturns.
	SeedCategoryLabels = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0083"
	// SeedCategoryPolicies is a locked category of SeedCollectionTeam.
	SeedCategoryPolicies = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0084"
	// SeedCategoryDefault is the default location and in no collection.
	SeedCategoryDefault = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0085"
	// SeedArticleReturn is in SeedCategoryReturns, published in English and a draft in
	// Danish.
	SeedArticleReturn = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0086"
	// SeedArticlePrinter is a draft in SeedCategoryLabels.
	SeedArticlePrinter = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0087"
	// SeedHelpCenter is the help center of SeedCollectionHelp.
	SeedHelpCenter = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0088"
)

// Knowledge is the content of the knowledge base.
type Knowledge struct {
	// DefaultLanguage is the language of responses to requests that name none.
	DefaultLanguage string `json:"defaultLanguage"`
	// Languages are those of the knowledge base. They matter only with the setting
	// "configured" of the switch languages.
	Languages   []string      `json:"languages"`
	Collections []*Collection `json:"collections"`
	Categories  []*Category   `json:"categories"`
	Articles    []*Article    `json:"articles"`
	// Images are the files that were uploaded for articles.
	Images []File `json:"images"`
}

// Collection is a group of categories and articles.
type Collection struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	// Internal means that agents find its articles in Dixa.
	Internal bool `json:"internal"`
	// Restricted limits who sees the collection and everything in it.
	Restricted bool `json:"restricted,omitempty"`
	// HelpCenter shows its articles to customers, if set.
	HelpCenter *HelpCenter `json:"helpCenter,omitempty"`
}

// HelpCenter is a site that shows the articles of collections.
type HelpCenter struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Category is a group of categories and articles within collections or within another
// category.
type Category struct {
	ID     string          `json:"id"`
	Titles []CategoryTitle `json:"titles"`
	// ParentID is the category that contains it. Otherwise it is in Collections.
	ParentID    string   `json:"parentId,omitempty"`
	Collections []string `json:"collections,omitempty"`
	// DefaultLocation marks the category of articles without a place. At most one is.
	DefaultLocation bool `json:"defaultLocation,omitempty"`
	Locked          bool `json:"locked,omitempty"`
	Restricted      bool `json:"restricted,omitempty"`
}

// CategoryTitle is a category's title in one language.
type CategoryTitle struct {
	Language string `json:"language"`
	Title    string `json:"title"`
}

// Article is a text of the knowledge base in one or more languages.
type Article struct {
	ID string `json:"id"`
	// ParentID is a category or, with the switch collectionParent, a collection. It is
	// empty if the article is in neither.
	ParentID     string                `json:"parentId,omitempty"`
	Translations []*ArticleTranslation `json:"translations"`
	Tags         []string              `json:"tags"`
	// PreRelease is stored, but no operation of Dixa returns it.
	PreRelease bool      `json:"preRelease,omitempty"`
	Restricted bool      `json:"restricted,omitempty"`
	CreatedAt  time.Time `json:"createdAt"`
	CreatedBy  string    `json:"createdBy,omitempty"`
	// UpdatedAt and UpdatedBy are those of the last change of a draft, the owner, the tags
	// or the parent. IndexedAt and IndexedBy are those of the last publication.
	UpdatedAt time.Time `json:"updatedAt"`
	UpdatedBy string    `json:"updatedBy,omitempty"`
	OwnedBy   string    `json:"ownedBy,omitempty"`
	IndexedAt time.Time `json:"indexedAt,omitzero"`
	IndexedBy string    `json:"indexedBy,omitempty"`
}

// ArticleTranslation is an article in one language.
type ArticleTranslation struct {
	// Language is a code such as en or da.
	Language string         `json:"language"`
	Draft    ArticleVersion `json:"draft"`
	// Published is the draft at the time of the last publication.
	Published *ArticleVersion `json:"published,omitempty"`
	// Indexed means that search finds Published.
	Indexed bool `json:"indexed,omitempty"`
}

// ArticleVersion is the text of a draft or of a publication.
type ArticleVersion struct {
	Title     string    `json:"title"`
	HTML      string    `json:"html"`
	CreatedAt time.Time `json:"createdAt"`
	CreatedBy string    `json:"createdBy,omitempty"`
	UpdatedAt time.Time `json:"updatedAt"`
	UpdatedBy string    `json:"updatedBy,omitempty"`
}

func defaultKnowledge() *Knowledge {
	since := time.Date(2024, time.January, 8, 9, 0, 0, 0, time.UTC)
	text := func(title, html string) ArticleVersion {
		return ArticleVersion{Title: title, HTML: html, CreatedAt: since, CreatedBy: SeedAgentAnna, UpdatedAt: since, UpdatedBy: SeedAgentAnna}
	}
	returning := text("How to return an order", "<p>Use the label in the parcel.</p>")
	printing := text("No printer?", "<p>Ask us for a <b>QR code</b> &amp; show it at the shop.</p>")
	return &Knowledge{
		DefaultLanguage: "en", Languages: []string{"en", "da", "de"},
		Collections: []*Collection{
			{
				ID: SeedCollectionHelp, Title: "Help for customers", Description: "What customers ask most", Internal: true,
				HelpCenter: &HelpCenter{SeedHelpCenter, "Demo Shop help", "https://help.demo-shop.example"},
			},
			{ID: SeedCollectionTeam, Title: "For the team", Internal: true, Restricted: true},
		},
		Categories: []*Category{
			{ID: SeedCategoryReturns, Titles: []CategoryTitle{{"en", "Returns"}, {"da", "Returneringer"}}, Collections: []string{SeedCollectionHelp}},
			{ID: SeedCategoryLabels, Titles: []CategoryTitle{{"en", "Labels"}}, ParentID: SeedCategoryReturns},
			{ID: SeedCategoryPolicies, Titles: []CategoryTitle{{"en", "Policies"}}, Collections: []string{SeedCollectionTeam}, Locked: true},
			{ID: SeedCategoryDefault, Titles: []CategoryTitle{{"en", "Unsorted"}}, DefaultLocation: true},
		},
		Articles: []*Article{
			{
				ID: SeedArticleReturn, ParentID: SeedCategoryReturns, Tags: []string{},
				Translations: []*ArticleTranslation{
					{Language: "en", Draft: returning, Published: &returning, Indexed: true},
					{Language: "da", Draft: text("Sådan returnerer du", "<p>Brug labelen i pakken.</p>")},
				},
				CreatedAt: since, CreatedBy: SeedAgentAnna, UpdatedAt: since, UpdatedBy: SeedAgentAnna, OwnedBy: SeedAgentAnna,
				IndexedAt: since.Add(time.Hour), IndexedBy: SeedAgentAdmin,
			},
			{
				ID: SeedArticlePrinter, ParentID: SeedCategoryLabels, Tags: []string{},
				Translations: []*ArticleTranslation{{Language: "en", Draft: printing}},
				CreatedAt:    since, CreatedBy: SeedAgentAnna, UpdatedAt: since, UpdatedBy: SeedAgentAnna, OwnedBy: SeedAgentAnna,
			},
		},
		Images: []File{},
	}
}

// check returns what is wrong with a knowledge base.
func (k *Knowledge) check() error {
	if k.DefaultLanguage == "" {
		return errors.New("defaultLanguage is required")
	}
	ids := map[string]bool{}
	fresh := func(id string) error {
		if !isUUID(id) || ids[id] {
			return fmt.Errorf("id %q is not a UUID, or is there twice", id)
		}
		ids[id] = true
		return nil
	}
	for _, collection := range k.Collections {
		if err := fresh(collection.ID); err != nil {
			return err
		}
		if collection.Title == "" {
			return fmt.Errorf("collection %s needs a title", collection.ID)
		}
	}
	if err := k.checkCategories(fresh); err != nil {
		return err
	}
	for _, article := range k.Articles {
		if err := fresh(article.ID); err != nil {
			return err
		}
		if article.ParentID != "" && k.category(article.ParentID) == nil && k.collection(article.ParentID) == nil {
			return fmt.Errorf("the parent of article %s is not there", article.ID)
		}
		for at, translation := range article.Translations {
			if translation.Language == "" || translation.Draft.Title == "" || article.translation(translation.Language) != article.Translations[at] {
				return fmt.Errorf("article %s needs a language and a title for each translation, and each language once", article.ID)
			}
		}
	}
	return nil
}

func (k *Knowledge) checkCategories(fresh func(string) error) error {
	defaults := 0
	for _, category := range k.Categories {
		if err := fresh(category.ID); err != nil {
			return err
		}
		if category.DefaultLocation {
			defaults++
		}
		if category.ParentID != "" && len(category.Collections) > 0 {
			return fmt.Errorf("category %s has a parent, so that it needs no collections", category.ID)
		}
		for _, id := range category.Collections {
			if k.collection(id) == nil {
				return fmt.Errorf("a collection of category %s is not there", category.ID)
			}
		}
		top := k.lineage(category.ID)
		if last := top[len(top)-1]; last.ParentID != "" {
			return fmt.Errorf("category %s has an ancestor that is not there, or is its own ancestor", category.ID)
		}
	}
	if defaults > 1 {
		return errors.New("more than one category is the default location")
	}
	return nil
}

// SetKnowledge replaces the knowledge base. Articles without times were created now.
// Dixa's API has no operation that changes collections or categories.
func (s *Server) SetKnowledge(knowledge Knowledge) error {
	if err := knowledge.check(); err != nil {
		return fmt.Errorf("set knowledge: %w", err)
	}
	copied := clone(State{Knowledge: knowledge}).Knowledge
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, article := range copied.Articles {
		times := []*time.Time{&article.CreatedAt, &article.UpdatedAt}
		for _, translation := range article.Translations {
			times = append(times, &translation.Draft.CreatedAt, &translation.Draft.UpdatedAt)
			if translation.Published != nil {
				times = append(times, &translation.Published.CreatedAt, &translation.Published.UpdatedAt)
			}
		}
		for _, at := range times {
			if at.IsZero() {
				*at = s.clock()
			}
		}
	}
	s.state.Knowledge = copied
	return nil
}

func (s *Server) adminKnowledge(_ *http.Request, body []byte) (any, error) {
	var knowledge Knowledge
	if err := strict(body, &knowledge); err != nil {
		return nil, fmt.Errorf("parse knowledge: %w", err)
	}
	return nil, s.SetKnowledge(knowledge)
}

func (k *Knowledge) collection(id string) *Collection {
	return first(k.Collections, func(c *Collection) bool { return sameID(c.ID, id) })
}

func (k *Knowledge) category(id string) *Category {
	return first(k.Categories, func(c *Category) bool { return sameID(c.ID, id) })
}

func (k *Knowledge) article(id string) *Article {
	return first(k.Articles, func(a *Article) bool { return sameID(a.ID, id) })
}

// lineage returns a category and its ancestors, the nearest first. Without such a
// category, it is empty.
func (k *Knowledge) lineage(id string) []*Category {
	found := []*Category{}
	for id != "" && len(found) < len(k.Categories) {
		category := k.category(id)
		if category == nil {
			break
		}
		found, id = append(found, category), category.ParentID
	}
	return found
}

// collectionsOf returns the ids of the collections that contain what has the parent, a
// category or a collection, at any depth.
func (k *Knowledge) collectionsOf(parent string) []string {
	if collection := k.collection(parent); collection != nil {
		return []string{collection.ID}
	}
	ids := []string{}
	for _, category := range k.lineage(parent) {
		ids = append(ids, category.Collections...)
	}
	return ids
}

func (t *ArticleTranslation) language() string { return t.Language }

// translation returns the article in one language, or nil.
func (a *Article) translation(language string) *ArticleTranslation {
	return first(a.Translations, func(t *ArticleTranslation) bool { return t.Language == language })
}

func (s *Server) pathCollection(c *call) (*Collection, error) {
	return named(c, "collectionId", s.state.Knowledge.collection)
}

func (s *Server) pathCategory(c *call) (*Category, error) {
	return named(c, "categoryId", s.state.Knowledge.category)
}

func (s *Server) pathArticle(c *call) (*Article, error) {
	return named(c, "articleId", s.state.Knowledge.article)
}
