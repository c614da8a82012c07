# Sealdock. The two commands of a newcomer are `make demo` and `make test`;
# both install what they need on Debian and Ubuntu.

GO      ?= go
BIN     := bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unversioned)
LDFLAGS := -X main.version=$(VERSION)

.PHONY: setup build cross demo demo-once test check-camera test-usb test-systemd test-fips test-race fuzz bench bench-peers bench-net bench-bounded bench-load bench-wall bench-search bench-rules bench-report breaks carry tamper log-check bench-rotate bench-scrub bench-custody sweep power-cuts scan-tls check-waf check clean help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## install what is missing on this machine
	@scripts/setup

# Part of sealdock-ingest, which puts it into every custody package.
PAGE := ingest/internal/export/built/verify.html

build: ## build the programs into bin/
	@mkdir -p $(BIN)
	$(GO) run ./ingest/verifier/page -o $(PAGE) -version '$(VERSION)'
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/sealdock-verify ./ingest/verifier/sealdock-verify
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/sealdock-agent ./agent
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/sealdock-ingest ./ingest
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/sealdock-witness ./ingest/witness/sealdock-witness
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/firmware-sim ./firmware-sim

cross: ## compile the agent for Windows and macOS (what such a build can do: docs/dock.md)
	@mkdir -p $(BIN)
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/sealdock-agent-darwin-arm64 ./agent
	GOOS=windows GOARCH=amd64 CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/sealdock-agent-windows-amd64-nocgo.exe ./agent
	@if command -v x86_64-w64-mingw32-gcc >/dev/null; then set -x; CC=x86_64-w64-mingw32-gcc GOOS=windows GOARCH=amd64 CGO_ENABLED=1 \
		$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/sealdock-agent-windows-amd64.exe ./agent; \
	else echo "cross: no Windows build that can copy: install gcc-mingw-w64-x86-64"; fi

demo: setup build ## start server, dock and three cameras; prints the dashboard's address
	@$(GO) build -o .run/bin/demo ./scripts/demo && exec .run/bin/demo

demo-once: setup build ## dock three cameras, compare every hash, check the store, stop
	@$(GO) build -o .run/bin/demo ./scripts/demo && exec .run/bin/demo --once

test: setup build ## all tests that need no kernel USB (under 15 minutes)
	$(GO) test -timeout 15m ./...
	@$(GO) run ./scripts/fips --quick

check-camera: setup build ## every known camera fault and attack against agent and server, a verdict each
	@$(BIN)/firmware-sim check --agent $(BIN)/sealdock-agent --ingest $(BIN)/sealdock-ingest

test-usb: setup build ## against a real kernel USB stack, in a QEMU guest
	@scripts/usb-lab/run

test-systemd: setup build ## the agent as a service under a real systemd, in a QEMU guest; as root
	@scripts/systemd-lab/run

test-race: setup ## unit tests under the race detector
	$(GO) test -race -short -timeout 30m ./proto/... ./internal/... ./agent/... ./ingest/... ./firmware-sim/...

test-fips: setup ## all tests in the FIPS 140-3 modes, with counts (three times as long as make test)
	@$(GO) run ./scripts/fips

fuzz: ## every fuzz target for FUZZTIME (default 30s), with counts
	@scripts/fuzz

# What bench takes besides: make bench BENCHFLAGS='--rounds 1 --mib 256'
BENCHFLAGS ?=
BENCH = $(GO) build -o .run/bin/bench ./scripts/bench && exec .run/bin/bench

bench: setup build ## camera to receipt, against the sum of its parts, and the wire alone
	@$(BENCH) limit $(BENCHFLAGS)

bench-peers: setup build ## the product beside restic, Syncthing and rsync (scripts/bench/install-peers)
	@$(BENCH) peers $(BENCHFLAGS)

bench-net: setup build ## dock and server at the two ends of limited links; as root
	@$(BENCH) net $(BENCHFLAGS)

bench-bounded: setup build ## memory and cost from small to large; takes hours and 40 GiB of disk
	@$(BENCH) bounded $(BENCHFLAGS)

bench-rotate: ## wrap the keys of 100,000 recordings anew, open and compare every one (N=… for another count)
	SEALDOCK_ROTATE=$(or $(N),100000) $(GO) test -count=1 -v -timeout 60m -run TestRotationOfMany ./ingest/internal/rotation

