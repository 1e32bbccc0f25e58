package templates_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/templates"
)

func TestLanguages(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		claim    claim.Claim
		settings claim.Settings
		want     []string
	}{
		"nothing known":          {claim.Claim{}, claim.Settings{DefaultLanguage: "de"}, []string{"de", "en"}},
		"fixed":                  {claim.Claim{Locale: "fr"}, claim.Settings{Language: "de-CH", DefaultLanguage: "en"}, []string{"de-CH", "de", "en"}},
		"claim":                  {claim.Claim{Locale: "de_CH.UTF-8", Customer: claim.Customer{Locale: "fr"}}, claim.Settings{}, []string{"de-CH", "de", "en"}},
		"customer":               {claim.Claim{Customer: claim.Customer{Locale: "fr"}, Order: claim.Order{Locale: "it"}}, claim.Settings{}, []string{"fr", "en"}},
		"order":                  {claim.Claim{Order: claim.Order{Locale: "it", Address: claim.Address{CountryCode: "DE"}}}, claim.Settings{}, []string{"it", "en"}},
		"country":                {country("AT"), claim.Settings{}, []string{"de-AT", "de", "en"}},
		"country, three letters": {country("DNK"), claim.Settings{}, []string{"da-DK", "da", "en"}},
		"country in words":       {country("Kingdom of Somewhere"), claim.Settings{DefaultLanguage: "nl"}, []string{"nl", "en"}},
		"no country":             {country("ZZ"), claim.Settings{}, []string{"en"}},
		"union":                  {country("EU"), claim.Settings{}, []string{"en"}},
		"invalid locale":         {claim.Claim{Locale: "Deutsch bitte", Customer: claim.Customer{Locale: "de"}}, claim.Settings{}, []string{"de", "en"}},
		"undetermined":           {claim.Claim{Locale: "und", Customer: claim.Customer{Locale: "sv"}}, claim.Settings{}, []string{"sv", "en"}},
		"extensions":             {claim.Claim{Locale: "de-u-co-phonebk"}, claim.Settings{}, []string{"de", "en"}},
		"default in between":     {claim.Claim{Locale: "fr"}, claim.Settings{DefaultLanguage: "de"}, []string{"fr", "de", "en"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, templates.Languages(&test.claim, &test.settings))
		})
	}
}

func country(code string) claim.Claim {
	return claim.Claim{Order: claim.Order{Address: claim.Address{CountryCode: code}}}
}

func TestLanguagesOfEuropeanCountries(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"DE": "de", "AT": "de", "CH": "de", "LI": "de", "FR": "fr", "BE": "nl", "NL": "nl", "GB": "en", "IE": "en",
		"DK": "da", "SE": "sv", "NO": "nb", "FI": "fi", "IS": "is", "PL": "pl", "CZ": "cs", "SK": "sk", "HU": "hu",
		"IT": "it", "ES": "es", "PT": "pt", "GR": "el", "RO": "ro", "BG": "bg", "HR": "hr", "SI": "sl", "EE": "et",
		"LV": "lv", "LT": "lt",
	} {
		c := country(code)
		require.Contains(t, templates.Languages(&c, &claim.Settings{})[:3], want, code)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	at := func(scope, key, language string) templates.Candidate {
		return templates.Candidate{Scope: scope, Key: key, Language: language, Source: templates.Source{Body: scope + key + language}}
	}
	for name, test := range map[string]struct {
		reason    string
		languages []string
		stored    []templates.Candidate
		want      string
	}{
		"built-in":                         {"damaged", []string{"de"}, nil, "built-in/defective/de"},
		"unknown reason":                   {"smells_odd", []string{"de"}, nil, "built-in/general/de"},
		"unknown language":                 {"damaged", []string{"fr", "de", "en"}, nil, "built-in/defective/de"},
		"no language":                      {"damaged", nil, nil, "built-in/defective/en"},
		"invalid language":                 {"damaged", []string{"?"}, nil, "built-in/defective/en"},
		"region":                           {"damaged", []string{"de-CH"}, nil, "built-in/defective/de"},
		"reason before flow":               {"damaged", []string{"en"}, []templates.Candidate{at("shop", "defective", "en"), at("shop", "damaged", "en")}, "shop/damaged/en"},
		"any spelling":                     {"partialDamage", []string{"en"}, []templates.Candidate{at("shop", "Partial damage", "EN")}, "shop/Partial damage/EN"},
		"shop's flow, platform's reason":   {"damaged", []string{"en"}, []templates.Candidate{at("platform", "damaged", "en"), at("shop", "defective", "en")}, "shop/defective/en"},
		"platform before built-in":         {"damaged", []string{"en"}, []templates.Candidate{at("platform", "defective", "en")}, "platform/defective/en"},
		"general only for unknown reasons": {"damaged", []string{"en"}, []templates.Candidate{at("shop", "general", "en")}, "built-in/defective/en"},
		"shop's general for the unknown":   {"smells_odd", []string{"en"}, []templates.Candidate{at("shop", "general", "en")}, "shop/general/en"},
		"general in a language of its own": {"damaged", []string{"fr", "en"}, []templates.Candidate{at("shop", "general", "fr")}, "shop/general/fr"},
		"language before scope":            {"damaged", []string{"de", "en"}, []templates.Candidate{at("shop", "damaged", "en")}, "built-in/defective/de"},
		"other reasons are ignored":        {"damaged", []string{"en"}, []templates.Candidate{at("shop", "return", "en")}, "built-in/defective/en"},
		"exact region":                     {"damaged", []string{"de-CH", "de"}, []templates.Candidate{at("shop", "damaged", "de"), at("shop", "damaged", "de-CH")}, "shop/damaged/de-CH"},
		"language before another region":   {"damaged", []string{"de-AT", "de"}, []templates.Candidate{at("shop", "damaged", "de-CH"), at("shop", "damaged", "de")}, "shop/damaged/de"},
		"shop's other region":              {"damaged", []string{"de"}, []templates.Candidate{at("shop", "damaged", "de-DE")}, "shop/damaged/de-DE"},
		"norwegian":                        {"damaged", []string{"nb-NO", "nb", "en"}, []templates.Candidate{at("shop", "damaged", "no")}, "shop/damaged/no"},
		"danish before norwegian":          {"damaged", []string{"da", "en"}, []templates.Candidate{at("shop", "damaged", "nb"), at("platform", "damaged", "da")}, "platform/damaged/da"},
		"scripts differ":                   {"damaged", []string{"zh-TW", "en"}, []templates.Candidate{at("shop", "damaged", "zh-CN")}, "built-in/defective/en"},
		"invalid template language":        {"damaged", []string{"en"}, []templates.Candidate{at("shop", "damaged", "??")}, "built-in/defective/en"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			won := templates.Choose(&claim.Claim{Reason: test.reason}, test.languages, claim.VoiceCustomer, test.stored)
			require.Equal(t, test.want, won.Name())
			require.NotEmpty(t, won.Source.Body)
		})
	}
}

