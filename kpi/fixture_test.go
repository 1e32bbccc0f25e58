package kpi_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
)

// at reads a time of March 2026 in UTC, such as "02 09:30", or of another month, such
// as "02-20 09:30". March 2 is a Monday.
func at(text string) time.Time {
	if len(text) == len("02 09:30") {
		text = "03-" + text
	}
	t, err := time.Parse("2006-01-02 15:04", "2026-"+text)
	if err != nil {
		panic(err)
	}
	return t
}

// event is an event of the conversation's queue.
func event(when string, kind mirror.EventKind, agent string) mirror.FigureEvent {
	return mirror.FigureEvent{At: at(when), Kind: kind, AgentID: agent}
}

func rating(when string, kind mirror.EventKind, agent, ratingType string, score int) mirror.FigureEvent {
	return mirror.FigureEvent{At: at(when), Kind: kind, AgentID: agent, Type: ratingType, Value: score}
}

// logged sets the figures that need a complete log.
func logged(f mirror.Figures, queue, handling time.Duration, closes, reopens, transfers, assignments int) mirror.Figures {
	f.QueueTime, f.HandlingTime, f.QueueTimeFromLog = &queue, &handling, true
	f.Closes, f.Reopens, f.Transfers, f.Assignments = &closes, &reopens, &transfers, &assignments
	return f
}

const (
	reply, assigned, unassigned = mirror.KindReply, mirror.KindAssigned, mirror.KindUnassigned
	closed, reopened            = mirror.KindClosed, mirror.KindReopened
	offered, rated              = mirror.KindRatingOffered, mirror.KindRated
	transferred                 = mirror.KindTransferred
	achieved, breached          = mirror.KindSLAAchieved, mirror.KindSLABreached
	csat, nps, thumbs           = mirror.RatingCSAT, mirror.RatingNPS, mirror.RatingThumbs
)

