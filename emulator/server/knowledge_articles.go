package server

import (
	"net/http"
	"slices"
)

type articleBody struct {
	ID                string           `json:"id"`
	IsDefaultLocation bool             `json:"isDefaultLocation"`
	Translation       *translationBody `json:"translation,omitempty"`
	Tags              []string         `json:"tags"`
	CreatedAt         string           `json:"createdAt"`
	UpdatedAt         string           `json:"updatedAt"`
	IndexedAt         string           `json:"indexedAt,omitempty"`
	CreatedBy         string           `json:"createdBy,omitempty"`
	UpdatedBy         string           `json:"updatedBy,omitempty"`
	OwnedBy           string           `json:"ownedBy,omitempty"`
	IndexedBy         string           `json:"indexedBy,omitempty"`
	Restrictions      restrictionsBody `json:"restrictions"`
	ParentCategory    string           `json:"parentCategory,omitempty"`
	ParentCollections []string         `json:"parentCollections"`
}

// articleReply replies with an article in the language that the request names.
func (s *Server) articleReply(c *call, article *Article) (reply, error) {
	at, err := inLanguage(s, c, article.Translations, (*ArticleTranslation).language)
	if err != nil {
		return reply{}, err
	}
	knowledge := &s.state.Knowledge
	lineage, collections := knowledge.lineage(article.ParentID), knowledge.collectionsOf(article.ParentID)
	body := articleBody{
		ID: article.ID, Tags: append([]string{}, article.Tags...),
		CreatedAt: s.zoned(article.CreatedAt), CreatedBy: article.CreatedBy,
		UpdatedAt: s.zoned(article.UpdatedAt), UpdatedBy: article.UpdatedBy,
		OwnedBy: article.OwnedBy, IndexedBy: article.IndexedBy,
		Restrictions:      s.restrictions(article.Restricted, inheritedBody{}, lineage, collections),
		ParentCollections: collections,
	}
	if at >= 0 {
		translation := s.translationBody(article, article.Translations[at])
		body.Translation = &translation
	}
	if !article.IndexedAt.IsZero() {
		body.IndexedAt = s.zoned(article.IndexedAt)
	}
	if len(lineage) > 0 {
		body.ParentCategory, body.IsDefaultLocation = lineage[0].ID, lineage[0].DefaultLocation
	}
	if len(lineage) > 0 && c.switches.Knowledge.ParentCollections == "direct" {
		body.ParentCollections = []string{}
	}
	return ok(body)
}

func (s *Server) getArticle(c *call, article *Article) (reply, error) {
	return s.articleReply(c, article)
}

type createArticleInput struct {
	Translations []translationInput `json:"translations" validate:"dive"`
	ParentID     *string            `json:"parentId"`
	Tags         []string           `json:"tags"`
	PreRelease   bool               `json:"preRelease"`
}

func (s *Server) createArticle(c *call, input createArticleInput) (reply, error) {
	seen := map[string]bool{}
	for _, translation := range input.Translations {
		if problem := s.problem(c, translation, seen); problem != "" {
			return reply{}, bad(problem)
		}
	}
	parent := s.noParent(c)
	if input.ParentID != nil {
		var err error
		if parent, err = s.newParent(c, *input.ParentID, c.switches.Knowledge.UnknownParent); err != nil {
			return reply{}, err
		}
	}
	if err := s.checkTags(c, input.Tags); err != nil {
		return reply{}, err
	}
	article := &Article{
		ID: s.newID(), ParentID: parent, PreRelease: input.PreRelease, Translations: []*ArticleTranslation{},
		CreatedAt: c.now, CreatedBy: c.actor, UpdatedAt: c.now, UpdatedBy: c.actor,
	}
	article.tag(input.Tags, nil)
	if c.switches.Knowledge.Owner == "creator" {
		article.OwnedBy = c.actor
	}
	for _, translation := range input.Translations {
		article.write(c, translation)
	}
	s.state.Knowledge.Articles = append(s.state.Knowledge.Articles, article)
	return s.articleReply(c, article)
}

