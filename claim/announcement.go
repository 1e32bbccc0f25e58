package claim

import "time"

// Types of events that do not belong to a claim.
const (
	OutboundConnectionNeedsToken = "connection.needs_token" // Dixa rejects the connection's token
	OutboundConnectionRecovered  = "connection.recovered"   // the connection has a working token again
	OutboundEndpointPaused       = "endpoint.paused"        // the endpoint kept failing, or answered 410 Gone
	// OutboundEndpointTest shows an endpoint that it receives events. It is sent on
	// request, to that endpoint only, whatever types it wants.
	OutboundEndpointTest = "endpoint.test"
)

// ConnectionNotice is the event payload about a connection, sent to the endpoints of
// the shops that use it. It follows the Standard Webhooks format.
type ConnectionNotice struct {
	Type string `json:"type"`
	// Timestamp is when the event happened, not when it was sent.
	Timestamp time.Time            `json:"timestamp"`
	Data      ConnectionNoticeData `json:"data"`
}

// ConnectionNoticeData is the state of a connection after the change.
type ConnectionNoticeData struct {
	ConnectionID string `json:"connection_id"`
	// Sequence numbers the connection's events from 1 without gaps.
	Sequence         int64           `json:"sequence"`
	State            ConnectionState `json:"state"`
	Advice           string          `json:"advice"`
	OrganizationID   string          `json:"organization_id,omitempty"`
	OrganizationName string          `json:"organization_name,omitempty"`
	// Shops are the slugs of all shops that use the connection.
	Shops []string `json:"shops"`
}

// Notice returns the event of the given type and sequence number for the
// connection's current state.
func (c *Connection) Notice(kind string, sequence int64, at time.Time, shops []string) ConnectionNotice {
	advice := CauseConnection.Advice()
	if c.State == ConnectionActive {
		advice = "No action is needed: claims that were parked for this cause resume automatically."
	}
	return ConnectionNotice{Type: kind, Timestamp: at, Data: ConnectionNoticeData{
		ConnectionID: c.ID, Sequence: sequence, State: c.State, Advice: advice,
		OrganizationID: c.OrganizationID, OrganizationName: c.OrganizationName, Shops: shops,
	}}
}

// EndpointNotice is the event payload about an endpoint, sent to other endpoints or, as
// a test, to the endpoint itself. It follows the Standard Webhooks format.
type EndpointNotice struct {
	Type string `json:"type"`
	// Timestamp is when the event happened, not when it was sent.
	Timestamp time.Time          `json:"timestamp"`
	Data      EndpointNoticeData `json:"data"`
}

// EndpointNoticeData is the state of an endpoint after the change. It omits the
// endpoint's address, which may contain a secret.
type EndpointNoticeData struct {
	EndpointID string `json:"endpoint_id"`
	// Sequence numbers the endpoint's events from 1 without gaps. It is 0 for a test.
	Sequence    int64  `json:"sequence"`
	Kind        string `json:"kind"`
	Description string `json:"description,omitempty"`
	// Shop is empty for a platform endpoint.
	Shop   string `json:"shop,omitempty"`
	State  string `json:"state"`
	Reason string `json:"reason"`
	Advice string `json:"advice"`
}