// conversations are the fixture that the expected values are worked out from.
func conversations() []mirror.Figures {
	all := []mirror.Figures{
		logged(mirror.Figures{ // answered, closed and rated at once
			ConversationID: 1, CreatedAt: at("02 09:00"), Channel: "Email", Direction: "inbound", QueueID: "q1", AssigneeID: "ann",
			Tags: []string{"vip"}, FirstInboundAt: at("02 09:00"), FirstResponseAt: at("02 09:30"), FirstResponseBy: "ann",
			AgentReplies: new(1), CustomerMessages: new(1), FirstAssignedAt: at("02 09:10"),
			FirstClosedAt: at("02 10:00"), LastClosedAt: at("02 10:00"),
			Events: []mirror.FigureEvent{
				event("02 09:10", assigned, "ann"), event("02 09:30", reply, "ann"), event("02 09:30", achieved, "ann"),
				event("02 10:00", closed, "ann"),
				rating("02 10:00", offered, "ann", csat, 0), rating("02 11:00", rated, "ann", csat, 5),
			},
		}, 10*time.Minute, 50*time.Minute, 1, 0, 0, 1),
		logged(mirror.Figures{ // reopened once; only its second survey is answered
			ConversationID: 2, CreatedAt: at("02 10:00"), Channel: "Email", Direction: "inbound", QueueID: "q1", AssigneeID: "bob",
			Tags: []string{"late", "vip"}, FirstInboundAt: at("02 10:00"), FirstResponseAt: at("02 11:00"), FirstResponseBy: "bob",
			AgentReplies: new(3), CustomerMessages: new(2), FirstAssignedAt: at("02 10:30"),
			FirstClosedAt: at("02 12:00"), LastClosedAt: at("03 10:00"),
			Events: []mirror.FigureEvent{
				event("02 10:30", assigned, "bob"), event("02 11:00", reply, "bob"), event("02 12:00", reply, "bob"),
				event("02 12:00", closed, "bob"), rating("02 12:00", offered, "bob", csat, 0),
				event("03 09:00", reopened, ""), event("03 10:00", reply, "bob"), event("03 10:00", closed, "bob"),
				rating("03 10:00", offered, "bob", csat, 0), rating("03 12:00", rated, "bob", csat, 3),
			},
		}, 30*time.Minute, 150*time.Minute, 2, 1, 0, 1),
		logged(mirror.Figures{ // created on Monday in UTC, on Tuesday in Copenhagen
			ConversationID: 3, CreatedAt: at("02 23:30"), Channel: "WidgetChat", Direction: "inbound", QueueID: "q2", AssigneeID: "ann",
			FirstInboundAt: at("02 23:30"), FirstResponseAt: at("02 23:45"), FirstResponseBy: "ann",
			AgentReplies: new(1), CustomerMessages: new(1), FirstAssignedAt: at("02 23:30"),
			FirstClosedAt: at("03 00:30"), LastClosedAt: at("03 00:30"),
			Events: []mirror.FigureEvent{
				event("02 23:30", assigned, "ann"), event("02 23:45", reply, "ann"), event("03 00:30", closed, "ann"),
				rating("03 00:30", offered, "ann", thumbs, 0), rating("03 00:31", rated, "ann", thumbs, 1),
			},
		}, 0, time.Hour, 1, 0, 0, 1),
		logged(mirror.Figures{ // the shop began it
			ConversationID: 4, CreatedAt: at("03 08:00"), Channel: "Email", Direction: "outbound", QueueID: "q1", AssigneeID: "bob",
			AgentReplies: new(1), CustomerMessages: new(0), FirstAssignedAt: at("03 08:00"),
			FirstClosedAt: at("03 08:30"), LastClosedAt: at("03 08:30"),
			Events: []mirror.FigureEvent{
				event("03 08:00", assigned, "bob"), event("03 08:00", reply, "bob"), event("03 08:30", closed, "bob"),
			},
		}, 0, 30*time.Minute, 1, 0, 0, 1),
		logged(mirror.Figures{ // nobody has touched it
			ConversationID: 5, CreatedAt: at("03 09:00"), Channel: "Email", Direction: "inbound", QueueID: "q2",
			FirstInboundAt: at("03 09:00"), AgentReplies: new(0), CustomerMessages: new(1),
		}, 0, 0, 0, 0, 0, 0),
		{ // no activity log: what Dixa reports is known
			ConversationID: 6, CreatedAt: at("03 10:00"), Channel: "Email", Direction: "inbound", QueueID: "q1", AssigneeID: "cy",
			FirstInboundAt: at("03 10:00"), FirstResponseAt: at("03 12:00"), FirstResponseBy: "cy",
			AgentReplies: new(1), CustomerMessages: new(1), FirstAssignedAt: at("03 11:00"), LastClosedAt: at("03 14:00"),
			Events: []mirror.FigureEvent{event("03 12:00", reply, "cy"), event("03 14:00", closed, "")},
		},
		logged(mirror.Figures{ // no messages
			ConversationID: 7, CreatedAt: at("03 11:00"), Channel: "Email", Direction: "inbound", QueueID: "q2", AssigneeID: "ann",
			FirstAssignedAt: at("03 11:20"), FirstClosedAt: at("03 13:00"), LastClosedAt: at("03 13:00"),
			Events: []mirror.FigureEvent{
				event("03 11:20", assigned, "cy"), event("03 12:00", transferred, "ann"), event("03 12:00", assigned, "ann"),
				event("03 13:00", closed, "ann"),
			},
		}, 20*time.Minute, 100*time.Minute, 1, 0, 1, 2),
		logged(mirror.Figures{ // reopened on the day of its close and closed by another agent
			ConversationID: 8, CreatedAt: at("04 09:00"), Channel: "WidgetChat", Direction: "inbound", QueueID: "q1", AssigneeID: "bob",
			FirstInboundAt: at("04 09:00"), FirstResponseAt: at("04 09:05"), FirstResponseBy: "ann",
			AgentReplies: new(1), CustomerMessages: new(2), FirstAssignedAt: at("04 09:00"),
			FirstClosedAt: at("04 09:20"), LastClosedAt: at("04 16:00"),
			Events: []mirror.FigureEvent{
				event("04 09:00", assigned, "ann"), event("04 09:05", reply, "ann"), event("04 09:20", closed, "ann"),
				rating("04 09:20", offered, "ann", nps, 0), rating("04 09:30", rated, "ann", nps, 10),
				event("04 15:00", reopened, ""), event("04 15:00", transferred, "bob"), event("04 15:00", assigned, "bob"),
				event("04 16:00", closed, "bob"),
			},
		}, 0, 80*time.Minute, 2, 1, 1, 2),
		logged(mirror.Figures{ // created before the period; reopened ten days after its first close
			ConversationID: 9, CreatedAt: at("01 12:00"), Channel: "Email", Direction: "inbound", QueueID: "q1", AssigneeID: "ann",
			FirstInboundAt: at("01 12:00"), FirstResponseAt: at("02 09:00"), FirstResponseBy: "ann",
			AgentReplies: new(2), CustomerMessages: new(2), FirstAssignedAt: at("02 08:00"),
			FirstClosedAt: at("04 12:00"), LastClosedAt: at("14 14:00"),
			Events: []mirror.FigureEvent{
				event("02 08:00", assigned, "ann"), event("02 09:00", breached, ""), event("02 09:00", reply, "ann"),
				event("04 12:00", closed, "ann"), event("14 12:00", reopened, ""), event("14 13:00", reply, "ann"),
				event("14 14:00", closed, "ann"),
			},
		}, 20*time.Hour, 54*time.Hour, 2, 1, 0, 1),
		logged(mirror.Figures{ // back in the queue for seven hours, still open
			ConversationID: 10, CreatedAt: at("04 10:00"), Channel: "Email", Direction: "inbound", QueueID: "q1", AssigneeID: "bob",
			FirstInboundAt: at("04 10:00"), FirstResponseAt: at("04 18:30"), FirstResponseBy: "bob",
			AgentReplies: new(1), CustomerMessages: new(2), FirstAssignedAt: at("04 10:00"),
			Events: []mirror.FigureEvent{
				event("04 10:00", assigned, "bob"), event("04 11:00", unassigned, ""), event("04 18:00", assigned, "bob"),
				event("04 18:30", reply, "bob"), event("04 18:30", achieved, "bob"), rating("04 19:00", offered, "bob", thumbs, 0),
			},
		}, 7*time.Hour, 90*time.Minute, 0, 0, 0, 2),
		{ // its message came before it did
			ConversationID: 11,
		},
		logged(mirror.Figures{ // closed without an agent; its score comes after the period
			ConversationID: 12, CreatedAt: at("04 20:00"), Channel: "WidgetChat", Direction: "inbound", QueueID: "q2",
			FirstInboundAt: at("04 20:00"), AgentReplies: new(0), CustomerMessages: new(1),
			FirstClosedAt: at("04 20:10"), LastClosedAt: at("04 20:10"),
			Events: []mirror.FigureEvent{
				event("04 20:10", closed, ""), rating("04 20:10", offered, "", nps, 0), rating("04 20:10", offered, "", thumbs, 0),
				rating("04 20:11", rated, "", thumbs, 0), rating("05 09:00", rated, "", nps, 3),
			},
		}, 10*time.Minute, 0, 1, 0, 0, 0),
		logged(mirror.Figures{ // in no queue; rated without a known offer
			ConversationID: 13, CreatedAt: at("02 15:00"), Channel: "FacebookMessenger", Direction: "inbound", AssigneeID: "cy",
			FirstInboundAt: at("02 15:00"), FirstResponseAt: at("02 16:00"), FirstResponseBy: "cy",
			AgentReplies: new(1), CustomerMessages: new(1), FirstAssignedAt: at("02 15:00"),
			FirstClosedAt: at("02 17:00"), LastClosedAt: at("02 17:00"),
			Events: []mirror.FigureEvent{
				event("02 15:00", assigned, "cy"), event("02 16:00", reply, "cy"), event("02 17:00", closed, "cy"),
				rating("02 18:00", rated, "cy", csat, 4),
			},
		}, 0, 2*time.Hour, 1, 0, 0, 1),
		logged(mirror.Figures{ // closed in February, open again on Monday and Tuesday
			ConversationID: 14, CreatedAt: at("02-20 09:00"), Channel: "Email", Direction: "inbound", QueueID: "q1", AssigneeID: "ann",
			FirstInboundAt: at("02-20 09:00"), FirstResponseAt: at("02-20 10:00"), FirstResponseBy: "ann",
			AgentReplies: new(2), CustomerMessages: new(2), FirstAssignedAt: at("02-20 09:30"),
			FirstClosedAt: at("02-21 09:00"), LastClosedAt: at("03 12:00"),
			Events: []mirror.FigureEvent{
				event("02-20 09:30", assigned, "ann"), event("02-20 10:00", reply, "ann"), event("02-21 09:00", closed, "ann"),
				event("02 12:00", reopened, ""), event("03 11:00", reply, "ann"), event("03 12:00", closed, "ann"),
			},
		}, 30*time.Minute, 47*time.Hour+30*time.Minute, 2, 1, 0, 1),
	}
	for i := range all {
		for n := range all[i].Events {
			all[i].Events[n].QueueID = all[i].QueueID
		}
	}
	return all
}

