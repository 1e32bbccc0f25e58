package scim

import (
	"encoding/json"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
)

// entry is an address or number with what a provider says about it.
type entry struct {
	Value   string `json:"value"`
	Type    string `json:"type,omitempty"`
	Primary bool   `json:"primary,omitempty"`
}

// profile is what Dixa keeps of an agent and a provider can change.
type profile struct {
	Display string `json:"display"`
	Given   string `json:"given"`
	Family  string `json:"family"`
	// Emails are the addresses beside the userName. The first number is the primary one.
	Emails []string `json:"emails"`
	Phones []string `json:"phones"`
}

func (p *profile) equals(q *profile) bool {
	return p.Display == q.Display && p.Given == q.Given && p.Family == q.Family && slices.Equal(p.Emails, q.Emails) && slices.Equal(p.Phones, q.Phones)
}

// kept is what is stored of a user because Dixa has no place for it.
type kept struct {
	ExternalID string `json:"externalId,omitempty"`
	// Emails and Phones are as the provider sent them; null if it sent none.
	Emails []entry `json:"emails"`
	Phones []entry `json:"phones"`
	// Pending is the profile that a user without rights gets when they return.
	Pending *profile `json:"pending,omitempty"`
}

// user is a user of SCIM: an agent of Dixa, or a person who was one.
type user struct {
	id, userName, created string
	// object is the id in Dixa.
	object string
	active bool
	roles  []string
	// now is what Dixa has, or had when the agent lost their rights.
	now  profile
	kept kept
	link store.ProvisionedObject
	// changing is the operation that decides now whether the user is active; empty for
	// none.
	changing string
}

// shown is the profile that the provider reads: what Dixa has, or will have when the user
// returns.
func (u *user) shown() profile {
	if u.active {
		return u.now
	}
	return u.want()
}

// want is the profile that a change starts from. What the user is to have when they return
// also counts if they returned and nobody has noted it.
func (u *user) want() profile {
	if u.kept.Pending != nil {
		return *u.kept.Pending
	}
	return u.now
}

// userOf returns an agent as a user. link is what was provisioned; nil for nothing.
func userOf(row *store.DirectoryRow, link *store.ProvisionedObject) (*user, error) {
	var a dixa.Agent
	if json.Unmarshal(row.Object, &a) != nil {
		return nil, fmt.Errorf("decode the agent %s", row.ID)
	}
	u := &user{
		id: row.ID, object: row.ID, userName: a.Email, active: row.GoneAt.IsZero(), roles: a.Roles,
		now: profile{Display: a.DisplayName, Given: a.FirstName, Family: a.LastName, Emails: a.AdditionalEmails, Phones: a.AdditionalPhoneNumbers},
	}
	if a.PhoneNumber != "" {
		u.now.Phones = slices.Concat([]string{a.PhoneNumber}, a.AdditionalPhoneNumbers)
	}
	if !a.CreatedAt.IsZero() {
		u.created = a.CreatedAt.UTC().Format(time.RFC3339)
	}
	if link == nil {
		return u, nil
	}
	if link.ID != "" {
		u.id = link.ID
	}
	u.link = *link
	if len(link.Body) > 0 && json.Unmarshal(link.Body, &u.kept) != nil {
		return nil, fmt.Errorf("decode what was provisioned of the agent %s", row.ID)
	}
	return u, nil
}

// resource returns the user in SCIM's form.
func (u *user) resource(c *Caller) map[string]any {
	p := u.shown()
	out := map[string]any{
		attrSchemas: []string{schemaUser}, attrID: u.id, attrUserName: u.userName, attrActive: u.active,
		attrMeta: metaOf(c, users, u.id, u.created),
	}
	name := map[string]any{}
	for part, text := range map[string]string{"givenName": p.Given, "familyName": p.Family, "formatted": strings.TrimSpace(p.Given + " " + p.Family)} {
		if text != "" {
			name[part] = text
		}
	}
	if len(name) > 0 {
		out[attrName] = name
	}
	if p.Display != "" {
		out[attrDisplayName] = p.Display
	}
	if u.kept.ExternalID != "" {
		out[attrExternalID] = u.kept.ExternalID
	}
	out[attrEmails] = entriesOf(u.kept.Emails, u.userName, p.Emails)
	if len(p.Phones) > 0 {
		out[attrPhones] = entriesOf(u.kept.Phones, "", p.Phones)
	}
	if len(u.roles) > 0 {
		roles := []any{}
		for _, role := range u.roles {
			roles = append(roles, map[string]any{attrValue: role, "display": role})
		}
		out[attrRoles] = roles
	}
	return out
}

