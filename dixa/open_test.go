package dixa_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
)

// TestUnknownMembersAndValuesSurvive decodes and encodes what a later version of the
// API might return.
func TestUnknownMembersAndValuesSurvive(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		into any
		json string
	}{
		{&dixa.Conversation{}, `{"_type":"HologramConversation","id":9007199254740993,"channel":"Hologram","state":"Dozing","direction":"Sideways",
			"hologram":{"depth":1.50,"tags":["<a>"]},"snoozedUntil":null,"link":{"_type":"Twin","parentId":2,"twin":true},
			"customAttributes":[{"id":"x","name":"n","identifier":"i","value":{"amount":1},"unit":"EUR"},{"id":"y","name":"n","identifier":"j","value":null}]}`},
		{&dixa.EndUser{}, `{"id":"x","loyalty":"gold","additionalEmails":[]}`},
		{&dixa.Message{}, `{"id":"x","authorId":"y","seenBy":["z"],"attributes":{"_type":"HologramAttributes","direction":"Sideways","beam":{"w":5},
			"emailContent":{"_type":"Streamed","stream":"s"},"content":{"_type":"Ssml","value":"<speak/>","lang":"en"},
			"from":{"email":"a@example.org","verified":true},"to":[{"email":"b@example.org"},{"email":"c@example.org","name":"C"}]}}`},
		{&dixa.Message{}, `{"id":"x","authorId":"y","attributes":{"_type":"PhoneAttributes","from":"+4511","to":"+4522","duration":0}}`},
		{&dixa.Activity{}, `{"id":"x","conversationId":4,"_type":"ConversationDreamt","attributes":{"_type":"Dream","of":[1,2]},"author":{"id":"y","species":"bot"}}`},
		{&dixa.ContactEndpoint{}, `{"_type":"HologramEndpoint","name":"n","beacon":"b-7"}`},
		{&dixa.CustomAttributeDefinition{}, `{"id":"x","entityType":"Planet","identifier":"i","label":"l","isRequired":false,"isArchived":false,
			"isDeactivated":false,"inputDefinition":{"_type":"Slider","min":0,"max":10}}`},
		{&dixa.AnonymizationRequest{}, `{"id":"x","_type":"Planet","targetEntityId":"t","requestedBy":"r","entityType":"PlanetAnonymizationType"}`},
		{&dixa.Rating{}, `{"id":"x","ratingType":"Emoji","conversationChannel":"Hologram","userId":"u","ratingStatus":"Lost","timestamps":{},"emoji":"🙂"}`},
		{&dixa.Metric{}, `{"id":"x","owner":"o","filters":[{"filterAttribute":"mood","cost":1}],"aggregations":[{"measure":"Median","unit":"s"}]}`},
		{&dixa.RecordDefinition{}, `{"id":"x","description":"","fieldsMetadata":[{"field":"f","description":"d","nullable":true,"unit":"ms"}]}`},
		{&dixa.MetricData{}, `{"id":"x","aggregates":[{"_type":"VectorValue","value":{"x":1.50},"measure":"Vector","unit":"s"}],"asOf":"now"}`},
		{&dixa.AnalyticsRecord{}, `{"primaryTimestampField":{"name":"n","timestamp":"2026-05-04T09:08:07.600Z","zone":"UTC"},"weight":2,
			"value":{"_type":"MoneyField","value":{"amount":"1.50"},"currency":"EUR"},"fields":[{"name":"a","unit":"s"}]}`},
		{&dixa.BusinessHours{}, `{"id":"x","name":"n","timezone":"UTC","owner":"o","businessHours":[{"name":"n","businessHourType":"Siesta","status":"Ajar","startDate":"",
			"intervals":[{"startTime":"08:00","endTime":"09:00","zone":"UTC"}],"recurring":{"holiday":"Easter","offset":1},"mood":1}],"exceptions":[]}`},
		{&dixa.BusinessStatus{}, `{"isOpen":true,"timestamp":"2026-05-04T09:08:07.600Z","until":"later"}`},
	} {
		require.NoError(t, json.Unmarshal([]byte(tc.json), tc.into))
		require.JSONEq(t, tc.json, mustJSON(t, tc.into), "%T", tc.into)
	}
}

func TestDecodingResetsExtra(t *testing.T) {
	t.Parallel()
	var tag dixa.Tag
	require.NoError(t, json.Unmarshal([]byte(`{"id":"a","mood":"x"}`), &tag))
	require.Equal(t, dixa.Extra{"mood": json.RawMessage(`"x"`)}, tag.Extra)
	require.NoError(t, json.Unmarshal([]byte(`{"id":"b"}`), &tag))
	require.Nil(t, tag.Extra)
}

