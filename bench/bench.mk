# Included by the Makefile. Everything runs from the root of the repository.

BENCH_NODE := bench/peers/node

# What bench-published takes: "make bench-published DURATION=30s C=2000" is a try.
DURATION ?= 10m
C        ?= 10000
DOCS     ?=

.PHONY: bench bench-quick bench-published bench-check

# All servers, all rounds, about ten minutes; writes docs/benchmarks.md and its chart.
bench: $(BENCH_NODE)/node_modules
	go run ./bench/run -docs docs

# The same code with small counts: two minutes at most, writes nothing.
bench-quick: $(BENCH_NODE)/node_modules
	go run ./bench/run -quick

# nv-session-simple's own load: C sessions on each of four servers at the same time, for DURATION. DOCS=docs writes its section of
# docs/benchmarks.md. It fails if anything is lost.
bench-published: $(BENCH_NODE)/node_modules
	go run ./bench/run published -duration $(DURATION) -c $(C) $(if $(DOCS),-docs $(DOCS))

# The peers are a module of their own, which ./... of the root does not reach.
bench-check:
	cd bench/peers && go vet ./... && go build -o /dev/null .

# bufferutil and utf-8-validate bring built add-ons; nothing is compiled and no install script is needed.
$(BENCH_NODE)/node_modules: $(BENCH_NODE)/package-lock.json
	cd $(BENCH_NODE) && npm ci --ignore-scripts --no-audit --no-fund
	touch $@
