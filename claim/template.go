package claim

// Voice is who speaks in the first message of a conversation.
type Voice string

// The voices.
const (
	// VoiceCustomer is that of a message from the customer, which nobody is mailed.
	VoiceCustomer Voice = "customer"
	// VoiceAgent is that of a message from an agent, which Dixa emails to the customer.
	VoiceAgent Voice = "agent"
)

// Voice returns who speaks in the first message of a conversation.
func (s *Settings) Voice() Voice {
	if s.Opening == "outbound" {
		return VoiceAgent
	}
	return VoiceCustomer
}

// SpeaksIn reports whether the subject and the body, if there are any, may open a
// conversation in a voice.
func (t *TemplateSource) SpeaksIn(v Voice) bool {
	own := t.Voice
	if own == "" {
		own = VoiceCustomer
	}
	return own == v || t.Subject == "" && t.Body == ""
}

// TemplateSource is a ticket template: the content of a claim's conversation.
// Omitted members come from the next layer: shop, platform, built-in.
type TemplateSource struct {
	// Voice says who speaks in Subject and Body; empty means [VoiceCustomer]. They are used
	// only for conversations that open in that voice.
	Voice   Voice  `json:"voice,omitempty" yaml:"voice,omitempty" enum:"customer,agent" doc:"Who speaks in subject and body. The default is customer. They are used only for conversations that open in that voice, see the setting opening."`
	Subject string `json:"subject,omitempty" yaml:"subject" doc:"The template of the subject."`
	Body    string `json:"body,omitempty" yaml:"body" doc:"The template of the first message."`
	// Format is "html" (the default) or "text".
	Format string `json:"format,omitempty" yaml:"format" enum:"html,text" doc:"The format of the body. The default is html."`
	// Tags are templates of additional tags.
	Tags []string `json:"tags,omitzero" yaml:"tags" doc:"The templates of tags that are added to the default tags."`
	Note string   `json:"note,omitempty" yaml:"note" doc:"The template of the internal note; no note if omitted."`
	// Evidence lists the kinds of files to attach: "item", "claim", "optional",
	// "signature". Nil means all, empty none.
	Evidence []string `json:"evidence,omitzero" yaml:"evidence" doc:"The kinds of files to attach: item, claim, optional, signature. All if omitted, none if empty."`
}
