package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

func TestExternalIDsSwitch(t *testing.T) {
	t.Parallel()
	const missing = "(missing)"
	for reading, want := range map[string]struct{ with, without any }{
		"value":  {"key", nil},
		"text":   {"key", "null"},
		"null":   {nil, nil},
		"absent": {missing, missing},
	} {
		hook := receive(t)
		d := start(t, server.Options{Switches: server.Switches{Webhooks: server.WebhookSwitches{ExternalIDs: reading}}})
		d.subscribe(hook.url, object{"events": []string{"ConversationMessageAdded"}})
		d.do(http.MethodPost, "/conversations", mail(d.customer("a@example.org"), "key"), http.StatusCreated)
		require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayReply, Text: "Hello"}))
		d.flush()
		var got []any
		for _, delivered := range hook.got {
			value, present := delivered.event.Data["external_id"]
			if !present {
				value = missing
			}
			got = append(got, value)
		}
		require.Equal(t, []any{want.with, want.without}, got, reading)
	}
}

func TestHTMLTextSwitch(t *testing.T) {
	t.Parallel()
	for reading, want := range map[string]string{"as-sent": "<p>One <b>two</b></p>", "text": "One two"} {
		hook := receive(t)
		d := start(t, server.Options{Switches: server.Switches{Webhooks: server.WebhookSwitches{HTMLText: reading}}})
		d.subscribe(hook.url, object{"events": []string{"ConversationMessageAdded"}})
		d.open(d.customer("a@example.org"))
		require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayReply, HTML: "<p>One <b>two</b></p>"}))
		d.flush()
		data := hook.got[1].event.Data
		require.Equal(t, want, data["text"], reading)
		require.Equal(t, want, part(t, data, "content")["text"], reading)
		require.Equal(t, "<p>One <b>two</b></p>", d.State().Conversations[0].Messages[1].Content.Value, "the stored content differs from the sent content")
	}
}

func TestFileLinksSwitch(t *testing.T) {
	t.Parallel()
	files := gallery(t)
	for reading, want := range map[string]struct{ api, event bool }{
		"mixed": {true, false}, "absolute": {true, true}, "path": {false, false},
	} {
		hook := receive(t)
		d := start(t, server.Options{Switches: server.Switches{FileLinks: reading}})
		d.subscribe(hook.url, object{"events": []string{"ConversationMessageAdded"}})
		d.do(http.MethodPost, "/conversations", mail(d.customer("a@example.org"), "", files+"/photo.jpg"), http.StatusCreated)
		d.flush()
		var messages []struct {
			Attributes struct {
				Attachments []struct{ URL string }
			}
		}
		d.do(http.MethodGet, "/conversations/1001/messages", nil, http.StatusOK).data(&messages)
		inAPI := messages[0].Attributes.Attachments[0].URL
		items, isList := hook.got[0].event.Data["attachments"].([]any)
		require.True(t, isList)
		inEvent := part(t, map[string]any{"item": items[0]}, "item")["url"]
		original := part(t, hook.got[0].event.Data, "content")["original_content_url"]
		path := "/private/" + server.SeedOrganization + "/"
		for _, link := range []struct {
			of    any
			whole bool
		}{{inAPI, want.api}, {inEvent, want.event}, {original, want.event}} {
			prefix := path
			if link.whole {
				prefix = d.url + "/files" + path
			}
			text, isText := link.of.(string)
			require.True(t, isText && strings.HasPrefix(text, prefix), "%s: %v does not start with %s", reading, link.of, prefix)
			address := strings.TrimPrefix(text, d.url+"/files")
			require.NotContains(t, d.download(d.url+"/files"+address, "demo-token"), "could not be found")
		}
	}
}

func TestTimePrecisionSwitch(t *testing.T) {
	t.Parallel()
	for precision, want := range map[string]string{"seconds": "2026-03-02T08:30:01Z", "millis": "2026-03-02T08:30:01.250Z"} {
		clock := newClock()
		d := start(t, server.Options{Clock: clock.Now, Switches: server.Switches{TimePrecision: precision}})
		d.open(d.customer("a@example.org"))
		clock.Advance(1250 * time.Millisecond)
		require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayClaim}, server.Step{Action: server.PlayPending}))
		var conversation struct {
			StateUpdatedAt string
			Assignment     struct{ AssignedAt string }
		}
		d.do(http.MethodGet, "/conversations/1001", nil, http.StatusOK).data(&conversation)
		require.Equal(t, want, conversation.StateUpdatedAt)
		require.Equal(t, want, conversation.Assignment.AssignedAt)
	}
}

