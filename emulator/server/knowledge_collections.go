package server

import "slices"

type inheritedBody struct {
	FromCollection string `json:"fromCollection,omitempty"`
	FromCategory   string `json:"fromCategory,omitempty"`
}

type restrictionsBody struct {
	IsRestricted bool            `json:"isRestricted"`
	Inherited    []inheritedBody `json:"inheritedRestrictions"`
}

type collectionBody struct {
	ID           string           `json:"id"`
	Title        string           `json:"title"`
	Description  string           `json:"description,omitempty"`
	Internal     bool             `json:"internalKbEnabled"`
	Restrictions restrictionsBody `json:"restrictions"`
}

type titleBody struct {
	Language string `json:"languageId"`
	Title    string `json:"title"`
}

type categoryBody struct {
	ID                string           `json:"id"`
	Title             *titleBody       `json:"title,omitempty"`
	IsDefaultLocation bool             `json:"isDefaultLocation"`
	IsLocked          bool             `json:"isLocked"`
	Restrictions      restrictionsBody `json:"restrictions"`
	ParentCategory    string           `json:"parentCategory,omitempty"`
	ParentCollections []string         `json:"parentCollections"`
}

// restrictions returns the restrictions of something in the given categories and
// collections. own says whether it is restricted itself, and self is the entry for that.
func (s *Server) restrictions(own bool, self inheritedBody, categories []*Category, collections []string) restrictionsBody {
	body := restrictionsBody{Inherited: []inheritedBody{}}
	if own && self != (inheritedBody{}) && s.switches.Knowledge.OwnRestriction == "listed" {
		body.Inherited = append(body.Inherited, self)
	}
	for _, category := range categories {
		if category.Restricted {
			body.Inherited = append(body.Inherited, inheritedBody{FromCategory: category.ID})
		}
	}
	for _, id := range collections {
		if collection := s.state.Knowledge.collection(id); collection != nil && collection.Restricted {
			body.Inherited = append(body.Inherited, inheritedBody{FromCollection: collection.ID})
		}
	}
	body.IsRestricted = own || len(body.Inherited) > 0
	return body
}

func (s *Server) collectionBody(collection *Collection) collectionBody {
	return collectionBody{
		ID: collection.ID, Title: collection.Title, Description: collection.Description, Internal: collection.Internal,
		Restrictions: s.restrictions(collection.Restricted, inheritedBody{FromCollection: collection.ID}, nil, nil),
	}
}

func (s *Server) listCollections(c *call) (reply, error) {
	bodies := inOrder(s, each(s.state.Knowledge.Collections, s.collectionBody))
	if c.switches.Knowledge.CollectionPages == "all" {
		return ok(bodies)
	}
	answer, err := page(c, "/knowledge/collections", 1000, bodies)
	if listed, isList := answer.body.(envelope); isList && c.switches.Knowledge.CollectionPages == "unlinked" {
		answer.body = envelope{Data: listed.Data}
	}
	return answer, err
}

func (s *Server) getCollection(_ *call, collection *Collection) (reply, error) {
	return ok(s.collectionBody(collection))
}

// inLanguage returns the index of the item in the language that the request names, or
// else in the default language. If there is none, it returns -1, the index of another
// language, or a 404, as the switch missingTranslation says.
func inLanguage[T any](s *Server, c *call, items []T, language func(T) string) (int, error) {
	in := func(code string) int {
		return slices.IndexFunc(items, func(item T) bool { return language(item) == code })
	}
	code := c.query.Get("language")
	asked := code != ""
	if !asked {
		code = s.state.Knowledge.DefaultLanguage
	}
	at := in(code)
	switch {
	case at >= 0:
	case c.switches.Knowledge.MissingTranslation == "default" && len(items) > 0:
		at = max(0, in(s.state.Knowledge.DefaultLanguage))
	case c.switches.Knowledge.MissingTranslation == "404" && asked:
		return -1, notFound()
	}
	return at, nil
}

func (s *Server) categoryTitle(c *call, category *Category) (*titleBody, error) {
	at, err := inLanguage(s, c, category.Titles, func(t CategoryTitle) string { return t.Language })
	if err != nil || at < 0 {
		return nil, err
	}
	return &titleBody{category.Titles[at].Language, category.Titles[at].Title}, nil
}

func (s *Server) getCategory(c *call, category *Category) (reply, error) {
	title, err := s.categoryTitle(c, category)
	if err != nil {
		return reply{}, err
	}
	collections := s.state.Knowledge.collectionsOf(category.ID)
	body := categoryBody{
		ID: category.ID, Title: title, IsDefaultLocation: category.DefaultLocation, IsLocked: category.Locked,
		Restrictions: s.restrictions(category.Restricted, inheritedBody{FromCategory: category.ID},
			s.state.Knowledge.lineage(category.ID)[1:], collections),
		ParentCategory: category.ParentID, ParentCollections: collections,
	}
	if c.switches.Knowledge.ParentCollections == "direct" {
		body.ParentCollections = append([]string{}, category.Collections...)
	}
	return ok(body)
}

func (s *Server) listCategoryTranslations(_ *call, category *Category) (reply, error) {
	return ok(map[string]any{"titles": each(category.Titles, func(t CategoryTitle) titleBody { return titleBody(t) })})
}

type articleItem struct {
	ID    string     `json:"id"`
	Title *titleBody `json:"title,omitempty"`
}

type categoryItem struct {
	ID         string         `json:"id"`
	Title      *titleBody     `json:"title,omitempty"`
	Categories []categoryItem `json:"categories"`
	Articles   []articleItem  `json:"articles"`
}

// getCatalog lists the whole tree of a collection.
func (s *Server) getCatalog(c *call, collection *Collection) (reply, error) {
	categories := s.categoryItems(c, func(category *Category) bool { return containsID(category.Collections, collection.ID) }, 0)
	return ok(map[string]any{"categories": categories, "articles": s.articleItems(c, collection.ID)})
}

func (s *Server) categoryItems(c *call, match func(*Category) bool, depth int) []categoryItem {
	items := []categoryItem{}
	if depth > len(s.state.Knowledge.Categories) {
		return items // a saved state may hold a category that contains itself
	}
	for _, category := range s.state.Knowledge.Categories {
		if !match(category) {
			continue
		}
		title, _ := s.categoryTitle(c, category) // a catalog has every category
		items = append(items, categoryItem{
			ID: category.ID, Title: title, Articles: s.articleItems(c, category.ID),
			Categories: s.categoryItems(c, func(child *Category) bool { return sameID(child.ParentID, category.ID) }, depth+1),
		})
	}
	return items
}

func (s *Server) articleItems(c *call, parent string) []articleItem {
	items := []articleItem{}
	for _, article := range s.state.Knowledge.Articles {
		if !sameID(article.ParentID, parent) {
			continue
		}
		at, err := inLanguage(s, c, article.Translations, (*ArticleTranslation).language)
		if err != nil {
			continue
		}
		item := articleItem{ID: article.ID}
		if at >= 0 {
			translation := article.Translations[at]
			item.Title = &titleBody{translation.Language, translation.Draft.Title}
			if translation.Published != nil && c.switches.Knowledge.CatalogTitles == "published" {
				item.Title.Title = translation.Published.Title
			}
		}
		items = append(items, item)
	}
	return items
}