// entriesOf returns values with what a provider said about them. own is the userName,
// which is shown among the addresses unless the provider sent addresses without it. The
// first value is the primary one if the provider said nothing.
func entriesOf(said []entry, own string, others []string) []any {
	have := slices.Clone(others)
	if own != "" {
		have = slices.Concat([]string{own}, others)
	}
	var shown []entry
	for _, e := range said {
		if i := slices.IndexFunc(have, func(v string) bool { return strings.EqualFold(v, e.Value) }); i >= 0 {
			shown = append(shown, e)
			have = slices.Delete(have, i, i+1)
		}
	}
	for i, v := range have {
		switch {
		case len(said) == 0 && i == 0:
			shown = append(shown, entry{v, "work", true})
		case len(shown) == 0 || own == "" || !strings.EqualFold(v, own):
			shown = append(shown, entry{v, "other", false})
		}
	}
	all := []any{}
	for _, e := range shown {
		o := map[string]any{attrValue: e.Value}
		if e.Type != "" {
			o[attrKind] = e.Type
		}
		if e.Primary {
			o[attrPrimary] = true
		}
		all = append(all, o)
	}
	return all
}

// input is what a provider says of a user. Members are nil if it does not say.
type input struct {
	userName, display, formatted, given, family, externalID *string

	active         *bool
	emails, phones []entry
	// hasEmails and hasPhones tell empty lists from absent ones.
	hasEmails, hasPhones bool
	roles                []string
}

// noRoles says why roles cannot be assigned.
const noRoles = "Dixa has no operation that assigns roles. Change them in Dixa under Settings > Team > Agents, and do not map roles or entitlements in the identity provider."

// parseUser reads the attributes of a user.
func parseUser(in map[string]any) (*input, error) {
	out := &input{}
	texts := map[string]**string{attrUserName: &out.userName, attrDisplayName: &out.display, attrExternalID: &out.externalID}
	for _, name := range []string{attrUserName, attrDisplayName, attrExternalID} {
		if err := readText(in, name, name, texts[name]); err != nil {
			return nil, err
		}
	}
	if v, ok := in[attrName]; ok {
		parts, isObject := v.(map[string]any)
		if !isObject {
			return nil, wrong(invalidValue, "name must be an object.")
		}
		for part, into := range map[string]**string{"givenName": &out.given, "familyName": &out.family, "formatted": &out.formatted} {
			if err := readText(parts, part, "name."+part, into); err != nil {
				return nil, err
			}
		}
	}
	if v, ok := in[attrActive]; ok {
		active, err := flag(attrActive, v)
		if err != nil {
			return nil, err
		}
		out.active = &active
	}
	var err error
	if out.emails, out.hasEmails, err = readEntries(in, attrEmails); err != nil {
		return nil, err
	}
	for _, e := range out.emails {
		if !isAddress(e.Value) {
			return nil, wrong(invalidValue, fmt.Sprintf("The value %q of emails is no email address.", e.Value))
		}
	}
	if out.phones, out.hasPhones, err = readEntries(in, attrPhones); err != nil {
		return nil, err
	}
	for i := range out.phones {
		out.phones[i].Value = strings.TrimPrefix(out.phones[i].Value, "tel:")
	}
	roles, _, err := readEntries(in, attrRoles)
	for _, r := range roles {
		out.roles = append(out.roles, r.Value)
	}
	return out, err
}

func readText(in map[string]any, member, name string, into **string) error {
	v, ok := in[member]
	if !ok {
		return nil
	}
	text, ok := v.(string)
	if !ok {
		return wrong(invalidValue, name+" must be a text.")
	}
	text = strings.TrimSpace(text)
	*into = &text
	return nil
}

