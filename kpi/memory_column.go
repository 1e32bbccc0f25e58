package kpi

import (
	"time"
)

// text returns the value of a column of text.
func (r *memoryRow) text(column Column) string {
	switch column {
	case FigureChannel:
		return r.figures.Channel
	case FigureDirection:
		return r.figures.Direction
	case FigureStatus:
		return r.figures.Status
	case FigureQueue:
		return r.figures.QueueID
	case FigureAssignee:
		return r.figures.AssigneeID
	case FigureFirstResponseBy:
		return r.figures.FirstResponseBy
	case EventKind:
		return string(r.event.Kind)
	case EventAgent:
		return r.event.AgentID
	case EventQueue:
		return r.event.QueueID
	case EventType:
		return r.event.Type
	case ClaimShop:
		return r.claim.Shop
	case ClaimID:
		return r.claim.ID
	case ClaimReason:
		return r.claim.Reason
	case ClaimCarrier:
		return r.claim.Carrier
	case ClaimPhase:
		return r.claim.Phase
	case ClaimStatus:
		return r.claim.Status
	case ClaimResolution:
		return r.claim.Resolution
	case ClaimCustomer:
		return r.claim.Customer
	case ParkingCause:
		return string(r.parking.Cause)
	case PresenceAgent:
		return r.sample.AgentID
	default:
		return ""
	}
}

// number returns the value of a column of times, durations or numbers. No column is
// unknown.
func (r *memoryRow) number(column Column) Number {
	switch column {
	case FigureID, EventID:
		return Number{r.figures.ConversationID, true}
	case FigureCreatedAt:
		return timeNumber(r.figures.CreatedAt)
	case FigureFirstInboundAt:
		return timeNumber(r.figures.FirstInboundAt)
	case FigureFirstResponseAt:
		return timeNumber(r.figures.FirstResponseAt)
	case FigureFirstAssignedAt:
		return timeNumber(r.figures.FirstAssignedAt)
	case FigureFirstClosedAt:
		return timeNumber(r.figures.FirstClosedAt)
	case FigureLastClosedAt:
		return timeNumber(r.figures.LastClosedAt)
	case FigureLastActivityAt:
		return timeNumber(r.figures.LastActivityAt)
	case FigureAnonymizedAt:
		return timeNumber(r.figures.AnonymizedAt)
	case FigureQueueTime:
		return durationNumber(r.figures.QueueTime)
	case FigureHandlingTime:
		return durationNumber(r.figures.HandlingTime)
	case FigureAgentReplies:
		return countNumber(r.figures.AgentReplies)
	case FigureAutomatedMessages:
		return countNumber(r.figures.AutomatedMessages)
	case FigureCustomerMessages:
		return countNumber(r.figures.CustomerMessages)
	case FigureNotes:
		return countNumber(r.figures.Notes)
	case FigureCloses:
		return countNumber(r.figures.Closes)
	case FigureReopens:
		return countNumber(r.figures.Reopens)
	case FigureTransfers:
		return countNumber(r.figures.Transfers)
	case FigureAssignments:
		return countNumber(r.figures.Assignments)
	case EventAt:
		return timeNumber(r.event.At)
	case EventValue:
		return Number{int64(r.event.Value), true}
	case ClaimAcceptedAt:
		return timeNumber(r.claim.AcceptedAt)
	case ClaimOpenedAt:
		return timeNumber(r.claim.OpenedAt)
	case ClaimFirstReplyAt:
		return timeNumber(r.claim.FirstReplyAt)
	case ClaimClosedAt:
		return timeNumber(r.claim.ClosedAt)
	case ClaimSettledAt:
		return timeNumber(r.claim.SettledAt)
	case ParkingAt:
		return timeNumber(r.parking.At)
	case PresenceAt:
		return timeNumber(r.sample.At)
	case PresenceWorking:
		return Number{int64(one(r.sample.Working)), true}
	default:
		return Number{}
	}
}

func timeNumber(t time.Time) Number {
	if t.IsZero() {
		return Number{0, true}
	}
	return Number{t.UnixMicro(), true}
}

func durationNumber(d *time.Duration) Number {
	if d == nil {
		return Number{}
	}
	return Number{d.Microseconds(), true}
}

func countNumber(n *int) Number {
	if n == nil {
		return Number{}
	}
	return Number{int64(*n), true}
}