type tagsUpdateInput struct {
	Add    []string `json:"add"`
	Remove []string `json:"remove"`
}

type updateArticleInput struct {
	OwnedBy    *string         `json:"ownedBy"`
	Tags       tagsUpdateInput `json:"tags"`
	PreRelease *bool           `json:"preRelease"`
}

func (s *Server) updateArticle(c *call, article *Article, input updateArticleInput) (reply, error) {
	if unknown := c.switches.Knowledge.UnknownOwner; input.OwnedBy != nil && unknown != Accepted && s.agent(*input.OwnedBy) == nil {
		return reply{}, refusedWith(unknown, messageInvalid)
	}
	if err := s.checkTags(c, input.Tags.Add); err != nil {
		return reply{}, err
	}
	set(&article.OwnedBy, input.OwnedBy)
	set(&article.PreRelease, input.PreRelease)
	article.tag(input.Tags.Add, input.Tags.Remove)
	article.touch(c)
	return s.articleReply(c, article)
}

func (s *Server) deleteArticle(_ *call, article *Article) (reply, error) {
	s.state.Knowledge.Articles = slices.DeleteFunc(s.state.Knowledge.Articles, func(a *Article) bool { return a == article })
	return empty(http.StatusNoContent)
}

// moveArticle may be repeated.
func (s *Server) moveArticle(c *call, article *Article) (reply, error) {
	id, err := c.uuid("parentId")
	if err != nil {
		return reply{}, err
	}
	parent, err := s.newParent(c, id, "404")
	if err != nil {
		return reply{}, err
	}
	article.ParentID = parent
	article.touch(c)
	return empty(http.StatusNoContent)
}

func (s *Server) removeParent(c *call, article *Article) (reply, error) {
	if article.ParentID == s.noParent(c) {
		return c.repeated(c.switches.Knowledge.RemoveNoParent)
	}
	article.ParentID = s.noParent(c)
	article.touch(c)
	return empty(http.StatusNoContent)
}

// repeated replies to a request that changes nothing with the status of a switch.
func (c *call) repeated(status string) (reply, error) {
	if status == "204" {
		return empty(http.StatusNoContent)
	}
	return reply{}, refusedWith(status, messageInvalid)
}

// noParent returns the place of an article without a parent.
func (s *Server) noParent(c *call) string {
	place := first(s.state.Knowledge.Categories, func(category *Category) bool { return category.DefaultLocation })
	if place == nil || c.switches.Knowledge.NoParent == "none" {
		return ""
	}
	return place.ID
}

// newParent returns the id of a new parent of an article, as it is stored. unknown is the
// status if there is none.
func (s *Server) newParent(c *call, id, unknown string) (string, error) {
	if category := s.state.Knowledge.category(id); category != nil {
		if category.Locked && c.switches.Knowledge.LockedCategory == Rejected {
			return "", bad("The category is locked")
		}
		return category.ID, nil
	}
	if collection := s.state.Knowledge.collection(id); collection != nil && c.switches.Knowledge.CollectionParent == Accepted {
		return collection.ID, nil
	}
	return "", refusedWith(unknown, messageInvalid)
}

// checkTags refuses ids of tags that do not exist, if the switch unknownTag requires it.
func (s *Server) checkTags(c *call, ids []string) error {
	for _, id := range ids {
		if unknown := c.switches.Knowledge.UnknownTag; unknown != Accepted && s.tag(id) == nil {
			return refusedWith(unknown, messageInvalid)
		}
	}
	return nil
}

// tag adds and removes tags. An article has each tag once.
func (a *Article) tag(add, remove []string) {
	a.Tags = append([]string{}, a.Tags...)
	for _, id := range add {
		if !containsID(a.Tags, id) {
			a.Tags = append(a.Tags, id)
		}
	}
	a.Tags = slices.DeleteFunc(a.Tags, func(id string) bool { return containsID(remove, id) })
}

// touch records a change of the article.
func (a *Article) touch(c *call) { a.UpdatedAt, a.UpdatedBy = c.now, c.actor }
