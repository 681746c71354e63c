# `make demo` shows the main job; `make test` runs every test. Both install what they
# need on a fresh Debian machine, and clean up what they start.

GO     ?= go
export CGO_ENABLED ?= 0

VERSION := $(shell cat VERSION)
LDFLAGS := -s -w -X main.release=$(VERSION)

.PHONY: all build demo test format vet unit race failures docker kubernetes bench clean

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

test: format vet unit race failures docker $(if $(filter no,$(KUBERNETES)),,kubernetes)

format:
	@bad=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$bad" ]; then echo "gofmt would change:"; echo "$$bad"; exit 1; fi

vet:
	$(GO) vet ./...
	$(GO) vet -tags docker ./...
	$(GO) vet -tags kubernetes ./...
	$(GO) vet -tags gitlab ./test/release

unit:
	$(GO) test ./...

race:
	CGO_ENABLED=1 $(GO) test -race -shuffle=on ./...

# Whole runs, disturbed at every call that changes something; "unit" tries a sample.
failures:
	@mkdir -p build
	@echo "disturbing whole runs at every call (build/failure-order.log)"
	@$(GO) test -count=1 -v -timeout 20m -run TestFailureOrder ./cmd/aigw-ci -every-point >build/failure-order.log || \
		{ grep -A40 -e '--- FAIL' build/failure-order.log; exit 1; }
	@grep 'calls of this run' build/failure-order.log

# Everything that needs an engine, a real nginx in front and a real sshd.
docker: build
	@scripts/install-debian nginx-light openssh-server git rsync
	scripts/with-engine $(GO) test -tags docker -count=1 -p 1 -timeout 30m ./internal/docker ./internal/lab/... ./test/...

# Everything that needs a Kubernetes cluster. The first time it is built, from source.
kubernetes:
	scripts/with-cluster $(GO) test -tags kubernetes -count=1 -p 1 -timeout 30m ./test/kubernetes ./internal/kubernetes

bench: build
	$(GO) test -run '^$$' -bench . -benchtime 5x ./internal/...
	@scripts/install-debian nginx-light
	scripts/with-engine $(GO) test -tags docker -run '^$$' -bench . -benchtime 3x ./test/...

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