// claims are the fixture of the figures of claims.
func claims() []kpi.ClaimFact {
	const token, contact, unavailable = claim.CauseConnection, claim.CauseNoContact, claim.CauseUnavailable
	parked := func(when string, cause claim.Cause) kpi.Parking { return kpi.Parking{Cause: cause, At: at(when)} }
	return []kpi.ClaimFact{
		{
			ID: "c1", Shop: "acme", Reason: "damaged", Carrier: "dhl", Phase: "delivered", Status: "accepted", Resolution: "refund", Customer: "A",
			AcceptedAt: at("02 08:00"), OpenedAt: at("02 08:01"), FirstReplyAt: at("02 09:00"), ClosedAt: at("03 08:00"), SettledAt: at("10 08:00"),
		},
		{
			ID: "c2", Shop: "acme", Reason: "damaged", Carrier: "ups", Phase: "delivered", Status: "accepted", Resolution: "reorder", Customer: "B",
			AcceptedAt: at("02 09:00"), OpenedAt: at("02 09:02"), FirstReplyAt: at("02 10:00"), ClosedAt: at("02 12:00"), SettledAt: at("09 12:00"),
		},
		{
			ID: "c3", Shop: "acme", Reason: "not_received", Carrier: "dhl", Phase: "in_transit", Status: "rejected", Resolution: "refund", Customer: "A",
			AcceptedAt: at("02 10:00"), OpenedAt: at("02 13:00"), ClosedAt: at("04 10:00"), Parkings: []kpi.Parking{parked("02 10:05", token)},
		},
		{
			ID: "c4", Shop: "beta", Reason: "damaged", Carrier: "dhl", Phase: "delivered", Status: "pending", Resolution: "refund", Customer: "C",
			AcceptedAt: at("03 08:00"), OpenedAt: at("03 08:01"), FirstReplyAt: at("03 09:01"),
		},
		{
			ID: "c5", Shop: "beta", Reason: "return",
			AcceptedAt: at("03 09:00"), Parkings: []kpi.Parking{parked("03 09:01", contact)},
		},
		{
			ID: "c6", Shop: "acme", Reason: "damaged", Carrier: "dhl", Status: "closed", Resolution: "reorder", Customer: "B",
			AcceptedAt: at("03 10:00"), OpenedAt: at("03 10:01"), FirstReplyAt: at("03 11:00"), ClosedAt: at("04 08:00"), SettledAt: at("11 08:00"),
		},
		{
			ID: "c7", Shop: "acme", Reason: "wrong_product", Carrier: "ups", Status: "pending", Resolution: "refund", Customer: "D",
			AcceptedAt: at("04 08:00"), OpenedAt: at("04 10:00"),
			Parkings: []kpi.Parking{parked("04 08:01", token), parked("04 09:00", unavailable)},
		},
		{
			ID: "c8", Shop: "acme", Reason: "damaged", Carrier: "dhl", Status: "accepted", Resolution: "refund", Customer: "E",
			AcceptedAt: at("04 09:00"), OpenedAt: at("04 09:01"), ClosedAt: at("04 12:00"),
		},
		{
			ID: "c9", Shop: "acme", Reason: "damaged", Status: "accepted", Resolution: "refund", Customer: "E",
			AcceptedAt: at("11-01 08:00").AddDate(-1, 0, 0), OpenedAt: at("11-01 08:01").AddDate(-1, 0, 0),
		},
		{
			ID: "c10", Shop: "beta", Reason: "support", Status: "accepted", Resolution: "reorder", Customer: "F",
			AcceptedAt: at("04 11:00"), OpenedAt: at("04 11:01"),
		},
		{
			ID: "c11", Shop: "acme", Reason: "damaged", Status: "rejected", Resolution: "refund", Customer: "F",
			AcceptedAt: at("02-20 09:00"), OpenedAt: at("02-20 09:01"),
		},
		{
			ID: "c12", Shop: "acme", Reason: "missing_product", Status: "replacement_sent", Resolution: "replacement", Customer: "G",
			AcceptedAt: at("04 12:00"), OpenedAt: at("04 12:30"),
		},
	}
}

