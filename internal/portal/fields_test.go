package portal

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

// Everything that pages name by a value of the API has words.
func TestValuesHaveWords(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, kind := range endpointKinds() {
		for _, prefix := range []string{"endpoint.kind.", "endpoint.kind.hint.", "endpoint.new.", "endpoint.url."} {
			keys = append(keys, prefix+string(kind))
		}
	}
	for _, event := range slices.Concat(claim.OutboundTypes(), claim.RecordTypes(), []string{claim.OutboundEndpointTest}) {
		keys = append(keys, "event."+event)
	}
	for _, state := range []claim.DeliveryState{claim.DeliveryWaiting, claim.DeliveryDelivered, claim.DeliveryDead} {
		keys = append(keys, "delivery.state."+string(state))
	}
	for _, state := range []claim.ImportState{claim.ImportRunning, claim.ImportPaused, claim.ImportDone, claim.ImportCancelled} {
		keys = append(keys, "import.state."+string(state))
	}
	for _, access := range []claim.ImportAccess{claim.AccessExports, claim.AccessSearch} {
		keys = append(keys, "import.access."+string(access))
	}
	keys = append(keys, "import.cause."+claim.ImportRequested, "import.cause."+claim.ImportScheduled)
	for _, stream := range claim.Streams() {
		keys = append(keys, "stream."+string(stream))
		for _, field := range claim.RecordFields(stream) {
			keys = append(keys, "column."+field)
		}
		for _, column := range recordColumns[stream] {
			require.Contains(t, claim.RecordFields(stream), column)
		}
	}
	for _, date := range claim.RecordDates() {
		keys = append(keys, "date."+string(date))
	}
	for _, channel := range dixaChannels() {
		keys = append(keys, "channel."+channel)
	}
	english, err := readWords("en")
	require.NoError(t, err)
	for _, key := range keys {
		require.True(t, english.has(key), key)
	}
}

func TestCellsOfRecords(t *testing.T) {
	t.Parallel()
	words, err := readWords("de")
	require.NoError(t, err)
	german := &visit{words: words}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		member, value string
		want          recordCell
	}{
		"nothing": {"subject", `null`, recordCell{}},
		"missing": {"subject", ``, recordCell{}},
		"text":    {"subject", `"<b>"`, recordCell{Text: "<b>"}},
		"time":    {"created_at", `"2026-03-01T12:00:00Z"`, recordCell{At: at}},
		"list":    {"tags", `["a", "b"]`, recordCell{Text: "a, b"}},
		"object":  {"object", `{"a":1}`, recordCell{Text: `{"a":1}`}},
		"seconds": {"queue_seconds", `12345.6`, recordCell{Text: "3 Std. 26 Min."}},
		"status":  {"status", `"open"`, recordCell{Text: "Offen"}},
		"id":      {"id", `12345`, recordCell{Text: "12345"}},
		"channel": {"channel", `"PstnPhone"`, recordCell{Text: "Telefon"}},
		"unknown": {"channel", `"Telepathy"`, recordCell{Text: "Telepathy"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, german.cellOf(test.member, json.RawMessage(test.value)))
		})
	}
	require.Equal(t, "ä…", shortened("ääää", 3), "a character is not cut")
}

func TestRoughly(t *testing.T) {
	t.Parallel()
	english, err := readWords("en")
	require.NoError(t, err)
	for d, want := range map[time.Duration]string{
		20 * time.Second: "less than a minute", 90 * time.Second: "about 2 minutes", 119 * time.Minute: "about 119 minutes", 121 * time.Minute: "about 3 hours",
	} {
		require.Equal(t, want, english.roughly(d))
	}
}
