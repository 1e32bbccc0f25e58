package claim

const (
	// DeploymentWorkflowName is the registered name of the workflow that binds a
	// Temporal namespace to a store.
	DeploymentWorkflowName = "Deployment"
	// DeploymentWorkflowID is the id of that workflow. A namespace has one such run.
	DeploymentWorkflowID = "deployment"
	// DeploymentMemoStore is the memo key of that run that holds the store's id.
	DeploymentMemoStore = "store"
)
