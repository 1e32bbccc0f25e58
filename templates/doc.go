// Package templates renders the contents of a ticket: the subject, body, tags and
// internal note of the Dixa conversation that is created for a claim.
//
// Shop staff provide templates as data. [Choose] selects one by language, scope and
// key. [Compile] rejects templates that could access their environment or not
// terminate. [Template.Render] renders a ticket from a [View] within fixed bounds,
// regardless of customer input. [Check] validates a template before it is saved.
//
// The default templates are the files under defaults/. The words for reasons,
// preferences, phases and states are in words/. docs/templates.md is the reference
// for shop staff and is generated from this package.
package templates

//go:generate go test . -run ^TestReferencePage$ -update
