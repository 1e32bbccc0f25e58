package unified

import (
	"fmt"
	"slices"
	"strings"
)

const documentHead = `# Unified resources

<!-- Generated from unified. Run "go test ./unified -update" to regenerate it. -->

What each resource of the [unified API](unified.md) has, from what it is made, and what
Dixa does not offer. ` + "`GET /unified/{model}/{resource}/meta/{method}`" + ` and
` + "`GET /integrated-account/{id}/capabilities`" + ` answer the same.

- **native**: a member of Dixa's object, or one of Dixa's operations.
- **derived**: computed from what Dixa offers.
- **unsupported**: Dixa does not offer it. Objects do not have such a field, and such a
  method answers 501.

Reads that the mirror answers call none of the operations.

| Resource | Objects | list | get | create | update | delete |
| --- | --- | --- | --- | --- | --- | --- |
`

// Markdown returns the content of docs/unified-resources.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(documentHead)
	for _, r := range registry {
		fmt.Fprintf(&b, "| [`%s/%s`](#%s) | %s |", r.Model, r.Name, r.anchor(), r.Description)
		for _, m := range r.Methods {
			fmt.Fprintf(&b, " %s |", m.Support)
		}
		b.WriteByte('\n')
	}
	for _, r := range registry {
		r.markdown(&b)
	}
	return b.String()
}

func (r *Resource) anchor() string { return strings.ReplaceAll(r.Model+r.Name, "/", "") }

func (r *Resource) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s/%s\n\n%s\n\n| Method | Support | Operations of Dixa |\n| --- | --- | --- |\n", r.Model, r.Name, r.Description)
	for _, m := range r.Methods {
		about := ""
		switch {
		case m.Support == Unsupported:
			about = ": " + reason(m.Why, m.Instead)
		case m.From != "":
			about = ": " + m.From
		}
		operations := "none"
		if len(m.Operations) > 0 {
			operations = "`" + strings.Join(m.Operations, "`, `") + "`"
		}
		fmt.Fprintf(b, "| %s | %s%s | %s |\n", m.Name, m.Support, about, operations)
	}
	if list, ok := r.Method(MethodList); ok {
		list.filters.markdown(b)
	}
	b.WriteString("\n| Field | Support | From, or why not |\n| --- | --- | --- |\n")
	for _, p := range r.Properties {
		about := p.From
		if p.Support == Unsupported {
			about = reason(p.Why, p.Instead)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", p.Path, p.Support, about)
	}
}

func reason(why, instead string) string {
	if instead == "" {
		return why
	}
	return why + "; " + instead
}

func (f *Filters) markdown(b *strings.Builder) {
	names := []string{}
	for _, field := range sortedKeys(f.Fields) {
		name := "`" + bracketed(field) + "`"
		var also []string
		for _, alias := range sortedKeys(f.Aliases) {
			if f.Aliases[alias] == field {
				also = append(also, "`"+bracketed(alias)+"`")
			}
		}
		if also != nil {
			name += " (also " + strings.Join(also, ", ") + ")"
		}
		names = append(names, name)
	}
	line := func(title string, words []string) {
		if len(words) > 0 {
			fmt.Fprintf(b, "\n%s: %s.\n", title, strings.Join(words, ", "))
		}
	}
	line("Filters", names)
	line("One of these is required", quoted(f.Required))
	sorts := quoted(f.Sort)
	if len(sorts) > 0 {
		sorts[0] += map[bool]string{true: " (ascending by default)", false: " (descending by default)"}[f.Ascending]
	}
	line("Sorted by", sorts)
	line("`remote_query`", quoted(f.Remote))
}

func quoted(words []string) []string {
	all := slices.Clone(words)
	for i := range all {
		all[i] = "`" + bracketed(all[i]) + "`"
	}
	return all
}
