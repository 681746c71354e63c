# `make demo` shows the main job; `make test` runs every test. Both install what they
# need on a fresh Debian machine, and clean up what they start.

# The flags of `make build` are those of all tests, so that what is compiled for one is
# there for the others.
GO     ?= go
export CGO_ENABLED ?= 0

VERSION := $(shell cat VERSION)
LDFLAGS := -s -w -X main.release=$(VERSION)

.PHONY: all build demo test format vet unit race failures fuzz docker kubernetes crashes soak bench clean

all: build

build: bin/aigw-ci bin/aigw-lab

bin/%: FORCE
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

.PHONY: FORCE
FORCE:

demo: build
	@scripts/with-engine --or-stand-in bin/aigw-lab demo --program bin/aigw-ci

# KUBERNETES=no leaves the cluster out, for machines that cannot have one.
KUBERNETES ?= yes

# The unit tests run once, where they also find races: "unit" alone is for working.
test: format vet race failures docker $(if $(filter no,$(KUBERNETES)),,kubernetes)

format:
	@bad=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$bad" ]; then echo "gofmt would change:"; echo "$$bad"; exit 1; fi

vet:
	$(GO) vet -trimpath -tags docker,kubernetes,gitlab ./...

unit:
	$(GO) test -trimpath ./...

race:
	CGO_ENABLED=1 $(GO) test -trimpath -race -shuffle=on ./...

# Whole runs, disturbed and cancelled at every call that changes something; "unit" tries
# a sample.
failures:
	@mkdir -p build
	@echo "disturbing and cancelling whole runs at every call (build/failures.log)"
	@$(GO) test -trimpath -count=1 -v -timeout 20m -run 'TestFailureOrder|TestCancelledAtEveryCall' ./cmd/aigw-ci -every-point >build/failures.log || \
		{ grep -A40 -e '--- FAIL' build/failures.log; exit 1; }
	@grep 'calls of this run' build/failures.log

# Every fuzz target, one after the other, each for this long. What one finds is kept in
# testdata/fuzz beside it, and is from then on a case of "unit".
FUZZTIME ?= 30s

fuzz:
	@$(GO) list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | while read -r package; do \
		$(GO) test -list '^Fuzz' "$$package" | grep '^Fuzz' | while read -r target; do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$package" </dev/null || exit 1; \
		done || exit 1; \
	done

# How runs ended that were killed on their way, point by point: test/crash.
CRASHES = printf '%-44s %8s %8s %9s %9s %6s %6s\n' 'killed at every step of' points tried survived restored lost unmet; cat

# Everything that needs an engine, a real nginx in front and a real sshd.
docker: build
	@scripts/install-debian nginx-light openssh-server git rsync
	scripts/with-engine $(GO) test -trimpath -tags docker -count=1 -p 1 -timeout 30m -skip '^TestCrash$$' ./internal/docker ./internal/lab/... ./test/...

# Everything that needs a Kubernetes cluster. The first time it is built, from source.
kubernetes:
	scripts/with-cluster $(GO) test -trimpath -tags kubernetes -count=1 -p 1 -timeout 30m -skip '^TestCrash$$' ./internal/kubernetes ./test/kubernetes

# Runs killed at a sample of their steps, on a real engine and a real cluster.
crashes: export AIGW_TEST_TABLE = $(CURDIR)/build/crashes.txt
crashes: build
	@scripts/install-debian nginx-light
	@mkdir -p build && : >build/crashes.txt
	scripts/with-engine $(GO) test -trimpath -tags docker -count=1 -timeout 30m -run '^TestCrash$$' ./test/docker
	$(if $(filter no,$(KUBERNETES)),,scripts/with-cluster $(GO) test -trimpath -tags kubernetes -count=1 -timeout 30m -run '^TestCrash$$' ./test/kubernetes)
	@$(CRASHES) build/crashes.txt

# The crash matrix in full: the program killed at every request that changes something,
# on a real engine and in a real cluster, and then disturbed at random for SOAK
# on each. It ends with one table.
SOAK ?= 1h
SEED ?= 1

soak: export AIGW_TEST_SOAK = $(SOAK)
soak: export AIGW_TEST_SEED = $(SEED)
soak: export AIGW_TEST_TABLE = $(CURDIR)/build/soak.txt
soak: export AIGW_TEST_HURRIED = $(CURDIR)/build/hurried/aigw-ci
soak: build
	@scripts/install-debian nginx-light
	@mkdir -p build/hurried
	@: >build/soak.txt
	@$(GO) test -trimpath -c -o build/hurried/aigw-ci ./cmd/aigw-ci
	@echo "seed $(SEED); every point and its end: build/soak-docker.log, build/soak-kubernetes.log"
	@failed=0; \
	scripts/with-engine $(GO) test -trimpath -tags docker -count=1 -v -timeout 0 -parallel 6 -run '^TestCrash$$' ./test/docker >build/soak-docker.log || failed=1; \
	[ "$(KUBERNETES)" = no ] || \
	scripts/with-cluster $(GO) test -trimpath -tags kubernetes -count=1 -v -timeout 0 -parallel 5 -run '^TestCrash$$' ./test/kubernetes >build/soak-kubernetes.log || failed=1; \
	$(CRASHES) build/soak.txt; exit $$failed

bench: build
	$(GO) test -trimpath -run '^$$' -bench . -benchtime 5x ./internal/...
	@scripts/install-debian nginx-light
	scripts/with-engine $(GO) test -trimpath -tags docker -run '^$$' -bench . -benchtime 3x ./test/...
	$(if $(filter no,$(KUBERNETES)),,scripts/with-cluster $(GO) test -trimpath -tags kubernetes -run '^$$' -bench . -benchtime 1x ./test/kubernetes)

clean:
	rm -rf bin build

# The job image: an OCI layout in build/image, the same digest on every machine. The
# Go that go.mod names also compresses the layers.
.PHONY: image pin pin-check

AIGW_IMAGE = GOTOOLCHAIN=$(shell sed -n 's/^toolchain //p' go.mod) $(GO) run ./cmd/aigw-image

image:
	@$(AIGW_IMAGE) build

# Before a release: the version and the digest into templates/*.yml.
pin:
	@$(AIGW_IMAGE) pin

pin-check:
	@$(AIGW_IMAGE) check --tag "$(CI_COMMIT_TAG)"