var directory = kpi.Directory{
	AgentNames: map[string]string{"ann": "Ann", "bob": "Bob"},
	QueueNames: map[string]string{"q1": "Returns", "q2": "=General"},
	AgentTeams: map[string][]string{"ann": {"Blue"}, "bob": {"Blue", "Red"}},
}

// officeHours are Monday to Friday from 09:00 to 17:00 in UTC.
func officeHours() kpi.Schedule {
	s := kpi.Schedule{Zone: time.UTC}
	for day := time.Monday; day <= time.Friday; day++ {
		s.Weekly[day] = []kpi.Interval{{Start: 9 * 60, End: 17 * 60}}
	}
	return s
}

// ask evaluates a figure from Monday, March 2, to Wednesday, March 4, by day.
func ask(t *testing.T, id string, change func(*kpi.Request)) *kpi.Result {
	t.Helper()
	d, ok := kpi.ByID(id)
	require.True(t, ok, id)
	r := kpi.Request{From: at("02 00:00"), To: at("05 00:00"), Bucket: kpi.BucketDay, Now: at("20 00:00")}
	if change != nil {
		change(&r)
	}
	e := kpi.Evaluator{Source: kpi.NewMemory(conversations(), claims(), presence()...), Directory: directory, Hours: kpi.History{officeHours()}}
	result, err := e.Evaluate(t.Context(), d, r)
	require.NoError(t, err)
	return result
}

