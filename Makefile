# Bare "make" prints what there is to make. Nothing here needs more than Go, make
# and git; nothing writes outside this folder but Go's own caches.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
BINARY  ?= .cache/bin/srvctl

# The tags leave out two parts of the command-line library that nobody uses here
# (man pages, its own suggestions) and 0.3 MB with them.
TAGS    := urfave_cli_no_docs,urfave_cli_no_suggest
# Static, and the same bytes from the same sources wherever they lie.
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -tags $(TAGS) \
           -ldflags '-s -w -buildid= -X main.version=$(VERSION)'
ifeq ($(RACE),1)
BUILD   := CGO_ENABLED=1 $(GO) build -race -trimpath -buildvcs=false -tags $(TAGS) \
           -ldflags '-X main.version=$(VERSION)-race'
endif

GOTEST  := $(GO) test -vet=off
# What has no processes of its own to start: these run under the race detector too.
UNITS    = $(shell $(GO) list ./... | grep -v /tests/)
FUZZTIME ?= 30s

# For "make bench": which servers, which rows, how many interleaved rounds.
CONTENDERS ?=
ROWS       ?=
ROUNDS     ?=
BENCH      := $(GO) run ./tests/bench $(if $(CONTENDERS),-contenders $(CONTENDERS)) \
              $(if $(ROWS),-rows $(ROWS)) $(if $(ROUNDS),-rounds $(ROUNDS))

.DEFAULT_GOAL := help
.PHONY: help run build test race soak fuzz bench bench-smoke bench-reloads lint check clean

help:
	@echo "srvctl $(VERSION): make ..."
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: build ## build and start the server in the foreground, ^C stops it
	@echo
	@echo "  page     http://127.0.0.1:8080/"
	@echo "  metrics  http://127.0.0.1:9180/metrics"
	@echo "  status   $(BINARY) status          (in another terminal)"
	@echo
	@exec $(BINARY) start

build: ## build the static binary .cache/bin/srvctl
	@mkdir -p $(dir $(BINARY))
	$(BUILD) -o $(BINARY) ./master/srvctl

test: ## the whole test suite, with the real binary; below 5 minutes on 2 cores
	$(GOTEST) -timeout 4m ./...
	@.ci/race -short $(UNITS)

race: ## the unit tests at full length, and the real binary, with the race detector
	@.ci/race $(UNITS)
	HARNESS_RACE=1 $(GOTEST) -count 1 -timeout 10m $$($(GO) list ./tests/... | grep -v /tests/bench)

soak: ## the long forms: 10,000 connections, minutes of load
	SOAK=1 $(GOTEST) -count 1 -timeout 60m ./...

fuzz: ## every fuzz target for FUZZTIME=30s
	@GO="$(GO)" FUZZTIME="$(FUZZTIME)" .ci/fuzz

bench: build ## against nginx, h2o, net/http, a C floor: CONTENDERS= ROWS= ROUNDS=
	@$(BENCH)

bench-smoke: build ## the short form of bench: does everything answer, one second each
	@$(BENCH) -smoke

bench-reloads: build ## what clients of srvctl and nginx notice of a reload a second: DURATION=20s
	@$(GO) run ./tests/bench/reloads $(if $(DURATION),-duration $(DURATION))

lint: ## gofmt, go vet (amd64, arm64), staticcheck
	@GO="$(GO)" .ci/lint

check: lint test ## all that CI runs: lint, test, reproducible static binary, README
	@GO="$(GO)" .ci/reproducible
	@GO="$(GO)" .ci/readme README.md

clean: ## remove everything that was made
	rm -rf .cache
