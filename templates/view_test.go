package templates

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		require.Zero(t, typ.NumMethod()+reflect.PointerTo(typ).NumMethod(), "%s has methods, which templates could call", typ)
		for i := range typ.NumField() {
			f := typ.Field(i)
			require.True(t, f.IsExported(), "%s.%s", typ, f.Name)
			require.True(t, f.Anonymous || f.Tag.Get("doc") != "", "%s.%s has no doc", typ, f.Name)
			switch f.Type.Kind() {
			case reflect.Struct:
				walk(f.Type)
			case reflect.Slice:
				require.Contains(t, listBounds, f.Type, "a list without a bound")
				walk(f.Type.Elem())
			case reflect.String, reflect.Int, reflect.Bool:
			default:
				require.Fail(t, "a view contains only texts, numbers, Booleans, groups and lists", "%s.%s", typ, f.Name)
			}
		}
	}
	walk(reflect.TypeFor[View]())
}

func TestNewView(t *testing.T) {
	t.Parallel()
	v := NewView(Samples()[0], ViewInput{ShopName: " Sample\nShop ", Language: "en"})
	require.Equal(t, "Sample Shop", v.Shop)
	require.Equal(t, claim.Ref{Shop: "sample", ID: "sample-full"}.Reference(), v.Reference)
	require.Equal(t, Word{"partial_damage", "Partly damaged"}, v.Reason)
	require.Equal(t, Word{"defective", "Defective"}, v.Flow)
	require.Equal(t, Word{"refund", "refund"}, v.Preference)
	require.Equal(t, Word{"delivered", "delivered"}, v.Phase)
	require.Equal(t, 4, v.Photos)
	require.True(t, v.Signed)
	require.Equal(t, "12 January 2026", v.Order.PlacedOn)
	require.Equal(t, []Item{
		{Name: "Mug, blue", Title: "Mug, blue", SKU: "MUG-BLUE", Quantity: 1, Photos: 2},
		{Name: "Saucer", Title: "Saucer", SKU: "SAUCER", Quantity: 2},
	}, v.Items)
	require.Equal(t, "20.50", v.Internal.Value)
	require.Equal(t, "DHL", v.Shipments[0].Carrier)
	require.Equal(t, Customer{Name: "Kim Sample", FirstName: "Kim", LastName: "Sample", Email: "kim@example.com", Phone: "+4930123456"}, v.Customer)

	empty := NewView(&claim.Claim{ID: "1", Shop: "s"}, ViewInput{Language: "fr"})
	require.Equal(t, "s", empty.Shop)
	require.Empty(t, empty.Internal.Value)
	require.Empty(t, empty.OtherClaimsLine)
}

func TestNewViewIsBounded(t *testing.T) {
	t.Parallel()
	c := &claim.Claim{ID: "1", Shop: "s", Items: make([]claim.Item, 999), Answers: make([]claim.Answer, 999), Shipments: make([]claim.Shipment, 999)}
	v := NewView(c, ViewInput{OtherClaims: make([]claim.OtherClaim, 999)})
	for _, list := range []any{v.Items, v.Internal.Items, v.Answers, v.Shipments, v.OtherClaims} {
		require.Equal(t, listBounds[reflect.TypeOf(list)], reflect.ValueOf(list).Len(), "%T", list)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]Word{
		"refund":                 {"refund", "refund"},
		"storeCredit":            {"store_credit", "store credit"},
		"none":                   {"none", ""},
		"":                       {"", ""},
		"gift_card":              {"gift_card", "gift card"},
		"Something else, please": {"something_else_please", "Something else, please"},
		"größere Größe":          {"größere_größe", "größere Größe"},
	} {
		require.Equal(t, want, word(value, wordsIn("en").Preferences), value)
	}
	require.Equal(t, Word{"smells_odd", "Smells odd"}, word("smells_odd", nil).capitalized())
	require.Equal(t, Word{"übel", "Übel"}, word("übel", nil).capitalized())
	require.Equal(t, wordsIn("de"), wordsIn("de-CH"))
	require.Equal(t, wordsIn("en"), wordsIn("tlh"), "English is the fallback")
}

