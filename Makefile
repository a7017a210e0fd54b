# make without a target prints what there is.

GO          ?= go
TOOLS       := $(CURDIR)/.tools
PKG         ?= ./...
FUZZTIME    ?= 1m
CRASHROUNDS ?= 200
ROUNDS      ?= 500
BENCH       ?= .
COUNT       ?= 1

# The packages that the race detector and the invariants are worth most on.
CORE := ./pkg/... ./internal/memtable/... ./internal/backend/... ./internal/embedded/...

# The workloads that docs/performance.md tells the profiles of.
MAIN_PATHS := engine_get,engine_put/insert,engine_put/overwrite_uniform,txn_commit,$(strip \
	)txn_cas/success_sequential,snapshot/single_read,memory/prefix_scan/100,durability/strict_put,$(strip \
	)rows/open_closed/1m,rows/open_killed/1m

# The tests that make crash runs: by name, in these packages.
CRASHTESTS := Crash|Kill|Fault|Fail|Torn|Recover|Reopen|Damage
CRASHED    := ./internal/embedded/... ./pkg/db/...

.PHONY: help test soak race invariants fuzz crash sim kill citizens corruption isolation sabotage lint staticcheck api \
	api-update bench bench-peers bench-compare bench-guard bench-profile cover cross test-arm64 docs screenshots fmt tools ci

help: ## this text
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## all tests, as in the README
	$(GO) test ./...

soak: ## HOURS (1) or MINUTES of checked work on one database: does anything drift? soak.html
	$(GO) run ./cmd/inmem-bench soak -html $(CURDIR)/soak.html -json $(CURDIR)/soak.json \
		-for $(if $(MINUTES),$(MINUTES)m,$(or $(HOURS),1)h) $(FLAGS)

race: ## tests of the core under the race detector, long forms (needs a C compiler)
	INMEM_LONG=1 $(GO) test -race -timeout 60m $(CORE)

invariants: ## tests of the core with the assertions of ours and of Pebble compiled in
	INMEM_LONG=1 $(GO) test -tags invariants -timeout 60m $(CORE)

fuzz: ## every fuzz target for FUZZTIME (1m) each, in PKG (./...)
	internal/tools/fuzz.sh $(FUZZTIME) $(PKG)

crash: ## crash tests, long forms: CRASHROUNDS (200) rounds of killed processes and lost writes
	@$(GO) test -list '$(CRASHTESTS)' $(CRASHED) | grep -q '^Test' || \
		{ echo "no test is called $(CRASHTESTS)"; exit 1; }
	INMEM_LONG=1 INMEM_CRASH_ROUNDS=$(CRASHROUNDS) $(GO) test -count 1 -timeout 4h -v \
		-run '$(CRASHTESTS)' $(CRASHED)

kill: ## processes killed under load, ROUNDS (500) times, all modes but None: what was lost, and why
	INMEM_CRASH_ROUNDS=$(ROUNDS) $(GO) test -count 1 -timeout 4h -v -run '^TestKillUnderLoad$$' \
		./pkg/db/crashtest

sim: ## a simulation from SEED (1) of STEPS steps (none: until Ctrl-C); see docs/simulation.md
	@INMEM_SIM_SEED=$(or $(SEED),1) INMEM_SIM_STEPS=$(or $(STEPS),forever) \
		INMEM_SIM_EPISODE=$(EPISODE) INMEM_SIM_ONLY=$(ONLY) \
		$(GO) test -count 1 -timeout 0 -v -run '^TestSimulation$$' ./pkg/db/simtest

isolation: ## many clients on few keys, SECONDS (10) per mode and level; see docs/isolation.md
	@INMEM_ISOLATION_SECONDS=$(or $(SECONDS),10) $(GO) -C pkg/db/isolationtest test -count 1 \
		-timeout 0 -run '^TestIsolation$$'

sabotage: ## switch off what the promises rest on, one thing at a time: a suite must fail each time
	$(GO) -C internal/tools run ./sabotage -only '$(ONLY)'

citizens: ## programs that use a database badly, long forms: 10 million keys, 100,000 dropped views
	INMEM_LONG=1 $(GO) test -count 1 -timeout 4h -v ./pkg/db/citizentest

corruption: ## damage every file at PLACES (10) per region, cut the log at every byte; UPDATE=1 the table
	INMEM_CORRUPTION=$(or $(PLACES),10) INMEM_CORRUPTION_UPDATE=$(UPDATE) $(GO) test -count 1 \
		-timeout 4h -v ./pkg/db/corruptiontest
	INMEM_CRASH_ROUNDS=1 $(GO) test -count 1 -timeout 4h -v -run TestDamage ./internal/embedded

lint: ## the rules of the house (internal/lint)
	$(GO) vet ./...
	$(GO) test -count 1 ./internal/lint/...

staticcheck: ## staticcheck at the pinned version
	internal/tools/staticcheck.sh ./...

api: ## compare the public API with the recorded one, fail on an incompatible change
	$(GO) -C internal/tools run ./apicheck

api-update: ## record the public API as it is now
	$(GO) -C internal/tools run ./apicheck -update

bench: ## Go benchmarks BENCH (.) of PKG, COUNT (1) times, into bench.txt; OLD=file compares
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $(PKG) | tee bench.txt
	@if [ -n "$(OLD)" ]; then $(GO) -C internal/tools build -o $(TOOLS)/ \
		golang.org/x/perf/cmd/benchstat && $(TOOLS)/benchstat $(OLD) bench.txt; fi

bench-peers: ## in-mem beside other databases, and the table of bars; PAGE (peers.html) has plots
	$(GO) -C cmd/inmem-bench/peers run . -html $(CURDIR)/$(or $(PAGE),peers.html) $(FLAGS)

bench-compare: ## the core workloads of revision BASE and of the working tree, in turns
	@test -n "$(BASE)" || { echo "which revision? make bench-compare BASE=main"; exit 1; }
	cmd/inmem-bench/compare.sh $(BASE)

bench-profile: ## where the time goes: shares of the layers in workloads W (the main paths)
	$(GO) run ./cmd/inmem-bench -quiet -time 3s -repeats 3 -workloads $(or $(W),$(MAIN_PATHS)) \
		-cpuprofile $(CURDIR)/cpu.prof
	$(GO) -C internal/tools run ./profparts $(CURDIR)/cpu.prof

bench-guard: ## fail if something is far slower than recorded, three times in a row
	$(GO) -C cmd/inmem-bench/peers run . -quiet -short -guard guard.txt

cover: ## statement coverage of the library by all tests in short form, details in cover.out
	$(GO) test -short -coverprofile cover.out -coverpkg ./pkg/...,./internal/... ./...
	$(GO) tool cover -func cover.out | tail -n 1

cross: ## build and vet for linux/arm64, darwin/arm64 and windows/amd64
	internal/tools/cross.sh

test-arm64: ## tests of pkg/vector for arm64, emulated: all kernels; needs qemu-aarch64 (qemu-user)
	internal/tools/arm64.sh

docs: ## docs/cli.md, from the commands
	$(GO) run ./cmd/inmem manual > docs/cli.md.new && mv docs/cli.md.new docs/cli.md

screenshots: ## the pages of inmem as pictures in PICTURES (docs/pictures); needs Chromium
	internal/tools/screenshot.sh $(or $(PICTURES),docs/pictures)

fmt: ## gofmt everything
	gofmt -w .

tools: ## build staticcheck, apidiff, benchstat and the Pebble tool into .tools
	$(GO) -C internal/tools build -o $(TOOLS)/ tool

ci: ## everything that a change must pass
	.ci/run