// An event describes the conversation as it was when the event happened, even if it
// is delivered late.
func TestEventIsASnapshot(t *testing.T) {
	t.Parallel()
	hook := receive(t)
	d := start(t, server.Options{Switches: server.Switches{Webhooks: server.WebhookSwitches{Reorder: 1}}})
	d.subscribe(hook.url, object{"events": []string{"ConversationTagAdded", "ConversationPending", "ConversationClosed"}})
	d.open(d.customer("a@example.org"))
	require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayTag, Tag: "one"}, server.Step{Action: server.PlayPending},
		server.Step{Action: server.PlayTag, Tag: "two"}, server.Step{Action: server.PlayClose}))
	d.flush()
	var seen []string
	for _, got := range hook.got {
		conversation := part(t, got.event.Data, "conversation")
		tags, isList := conversation["tags"].([]any)
		require.True(t, isList)
		status, isText := conversation["status"].(string)
		require.True(t, isText)
		seen = append(seen, got.event.Name+" "+status+" "+strings.Repeat("#", len(tags)))
	}
	require.ElementsMatch(t, []string{
		"CONVERSATION_TAG_ADDED OPEN #", "CONVERSATION_PENDING PENDING #", "CONVERSATION_TAG_ADDED PENDING ##", "CONVERSATION_CLOSED CLOSED ##",
	}, seen)
}

func TestDeliveryLogsShowFailures(t *testing.T) {
	t.Parallel()
	type logged struct {
		Detail struct {
			Success bool   `json:"success"`
			Code    int    `json:"responseCode"`
			Text    string `json:"responseText"`
		} `json:"deliveryDetail"`
		Payload string `json:"payload"`
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		hook := receive(t)
		hook.status = []int{503}
		d := start(t, server.Options{Switches: server.Switches{Webhooks: server.WebhookSwitches{Attempts: 1}}})
		subscribed := d.subscribe(hook.url, object{"events": []string{"ConversationCreated"}})
		d.open(d.customer("a@example.org"))
		d.flush()
		var logs []logged
		d.do(http.MethodGet, "/webhooks/"+subscribed.ID+"/delivery-status/logs/ConversationCreated", nil, http.StatusOK).data(&logs)
		require.Len(t, logs, 1)
		require.False(t, logs[0].Detail.Success)
		require.Equal(t, 503, logs[0].Detail.Code)
		require.Equal(t, "Service Unavailable", logs[0].Detail.Text)
		require.JSONEq(t, string(hook.got[0].body), logs[0].Payload, "the log does not contain the undelivered payload")
		var statuses []struct {
			Status struct {
				Type    string `json:"_type"`
				Success bool   `json:"success"`
			} `json:"deliveryStatus"`
		}
		d.do(http.MethodGet, "/webhooks/"+subscribed.ID+"/delivery-status", nil, http.StatusOK).data(&statuses)
		require.Equal(t, "DeliveryDetail", statuses[0].Status.Type)
		require.False(t, statuses[0].Status.Success)
	})
	for _, shown := range []bool{false, true} {
		t.Run(map[bool]string{false: "lost", true: "lost but logged"}[shown], func(t *testing.T) {
			t.Parallel()
			hook := receive(t)
			how := server.WebhookSwitches{Lose: 1, LogLost: shown, KeptDeliveries: 2}
			d := start(t, server.Options{Switches: server.Switches{Webhooks: how}})
			subscribed := d.subscribe(hook.url, object{"events": []string{"ConversationNoteAdded"}})
			d.open(d.customer("a@example.org"))
			for _, text := range []string{"one", "two", "three"} {
				require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayNote, Text: text}))
			}
			d.flush()
			require.Empty(t, hook.names())
			var logs []logged
			d.do(http.MethodGet, "/webhooks/"+subscribed.ID+"/delivery-status/logs/ConversationNoteAdded", nil, http.StatusOK).data(&logs)
			if !shown {
				require.Empty(t, logs)
				return
			}
			require.Len(t, logs, 2, "the log keeps too many deliveries")
			require.False(t, logs[0].Detail.Success)
			require.Contains(t, logs[0].Payload, "three", "newest first")
		})
	}
}
