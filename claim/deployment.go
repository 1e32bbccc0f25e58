package claim

const (
	// DeploymentWorkflowName is the name under which the workflow that binds a
	// Temporal namespace to a store is registered.
	DeploymentWorkflowName = "Deployment"
	// DeploymentWorkflowID is its id; one namespace has one such run.
	DeploymentWorkflowID = "deployment"
	// DeploymentMemoStore is the memo of that run that holds the id of the store.
	DeploymentMemoStore = "store"
)
