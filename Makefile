# A thin front: CMake and its presets build, scripts/ set the machine up. `make run` and `make test` need git and make alone.
.DEFAULT_GOAL := build
.PHONY: run build setup test wire bench fuzz asan tsan late coverage soak package package-test format clean help
FUZZ_SECONDS ?= 60
RUN_ARGS ?= --data ./data

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## installs what building needs
	@scripts/setup.sh

build: setup ## the program: build/weir
	@scripts/build.sh release weir

run: build ## starts it with all applications; Ctrl-C stops
	@exec build/weir serve --banner $(RUN_ARGS)

test: ## everything; the last line is "N passed, N failed"
	@scripts/test.sh

wire: build ## the wire tests alone
	@scripts/test.sh --wire-only

bench: ## the table of benchmarks
	@scripts/bench.sh

fuzz: ## each fuzz target for FUZZ_SECONDS
	@scripts/fuzz.sh $(FUZZ_SECONDS)

asan: ## unit tests and corpora under address and undefined-behaviour sanitizers
	@scripts/setup.sh --test && scripts/build.sh asan && ctest --preset asan

tsan: ## the same under the thread sanitizer
	@scripts/setup.sh --test && scripts/build.sh tsan && ctest --preset tsan

late: ## unit and wire tests with threads, locks and disks that are late at random; LATE_ARGS as scripts/late.sh says
	@scripts/late.sh $(LATE_ARGS)

coverage: ## line coverage of the unit tests
	@scripts/coverage.sh

soak: ## the long proofs, whole
	@WEIR_SOAK=1 scripts/test.sh

package: ## Debian packages: build/packages
	@scripts/setup.sh --package && scripts/package.sh

package-test: package ## installs, upgrades and removes them in a fresh Debian (root, debootstrap)
	@scripts/setup.sh --package-test && tests/package/chroot.sh build

format: ## the C files, in the project's style
	@scripts/setup.sh --format
	@clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf build build-*
