package server

import (
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

type contentBody struct {
	HTML  string `json:"html"`
	Plain string `json:"plaintext"`
}

type availableBody struct {
	HelpCenterLinks []HelpCenter `json:"helpCenterLinks"`
}

type versionBody struct {
	Language    string        `json:"language"`
	Title       string        `json:"title"`
	Indexed     bool          `json:"isIndexedVersion"`
	Contents    contentBody   `json:"contents"`
	AvailableAt availableBody `json:"availableAt"`
	CreatedAt   string        `json:"createdAt"`
	UpdatedAt   string        `json:"updatedAt"`
	CreatedBy   string        `json:"createdBy,omitempty"`
	UpdatedBy   string        `json:"updatedBy,omitempty"`
}

type translationBody struct {
	Draft     versionBody  `json:"draft"`
	Published *versionBody `json:"published,omitempty"`
}

func (s *Server) versionBody(article *Article, language string, version ArticleVersion, indexed bool) versionBody {
	body := versionBody{
		Language: language, Title: version.Title, Indexed: indexed,
		Contents:    contentBody{version.HTML, html.UnescapeString(markup.ReplaceAllString(version.HTML, ""))},
		AvailableAt: availableBody{[]HelpCenter{}},
		CreatedAt:   s.zoned(version.CreatedAt), CreatedBy: version.CreatedBy,
		UpdatedAt: s.zoned(version.UpdatedAt), UpdatedBy: version.UpdatedBy,
	}
	if !indexed {
		return body
	}
	for _, id := range s.state.Knowledge.collectionsOf(article.ParentID) {
		if collection := s.state.Knowledge.collection(id); collection != nil && collection.HelpCenter != nil {
			body.AvailableAt.HelpCenterLinks = append(body.AvailableAt.HelpCenterLinks, *collection.HelpCenter)
		}
	}
	return body
}

func (s *Server) translationBody(article *Article, t *ArticleTranslation) translationBody {
	unchanged := t.Published != nil && t.Indexed && t.Draft.Title == t.Published.Title && t.Draft.HTML == t.Published.HTML
	body := translationBody{
		Draft: s.versionBody(article, t.Language, t.Draft, unchanged && s.switches.Knowledge.DraftIndexed == "unchanged"),
	}
	if t.Published != nil {
		published := s.versionBody(article, t.Language, *t.Published, t.Indexed)
		body.Published = &published
	}
	return body
}

func (s *Server) listTranslations(_ *call, article *Article) (reply, error) {
	drafts, published := []versionBody{}, []versionBody{}
	for _, translation := range article.Translations {
		body := s.translationBody(article, translation)
		drafts = append(drafts, body.Draft)
		if body.Published != nil {
			published = append(published, *body.Published)
		}
	}
	return ok(map[string]any{"translations": map[string]any{"draft": drafts, "published": published}})
}

type translationInput struct {
	Language *string `json:"languageId" validate:"required"`
	Title    *string `json:"title" validate:"required"`
	Content  *string `json:"content"`
}

type translationError struct {
	Language string `json:"languageId"`
	Message  string `json:"message"`
}

var isoLanguage = regexp.MustCompile(`^[a-z]{2,3}$`)

// problem returns what is wrong with a translation, or an empty string. seen are the
// languages that the request has named so far.
func (s *Server) problem(c *call, input translationInput, seen map[string]bool) string {
	language, switches := *input.Language, c.switches.Knowledge
	valid := map[string]bool{
		"iso":        isoLanguage.MatchString(language),
		"configured": slices.Contains(s.state.Knowledge.Languages, language),
		"any":        language != "",
	}[switches.Languages]
	repeated := seen[language] && switches.RepeatedLanguage == Rejected
	seen[language] = true
	switch {
	case !valid:
		return "Invalid language"
	case repeated:
		return "The language is repeated"
	case strings.TrimSpace(*input.Title) == "" && switches.EmptyTitle == Rejected:
		return "The title is empty"
	case tooLong(*input.Title, switches.MaxTitleChars):
		return "The title is too long"
	case input.Content != nil && switches.MaxContentBytes > 0 && len(*input.Content) > switches.MaxContentBytes:
		return "The content is too long"
	}
	return ""
}

var scripts = regexp.MustCompile(`(?is)<script\b.*?</script\s*>|<style\b.*?</style\s*>`)

// write creates or updates a draft, and publishes it if the switch edits requires it.
func (a *Article) write(c *call, input translationInput) {
	translation := a.translation(*input.Language)
	if translation == nil {
		translation = &ArticleTranslation{Language: *input.Language, Draft: ArticleVersion{CreatedAt: c.now, CreatedBy: c.actor}}
		a.Translations = append(a.Translations, translation)
	}
	draft := &translation.Draft
	draft.Title, draft.UpdatedAt, draft.UpdatedBy = *input.Title, c.now, c.actor
	switch {
	case input.Content != nil && c.switches.Knowledge.Contents == "cleaned":
		draft.HTML = scripts.ReplaceAllString(*input.Content, "")
	case input.Content != nil:
		draft.HTML = *input.Content
	case c.switches.Knowledge.AbsentContent == "cleared":
		draft.HTML = ""
	}
	if c.switches.Knowledge.Edits == "published" {
		a.publish(c, translation)
	}
}

type updateTranslationsInput struct {
	Translations []translationInput `json:"translations" validate:"dive"`
}

// updateTranslations creates or updates the drafts of some languages. Those that fail do
// not affect the others.
func (s *Server) updateTranslations(c *call, article *Article, input updateTranslationsInput) (reply, error) {
	var written []string
	var failed []translationError
	seen := map[string]bool{}
	for _, translation := range input.Translations {
		language := *translation.Language
		if problem := s.problem(c, translation, seen); problem != "" {
			failed = append(failed, translationError{language, problem})
			continue
		}
		article.write(c, translation)
		if !slices.Contains(written, language) {
			written = append(written, language)
		}
	}
	if len(failed) > 0 && len(written) == 0 && c.switches.Knowledge.AllFailed == Rejected {
		return reply{}, bad(messageInvalid)
	}
	if len(written) > 0 {
		article.touch(c)
	}
	drafts := each(written, func(language string) versionBody {
		return s.translationBody(article, article.translation(language)).Draft
	})
	return reply{status: http.StatusOK, body: struct {
		Data   []versionBody      `json:"data"`
		Errors []translationError `json:"partialErrors,omitempty"`
	}{drafts, failed}}, nil
}

func (s *Server) pathTranslation(c *call, article *Article) (*ArticleTranslation, error) {
	translation := article.translation(c.request.PathValue("languageId"))
	if translation == nil {
		return nil, notFound()
	}
	return translation, nil
}

// deleteTranslation removes the draft and the published version.
func (s *Server) deleteTranslation(c *call, article *Article) (reply, error) {
	translation, err := s.pathTranslation(c, article)
	if err != nil {
		return reply{}, err
	}
	if len(article.Translations) == 1 && c.switches.Knowledge.LastTranslation == "400" {
		return reply{}, bad(messageInvalid)
	}
	article.Translations = slices.DeleteFunc(article.Translations, func(t *ArticleTranslation) bool { return t == translation })
	article.clearIndex(c)
	article.touch(c)
	return empty(http.StatusNoContent)
}

func (s *Server) publishTranslation(c *call, article *Article) (reply, error) {
	translation, err := s.pathTranslation(c, article)
	if err != nil {
		return reply{}, err
	}
	article.publish(c, translation)
	return empty(http.StatusNoContent)
}

func (s *Server) publishArticle(c *call, article *Article) (reply, error) {
	if len(article.Translations) == 0 {
		return c.repeated(c.switches.Knowledge.PublishNothing)
	}
	for _, translation := range article.Translations {
		article.publish(c, translation)
	}
	return empty(http.StatusNoContent)
}

func (s *Server) unpublishTranslation(c *call, article *Article) (reply, error) {
	translation, err := s.pathTranslation(c, article)
	if err != nil {
		return reply{}, err
	}
	return article.unpublish(c, translation)
}

func (s *Server) unpublishArticle(c *call, article *Article) (reply, error) {
	return article.unpublish(c, article.Translations...)
}

// publish makes the draft the published version, which may be the same as before.
func (a *Article) publish(c *call, translation *ArticleTranslation) {
	published := translation.Draft
	translation.Published, translation.Indexed = &published, true
	a.IndexedAt, a.IndexedBy = c.now, c.actor
}

func (a *Article) unpublish(c *call, translations ...*ArticleTranslation) (reply, error) {
	if !slices.ContainsFunc(translations, func(t *ArticleTranslation) bool { return t.Indexed }) {
		return c.repeated(c.switches.Knowledge.UnpublishTwice)
	}
	for _, translation := range translations {
		translation.Indexed = false
		if c.switches.Knowledge.Unpublished == "removed" {
			translation.Published = nil
		}
	}
	a.clearIndex(c)
	return empty(http.StatusNoContent)
}

// clearIndex removes the time of the last publication when no translation is published
// any more, unless the switch unpublished keeps what was published.
func (a *Article) clearIndex(c *call) {
	indexed := slices.ContainsFunc(a.Translations, func(t *ArticleTranslation) bool { return t.Indexed })
	if !indexed && c.switches.Knowledge.Unpublished == "removed" {
		a.IndexedAt, a.IndexedBy = time.Time{}, ""
	}
}
