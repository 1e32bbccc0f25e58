package claim

// TemplateSource is a ticket template: the content of a claim's conversation.
// Omitted members come from the next layer: shop, platform, built-in.
type TemplateSource struct {
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
