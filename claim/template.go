package claim

// TemplateSource is a ticket template: the content of a claim's conversation.
// Omitted members come from the next layer: shop, platform, built-in.
type TemplateSource struct {
	Subject string `json:"subject,omitempty" yaml:"subject" doc:"The conversation's subject, as a template."`
	Body    string `json:"body,omitempty" yaml:"body" doc:"The first message, as a template."`
	// Format is "html" (the default) or "text".
	Format string `json:"format,omitempty" yaml:"format" enum:"html,text" doc:"What the body is."`
	// Tags are templates of additional tags.
	Tags []string `json:"tags,omitzero" yaml:"tags" doc:"Tags beside the default ones, each a template."`
	Note string   `json:"note,omitempty" yaml:"note" doc:"The internal note, as a template. Missing: none."`
	// Evidence lists the kinds of files to attach: "item", "claim", "optional",
	// "signature". Nil means all, empty none.
	Evidence []string `json:"evidence,omitzero" yaml:"evidence" doc:"Which kinds of files are attached: item, claim, optional, signature. Missing: all; empty: none."`
}
