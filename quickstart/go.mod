module github.com/claimflow/claimflow/quickstart

go 1.26.8

require (
	github.com/claimflow/claimflow v0.0.0
	github.com/temporalio/ui-server/v2 v2.54.1
	github.com/google/uuid v1.6.0
	github.com/stretchr/testify v1.12.1
	go.temporal.io/api v1.63.5
	go.temporal.io/sdk v1.50.0
	go.temporal.io/server v1.32.1
	google.golang.org/protobuf v1.36.12
)

replace github.com/claimflow/claimflow => ../
