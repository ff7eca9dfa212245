# make run, make test: see README.md.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
BIN := bin
PAGE := webapp/dist/index.html
MODULES := webapp/node_modules/.package-lock.json

help: ## tell what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: $(PAGE) ## build the page and every binary, into bin/
	go build -o $(BIN)/local ./deploy/local
	go build -o $(BIN)/real ./deploy/real
	go build -o $(BIN)/auth ./auth/cmd
	go build -o $(BIN)/notes ./notes/cmd
	go build -o $(BIN)/profile ./profile/cmd
	go build -o $(BIN)/notify ./notify/cmd
	go build -o $(BIN)/gateway ./gateway/cmd
	go build -o $(BIN)/webapp ./webapp/cmd

# The page, from all that git knows or would know of its sources and is not for tests or Go.
$(PAGE): $(MODULES) $(wildcard $(shell git ls-files -co --exclude-standard webapp ':!*.go' ':!*.test.*' ':!webapp/e2e' ':!webapp/dist'))
	cd webapp && npm run build

$(MODULES): webapp/package-lock.json | node
	cd webapp && npm ci --no-audit --no-fund

node:
	@{ node -e '[major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || major == 20 && minor >= 19 ? 0 : 1)'; } 2>/dev/null || \
	{ echo "the webapp is built with Node.js 20.19 or newer, from https://nodejs.org; here is $$(node --version 2>/dev/null || echo none)"; exit 1; }

run: build ## run the whole system in one process, its data under data/
	exec $(BIN)/local

run-real: build ## run each service as a process, on POSTGRES=…, MONGODB=…, REDIS=… and CONSUL=…, private ones if not given
	exec $(BIN)/real

import: ## take over a legacy database: make import FROM=FILE [DRY=-dry-run]
	@test -n "$(FROM)" || { echo "make import takes FROM=FILE, the legacy database"; exit 2; }
	@$(MAKE) -s build
	$(BIN)/auth import $(DRY) "$(FROM)"
	$(BIN)/notes import $(DRY) "$(FROM)"

tools: $(PAGE) ## get what the tests need: PostgreSQL, Redis, Consul, a MongoDB server, Chromium, a WebSocket client
	go run ./kit/testenv/tools

check: $(PAGE) ## gofmt, go vet, staticcheck; tsc and eslint for the page
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "not gofmt-ed: $$out"; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	cd webapp && npm run check

test: tools check build ## run every test, against real servers and in a real browser
	cd webapp && npm test && npm run e2e
	go test -race -timeout 20m ./...

short: ## run the tests that need no servers
	go test -short ./...

bench: ## run the benchmarks; the gateway's is beside nginx and haproxy (Debian's, if installed) and Caddy (built once)
	go test -run '^$$' -bench . -benchmem -timeout 60m ./...

.PHONY: help build node run run-real import tools check test short bench