// readEntries reads values of an attribute, without those that are empty or repeated.
func readEntries(in map[string]any, name string) (all []entry, given bool, err error) {
	v, given := in[name]
	for _, v := range asList(v) {
		var e entry
		switch v := v.(type) {
		case string:
			e.Value = v
		case map[string]any:
			e.Value, e.Type = scalarOr(v[attrValue]), scalarOr(v[attrKind])
			if p, ok := v[attrPrimary]; ok {
				if e.Primary, err = flag(name+".primary", p); err != nil {
					return nil, given, err
				}
			}
		default:
			return nil, given, wrong(invalidValue, "The values of "+name+" must be objects with a value.")
		}
		e.Value = strings.TrimSpace(e.Value)
		if e.Value != "" && !slices.ContainsFunc(all, func(o entry) bool { return strings.EqualFold(o.Value, e.Value) }) {
			all = append(all, e)
		}
	}
	return all, given, nil
}

func scalarOr(v any) string {
	if v == nil {
		return ""
	}
	return scalar(v)
}

func isAddress(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && a.Address == text
}

// apply returns the profile and what is kept after a change of the user. It refuses what
// Dixa has no operation for.
func (u *user) apply(in *input) (profile, kept, error) {
	p, k := u.want(), u.kept
	if in.userName != nil && !strings.EqualFold(*in.userName, u.userName) {
		return p, k, wrong(mutability, "Dixa has no operation that changes the email address of an agent, which is the userName. Create another user, and deactivate this one.")
	}
	if in.roles != nil && !slices.Equal(slices.Sorted(slices.Values(in.roles)), slices.Sorted(slices.Values(u.roles))) {
		return p, k, unsupported(noRoles)
	}
	for _, part := range []struct {
		name string
		from *string
		to   *string
	}{{attrDisplayName, in.display, &p.Display}, {"name.givenName", in.given, &p.Given}, {"name.familyName", in.family, &p.Family}} {
		if part.from == nil {
			continue
		}
		if *part.from == "" && *part.to != "" {
			return p, k, unsupported("Dixa has no operation that clears " + part.name + ". Send another value, or change it in Dixa.")
		}
		*part.to = *part.from
	}
	if in.hasEmails {
		p.Emails, k.Emails = valuesOf(in.emails, u.userName), in.emails
	}
	if in.hasPhones {
		phones := valuesOf(in.phones, "")
		if len(phones) == 0 && len(p.Phones) > 0 {
			return p, k, unsupported("Dixa has no operation that clears the number of an agent. Send another number, or remove it in Dixa.")
		}
		p.Phones, k.Phones = phones, in.phones
	}
	if in.externalID != nil {
		k.ExternalID = *in.externalID
	}
	return p, k, nil
}

// valuesOf returns the values of entries, the primary one first, without one of them.
func valuesOf(entries []entry, without string) []string {
	var all []string
	for _, e := range entries {
		switch {
		case strings.EqualFold(e.Value, without):
		case e.Primary:
			all = append([]string{e.Value}, all...)
		default:
			all = append(all, e.Value)
		}
	}
	return all
}

// changes returns the body of an update that leads from one profile to another; nil if
// they are equal.
func changes(userName string, from, to *profile) map[string]any {
	if from.equals(to) {
		return nil
	}
	body := map[string]any{}
	for name, texts := range map[string][2]string{"name": {from.Display, to.Display}, "first_name": {from.Given, to.Given}, "last_name": {from.Family, to.Family}} {
		if texts[0] != texts[1] {
			body[name] = texts[1]
		}
	}
	if !slices.Equal(from.Emails, to.Emails) {
		body["emails"] = addresses("email", append([]string{userName}, to.Emails...))
	}
	if !slices.Equal(from.Phones, to.Phones) {
		body["phones"] = addresses("number", to.Phones)
	}
	return body
}

// addresses returns values in the form of the unified API, the first one as the primary.
func addresses(member string, values []string) []any {
	all := []any{}
	for i, v := range values {
		a := map[string]any{member: v}
		if i == 0 {
			a["type"] = "primary"
		}
		all = append(all, a)
	}
	return all
}
