package claim_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

func TestWorkflowID(t *testing.T) {
	t.Parallel()
	for _, ref := range []claim.Ref{{Shop: "acme", ID: "1"}, {Shop: "a-b_c", ID: "x:y:z"}, {Shop: "acme", ID: "3f0c1a52-6a35-4c55-9d5e-0c6f5f7c1a10"}} {
		back, err := claim.ParseWorkflowID(ref.WorkflowID())
		require.NoError(t, err)
		require.Equal(t, ref, back)
	}
	require.Equal(t, "claim:acme:1", claim.Ref{Shop: "acme", ID: "1"}.WorkflowID())
	require.Equal(t, "acme/1", claim.Ref{Shop: "acme", ID: "1"}.String())
	for _, id := range []string{"", "claim", "claim:", "claim:acme", "claim:acme:", "claim::1", "sweep:acme:1", "acme:1"} {
		_, err := claim.ParseWorkflowID(id)
		require.ErrorContains(t, err, "claim:<shop>:<claim id>", id)
	}
}

// TestKeysAreStable pins keys that Dixa and Temporal store for claims. Deriving them
// differently would open conversations a second time.
func TestKeysAreStable(t *testing.T) {
	t.Parallel()
	ref := claim.Ref{Shop: "acme", ID: "1"}
	require.Equal(t, "CF-PCCQ4LTTGVMU", ref.Reference())
	require.Equal(t, "cf-740cf6f009074ec7c82f87fe-1", ref.ExternalID(claim.StepConversation, 1))
	require.True(t, strings.HasPrefix(ref.ExternalID(claim.StepConversation, 7), ref.ExternalIDPrefix(claim.StepConversation)))
}

func TestKeysAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, ref := range []claim.Ref{{Shop: "a", ID: "1"}, {Shop: "a", ID: "2"}, {Shop: "b", ID: "1"}, {Shop: "a1", ID: "1"}, {Shop: "a", ID: "11"}} {
		for _, step := range []string{claim.StepConversation, claim.StepAttachment, claim.StepNote} {
			for try := 1; try < 4; try++ {
				key := ref.ExternalID(step, try)
				require.NotContains(t, seen, key)
				seen[key] = ref.String() + step
				require.LessOrEqual(t, len(key), 40)
			}
		}
		require.NotContains(t, seen, ref.Reference())
		seen[ref.Reference()] = ref.String()
		require.Regexp(t, `^CF-[A-Z2-7]{12}$`, ref.Reference(), "references must be easy to read aloud and need no escaping")
	}
}

func TestSearchAttributesAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, name := range claim.SearchAttributes() {
		require.False(t, seen[name], name)
		seen[name] = true
	}
}

func TestEveryCauseHasDistinctAdvice(t *testing.T) {
	t.Parallel()
	seen := map[string]claim.Cause{}
	for _, cause := range claim.Causes() {
		advice := cause.Advice()
		require.NotEmpty(t, advice, cause)
		require.Empty(t, seen[advice], "%s shares its advice with another cause", cause)
		seen[advice] = cause
		require.True(t, strings.HasSuffix(advice, "."), "%s: advice must be complete sentences", cause)
	}
	require.Equal(t, claim.CauseUnexpected.Advice(), claim.Cause("unknown").Advice())
}

func TestKey(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"": "", "damaged": "damaged", "Damaged": "damaged", "DAMAGED": "damaged", "notReceived": "not_received",
		"Not received": "not_received", "not-received": "not_received", " not__received ": "not_received", "NOT_RECEIVED": "not_received",
		"not.Received!": "not_received", "v2Claim": "v2_claim", "größe": "größe", "GrößeXL": "größe_xl", "---": "", "_x_": "x", "破損": "破損",
	} {
		require.Equal(t, want, claim.NormalizeKey(word), word)
		require.Equal(t, want, claim.NormalizeKey(want), "normalizing must be idempotent")
	}
}

func FuzzKey(f *testing.F) {
	for _, seed := range []string{"", "notReceived", "A B", "İI", "ǅ", "a𝐀", "1A", "\xff", "QQⅅ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, word string) {
		key := claim.NormalizeKey(word)
		require.Equal(t, key, claim.NormalizeKey(key))
		require.NotContains(t, key, "__")
		require.NotContains(t, key, " ")
	})
}

func TestFlowKey(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ flow, reason, want string }{
		{"", "damage", "defective"},
		{"", "damaged", "defective"},
		{"", "partialDamage", "defective"},
		{"", "investigation", "not_received"},
		{"", "support", "support"},
		{"", "smells", "general"},
		{"notReceived", "damaged", "not_received"},
		{"Missing product", "x", "missing_product"},
		{"wrong-product", "x", "wrong_product"},
		{"unknown", "return", "return"},
		{"unknown", "x", "general"},
		{"general", "return", "general"},
		{"dissatisfied", "", "dissatisfied"},
	} {
		c := claim.Claim{Flow: test.flow, Reason: test.reason}
		require.Equal(t, test.want, c.FlowKey(), "%+v", test)
	}
	for _, flow := range claim.Flows() {
		require.Equal(t, flow, (&claim.Claim{Flow: flow}).FlowKey())
	}
}

func TestKnownVocabulary(t *testing.T) {
	t.Parallel()
	require.True(t, claim.KnownReason("partialDamage"))
	require.False(t, claim.KnownReason("smells"))
	require.True(t, claim.KnownPreference("Store credit"))
	require.False(t, claim.KnownPreference("a pony"))
	require.True(t, claim.KnownPhase("in-transit"))
	require.False(t, claim.KnownPhase(""))
}

func TestShipmentPhase(t *testing.T) {
	t.Parallel()
	c := claim.Claim{Shipments: []claim.Shipment{{}, {Phase: "delivered"}, {Phase: "returned"}}}
	require.Equal(t, "delivered", c.ShipmentPhase())
	c.Phase = "collect"
	require.Equal(t, "collect", c.ShipmentPhase())
	require.Empty(t, (&claim.Claim{}).ShipmentPhase())
}