func TestVocabulariesAreComplete(t *testing.T) {
	t.Parallel()
	keys := func(m map[string]string) []string {
		var out []string
		for k, text := range m {
			out = append(out, k)
			require.True(t, text != "" || k == "none", k)
		}
		return out
	}
	en := wordsIn("en")
	for _, language := range DefaultLanguages() {
		v := wordsIn(language)
		require.ElementsMatch(t, keys(en.Labels), keys(v.Labels))
		require.ElementsMatch(t, keys(en.Reasons), keys(v.Reasons))
		require.ElementsMatch(t, keys(en.Preferences), keys(v.Preferences))
		require.ElementsMatch(t, keys(en.Phases), keys(v.Phases))
		require.ElementsMatch(t, keys(en.States), keys(v.States))
		for _, state := range claim.States() {
			require.Contains(t, v.States, string(state))
		}
		for _, flow := range claim.Flows() {
			require.Contains(t, v.Reasons, flow)
		}
	}
	for key := range en.Preferences {
		require.Equal(t, key, claim.NormalizeKey(key))
	}
	for key := range en.Phases {
		require.True(t, claim.KnownPhase(key), key)
	}
}

func TestOtherClaimsComeFirst(t *testing.T) {
	t.Parallel()
	in := ViewInput{Language: "en", OtherClaims: []claim.OtherClaim{{ID: "a", State: claim.StatePending, ConversationID: 12}, {ID: "b", State: claim.StateReceived}}}
	line := "Other claims about this order: conversation 12 (waiting), b (received)"
	c := &claim.Claim{ID: "1", Shop: "s", Reason: "damaged"}
	for body, want := range map[string]string{
		"<p>Hello</p>":                   "<p>" + line + "</p>\n<p>Hello</p>",
		"<b>{{.OtherClaimsLine}}</b>":    "<b>" + line + "</b>",
		"{{range .OtherClaims}}x{{end}}": "xx",
	} {
		template, err := Compile(Source{Body: body})
		require.NoError(t, err)
		ticket, err := template.Render(NewView(c, in))
		require.NoError(t, err)
		require.Equal(t, want+"\n<p>Reference "+NewView(c, in).Reference+"</p>", ticket.Body)

		ticket, err = template.Render(NewView(c, ViewInput{}))
		require.NoError(t, err)
		require.NotContains(t, ticket.Body, "Other claims")
	}
}

// A lost conversation is found by its claim's reference, so the reference must not
// appear in another claim's conversation.
func TestViewOmitsReferencesOfOtherClaims(t *testing.T) {
	t.Parallel()
	others := []claim.OtherClaim{{ID: "a", State: claim.StatePending, ConversationID: 12}, {ID: "b", State: claim.StateReceived}}
	for _, language := range DefaultLanguages() {
		v := NewView(Samples()[0], ViewInput{Language: language, OtherClaims: others})
		var texts []string
		eachText(v, func(s string, _ bool) string {
			texts = append(texts, s)
			return s
		})
		require.Contains(t, texts, v.Reference, "the claim's own reference")
		for _, o := range others {
			reference := claim.Ref{Shop: Samples()[0].Shop, ID: o.ID}.Reference()
			for _, text := range texts {
				require.NotContains(t, text, reference, "claim %s", o.ID)
			}
		}
	}
}

func TestSubjectIsNeverEmpty(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{`{{.Order.Number}}`, " \n ", `{{.Shop}}{{if false}}x{{end}} · `} {
		template, err := Compile(Source{Subject: subject, Body: "x"})
		require.NoError(t, err)
		ticket, err := template.Render(View{Message: Message{Reference: "CF-X"}})
		require.NoError(t, err)
		require.Equal(t, "CF-X", ticket.Subject)
	}
}
