# Commands for developers. CI runs .ci/run, which needs only Go, on Debian.
include .ci/tools.env

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## Start everything in one process: Temporal, its UI, a Dixa emulator, worker and API
	go run ./quickstart

.PHONY: build
build: ## Build the worker, the starter and the emulator into bin/
	CGO_ENABLED=0 go build -trimpath -o bin/ ./worker ./starter ./emulator

.PHONY: test
test: ## Run the tests of both modules (container tests are skipped without Docker)
	go test work

.PHONY: race
race: ## Run the tests of the main module with the race detector, except in SQLite
	go test -race -gcflags='modernc.org/...=-race=false' -timeout 40m ./...

.PHONY: bench-ingest
bench-ingest: ## Benchmark the ingestion of Dixa events against a bare handler (PostgreSQL needs Docker)
	go test ./internal/api -run '^$$' -bench Ingest

.PHONY: bench-import
bench-import: ## Benchmark the import against COPY, and KPI questions over a million conversations (PostgreSQL needs Docker)
	go test ./activities -run '^$$' -bench 'Import$$' -benchtime 5x -v
	go test ./store -run '^$$' -bench KPI -benchtime 20x -timeout 30m

.PHONY: format
format: ## Format the code
	go run $(GOLANGCI_LINT) fmt

.PHONY: lint
lint: ## Check style, import boundaries and the determinism of workflows
	go vet ./... ./quickstart/...
	go run $(GOLANGCI_LINT) run ./...
	cd quickstart && go run $(GOLANGCI_LINT) run ./...
	go run $(WORKFLOWCHECK) -config .ci/workflowcheck.yaml ./workflows/...

.PHONY: record-histories
record-histories: ## Re-record the workflow histories that tests replay, for a new path through the workflow
	go test ./quickstart/endtoend -count=1 -run '^Test(Shapes|ContinuesAsNew|SweepRecoversLostWebhooks|ImportSurvivesKills|ImportPausesWithinAWindow|ErasureSurvivesKills|UnifiedWriteHistory)$$' -record

.PHONY: tidy
tidy: ## Tidy both modules
	go mod tidy
	go -C quickstart mod tidy

.PHONY: up
up: ## Start the containers of docker-compose.yml with the Dixa emulator
	docker compose --profile demo up --build

.PHONY: ci
ci: ## Run what CI runs
	.ci/run
