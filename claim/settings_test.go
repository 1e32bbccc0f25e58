package claim_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

func layer(s string) json.RawMessage { return json.RawMessage(s) }

const agent, queue = "bac5a02c-15b3-44da-ae1e-ab7b9db4aa89", "0b6b0d39-6f6e-4f3b-9a43-2f4f9e0f4b11"

func TestResolve(t *testing.T) {
	t.Parallel()
	s, err := claim.Resolve()
	require.NoError(t, err)
	require.Equal(t, claim.DefaultSettings(), s)

	s, err = claim.Resolve(nil, layer(" "), layer(`{}`))
	require.NoError(t, err)
	require.Equal(t, claim.DefaultSettings(), s)

	s, err = claim.Resolve(
		layer(`{"tag":"karla","default_language":"de","extra_tags":["a","b"],"open_within":"2h","evidence":{"max_files":5},
			"routing":[{"name":"one","when":{"reason":["damaged"],"country":["DE"]},"then":{"queue_id":"`+queue+`"}},{"name":"two","when":{},"then":{}}]}`),
		layer(`{"email_integration_id":"support@acme.email.dixa.io","extra_tags":["c"],"quiet_period":"14d","evidence":{"types":{"pdf":1024,"mp4":0}},
			"routing":[{"name":"three","when":{"flow":["return"]},"then":{"agent_id":"`+agent+`"}}],"read_only":true}`),
	)
	require.NoError(t, err)
	want := claim.DefaultSettings()
	want.Tag, want.DefaultLanguage, want.EmailIntegrationID = "karla", "de", "support@acme.email.dixa.io"
	want.ExtraTags = []string{"c"}
	want.OpenWithin, want.QuietPeriod = claim.Duration(2*time.Hour), claim.Duration(14*24*time.Hour)
	want.Evidence.MaxFiles, want.Evidence.Types.PDF, want.Evidence.Types.MP4 = 5, 1024, 0
	want.Routing = []claim.RoutingRule{{Name: "three", When: claim.RouteWhen{Flow: []string{"return"}}, Then: claim.RouteThen{AgentID: agent}}}
	want.ReadOnly = true
	require.Equal(t, want, s, "the shop's list must replace the platform's list as a whole")

	s, err = claim.Resolve(layer(`{"extra_tags":["a"],"tag":"karla","read_only":true}`), layer(`{"extra_tags":[],"read_only":false}`))
	require.NoError(t, err)
	require.Empty(t, s.ExtraTags, "an empty list must replace the inherited list")
	require.False(t, s.ReadOnly)
	require.Equal(t, "karla", s.Tag)

	s, err = claim.Resolve(layer(`{"tag":"karla"}`), layer(`{"tag":null}`))
	require.NoError(t, err)
	require.Equal(t, "claim", s.Tag, "null must restore the default")
}

