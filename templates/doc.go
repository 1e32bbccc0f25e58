// Package templates writes the words of a ticket: the subject, the body, the
// tags and the internal note of the Dixa conversation that a claim becomes.
//
// Templates are data of shop staff. [Choose] picks one by language, scope and
// key, [Compile] refuses what could read the surroundings or not come to an
// end, and [Template.Render] writes a ticket from a [View] within fixed bounds,
// whatever the customer wrote. [Check] is what saving a template runs.
//
// The default templates are the files under defaults/, the words of reasons,
// preferences, phases and states those under words/. docs/templates.md is the
// reference for shop staff; it is generated from this package.
package templates

//go:generate go test . -run ^TestReferencePage$ -update