func TestPhoneNumbersMayBeNumbers(t *testing.T) {
	t.Parallel()
	var a dixa.MessageAttributes
	require.NoError(t, json.Unmarshal([]byte(`{"_type":"PhoneAttributes","from":"+4511223344","to":4511223355}`), &a))
	require.Equal(t, "+4511223344", a.From.Phone)
	require.Equal(t, "4511223355", a.To[0].Phone)
}

func TestContactEndpointID(t *testing.T) {
	t.Parallel()
	require.Equal(t, "shop@email.dixa.io", (&dixa.ContactEndpoint{Address: "shop@email.dixa.io"}).ID())
	require.Equal(t, "+4589000000", (&dixa.ContactEndpoint{Number: "+4589000000"}).ID())
}

func TestMessageText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"_type":"EmailAttributes","emailContent":{"_type":"Regular","content":{"_type":"Html","value":"<p>a</p>"}}}`: "<p>a</p>",
		`{"_type":"ChatAttributes","content":{"_type":"Text","value":"b"}}`:                                            "b",
		`{"_type":"EmailAttributes","emailContent":{"_type":"TooLarge","file":{"url":"https://x.example"}}}`:           "",
		`{"_type":"PhoneAttributes"}`: "",
	} {
		var a dixa.MessageAttributes
		require.NoError(t, json.Unmarshal([]byte(in), &a))
		content, ok := a.Text()
		require.Equal(t, want, content.Value)
		require.Equal(t, want != "", ok)
	}
}

func TestAttributeValues(t *testing.T) {
	t.Parallel()
	for want, value := range map[string]dixa.AttributeValue{
		`"x <y>"`:   dixa.TextValue("x <y>"),
		`""`:        dixa.TextValue(""),
		`["a","b"]`: dixa.SelectValue("a", "b"),
		`[]`:        dixa.SelectValue(),
		`null`:      dixa.ClearValue(),
		`12.50`:     {Other: json.RawMessage(`12.50`)},
	} {
		encoded, err := value.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, want, string(encoded))
		var back dixa.AttributeValue
		require.NoError(t, back.UnmarshalJSON(encoded))
		require.True(t, reflect.DeepEqual(value, back), "%s decoded to %+v", want, back)
	}
}

// FuzzResponses decodes arbitrary bytes into the types with custom decoders.
func FuzzResponses(f *testing.F) {
	for _, tc := range operationCases() {
		f.Add([]byte(tc.reply))
	}
	f.Add([]byte(`{"_type":"PhoneAttributes","to":5}`))
	f.Add([]byte(`{"to":[null,"x",{}],"value":[1]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, into := range []any{
			&dixa.Conversation{}, &dixa.Message{}, &dixa.MessageAttributes{}, &dixa.EndUser{}, &dixa.CustomAttribute{},
			&dixa.Activity{}, &dixa.Queue{}, &dixa.WebhookSubscription{}, &dixa.Presence{},
			&dixa.Metric{}, &dixa.RecordDefinition{}, &dixa.MetricData{}, &dixa.AnalyticsRecord{}, &dixa.FilterValue{},
			&dixa.BusinessHours{}, &dixa.BusinessStatus{},
		} {
			if json.Unmarshal(in, into) != nil {
				continue
			}
			encoded, err := json.Marshal(into)
			require.NoError(t, err, "%T", into)
			require.NoError(t, json.Unmarshal(encoded, into), "%T: %s", into, encoded)
		}
	})
}

// What a response says is personal. An error about it names the place only, also for types
// that decode themselves.
func TestErrorsDoNotQuoteResponses(t *testing.T) {
	t.Parallel()
	const secret = "4511223344"
	var body string
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body)) // the client may have gone
	}))
	t.Cleanup(host.Close)
	client, err := dixa.New("token", dixa.WithBaseURL(host.URL+"/v1/"))
	require.NoError(t, err)
	messages := func(attributes string) string {
		return `{"data":[{"id":"m-1","attributes":` + attributes + `}]}`
	}
	for _, body = range []string{
		messages(`{"to":[{"email":` + secret + `}]}`), messages(`{"to":{"email":` + secret + `}}`), messages(`{"to":[true,` + secret + `]}`),
		messages(`{"from":{"name":` + secret + `}}`), messages(secret), messages(`{"direction":` + secret + `}`), `{"data":` + secret + `}`, `{"data":[` + secret,
	} {
		_, err := client.Conversations.Messages(t.Context(), 1)
		require.ErrorIs(t, err, dixa.ErrMalformedResponse, body)
		require.NotContains(t, err.Error(), secret, body)
	}
}
