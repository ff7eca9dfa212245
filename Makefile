# make run, make test: see README.md.

.DEFAULT_GOAL := help
BIN := bin

help: ## tell what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build every binary into bin/
	go build -o $(BIN)/local ./deploy/local
	go build -o $(BIN)/real ./deploy/real
	go build -o $(BIN)/auth ./auth/cmd
	go build -o $(BIN)/notes ./notes/cmd
	go build -o $(BIN)/profile ./profile/cmd
	go build -o $(BIN)/notify ./notify/cmd
	go build -o $(BIN)/gateway ./gateway/cmd

run: build ## run the whole system in one process, its data under data/
	exec $(BIN)/local

run-real: build ## run each service as a process, on POSTGRES=…, MONGODB=…, REDIS=… and CONSUL=…, private ones if not given
	exec $(BIN)/real

import: ## take over a legacy database: make import FROM=FILE [DRY=-dry-run]
	@test -n "$(FROM)" || { echo "make import takes FROM=FILE, the legacy database"; exit 2; }
	@$(MAKE) -s build
	$(BIN)/auth import $(DRY) "$(FROM)"
	$(BIN)/notes import $(DRY) "$(FROM)"

tools: ## get what the tests need: PostgreSQL, Redis, Consul, a MongoDB server, Chromium, a WebSocket client
	go run ./kit/testenv/tools

check: ## gofmt, go vet, staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "not gofmt-ed: $$out"; exit 1; }
	go vet ./...
	go tool staticcheck ./...

test: tools check ## run every test, against real servers
	go test -race -timeout 20m ./...

short: ## run the tests that need no servers
	go test -short ./...

bench: ## run the benchmarks; the gateway's is beside nginx and haproxy (Debian's, if installed) and Caddy (built once)
	go test -run '^$$' -bench . -benchmem -timeout 60m ./...

.PHONY: help build run run-real import tools check test short bench
