package server

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Ids of the templates of the default seed.
const (
	// SeedTemplateAutoReply is the EmailAutoReply whose text the emulator sends as an
	// automatic reply.
	SeedTemplateAutoReply = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0090"
	// SeedTemplateReturns is a QuickResponse with translations.
	SeedTemplateReturns = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0091"
	// SeedTemplateDamaged is a QuickResponse that nobody edited.
	SeedTemplateDamaged = "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0092"
)

// Types of templates.
const (
	TemplateEmailAutoReply = "EmailAutoReply"
	TemplateQuickResponse  = "QuickResponse"
)

// Template is a text that agents or automations send.
type Template struct {
	ID string `json:"id"`
	// Type is EmailAutoReply or QuickResponse.
	Type    string `json:"type"`
	Name    string `json:"name"`
	Subject string `json:"subject,omitempty"`
	Content string `json:"content"`
	// Translations have a locale each.
	Translations []TemplateTranslation `json:"translations,omitempty"`
	CreatedBy    string                `json:"createdBy"`
	CreatedAt    time.Time             `json:"createdAt"`
	// LastEditedBy and LastEditedAt are empty if the template was never edited.
	LastEditedBy string    `json:"lastEditedBy,omitempty"`
	LastEditedAt time.Time `json:"lastEditedAt,omitzero"`
}

// TemplateTranslation is a template's text in another language.
type TemplateTranslation struct {
	// Locale is a language with optional script and country, such as da or de-AT.
	Locale      string `json:"locale"`
	Subject     string `json:"subject,omitempty"`
	Content     string `json:"content"`
	Deactivated bool   `json:"deactivated,omitempty"`
}

// automaticReply is the name and text of the automatic reply.
const (
	automaticReply     = "Automatic reply"
	automaticReplyText = "Thank you for your message. We will answer as soon as we can."
)

func defaultTemplates() []*Template {
	since := time.Date(2024, time.January, 8, 9, 0, 0, 0, time.UTC)
	return []*Template{
		{
			ID: SeedTemplateAutoReply, Type: TemplateEmailAutoReply, Name: automaticReply, Content: automaticReplyText,
			CreatedBy: SeedAgentAdmin, CreatedAt: since,
		},
		{
			ID: SeedTemplateReturns, Type: TemplateQuickResponse, Name: "How to return", Subject: "Your return {{csid}}",
			Content: "Hello {{requester_firstname}},\n\nplease use the enclosed label.\n\n{{agent_firstname}}",
			Translations: []TemplateTranslation{
				{Locale: "da", Subject: "Din returnering {{csid}}", Content: "Hej {{requester_firstname}},\n\nbrug venligst den vedlagte label.\n\n{{agent_firstname}}"},
				{Locale: "de-AT", Content: "Hallo {{requester_firstname}},\n\nbitte nimm das Etikett im Paket.\n\n{{agent_firstname}}", Deactivated: true},
			},
			CreatedBy: SeedAgentAdmin, CreatedAt: since, LastEditedBy: SeedAgentAnna, LastEditedAt: since.AddDate(1, 2, 3),
		},
		{
			ID: SeedTemplateDamaged, Type: TemplateQuickResponse, Name: "Photos of the damage",
			Content:   "Hello {{requester_firstname}},\n\nplease send us photos of the damage.\n\n{{agent_firstname}}",
			CreatedBy: SeedAgentAnna, CreatedAt: since.AddDate(0, 1, 0),
		},
	}
}

// check returns what is wrong with a template.
func (t *Template) check() error {
	if !isUUID(t.ID) || t.Name == "" || t.Content == "" {
		return errors.New("id must be a UUID, and name and content are required")
	}
	if !templateType(t.Type) {
		return fmt.Errorf("type %q must be %s or %s", t.Type, TemplateEmailAutoReply, TemplateQuickResponse)
	}
	locales := map[string]bool{}
	for _, translation := range t.Translations {
		if translation.Locale == "" || locales[translation.Locale] {
			return fmt.Errorf("locale %q is empty, or is there twice", translation.Locale)
		}
		locales[translation.Locale] = true
	}
	return nil
}

func templateType(name string) bool {
	return name == TemplateEmailAutoReply || name == TemplateQuickResponse
}

// SetTemplate adds a template or replaces the one with its id. Without a creator or time
// of creation, it was created by the administrator and now. Dixa's API has no operation
// for it.
func (s *Server) SetTemplate(template Template) error {
	if err := template.check(); err != nil {
		return fmt.Errorf("set template: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	copied := clone(State{Templates: []*Template{&template}}).Templates[0]
	if copied.CreatedBy == "" {
		copied.CreatedBy = s.tokenUser()
	}
	if copied.CreatedAt.IsZero() {
		copied.CreatedAt = s.clock()
	}
	if former := s.template(template.ID); former != nil {
		*former = *copied
		return nil
	}
	s.state.Templates = append(s.state.Templates, copied)
	return nil
}

func (s *Server) adminTemplate(_ *http.Request, body []byte) (any, error) {
	var template Template
	if err := strict(body, &template); err != nil {
		return nil, fmt.Errorf("parse template: %w", err)
	}
	return nil, s.SetTemplate(template)
}

type templateTranslationBody struct {
	Locale        string `json:"locale"`
	Content       string `json:"content"`
	IsDeactivated bool   `json:"isDeactivated"`
	Subject       string `json:"subject,omitempty"`
}

type templateBody struct {
	ID           string                    `json:"id"`
	Name         string                    `json:"name"`
	Content      string                    `json:"content"`
	CreatedBy    string                    `json:"createdBy"`
	CreatedAt    string                    `json:"createdAt"`
	LastEditedBy string                    `json:"lastEditedBy,omitempty"`
	LastEditedAt string                    `json:"lastEditedAt,omitempty"`
	Translations []templateTranslationBody `json:"translations,omitempty"`
	Subject      string                    `json:"subject,omitempty"`
	Type         string                    `json:"_type"`
}

func (t *Template) body() templateBody {
	body := templateBody{
		ID: t.ID, Name: t.Name, Content: t.Content, CreatedBy: t.CreatedBy, CreatedAt: offset(t.CreatedAt),
		LastEditedBy: t.LastEditedBy, Subject: t.Subject, Type: t.Type,
	}
	if !t.LastEditedAt.IsZero() {
		body.LastEditedAt = offset(t.LastEditedAt)
	}
	for _, translation := range t.Translations {
		body.Translations = append(body.Translations, templateTranslationBody{
			translation.Locale, translation.Content, translation.Deactivated, translation.Subject,
		})
	}
	return body
}

func (s *Server) template(id string) *Template {
	return first(s.state.Templates, func(t *Template) bool { return sameID(t.ID, id) })
}

func (s *Server) pathTemplate(c *call) (*Template, error) { return named(c, "templateId", s.template) }

func (s *Server) listTemplates(c *call) (reply, error) {
	kind := c.filter("type")
	if kind != "" && !templateType(kind) {
		return reply{}, bad(messageInvalid)
	}
	listed := []*Template{}
	for _, template := range s.state.Templates {
		if kind == "" || kind == template.Type {
			listed = append(listed, template)
		}
	}
	return pageOf(c, "/templates", 1000, inOrder(s, listed), (*Template).body)
}

func (s *Server) deleteTemplate(_ *call, template *Template) (reply, error) {
	s.state.Templates = slices.DeleteFunc(s.state.Templates, func(t *Template) bool { return t == template })
	return empty(http.StatusNoContent)
}