bench-custody: bench-rotate bench-scrub ## events until their proof, proofs in a log of 1,000,000, a package of 1 GiB made and judged; and what it names before
	$(GO) test -run '^$$' -bench 'AnEventUntilItsProof|AProofOfAnyEvent' ./ingest/internal/audit -events 1000000
	$(GO) test -run '^$$' -bench BenchmarkPackage -benchtime 3x -timeout 30m ./ingest/internal/export -mib 1024

bench-scrub: ## what re-reading the store costs an upload, turn by turn
	SEALDOCK_SCRUB_COST=1 $(GO) test -count=1 -v -timeout 20m -run TestWhatScrubCostsAnUpload ./ingest/internal/server

sweep: setup ## intake, administrative acts, healing, backup, restore, restart-log and key rotation killed at every system call that changes files; prints counts
	SEALDOCK_SWEEP=1 $(GO) test -count=1 -v -timeout 90m -run TestSweep ./ingest/internal/server

power-cuts: setup build ## the power of dock and server cut in 500 rounds on ext4 and on XFS; as root, under an hour (FLAGS="--rounds 10", FLAGS=--self-test)
	@$(GO) run ./scripts/power-cuts $(FLAGS)

bench-search: ## searches over N=1000000 items on SQLite and PostgreSQL, with their plans (N=10000000: half an hour and 50 GiB; STORE=DIR keeps the items there and finds them the next time, ENGINE=sqlite or postgres)
	$(GO) test -run '^$$' -bench 'BenchmarkSearches/$(ENGINE)' -benchtime 1x -timeout 12h ./ingest/internal/catalog/sqldb -items $(or $(N),1000000) -store '$(STORE)' -results $(CURDIR)/.run/bench $(BENCHFLAGS)

bench-wall: ## what a viewer of a wall of 500 docks costs, and how late it is
	$(GO) test -count=1 -v -run '^TestWallCost$$' ./ingest/internal/dashboard -wall $(or $(WALL),60s)

bench-load: setup build ## one server with up to 10,000 simulated docks: idle, restarted, all at once
	@$(BENCH) load $(BENCHFLAGS)

bench-rules: setup build ## limits, urgency, forecasts and a firewall, on limited links; as root
	@$(BENCH) rules $(BENCHFLAGS)

breaks: setup build ## one transfer of 5 GiB, broken 200 times in every way; as root
	@$(BENCH) breaks $(BENCHFLAGS)

bench-report: ## write what was measured into docs/performance.md, with its charts
	@$(BENCH) report

carry: setup build ## GIB (default 10) of footage from dock to server on a drive that is pulled again and again; hashes compared
	@$(GO) build -o .run/bin/carry ./scripts/carry && exec .run/bin/carry --gib $(or $(GIB),10)

log-check: setup build ## a custody log of 100,000 events, read and checked by Tessera's fsck over HTTPS, whole and damaged
	@$(GO) test -count=1 -v -run TestProgramsOfOthersCheckTheLog ./ingest/internal/server -log-events 100000

tamper: setup build ## custody packages tampered with in every scripted way, bytes changed everywhere, clean ones judged; prints counts
	@mkdir -p .run
	@$(GO) test -count=1 -timeout 30m -v -run 'TestEveryTampering|TestEveryChanged|TestClean|TestASeal|TestAnInsider|TestAPartThat|TestThePage' ./ingest/internal/export -campaign >.run/tamper.log 2>&1; \
	code=$$?; grep -v -e '^=== ' -e '^    --- PASS' .run/tamper.log; exit $$code

scan-tls: build ## testssl.sh and sslscan look at a running server, with the default and the oldest TLS; prints counts (FLAGS=--write: into docs/edge.md)
	@scripts/scan-tls/install
	@$(GO) run ./scripts/scan-tls $(FLAGS)

check-waf: build ## a server behind nginx with ModSecurity and the OWASP rules: what gets through, and what must not
	@scripts/waf/install
	@$(GO) run ./scripts/waf

check: setup ## gofmt, vet, staticcheck, import table
	@scripts/check

clean: ## remove what was built
	rm -rf $(BIN) .run $(PAGE)
