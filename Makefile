# make run    build and run the daemon here and now: no root, no other server
# make test   set up what the tests need, and run every check and test
# make help   the rest

GO      ?= go
PORT    ?= 18888
ORIGIN  ?= same
HANDLERS ?=
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 30s
FUZZ        ?= .
DURATION    ?= 10m
SESSIONS    ?= 2000
SEED        ?= 1
ONLY        ?=
TIMEOUT     ?= 40m

.DEFAULT_GOAL := help
.PHONY: help build run test setup check unit fuzz soak restart-load arm64 docs man dist nginx-load clean

help: ## what can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## bin/nvsessd and bin/nvsessctl
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-X main.version=$(VERSION) -X main.buildVersion=$(VERSION)' -o bin/ ./cmd/nvsessd ./cmd/nvsessctl

# PORT=0 takes a free port; ORIGIN='*' lets pages from anywhere connect;
# HANDLERS=my.js loads JavaScript handlers.
run: build ## run the daemon in forward mode, on a unix socket and on localhost, with a page to try it
	@exec ./bin/nvsessd -mode forward -demo -listen unix:%t/nvsess.sock -listen tcp:127.0.0.1:$(PORT) -origin '$(ORIGIN)' -handlers '$(HANDLERS)'

test: setup check unit fuzz ## everything

setup: ## install what the tests use, where that is allowed
	@sh test/setup.sh

check: ## formatting, vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not gofmt-ed: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	GOARCH=arm64 CGO_ENABLED=0 $(GO) vet ./cmd/... ./client/... ./internal/...
	$(GO) run $(STATICCHECK) ./...
	cd bench/peers && $(GO) vet ./... && $(GO) build -o /dev/null .

unit: ## all tests, with the race detector
	@sh test/unit.sh $(TIMEOUT)

# FUZZ='session|Quote' chooses by package and name, FUZZTIME=10m is for longer.
fuzz: ## each fuzz target for FUZZTIME
	@sh test/fuzz.sh '$(FUZZTIME)' '$(FUZZ)'

# DURATION, SESSIONS and SEED change it; ONLY=webhook is a part of it.
soak: ## ten minutes of thousands of sessions, and what nobody may notice of it
	$(GO) run ./test/soak -duration '$(DURATION)' -sessions '$(SESSIONS)' -seed '$(SEED)' -only '$(ONLY)'

# SESSIONS, KILLS and PAUSE (ms) change it.
restart-load: SESSIONS = 15000
restart-load: KILLS ?= 50
restart-load: PAUSE ?= 1000
restart-load: ## upgrades, restarts and 50 kills under 15,000 sessions, checked
	NVSESS_RESTART_SESSIONS='$(SESSIONS)' NVSESS_RESTART_KILLS='$(KILLS)' NVSESS_RESTART_PAUSE='$(PAUSE)' $(GO) test -count=1 -timeout 60m -v ./test/restart

# The test that is left out starts its own program again, which emulation alone cannot.
arm64: ## the tests of the loop, the sessions and the state on arm64, emulated by qemu-user
	GOARCH=arm64 CGO_ENABLED=0 $(GO) test -exec qemu-aarch64 -skip TestDescriptorsRunOut ./internal/snapshot ./internal/deflate ./internal/ws ./internal/session

docs: ## what is generated: docs/admin.md, web/dist
	$(GO) generate ./internal/admin ./web

man: build ## bin/man: the man pages (man -l bin/man/nvsessctl.1)
	@$(GO) run internal/manual/gen.go bin configs/nvsess.toml '$(VERSION)' bin/man

# ARCHES=amd64 makes less; the same commit gives the same bytes anywhere.
dist: ## dist/: .deb, .rpm and .tar.gz for amd64 and arm64, with their checksums
	@GO='$(GO)' sh deploy/package/dist.sh dist

nginx-load: ## 5000 wss sessions through a real nginx, with each configuration of it
	NVSESS_NGINX_SESSIONS=5000 $(GO) test -count=1 -timeout 20m -v -run Sessions ./test/nginx

clean: ## what was built
	rm -rf bin dist test/clients/node_modules test/browser/node_modules bench/peers/node/node_modules

include bench/bench.mk
