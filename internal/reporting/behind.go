package reporting

import (
	"cmp"
	"context"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/kpi"
)

// Behind lists the conversations or claims behind a value of a figure of a connection.
// schedule is as in [Service.Evaluate], and so is the error. next is the place after which
// the next page begins; nil if there is none.
func (s *Service) Behind(ctx context.Context, connectionID string, d kpi.Definition, r kpi.BehindRequest, schedule string) (page client.KPIBehind, next *kpi.Place, err error) {
	r.Request = d.Complete(r.Request)
	hours, _, err := s.hours(ctx, connectionID, r.Request, schedule)
	if err != nil {
		return page, nil, err
	}
	e, err := s.evaluator(ctx, connectionID, r.Request, hours, kpi.ByAgent, kpi.ByQueue)
	if err != nil {
		return page, nil, err
	}
	behind, err := e.Behind(ctx, d, r)
	if err != nil {
		return page, nil, err
	}
	page = client.KPIBehind{
		KPI: d.ID, Subject: d.Subject, Unit: string(d.Unit), Request: requestOf(r.Request), Group: r.Group, Label: behind.Label,
		Bucket: bucketOf(&behind.Bucket), Gone: behind.Gone, Members: make([]client.KPIMember, len(behind.Members)),
	}
	for i := range behind.Members {
		page.Members[i] = memberOf(&behind.Members[i], d, behind.Bucket.Whole != nil)
	}
	if behind.More {
		last := behind.Members[len(behind.Members)-1]
		next = &kpi.Place{At: last.At, ID: last.ID}
	}
	if d.AboutClaims() {
		return page, next, s.addClaims(ctx, page.Members, behind.Members)
	}
	return page, next, s.addConversations(ctx, connectionID, e.Directory, page.Members, behind.Members)
}

// memberOf returns what the figure says of a member.
func memberOf(m *kpi.Member, d kpi.Definition, share bool) client.KPIMember {
	out := client.KPIMember{At: time.UnixMicro(m.At).UTC(), Value: m.Value, Times: m.Times}
	if share {
		out.Part = &m.Part
	}
	if d.Unit == kpi.Score {
		out.Opposite = &m.Opposite
	}
	return out
}

// addConversations adds what is known of the conversations. Who is limited to a shop learns
// of its own claims only.
func (s *Service) addConversations(ctx context.Context, connectionID string, names kpi.Directory, out []client.KPIMember, members []kpi.Member) error {
	ids := make([]int64, len(members))
	for i := range members {
		ids[i] = members[i].ID
	}
	known, err := s.Store.Mirror.BehindConversations(ctx, connectionID, ids)
	if err != nil {
		return err
	}
	for i := range members {
		c, o := known[members[i].ID], &out[i]
		o.ConversationID, o.CreatedAt, o.Channel, o.Direction = members[i].ID, c.CreatedAt, c.Channel, c.Direction
		o.AgentID, o.QueueID = members[i].Labels[0], members[i].Labels[1]
		o.Agent, o.Queue = cmp.Or(names.AgentNames[o.AgentID], o.AgentID), cmp.Or(names.QueueNames[o.QueueID], o.QueueID)
		if limit := limitOf(ctx); c.Claim != (claim.Ref{}) && (limit == "" || limit == c.Claim.Shop) {
			o.Claim = &c.Claim
		}
	}
	return nil
}

// addClaims adds what is known of the claims.
func (s *Service) addClaims(ctx context.Context, out []client.KPIMember, members []kpi.Member) error {
	refs := make([]claim.Ref, len(members))
	for i := range members {
		refs[i] = claim.Ref{Shop: members[i].Labels[0], ID: members[i].Labels[1]}
	}
	known, err := s.Store.Mirror.BehindClaims(ctx, refs)
	if err != nil {
		return err
	}
	for i, ref := range refs {
		c, o := known[ref], &out[i]
		o.Claim, o.ConversationID = &ref, c.ConversationID
		o.Reason, o.Carrier, o.Phase, o.Status, o.Resolution = c.Reason, c.Carrier, c.Phase, c.Status, c.Resolution
	}
	return nil
}

// requestOf returns a complete request as the API does.
func requestOf(r kpi.Request) client.KPIRequest {
	out := client.KPIRequest{
		From: r.From.In(r.Zone), To: r.To.In(r.Zone), Timezone: r.Zone.String(), Bucket: string(r.Bucket), By: string(r.By),
		Date: string(r.PlacedBy), Hours: string(r.Hours), WithinDays: r.WithinDays, AskedAt: r.Now.In(r.Zone),
	}
	for dimension, values := range r.Filters {
		if out.Filters == nil {
			out.Filters = map[string][]string{}
		}
		out.Filters[string(dimension)] = values
	}
	return out
}

// bucketOf returns a value as the API does.
func bucketOf(b *kpi.BucketValue) client.KPIBucket {
	return client.KPIBucket{
		Start: b.Start, End: b.End, HourOfWeek: b.HourOfWeek, Open: b.Open, Value: b.Value, Count: b.Count, Missing: b.Missing,
		Part: b.Part, Whole: b.Whole, Distinct: b.Distinct, Sum: b.Sum, Mean: b.Mean, Median: b.Median, P90: b.P90,
	}
}
