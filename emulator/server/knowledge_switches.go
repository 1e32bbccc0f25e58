package server

// KnowledgeSwitches select the behavior of the knowledge base. They do not affect any
// other operation.
type KnowledgeSwitches struct {
	// CollectionPages says how the list of collections has pages: one page without links,
	// because Dixa's schema of the list has none; with the links of other lists; or
	// everything at once.
	CollectionPages string `json:"collectionPages,omitempty" one:"unlinked linked all"`
	// MissingTranslation is the response to a language in which an article or category
	// has no text: without the text, with that of the default language (or else the
	// first), or 404. With 404, a catalog leaves such articles out.
	MissingTranslation string `json:"missingTranslation,omitempty" one:"omitted default 404"`
	// CatalogTitles is the version whose title a catalog shows. An article that is not
	// published always has that of its draft.
	CatalogTitles string `json:"catalogTitles,omitempty" one:"draft published"`
	// OwnRestriction says whether a restricted collection or category lists itself among
	// its inherited restrictions.
	OwnRestriction string `json:"ownRestriction,omitempty" one:"omitted listed"`
	// ParentCollections are the collections that contain an article or category at any
	// depth, or only those that hold it directly.
	ParentCollections string `json:"parentCollections,omitempty" one:"tree direct"`

	// NoParent is the place of an article without a parent: none, or the default
	// category.
	NoParent string `json:"noParent,omitempty" one:"none default"`
	// UnknownParent is the status code of a create in a category that does not exist.
	UnknownParent string `json:"unknownParent,omitempty" one:"404 400"`
	// CollectionParent says whether the parent of an article may be a collection. If it
	// is refused, a collection is an unknown parent.
	CollectionParent string `json:"collectionParent,omitempty" one:"rejected accepted"`
	// LockedCategory is the response to a create in, or move to, a locked category.
	LockedCategory string `json:"lockedCategory,omitempty" one:"accepted rejected"`
	// RemoveNoParent is the status code of removing the parent of an article that has
	// none.
	RemoveNoParent string `json:"removeNoParent,omitempty" one:"204 400 404"`
	// Owner is the owner of a new article.
	Owner string `json:"owner,omitempty" one:"creator none"`
	// UnknownOwner is the response to an owner that is not an agent.
	UnknownOwner string `json:"unknownOwner,omitempty" one:"400 404 accepted"`
	// UnknownTag is the response to the id of a tag that GET /tags does not have.
	UnknownTag string `json:"unknownTag,omitempty" one:"accepted 400 404"`

	// Edits are the effect of a create and of an update of translations: drafts, or
	// published texts.
	Edits string `json:"edits,omitempty" one:"draft published"`
	// DraftIndexed is the isIndexedVersion of a draft: true if it is the same as the
	// published text that search finds, or never.
	DraftIndexed string `json:"draftIndexed,omitempty" one:"unchanged never"`
	// Unpublished is the effect of unpublishing: the published version is removed, or
	// stays without being indexed.
	Unpublished string `json:"unpublished,omitempty" one:"removed unindexed"`
	// UnpublishTwice is the status code of unpublishing what is not published.
	UnpublishTwice string `json:"unpublishTwice,omitempty" one:"204 400 404"`
	// PublishNothing is the status code of publishing an article without translations.
	PublishNothing string `json:"publishNothing,omitempty" one:"204 400 404"`
	// LastTranslation is the status code of deleting the only translation.
	LastTranslation string `json:"lastTranslation,omitempty" one:"204 400"`

	// Languages are the accepted language codes: of two or three small letters, those of
	// Knowledge.Languages, or any.
	Languages string `json:"languages,omitempty" one:"iso configured any"`
	// EmptyTitle is the response to a blank title.
	EmptyTitle string `json:"emptyTitle,omitempty" one:"rejected accepted"`
	// RepeatedLanguage is the treatment of a language that a request names twice: the
	// last text counts, or all but the first are refused.
	RepeatedLanguage string `json:"repeatedLanguage,omitempty" one:"last rejected"`
	// AbsentContent is the effect of an update without content on the former content.
	AbsentContent string `json:"absentContent,omitempty" one:"kept cleared"`
	// Contents is the HTML that is stored: as it was sent, or without scripts and styles.
	Contents string `json:"contents,omitempty" one:"as-sent cleaned"`
	// MaxTitleChars and MaxContentBytes are the maximum lengths of a title and of
	// content. A longer one is refused. 0 means no limit.
	MaxTitleChars   int `json:"maxTitleChars"`
	MaxContentBytes int `json:"maxContentBytes"`
	// AllFailed is the response to a request of which every part fails: 200 with only
	// partialErrors, or 400.
	AllFailed string `json:"allFailed,omitempty" one:"partial rejected"`

	// FileTypes says what decides on the type of an uploaded file: the Content-Type of its
	// part, or its first bytes.
	FileTypes string `json:"fileTypes,omitempty" one:"declared sniffed"`
	// TooManyFiles is the response to more than 5 files: 400, or only the files after the
	// fifth fail.
	TooManyFiles string `json:"tooManyFiles,omitempty" one:"rejected partial"`
	// NoFiles is the response to an upload without files.
	NoFiles string `json:"noFiles,omitempty" one:"rejected accepted"`
	// Megabytes is the unit of the limits of 4 MB and 10 MB: 1,048,576 or 1,000,000 bytes.
	Megabytes string `json:"megabytes,omitempty" one:"binary decimal"`
	// UploadTooLarge is the status code of an upload above 10 MB.
	UploadTooLarge string `json:"uploadTooLarge,omitempty" one:"400 413"`
	// FailedUploads is the share of uploaded files that fail with the code 500, from 0
	// (never) to 1, drawn from the seed.
	FailedUploads float64 `json:"failedUploads"`
}

const knowledgeSettings = "knowledge."

// NamedKnowledgeSettings is NamedSettings for KnowledgeSwitches. Their names start with
// "knowledge.".
func NamedKnowledgeSettings() map[string][]string { return settingsOf(knowledgeSettings) }
