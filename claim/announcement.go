package claim

import "time"

// The types of the events that are of no claim.
const (
	ToldConnectionNeedsToken = "connection.needs_token" // Dixa refuses its token
	ToldConnectionRecovered  = "connection.recovered"   // it has a token again
	ToldEndpointPaused       = "endpoint.paused"        // an endpoint failed for long, or is gone
)

// ConnectionNotice is what endpoints are sent of a connection that a shop of
// theirs uses, in the form of a Standard Webhooks payload.
type ConnectionNotice struct {
	Type string `json:"type"`
	// Timestamp is when it happened, not when it was sent.
	Timestamp time.Time            `json:"timestamp"`
	Data      ConnectionNoticeData `json:"data"`
}

// ConnectionNoticeData is how a connection stood after the change.
type ConnectionNoticeData struct {
	ConnectionID string `json:"connection_id"`
	// Sequence counts the connection's events from 1 without a gap.
	Sequence         int64           `json:"sequence"`
	State            ConnectionState `json:"state"`
	Advice           string          `json:"advice"`
	OrganizationID   string          `json:"organization_id,omitempty"`
	OrganizationName string          `json:"organization_name,omitempty"`
	// Shops are the slugs of all shops that use the connection.
	Shops []string `json:"shops"`
}

// Notice is the event of a type and number about the connection as it now is.
func (c *Connection) Notice(kind string, sequence int64, at time.Time, shops []string) ConnectionNotice {
	advice := CauseConnection.Advice()
	if c.State == ConnectionActive {
		advice = "Nothing is left to do: claims that were parked for it go on by themselves."
	}
	return ConnectionNotice{Type: kind, Timestamp: at, Data: ConnectionNoticeData{
		ConnectionID: c.ID, Sequence: sequence, State: c.State, Advice: advice,
		OrganizationID: c.OrganizationID, OrganizationName: c.OrganizationName, Shops: shops,
	}}
}

// EndpointNotice is what endpoints are sent of another one, in the form of a
// Standard Webhooks payload.
type EndpointNotice struct {
	Type string `json:"type"`
	// Timestamp is when it happened, not when it was sent.
	Timestamp time.Time          `json:"timestamp"`
	Data      EndpointNoticeData `json:"data"`
}

// EndpointNoticeData is how an endpoint stood after the change. Its address is
// not named: it may hold a secret.
type EndpointNoticeData struct {
	EndpointID string `json:"endpoint_id"`
	// Sequence counts the endpoint's events from 1 without a gap.
	Sequence    int64  `json:"sequence"`
	Kind        string `json:"kind"`
	Description string `json:"description,omitempty"`
	// Shop is empty for an endpoint of the platform.
	Shop   string `json:"shop,omitempty"`
	State  string `json:"state"`
	Reason string `json:"reason"`
	Advice string `json:"advice"`
}
