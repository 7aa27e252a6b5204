# srt. `make demo` shows it, `make test` proves it, `make install` keeps it.
#
# Targets install what they need: through apt as root; otherwise they name the
# one command that does and stop.

GO            ?= go
PREFIX        ?= $(HOME)/.local
GOLANGCI      := v2.15.0
LINTER        := $(CURDIR)/.bin/golangci-lint-$(GOLANGCI)
FUZZTIME      ?= 30s

# Package managers that the scripts about npm try: see scripts/npm-tools.sh.
export SRT_NPM_TOOLS ?= $(if $(filter 0,$(shell id -u)),/var/cache,$(HOME)/.cache)/srt-npm-tools

# A checkout that belongs to someone else has no version that git would tell.
BUILDVCS := $(shell git rev-parse -q --verify HEAD >/dev/null 2>&1 && echo auto || echo false)
BUILD    := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=$(BUILDVCS) -ldflags='-s -w'

.PHONY: build demo picture test test-escapes docs drill test-short bench fuzz lint fmt install otlp uninstall clean deps

build: srt

.PHONY: srt
srt:
	$(BUILD) -o srt ./cmd/srt

demo:
	scripts/deps.sh demo
	$(MAKE) --no-print-directory srt
	scripts/demo.sh ./srt

# docs/session.svg, the picture of the README, from a real run.
picture:
	scripts/deps.sh picture
	$(MAKE) --no-print-directory srt
	CGO_ENABLED=0 $(GO) build -o .bin/picture ./testdata/picture
	scripts/picture.sh ./srt .bin/picture >.bin/session.svg
	mv .bin/session.svg docs/session.svg

test: $(LINTER)
	scripts/deps.sh test
	scripts/npm-tools.sh
	scripts/test.sh "$(LINTER)"

# Every attack of testdata/escape, a line each.
test-escapes:
	scripts/deps.sh test
	scripts/escapes.sh

# The table of docs/security.md, from what the suite finds.
docs:
	scripts/deps.sh test
	mkdir -p .bin
	scripts/escapes.sh .bin/escapes.tsv
	scripts/security.sh .bin/escapes.tsv

# FAULTS injected faults: nothing runs outside, nothing is left.
FAULTS ?= 1000
drill:
	scripts/deps.sh test
	$(MAKE) --no-print-directory srt
	scripts/drill.sh ./srt $(FAULTS)

test-short:
	scripts/deps.sh run
	$(GO) test -short ./...

bench:
	scripts/deps.sh bench
	$(MAKE) --no-print-directory srt
	CGO_ENABLED=0 $(GO) build -o .bin/bench ./testdata/bench
	.bin/bench -srt ./srt $(BENCH)

# Every fuzz target in turn, FUZZTIME each.
fuzz:
	scripts/fuzz.sh $(FUZZTIME)

lint: $(LINTER)
	scripts/lint.sh "$(LINTER)"

fmt: $(LINTER)
	"$(LINTER)" fmt ./...

$(LINTER):
	mkdir -p .bin/install
	GOBIN="$(CURDIR)/.bin/install" $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI)
	mv .bin/install/golangci-lint "$@"
	rmdir .bin/install

install: srt
	./install.sh --prefix "$(PREFIX)" ./srt

# The program that srt events export sends with.
otlp:
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=$(BUILDVCS) -ldflags='-s -w' -o .bin/srt-otlp ./cmd/srt-otlp
	install -D -m 755 .bin/srt-otlp "$(PREFIX)/bin/srt-otlp"

uninstall:
	rm -f "$(PREFIX)/bin/srt-otlp"
	./install.sh --prefix "$(PREFIX)" --uninstall

deps:
	scripts/deps.sh test

clean:
	rm -rf srt dist .bin/bench .bin/picture .bin/test