func TestChooseInherits(t *testing.T) {
	t.Parallel()
	c := &claim.Claim{Reason: "damaged"}
	builtIn, _ := templates.Default(claim.FlowDefective, "en", claim.VoiceCustomer)
	won := templates.Choose(c, []string{"en"}, claim.VoiceCustomer, []templates.Candidate{
		{Scope: "shop", Key: "damaged", Language: "en", Source: templates.Source{Subject: "ours"}},
		{Scope: "shop", Key: "defective", Language: "en", Source: templates.Source{Subject: "not this", Tags: []string{"flow"}}},
		{Scope: "platform", Key: "damaged", Language: "en", Source: templates.Source{Body: "plain", Format: "text", Tags: []string{"no"}, Evidence: []string{}}},
		{Scope: "shop", Key: "damaged", Language: "de", Source: templates.Source{Note: "another language"}},
	})
	require.Equal(t, "shop/damaged/en", won.Name())
	require.Equal(t, templates.Source{Subject: "ours", Body: "plain", Format: "text", Tags: []string{"flow"}, Evidence: []string{}}, won.Source)

	won = templates.Choose(c, []string{"fr"}, claim.VoiceCustomer, []templates.Candidate{{Scope: "shop", Key: "damaged", Language: "fr", Source: templates.Source{Subject: "à nous"}}})
	require.Equal(t, "shop/damaged/fr", won.Name())
	require.Equal(t, builtIn.Body, won.Source.Body, "the English body is the fallback")
}

func TestTags(t *testing.T) {
	t.Parallel()
	settings := claim.DefaultSettings()
	other := claim.Settings{Tag: "Karla", ExtraTags: []string{"VIP", " two\nlines "}}
	for name, test := range map[string]struct {
		claim    claim.Claim
		settings claim.Settings
		repeat   bool
		extra    []string
		want     []string
	}{
		"all known":    {claim.Claim{Reason: "partialDamage", Preference: "refund", Phase: "in_transit"}, settings, false, nil, []string{"claim", "claim-reason-partial-damage", "claim-wants-refund", "claim-phase-in-transit"}},
		"all unknown":  {claim.Claim{Reason: "smells", Preference: "a pony", Phase: "moon"}, settings, true, nil, []string{"claim", "claim-reason-other", "claim-wants-other", "claim-phase-other", "claim-repeat"}},
		"only reason":  {claim.Claim{Reason: "return"}, settings, false, nil, []string{"claim", "claim-reason-return"}},
		"of shipment":  {claim.Claim{Reason: "return", Shipments: []claim.Shipment{{}, {Phase: "delivered"}}}, settings, false, nil, []string{"claim", "claim-reason-return", "claim-phase-delivered"}},
		"stem, extras": {claim.Claim{Reason: "return"}, other, true, []string{"vip", "", "\u202E", "Photo"}, []string{"Karla", "Karla-reason-return", "Karla-repeat", "VIP", "two lines", "Photo"}},
		"no letters":   {claim.Claim{Reason: "return", Preference: "!!!"}, settings, false, nil, []string{"claim", "claim-reason-return"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, templates.Tags(&test.claim, &test.settings, test.repeat, test.extra))
		})
	}
}