// show writes a result with one line per series, without empty buckets of hours of
// the week: the value; the other aggregates; part/whole; the count as n3; the missing
// as ?1; the distinct as d2.
func show(r *kpi.Result) []string {
	lines := make([]string, len(r.Series))
	for i, s := range r.Series {
		var cells []string
		for _, b := range s.Buckets {
			if b.HourOfWeek == nil {
				cells = append(cells, showBucket(&r.Definition, &b))
			} else if b.Count+b.Missing > 0 {
				cells = append(cells, fmt.Sprintf("%d: %s", *b.HourOfWeek, showBucket(&r.Definition, &b)))
			}
		}
		lines[i] = strings.Join(cells, " | ")
		if r.Request.By != "" {
			lines[i] = s.Label + ": " + lines[i]
		}
	}
	return lines
}

func showBucket(d *kpi.Definition, b *kpi.BucketValue) string {
	number := func(x *float64) string {
		switch {
		case x == nil:
			return "null"
		case d.Unit == kpi.Seconds:
			return time.Duration(math.Round(*x) * 1e9).String()
		default:
			return fmt.Sprint(math.Round(*x*1000) / 1000)
		}
	}
	out := []string{number(b.Value)}
	for _, a := range d.Aggregates[1:] {
		x := map[kpi.Aggregate]*float64{"mean": b.Mean, "median": b.Median, "p90": b.P90, "sum": b.Sum}[a]
		if x != nil {
			out = append(out, string(a)+"="+number(x))
		}
	}
	if b.Whole != nil {
		out = append(out, fmt.Sprintf("%d/%d", *b.Part, *b.Whole))
	}
	out = append(out, fmt.Sprintf("n%d", b.Count))
	if b.Missing > 0 {
		out = append(out, fmt.Sprintf("?%d", b.Missing))
	}
	if b.Distinct != nil {
		out = append(out, fmt.Sprintf("d%d", *b.Distinct))
	}
	if b.Open {
		out = append(out, "open")
	}
	return strings.Join(out, " ")
}

// presence are samples of two agents on Monday and of one on Tuesday.
func presence() []kpi.PresenceSample {
	return []kpi.PresenceSample{
		{AgentID: "ann", At: at("02 09:00"), Working: true},
		{AgentID: "bob", At: at("02 09:00")},
		{AgentID: "ann", At: at("02 10:00"), Working: true},
		{AgentID: "bob", At: at("02 10:00"), Working: true},
		{AgentID: "ann", At: at("03 09:00")},
	}
}
