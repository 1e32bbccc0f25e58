package server_test

import (
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

// Parts of the rows of the exports and of the activity log.
type (
	conversationRow struct {
		ID        int64       `json:"id"`
		CreatedAt int64       `json:"created_at"`
		Channel   string      `json:"initial_channel"`
		Direction string      `json:"direction"`
		Requester string      `json:"requester_id"`
		Queue     string      `json:"queue_id"`
		QueuedAt  int64       `json:"queued_at"`
		Assignee  string      `json:"assignee_id"`
		Assigned  int64       `json:"assigned_at"`
		ClosedAt  int64       `json:"closed_at"`
		Status    string      `json:"status"`
		Subject   string      `json:"subject"`
		UpdatedAt int64       `json:"updated_at"`
		LastAt    int64       `json:"last_message_created_at"`
		Forgotten int64       `json:"anonymized_at"`
		Tags      []string    `json:"tags"`
		Notes     []string    `json:"conversation_wrapup_notes"`
		Ratings   []ratingRow `json:"ratings"`
	}
	ratingRow struct {
		Score       *int   `json:"rating_score"`
		Status      string `json:"rating_status"`
		Offered     int64  `json:"rating_offered_timestamp"`
		Rated       int64  `json:"rating_rated_timestamp"`
		Scheduled   int64  `json:"rating_scheduled_timestamp"`
		For         int64  `json:"rating_scheduled_for_timestamp"`
		Unscheduled int64  `json:"rating_unscheduled_timestamp"`
		Cancelled   int64  `json:"rating_cancelled_timestamp"`
	}
	messageRow struct {
		ID        string `json:"id"`
		CSID      int64  `json:"csid"`
		CreatedAt int64  `json:"created_at"`
		Direction string `json:"direction"`
		Automated bool   `json:"is_automated_message"`
	}
	entryRow struct {
		ID             string `json:"id"`
		ConversationID int64  `json:"conversationId"`
		At             string `json:"activityTimestamp"`
		Type           string `json:"_type"`
	}
)

// exported returns the rows of an export.
func exported[T any](d *dixa, query string) []T {
	d.t.Helper()
	token := d.token
	d.token = "Bearer " + token
	got := d.do(http.MethodGet, "/exports/v1/"+query, nil, http.StatusOK)
	d.token = token
	var rows []T
	decode(d.t, got.body, &rows)
	return rows
}

// unix returns a time as exports write it, or 0 if there is none.
func unix(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

func stampOf(at time.Time) string { return at.Format("2006-01-02T15:04:05.000Z") }

func conversationRowOf(truth server.Truth) conversationRow {
	row := conversationRow{
		ID: truth.ID, CreatedAt: unix(truth.CreatedAt), Channel: strings.ToLower(truth.Channel), Direction: strings.ToLower(truth.Direction),
		Requester: truth.RequesterID, Queue: truth.QueueID, QueuedAt: unix(truth.QueuedAt), Assignee: truth.AssigneeID,
		Assigned: unix(truth.AssignedAt), ClosedAt: unix(truth.ClosedAt), Status: strings.ToLower(truth.State), Subject: truth.Subject,
		UpdatedAt: unix(truth.UpdatedAt), LastAt: unix(truth.Messages[len(truth.Messages)-1].CreatedAt),
		Forgotten: unix(truth.AnonymizedAt), Tags: truth.Tags, Notes: []string{}, Ratings: []ratingRow{},
	}
	for _, note := range truth.Notes {
		row.Notes = append(row.Notes, note.Text)
	}
	for _, rating := range truth.Ratings {
		row.Ratings = append(row.Ratings, ratingRow{
			rating.Score, strings.ToLower(rating.Status), unix(rating.OfferedAt), unix(rating.SubmittedAt),
			unix(rating.ScheduledAt), unix(rating.ScheduledFor), unix(rating.UnscheduledAt), unix(rating.CancelledAt),
		})
	}
	return row
}

// checkRatings compares the list of a conversation's ratings with the truth.
func checkRatings(d *dixa, path string, truth server.Truth) {
	d.t.Helper()
	var listed []struct {
		ID         string            `json:"id"`
		Type       string            `json:"ratingType"`
		Status     string            `json:"ratingStatus"`
		Score      *int              `json:"ratingScore"`
		Timestamps map[string]string `json:"timestamps"`
	}
	d.do(http.MethodGet, path+"/ratings", nil, http.StatusOK).data(&listed)
	require.Len(d.t, listed, len(truth.Ratings))
	for i, rating := range truth.Ratings {
		require.Equal(d.t, []any{rating.ID, rating.Type, rating.Status, rating.Score},
			[]any{listed[i].ID, listed[i].Type, listed[i].Status, listed[i].Score})
		for name, at := range map[string]time.Time{
			"scheduled_at": rating.ScheduledAt, "scheduled_for": rating.ScheduledFor,
			"offered_at": rating.OfferedAt, "rated_at": rating.SubmittedAt,
		} {
			want := ""
			if !at.IsZero() {
				want = at.Format(time.RFC3339)
			}
			require.Equal(d.t, want, listed[i].Timestamps[name], name)
		}
	}
}
