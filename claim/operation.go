package claim

// OperationWorkflowName is the registered name of the workflow that carries out a write
// through the unified API.
const OperationWorkflowName = "Operation"

// OperationWorkflowID returns the id of an operation's workflow.
func OperationWorkflowID(operationID string) string { return "operation:" + operationID }
