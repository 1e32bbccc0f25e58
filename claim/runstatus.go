package claim

// RunStatus is the answer to [QueryStatus]: the claim as its workflow last read it.
// It holds plain facts only, no personal data.
type RunStatus struct {
	State State `json:"state"`
	// Cause and Advice say why the claim is parked and what to do. Empty unless it
	// is.
	Cause  Cause  `json:"cause,omitempty"`
	Advice string `json:"advice,omitempty"`
	// ConversationID is the conversation in Dixa; zero until there is one.
	ConversationID int64 `json:"conversation_id,omitempty"`
	// Status is the last status reported to the owner.
	Status string `json:"status,omitempty"`
	// WaitingFor says what the workflow waits for, in words. Empty while it works.
	WaitingFor string `json:"waiting_for,omitempty"`
	// LastError is the last error. It stays after the claim recovered.
	LastError string `json:"last_error,omitempty"`
	// StepsDone lists the completed steps of opening, see [StepConversation].
	StepsDone []string `json:"steps_done"`
	// FallbackUsed says that the owner was asked to serve the customer another way.
	FallbackUsed bool `json:"fallback_used,omitempty"`
}