func TestResolveReportsEveryError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		layers []json.RawMessage
		want   []claim.FieldError
	}{
		"unknown members": {
			[]json.RawMessage{layer(`{"tags":"x","Tag":"y","evidence":{"max_files":1,"Max_Files":2}}`), layer(`{"opening_hours":1}`)},
			[]claim.FieldError{
				{Field: "Tag", Problem: `is not a setting; did you mean "tag"?`},
				{Field: "evidence.Max_Files", Problem: `is not a setting; did you mean "max_files"?`},
				{Field: "opening_hours", Problem: "is not a setting; valid settings are change_rules, claim_id_attribute, commit_window, default_agent_id, default_country, default_language, default_queue_id, " +
					"email_integration_id, evidence, extra_tags, language, list_lag, open_within, opening, order_number_attribute, quiet_period, read_only, reply_to_closed, retention_days, routing, shipment_notes, status_rules, tag"},
				{Field: "tags", Problem: `is not a setting; did you mean "tag"?`},
			},
		},
		"unknown member of a rule": {
			[]json.RawMessage{layer(`{"routing":[{"name":"x","wen":{}}]}`)},
			[]claim.FieldError{{Field: "routing", Problem: `has the unknown member "wen"`}},
		},
		"types": {
			[]json.RawMessage{layer(`{"tag":1,"read_only":"yes","open_within":"soon","quiet_period":3,"evidence":[],"extra_tags":"x"}`)},
			[]claim.FieldError{
				{Field: "evidence", Problem: "must be an object"},
				{Field: "extra_tags", Problem: `must be a list such as ["vip"]`},
				{Field: "open_within", Problem: "must be a duration such as 90s, 4h or 30d"},
				{Field: "quiet_period", Problem: "must be a duration such as 4h"},
				{Field: "read_only", Problem: "must be true or false"},
				{Field: "tag", Problem: "must be a string"},
			},
		},
		"types of members": {
			[]json.RawMessage{layer(`{"evidence":{"max_files":"5"},"routing":{}}`)},
			[]claim.FieldError{{Field: "evidence.max_files", Problem: "must be an integer"}, {Field: "routing", Problem: "must be a list"}},
		},
		"values": {
			[]json.RawMessage{layer(`{"email_integration_id":"Support queue","default_agent_id":"kim","opening":"sideways","language":"german!","tag":"",
				"open_within":"0s","commit_window":"-1s","evidence":{"max_files":51},"routing":[{"name":"","when":{"min_value":"cheap"},"then":{}}]}`)},
			[]claim.FieldError{
				{Field: "email_integration_id", Problem: "must be an email address"},
				{Field: "default_agent_id", Problem: "must be a UUID"},
				{Field: "opening", Problem: "must be one of inbound, outbound"},
				{Field: "language", Problem: "must be a language such as en or de-CH"},
				{Field: "tag", Problem: "is required"},
				{Field: "routing[0].name", Problem: "is required"},
				{Field: "routing[0].when.min_value", Problem: "must be an amount such as 19.90"},
				{Field: "evidence.max_files", Problem: "must be at most 50"},
				{Field: "open_within", Problem: "must be at least 1s"},
				{Field: "commit_window", Problem: "must be at least 0s"},
			},
		},
		"too short": {
			[]json.RawMessage{layer(`{"open_within":"999ms","quiet_period":"0.9s","commit_window":"-1ns","list_lag":"-1s"}`)},
			[]claim.FieldError{
				{Field: "open_within", Problem: "must be at least 1s"},
				{Field: "quiet_period", Problem: "must be at least 1s"},
				{Field: "commit_window", Problem: "must be at least 0s"},
				{Field: "list_lag", Problem: "must be at least 0s"},
			},
		},
		"too long": {
			[]json.RawMessage{layer(`{"open_within":"721h","quiet_period":"365.1d","commit_window":"24h1s","list_lag":"2540400h"}`)},
			[]claim.FieldError{
				{Field: "open_within", Problem: "must be at most 30d"},
				{Field: "quiet_period", Problem: "must be at most 365d"},
				{Field: "commit_window", Problem: "must be at most 24h"},
				{Field: "list_lag", Problem: "must be at most 24h"},
			},
		},
		"array":       {[]json.RawMessage{layer(`[]`)}, []claim.FieldError{{Field: "body", Problem: "must be a JSON object"}}},
		"string":      {[]json.RawMessage{layer(`"x"`)}, []claim.FieldError{{Field: "body", Problem: "must be a JSON object"}}},
		"two objects": {[]json.RawMessage{layer(`{} {}`)}, []claim.FieldError{{Field: "body", Problem: "must be a JSON object"}}},
		"truncated":   {[]json.RawMessage{layer(`{"tag":`)}, []claim.FieldError{{Field: "body", Problem: "must be a JSON object"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := claim.Resolve(test.layers...)
			require.Equal(t, test.want, fieldErrorsOf(t, err))
			require.ErrorContains(t, err, "invalid settings")
		})
	}
}

func TestDurationBoundsAreInclusive(t *testing.T) {
	t.Parallel()
	for _, bounds := range []string{
		`{"open_within":"1s","quiet_period":"1s","commit_window":"0s","list_lag":"0s"}`,
		`{"open_within":"30d","quiet_period":"365d","commit_window":"24h","list_lag":"24h"}`,
	} {
		_, err := claim.Resolve(layer(bounds))
		require.NoError(t, err, bounds)
	}
}

func TestSettingsRoundTrip(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(claim.DefaultSettings())
	require.NoError(t, err)
	s, err := claim.Resolve(data)
	require.NoError(t, err)
	require.Equal(t, claim.DefaultSettings(), s)
}

func FuzzResolve(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `[]`, `{"tag":"x"}`, `{"evidence":{"max_files":null}}`, `{"routing":[{"name":"a"}]}`, `{"a\"b":1}`, `{"open_within":"1d"}`} {
		f.Add([]byte(seed), []byte(`{"tag":"y"}`))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s, err := claim.Resolve(a, b)
		if err != nil {
			require.NotEmpty(t, fieldErrorsOf(t, err))
			return
		}
		require.NotEmpty(t, s.Tag)
		require.Positive(t, s.OpenWithin)
	})
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "4h": 4 * time.Hour, "1h30m": 90 * time.Minute, "30d": 720 * time.Hour, "1.5d": 36 * time.Hour, "-1s": -time.Second, "0s": 0,
	} {
		var d claim.Duration
		require.NoError(t, d.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, time.Duration(d), text)
		spelled, err := d.MarshalText()
		require.NoError(t, err)
		var again claim.Duration
		require.NoError(t, again.UnmarshalText(spelled))
		require.Equal(t, d, again)
	}
	for _, text := range []string{"", "d", "soon", "4", "4 h", "4h30d", "1000000d", "NaNd", "Infd", "-9e99d"} {
		var d claim.Duration
		require.EqualError(t, d.UnmarshalText([]byte(text)), "must be a duration such as 90s, 4h or 30d", text)
		require.Zero(t, d)
	}
}

