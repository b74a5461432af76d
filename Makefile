# What runs what: see CONTRIBUTING.md. Everything here needs Go and git; "integration" needs Linux too.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := check

GO ?= go
STATICCHECK ?= $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
NFPM ?= $(GO) run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.41.3
HELM ?= $(GO) run helm.sh/helm/v3/cmd/helm@v3.18.6
KUSTOMIZE ?= $(GO) run sigs.k8s.io/kustomize/kustomize/v5@v5.6.0
TEMPL ?= $(GO) run github.com/a-h/templ/cmd/templ@v0.3.977
FUZZTIME ?= 60s
SCHEDULES ?= 500
SEED ?= 2000
SOAK ?= 30m
HISTORIES ?= 1000
IDLE ?= 1h

# The race detector needs a C compiler.
RACE := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v $$($(GO) env CC | cut -d' ' -f1) >/dev/null 2>&1 && echo -race)

.PHONY: check format generated browser tidy vet lint test schedules labs integration packages release image generate soak idle histories fuzz bench compare ports

check: format generated tidy vet lint test ## everything a change must pass

format:
	@files=$$(gofmt -l .); \
	if [ -n "$$files" ]; then echo "gofmt these files (gofmt -w FILE):"; echo "$$files"; exit 1; fi

# What go generate makes is committed: nobody needs the generator to build. It must be what the source makes.
generated:
	@cd ops/page && $(TEMPL) generate -f page.templ -stdout 2>/dev/null | cmp -s - page_templ.go || \
		{ echo "ops/page/page_templ.go is not what page.templ makes: go generate ./ops/page"; exit 1; }

tidy:
	$(GO) mod tidy -diff
	cd connector/hashicorp && $(GO) mod tidy -diff
	cd packaging && $(GO) mod tidy -diff

vet:
	$(GO) vet work

lint:
	$(STATICCHECK) ./...
	cd connector/hashicorp && $(STATICCHECK) ./...
	cd packaging && $(STATICCHECK) ./...

test:
	@[ -n "$(RACE)" ] || echo "no C compiler: the tests run without the race detector"
	$(GO) test $(RACE) $$($(GO) list work | grep -v -e '/simulation$$' -e 'quorum/internal/core$$')
	$(GO) test ./gossip/internal/simulation ./quorum/internal/core # simulations are single-threaded: no race to find, and minutes with the detector

# Random courses of faults against the membership core: the same ones each time, or with SEED=0 ones never tried before. A failing one
# is printed with its seed.
schedules:
	$(GO) test ./gossip/internal/simulation -count=1 -timeout 60m -v -run RandomSchedules -schedules $(SCHEDULES) -seed $(SEED)

# A Kubernetes API server and CoreDNS for the integration tests: some minutes the first time, then nothing.
labs:
	@GO="$(GO)" integration/labs/build.sh

# Hosts are network namespaces. Without root they are made in a user namespace; what the machine
# lacks is skipped with a message, or fails with REQUIRE_LABS=1.
integration:
	cd integration && $(GO) mod tidy -diff
	cd integration/labs && $(GO) mod tidy -diff
	cd integration && $(GO) vet ./...
	cd integration && $(STATICCHECK) ./...
	labs=$$($(MAKE) --no-print-directory -s labs) && export KUBELAB=$$labs/kubelab DNSLAB=$$labs/dnslab && \
	cd integration && $(GO) test -v -count=1 -parallel 16 -timeout 15m $$($(GO) list ./... | grep -v '/packages$$')

# Installs what a release of the last commit consists of, into a small Debian, an image and the API server. docs/packaging.md has
# what each part needs.
packages:
	labs=$$($(MAKE) --no-print-directory -s labs) && export KUBELAB=$$labs/kubelab PLATFORMS="$(PLATFORMS)" NFPM="$(NFPM)" HELM="$(HELM)" KUSTOMIZE="$(KUSTOMIZE)" && \
	cd integration && $(GO) test -v -count=1 -timeout 30m ./packages

# Everything that is published, in dist. It takes a clone; the version is the tag of its commit. PLATFORMS="linux/amd64 darwin/arm64" makes less.
release:
	$(GO) run ./packaging/release -out dist -nfpm "$(NFPM)" $(if $(PLATFORMS),-platforms "$(PLATFORMS)")

# The image of what "make release" made, for this machine: make image ENGINE=podman IMAGE=registry.example/convoke:v1
ENGINE ?= buildah
IMAGE ?= convoke
image:
	$(ENGINE) build --build-arg TARGETARCH=$$($(GO) env GOARCH) -t $(IMAGE) dist/work/image

# The base for kustomize and the Helm chart; a test fails when they are not what the generator makes.
generate:
	cd packaging && $(GO) generate ./...

# The page of a node in Debian's chromium-headless-shell. AXE names axe.min.js of the npm package axe-core. Without them the tests are
# skipped with a message, or fail with REQUIRE_LABS=1. SCREENSHOTS names a folder for pictures of the page.
browser:
	cd ops/browsertest && export GOWORK=off && $(GO) mod tidy -diff && $(GO) vet ./... && $(STATICCHECK) ./... && $(GO) test -count=1 ./...

# Faults and writes without a pause, for SOAK; "integration" has two minutes of it. The output of each node is kept in .cache/soak.
soak:
	mkdir -p .cache/soak
	cd integration && $(GO) test -v -count=1 -timeout 0 -run Soak . -soak $(SOAK) -artifacts -outputdir $(CURDIR)/.cache/soak

# Clients of processes that are killed, stopped and cut off: whether each history of their calls is linearizable. "integration" has 24; 1,000
# take three minutes.
histories:
	cd integration && $(GO) test -v -count=1 -timeout 60m -run HistoriesOfProcesses . -histories $(HISTORIES)

# Five agents that have nothing to do, for IDLE, under the alerts in a real Prometheus; "integration" has half a minute of it. The output of
# each node is kept in .cache/idle.
idle:
	mkdir -p .cache/idle
	cd integration && $(GO) test -v -count=1 -timeout 0 -run Idle . -idle $(IDLE) -artifacts -outputdir $(CURDIR)/.cache/idle

# Every fuzz target of the tree, one after the other, FUZZTIME each.
fuzz:
	@git ls-files --cached --others --exclude-standard '*_test.go' | xargs grep -H -o -E '^func Fuzz[A-Za-z0-9_]+' | \
	while IFS=: read -r file func; do \
		echo "== $${func#func } in $$(dirname $$file)"; \
		(cd $$(dirname $$file) && $(GO) test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) . </dev/null) || exit 1; \
	done

bench:
	$(GO) test -run '^$$' -bench . -benchmem work

# The comparison of membership engines: a module of its own.
compare:
	cd bench && $(GO) mod tidy -diff
	cd bench && $(GO) vet ./...
	cd bench && $(STATICCHECK) ./...
	cd bench && $(GO) test -count=1 ./...
	for dir in bench/etcd bench/kubernetes; do (cd $$dir && GOWORK=off $(GO) mod tidy -diff && GOWORK=off $(GO) vet .) || exit 1; done

# Known software on convoke, each in a module of its own: what it needs is nothing that other programs should carry.
PORTS := $(patsubst %/go.mod,%,$(wildcard examples/*/go.mod))

ports:
	@for dir in $(PORTS); do \
		echo "== $$dir"; \
		(cd $$dir && $(GO) vet ./... && $(STATICCHECK) ./... && $(GO) test -count=1 ./...) || exit 1; \
	done
