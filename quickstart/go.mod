module github.com/claimflow/claimflow/quickstart

go 1.26.8

require (
	github.com/temporalio/ui-server/v2 v2.54.1 // indirect
	go.temporal.io/sdk v1.50.0 // indirect
	go.temporal.io/server v1.32.1 // indirect
)

// goose v3.29.0 names this version, whose source the Go module proxy does not serve.
// Nothing of ours needs it; what the Temporal server asks for is new enough for both.
exclude golang.org/x/exp v0.0.0-20261011100332-faecfb24eb49