func TestRouteFor(t *testing.T) {
	t.Parallel()
	rule := func(name string, when claim.RouteWhen, then claim.RouteThen) claim.RoutingRule {
		return claim.RoutingRule{Name: name, When: when, Then: then}
	}
	defaults := claim.Settings{EmailIntegrationID: "support@example.com", DefaultAgentID: agent}
	c := claim.Claim{
		Reason: "partialDamage", Flow: "chipped", Phase: "delivered",
		Items: []claim.Item{{Quantity: 2, NetPrice: "20"}, {Quantity: 1, NetPrice: "10.50"}, {Quantity: 9}},
		Order: claim.Order{Total: "999", Address: claim.Address{CountryCode: "CH"}},
	}
	for name, test := range map[string]struct {
		rules []claim.RoutingRule
		want  claim.Route
	}{
		"no rules": {nil, claim.Route{EmailIntegrationID: "support@example.com", AgentID: agent}},
		"first match wins": {
			[]claim.RoutingRule{
				rule("not", claim.RouteWhen{Reason: []string{"return"}}, claim.RouteThen{QueueID: "no"}),
				rule("yes", claim.RouteWhen{Reason: []string{"x", "Partial damage"}}, claim.RouteThen{EmailIntegrationID: "de@example.com"}),
				rule("later", claim.RouteWhen{}, claim.RouteThen{QueueID: "no"}),
			},
			claim.Route{Rule: "yes", EmailIntegrationID: "de@example.com", AgentID: agent},
		},
		"queue replaces the agent": {
			[]claim.RoutingRule{rule("q", claim.RouteWhen{}, claim.RouteThen{QueueID: queue})},
			claim.Route{Rule: "q", EmailIntegrationID: "support@example.com", QueueID: queue},
		},
		"all conditions must match": {
			[]claim.RoutingRule{
				rule("almost", claim.RouteWhen{Reason: []string{"partial_damage"}, Country: []string{"DE"}}, claim.RouteThen{QueueID: "no"}),
				rule("all", claim.RouteWhen{
					Reason: []string{"partial_damage"}, Flow: []string{"defective"}, Language: []string{"de"}, Country: []string{"ch"},
					Phase: []string{"Delivered"}, MinValue: "50.50", MaxValue: "50.50",
				}, claim.RouteThen{AgentID: "other"}),
			},
			claim.Route{Rule: "all", EmailIntegrationID: "support@example.com", AgentID: "other"},
		},
		"custom flow": {
			[]claim.RoutingRule{rule("own", claim.RouteWhen{Flow: []string{"Chipped"}}, claim.RouteThen{QueueID: queue})},
			claim.Route{Rule: "own", EmailIntegrationID: "support@example.com", QueueID: queue},
		},
		"region": {
			[]claim.RoutingRule{rule("no", claim.RouteWhen{Language: []string{"de-AT"}}, claim.RouteThen{QueueID: "no"}), rule("ch", claim.RouteWhen{Language: []string{"de_ch"}}, claim.RouteThen{QueueID: queue})},
			claim.Route{Rule: "ch", EmailIntegrationID: "support@example.com", QueueID: queue},
		},
		"value out of range": {
			[]claim.RoutingRule{rule("min", claim.RouteWhen{MinValue: "50.51"}, claim.RouteThen{QueueID: "no"}), rule("max", claim.RouteWhen{MaxValue: "50.49"}, claim.RouteThen{QueueID: "no"})},
			claim.Route{EmailIntegrationID: "support@example.com", AgentID: agent},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := defaults
			s.Routing = test.rules
			require.Equal(t, test.want, s.RouteFor(&c, "de-CH"))
		})
	}

	s := defaults
	s.Routing = []claim.RoutingRule{rule("valued", claim.RouteWhen{MinValue: "0"}, claim.RouteThen{QueueID: queue})}
	require.Empty(t, s.RouteFor(&claim.Claim{}, "en").Rule, "a claim without prices must not match a minimum value")
}

func TestValue(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		claim  claim.Claim
		want   string
		priced bool
	}{
		"items":          {claim.Claim{Items: []claim.Item{{Quantity: 3, NetPrice: "0.10"}, {Quantity: 1, NetPrice: "0.20"}}, Order: claim.Order{Total: "9"}}, "0.5", true},
		"order":          {claim.Claim{Items: []claim.Item{{Quantity: 3}}, Order: claim.Order{Total: "9.90"}}, "9.9", true},
		"nothing":        {claim.Claim{Items: []claim.Item{{Quantity: 3}}}, "0", false},
		"not validated":  {claim.Claim{Order: claim.Order{Total: "cheap"}}, "0", true},
		"free of charge": {claim.Claim{Items: []claim.Item{{Quantity: 3, NetPrice: "0"}}}, "0", true},
	} {
		value, priced := test.claim.Value()
		require.Equal(t, test.want, value.String(), name)
		require.Equal(t, test.priced, priced, name)
	}
}
