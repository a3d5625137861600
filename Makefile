# SPDX-License-Identifier: Apache-2.0
#
# spangen, spancorpus, spanreplay, spansink: the whole build. `make help` lists the targets.
#
#   O=DIR              where everything built goes (build)
#   BUILD=FLAVOUR      release, debug, asan or fuzz (release); programs end at $(O)/$(BUILD)/;
#                      fuzz is for clang and the targets of tests/fuzz only
#   CC CFLAGS CPPFLAGS LDFLAGS LDLIBS   are yours; ours go around them
#   WERROR=1           warnings are errors (CI=true says the same)
#   V=1                shows the commands
#
# Sources are found by folder, so a new file needs no line here. Layers are archives, and a
# program or test links only its own layer and those below: an upward call does not link.

VERSION := 0.1.0

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

O ?= build
BUILD ?= release
B := $(O)/$(BUILD)
PREFIX ?= /usr/local
Q := $(if $(filter 1,$(V)),,@)

ifeq ($(filter $(BUILD),release debug asan fuzz),)
$(error BUILD=$(BUILD) is not one of release, debug, asan, fuzz)
endif

# ---- Tools -----------------------------------------------------------------------------------

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin AR),default)
AR := ar
endif
PKG_CONFIG ?= pkg-config
PROTOC_C ?= protoc-c
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
SHELLCHECK ?= shellcheck
MANDOC ?= mandoc
INSTALL ?= install
# Where protobuf's well-known types are; the folder that holds google/protobuf/timestamp.proto.
PROTO_INCLUDE ?= /usr/include
# libFuzzer is clang's.
FUZZ_CC ?= clang
FUZZ_SECONDS ?= 1800
# Where inputs found on the way are kept, so that the next run goes on from there.
FUZZ_WORK ?= $(O)/fuzz/work
# How many tests, or checks of one file, run at a time.
JOBS ?= 2

# ---- Sources ---------------------------------------------------------------------------------

COMMON_SRC := $(wildcard common/*.c)
GEN_SRC := $(filter-out gen/spangen.c,$(wildcard gen/*.c))
SINK_SRC := $(filter-out replay/spansink.c,$(wildcard replay/sink*.c))
REPLAY_SRC := $(filter-out replay/spanreplay.c replay/spansink.c $(SINK_SRC),$(wildcard replay/*.c))
TOOLS_SRC := $(filter-out tools/spancorpus.c,$(wildcard tools/spancorpus*.c))
MAIN_SRC := $(wildcard gen/spangen.c tools/spancorpus.c replay/spanreplay.c replay/spansink.c)
TEST_SRC := $(wildcard tests/unit/*/test_*.c)
BENCH_SRC := $(wildcard tests/bench/*.c)
HELPER_SRC := $(wildcard tests/helper/*.c)
FUZZ_SRC := $(wildcard tests/fuzz/*.c)
LIB_SRC := $(COMMON_SRC) $(GEN_SRC) $(REPLAY_SRC) $(SINK_SRC) $(TOOLS_SRC)
ALL_SRC := $(LIB_SRC) $(MAIN_SRC) $(TEST_SRC) $(BENCH_SRC) $(FUZZ_SRC) $(HELPER_SRC)
ALL_HDR := $(wildcard common/*.h gen/*.h replay/*.h tools/*.h tests/*.h tests/*/*.h tests/unit/*/*.h)
MAN_SRC := $(wildcard docs/man/*.[15])
SCRIPTS := $(wildcard tests/*.sh tests/*/*.sh .ci/run) \
	$(foreach f,tests/fault/check_kill tests/fault/check_faults tools/bootstrap tools/demo tools/banyandb tools/check-layers tests/contract/record tests/fuzz/run,$(wildcard $f))

PROTO_SRC := $(patsubst proto/%,%,$(shell find proto -name '*.proto' 2>/dev/null | LC_ALL=C sort))
PROTO_KNOWN := $(if $(PROTO_SRC),$(shell cd proto && \
	sed -n 's,^import "\(google/protobuf/[a-z_]*\.proto\)";.*,\1,p' $(PROTO_SRC) | LC_ALL=C sort -u))

# ---- Libraries, asked for once -----------------------------------------------------------------

# pkg-config name:Debian package
PKG_CORPUS := libzstd:libzstd-dev libxxhash:libxxhash-dev jansson:libjansson-dev
PKG_BUILD := $(PKG_CORPUS) libprotobuf-c:libprotobuf-c-dev grpc:libgrpc-dev \
	libnghttp2:libnghttp2-dev sqlite3:libsqlite3-dev
PKG_TEST := cmocka:libcmocka-dev

GOALS := $(or $(MAKECMDGOALS),all)
# Goals that need neither gRPC nor protobuf-c: what a cross build makes.
CORPUS_GOALS := corpus-tools check-medium fuzz-build
NO_BUILD := help clean print check-layers check-determinism format man-lint install-man
TEST_GOALS := test tests-build check-asan check-bitflips check-headers lint compile_commands.json bench bench-gen

ifneq ($(filter-out $(NO_BUILD),$(GOALS)),)
PKGS := $(if $(filter-out $(CORPUS_GOALS),$(GOALS)),$(PKG_BUILD),$(PKG_CORPUS)) $(if $(filter $(TEST_GOALS) $(B)/tests/%,$(GOALS)),$(PKG_TEST))
ifeq ($(shell command -v $(PKG_CONFIG)),)
$(error $(PKG_CONFIG) not found: apt-get install pkg-config, or run tools/bootstrap)
endif
ifeq ($(and $(filter-out $(CORPUS_GOALS),$(GOALS)),$(shell command -v $(PROTOC_C) || echo no)),no)
$(error $(PROTOC_C) not found: apt-get install protobuf-c-compiler, or run tools/bootstrap)
endif
MISSING := $(shell for p in $(PKGS); do \
	$(PKG_CONFIG) --exists "$${p%%:*}" 2>/dev/null || expr "$$p" : '.*:\(.*\)'; done)
ifneq ($(MISSING),)
$(error libraries not found: apt-get install $(MISSING), or run tools/bootstrap)
endif
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(foreach p,$(filter-out grpc:%,$(PKGS)),$(firstword $(subst :, ,$p))))
LIBS_common := $(shell $(PKG_CONFIG) --libs libzstd libxxhash jansson) -lm
ifneq ($(filter grpc:%,$(PKGS)),)
LIBS_proto := $(shell $(PKG_CONFIG) --libs libprotobuf-c)
# pkg-config lists gRPC's fifty private libraries; the C core needs two.
LIBS_grpc := $(shell $(PKG_CONFIG) --libs-only-L grpc) -lgrpc -lgpr
LIBS_sink := $(shell $(PKG_CONFIG) --libs libnghttp2 sqlite3)
endif
LIBS_cmocka := $(if $(filter $(PKG_TEST),$(PKGS)),$(shell $(PKG_CONFIG) --libs cmocka),-lcmocka)
endif

# ---- Flags -----------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wdouble-promotion \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wundef -Wcast-qual \
	-Wcast-align -Wpointer-arith -Wwrite-strings -Wformat=2 -Wvla -Wswitch-enum \
	-Wimplicit-fallthrough -Wnull-dereference -Wredundant-decls
ifneq ($(filter true,$(CI))$(filter 1,$(WERROR)),)
WARNINGS += -Werror
endif

FLAVOUR_release := -O3 -g
FLAVOUR_debug := -O0 -g3
FLAVOUR_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FLAVOUR_fuzz := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all
FLAVOUR := $(FLAVOUR_$(BUILD))

# Hidden visibility: gRPC loads some fifty libraries, and a visible function of ours would
# replace one of theirs of the same name.
LANG_FLAGS := -std=c11 -pthread -ffp-contract=off -fno-common -fvisibility=hidden
DEFINES := -D_POSIX_C_SOURCE=200809L -DSPANGEN_VERSION='"$(VERSION)"'
OUR_CPPFLAGS := $(DEFINES) -I. -isystem $(B)/proto-c $(PKG_CFLAGS)
OUR_CFLAGS := $(LANG_FLAGS) $(FLAVOUR) $(WARNINGS)
COMPILE = $(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS)
# Generated code: our language and flavour, not our warnings.
COMPILE_PROTO = $(CC) -I$(B)/proto-c $(PKG_CFLAGS) $(CPPFLAGS) $(LANG_FLAGS) $(FLAVOUR) -w $(CFLAGS)
LINK = $(CC) $(LANG_FLAGS) $(FLAVOUR) $(CFLAGS) $(LDFLAGS)

# ---- Archives ----------------------------------------------------------------------------------

obj = $(patsubst %.c,$(B)/obj/%.o,$1)
PROTO_C := $(patsubst %.proto,$(B)/proto-c/%.pb-c.c,$(PROTO_SRC) $(PROTO_KNOWN))
PROTO_H := $(PROTO_C:.c=.h)
PROTO_OBJ := $(PROTO_C:.c=.o)

LIB := $(foreach l,common gen replay sink tools proto,$(B)/lib$l.a)
$(B)/libcommon.a: $(call obj,$(COMMON_SRC))
$(B)/libgen.a: $(call obj,$(GEN_SRC))
$(B)/libreplay.a: $(call obj,$(REPLAY_SRC))
$(B)/libsink.a: $(call obj,$(SINK_SRC))
$(B)/libtools.a: $(call obj,$(TOOLS_SRC))
$(B)/libproto.a: $(PROTO_OBJ)
$(LIB): $(B)/stamp/sources
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

# ---- Programs ----------------------------------------------------------------------------------

PROGRAMS := $(addprefix $(B)/,$(basename $(notdir $(MAIN_SRC))))
TESTS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(TEST_SRC))
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(filter tests/fuzz/fuzz_%.c,$(FUZZ_SRC)))
BENCHES := $(patsubst tests/bench/%.c,$(B)/bench/%,$(BENCH_SRC))
HELPERS := $(patsubst tests/helper/%.c,$(B)/helper/%,$(HELPER_SRC))

all: $(PROGRAMS) ## the four programs, in $(O)/$(BUILD)/ (the default)

corpus-tools: $(B)/spangen $(B)/spancorpus ## spangen and spancorpus only: no gRPC, no protobuf-c

# NEEDS_x: what a program of that kind links, in link order, archives first.
AR_common := $(B)/libcommon.a
AR_gen := $(B)/libgen.a $(AR_common)
AR_tools := $(B)/libtools.a $(AR_gen)
AR_spanreplay := $(B)/libreplay.a $(B)/libproto.a $(AR_common)
AR_spansink := $(B)/libsink.a $(B)/libproto.a $(AR_common)
AR_replay := $(B)/libreplay.a $(B)/libsink.a $(B)/libproto.a $(AR_common)
LIBS_gen := $(LIBS_common)
LIBS_tools := $(LIBS_common)
LIBS_replay := $(LIBS_grpc) $(LIBS_sink) $(LIBS_proto) $(LIBS_common)

$(B)/spangen: $(B)/obj/gen/spangen.o $(AR_gen)
$(B)/spangen: LIBS = $(LIBS_gen)
$(B)/spancorpus: $(B)/obj/tools/spancorpus.o $(AR_tools)
$(B)/spancorpus: LIBS = $(LIBS_tools)
$(B)/spanreplay: $(B)/obj/replay/spanreplay.o $(AR_spanreplay)
$(B)/spanreplay: LIBS = $(LIBS_grpc) $(LIBS_proto) $(LIBS_common)
$(B)/spansink: $(B)/obj/replay/spansink.o $(AR_spansink)
$(B)/spansink: LIBS = $(LIBS_sink) $(LIBS_proto) $(LIBS_common)
$(PROGRAMS):
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(LINK) -o $@ $(filter %.o %.a,$^) $(LDLIBS) $(LIBS)

# A test that wraps a function says so in a line of its own: `// LINK: -Wl,--wrap=malloc`.
define TEST_LAYER
$(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/$1/test_*.c)): \
		$(B)/tests/%: $(B)/obj/tests/unit/%.o $(AR_$1)
	@mkdir -p $$(@D)
	@echo "  LINK $$@"
	$(Q)$$(LINK) -o $$@ $$< $$(filter %.a,$$^) $$$$(sed -n 's,^// LINK: ,,p' tests/unit/$$*.c) \
		$$(LDLIBS) $$(LIBS_cmocka) $$(LIBS_$1)
endef
$(foreach l,common gen replay tools,$(eval $(call TEST_LAYER,$l)))

$(BENCHES): $(B)/bench/%: $(B)/obj/tests/bench/%.o $(AR_replay) $(B)/libgen.a
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(B)/libgen.a $(AR_replay) $(LDLIBS) $(LIBS_replay)

# A fuzz target is driven by libFuzzer in the fuzz flavour, by a loop over saved inputs in others.
FUZZ_DRIVER_fuzz := -fsanitize=fuzzer
FUZZ_DRIVER := $(or $(FUZZ_DRIVER_$(BUILD)),$(B)/obj/tests/fuzz/driver.o)
FUZZ_SHARED := $(patsubst %,$(B)/obj/tests/fuzz/%.o,support reference)
$(FUZZERS): $(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(FUZZ_SHARED) $(AR_gen) $(filter %.o,$(FUZZ_DRIVER))
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(filter -%,$(FUZZ_DRIVER)) $(LDLIBS) \
		$(LIBS_gen)

$(B)/fuzz/seeds: $(B)/obj/tests/fuzz/seeds.o $(AR_common)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(LINK) -o $@ $(filter %.o %.a,$^) $(LDLIBS) $(LIBS_common)

# What script tests need made for them.
$(HELPERS): $(B)/helper/%: $(B)/obj/tests/helper/%.o $(AR_tools)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(LINK) -o $@ $(filter %.o %.a,$^) $(LDLIBS) $(LIBS_tools)

# ---- Objects -----------------------------------------------------------------------------------

$(B)/obj/%.o: %.c $(B)/stamp/flags
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

# Generated headers must exist before anything that may include them is compiled; after that
# the .d files know.
$(call obj,$(REPLAY_SRC) $(SINK_SRC) $(filter replay/%,$(MAIN_SRC)) $(TEST_SRC) $(BENCH_SRC)): | $(PROTO_H)

$(PROTO_OBJ): $(B)/proto-c/%.o: $(B)/proto-c/%.c $(B)/stamp/flags | $(PROTO_H)
	$(Q)$(COMPILE_PROTO) -MMD -MP -c -o $@ $<

# One run of protoc-c makes the .c and the .h.
$(B)/proto-c/%.pb-c.c $(B)/proto-c/%.pb-c.h: proto/%.proto
	@mkdir -p $(B)/proto-c
	@echo "  PB-C $<"
	$(Q)$(PROTOC_C) -Iproto -I$(PROTO_INCLUDE) --c_out=$(B)/proto-c $<
$(B)/proto-c/google/protobuf/%.pb-c.c $(B)/proto-c/google/protobuf/%.pb-c.h: \
		$(PROTO_INCLUDE)/google/protobuf/%.proto
	@mkdir -p $(B)/proto-c
	$(Q)$(PROTOC_C) -I$(PROTO_INCLUDE) --c_out=$(B)/proto-c $<
.SECONDARY: $(PROTO_C) $(PROTO_H)

# A stamp's time changes only when its text does.
stamp = @mkdir -p $(@D); printf '%s\n' $1 | cmp -s - $@ || printf '%s\n' $1 > $@
quote = '$(subst ','\'',$1)'
$(B)/stamp/flags: FORCE
	$(call stamp,$(call quote,$(COMPILE) | $(LINK) | $(LDLIBS) | $(PROTOC_C)))
$(B)/stamp/sources: FORCE
	$(call stamp,$(call quote,$(LIB_SRC) $(PROTO_SRC)))
FORCE:

-include $(patsubst %.o,%.d,$(call obj,$(ALL_SRC)) $(PROTO_OBJ))

# ---- Tests -------------------------------------------------------------------------------------

RUN_TESTS = tests/run.sh --bin $(abspath $(B)) --src $(CURDIR) --jobs $(JOBS)

# Preloaded by tests/fault/check_faults; a sanitizer brings its own malloc.
FAULT_SHIM := $(if $(filter asan,$(BUILD)),,$(B)/tests/fault_shim.so)
$(B)/tests/fault_shim.so: tests/fault/shim.c $(B)/stamp/flags
	@mkdir -p $(@D)
	@echo "  SO   $@"
	$(Q)$(CC) -std=c11 -O1 -g -Wall -Wextra $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -shared -fPIC -o $@ $<

tests-build: $(PROGRAMS) $(TESTS) $(BENCHES) $(HELPERS) $(FUZZERS) $(B)/fuzz/seeds $(FAULT_SHIM)

test: tests-build ## unit, cli, golden, contract and end-to-end tests (T=PATTERN: only those)
	@$(RUN_TESTS) $(T)

check-asan: ## the same suite under ASan and UBSan
	@$(MAKE) BUILD=asan tests-build
	@ASAN_OPTIONS=$${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1} \
	UBSAN_OPTIONS=$${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1} TEST_TIMEOUT_SCALE=4 \
	tests/run.sh --bin $(abspath $(O)/asan) --src $(CURDIR) --jobs $(JOBS) $(T)

check-determinism: ## one digest for any threads, compiler, optimization, architecture, locale (T=PATTERN)
	@SRC=$(CURDIR) O=$(abspath $(O)) MAKE=$(MAKE) JOBS=$(JOBS) tests/determinism.sh $(T)

# Links everything for libFuzzer apart; seeds come from the programs of this flavour.
fuzz: $(B)/spangen $(B)/fuzz/seeds ## each fuzz target for FUZZ_SECONDS (1800); T=NAME: only that one
	@$(MAKE) BUILD=fuzz CC=$(FUZZ_CC) fuzz-build
	@BIN=$(abspath $(B)) FUZZ_BIN=$(abspath $(O)/fuzz/fuzz) SRC=$(CURDIR) \
	FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_WORK=$(abspath $(FUZZ_WORK)) tests/fuzz/run $(T)

fuzz-build: $(FUZZERS)

# Minutes; `make test` takes every 37th bit.
check-bitflips: $(B)/tests/tools/test_bitflips ## every bit of a small corpus flipped, found, healed
	@BITFLIP_STEP=$${BITFLIP_STEP:-1} BITFLIP_JOBS=$${BITFLIP_JOBS:-$(JOBS)} $(abspath $<)

# in-scratch SCRIPT: runs it in a folder of its own, which goes.
in_scratch = d=$$(mktemp -d "$${TMPDIR:-/tmp}/spangen-check.XXXXXX") && trap 'rm -rf "$$d"' EXIT && \
	cd "$$d" && BIN=$(abspath $(B)) SRC=$(CURDIR) $(CURDIR)/$1

check-kill: all ## kill -9 a generate at KILLS=200 random moments (SEED=N), resume, compare
	@$(call in_scratch,tests/fault/check_kill)

check-faults: all $(B)/tests/fault_shim.so ## each malloc, write, fsync, rename ... of a generate fails once (STEP=1, MALLOC_STEP=7)
	@$(call in_scratch,tests/fault/check_faults)

# Minutes and 600 MB of disk: for the night.
check-medium: corpus-tools ## medium (10 M rows) made, deep-verified, within every claim, no id twice (CHECK_ROWS=, CHECK_SEED=)
	@$(call in_scratch,tests/check_medium.sh)

test-live: all ## against a real server: BANYANDB_ADDR=HOST:PORT, or BANYANDB_BIN=PROGRAM to start one
	@tests/run.sh --bin $(abspath $(B)) --src $(CURDIR) --jobs 1 --suite live $(T)

contract-record: tests-build ## BANYANDB_BIN=PROGRAM: record fixtures/contract/ from that server
	@test -n "$(BANYANDB_BIN)" || { echo 'contract-record: say which server: BANYANDB_BIN=PROGRAM' >&2; exit 2; }
	@BIN=$(abspath $(B)) SRC=$(CURDIR) BANYANDB_BIN=$(abspath $(BANYANDB_BIN)) tests/contract/record

bench: $(PROGRAMS) $(BENCHES) ## benchmarks: JSON lines; compare on one machine only
	@set -- $(wildcard tests/bench/run_*.sh); \
	[ $$# -gt 0 ] || { echo 'bench: nothing to run: no tests/bench/run_*.sh' >&2; exit 1; }; \
	for t; do \
		BIN=$(abspath $(B)) SRC=$(CURDIR) "$$t" || exit 1; done

bench-gen: $(PROGRAMS) $(BENCHES) ## generator and readers against their bars; BENCH_ROWS= and more in the script
	@BIN=$(abspath $(B)) SRC=$(CURDIR) tests/bench/bench_gen.sh

bench-server: $(PROGRAMS) ## BANYANDB_BIN=PROGRAM: bytes per span that server stores, both models; BYTES_VARIANTS= and more in the script
	@BIN=$(abspath $(B)) SRC=$(CURDIR) tests/bench/server_bytes.sh || { rc=$$?; [ $$rc -eq 77 ] || exit $$rc; }

demo: all ## three minutes: small corpus, both models, a table of figures
	@BIN=$(abspath $(B)) SRC=$(CURDIR) tools/demo $(DEMO_ARGS)

# ---- Checks ------------------------------------------------------------------------------------

lint: $(B)/compile_commands.json $(PROTO_H) ## clang-format, clang-tidy, shellcheck, mandoc
	@$(CLANG_FORMAT) --dry-run -Werror $(ALL_SRC) $(ALL_HDR)
	@printf '%s\n' $(ALL_SRC) | xargs -n 1 -P $(JOBS) $(CLANG_TIDY) --quiet -p $(B)
	@command -v $(SHELLCHECK) >/dev/null || { echo 'lint: $(SHELLCHECK) not found: apt-get install shellcheck' >&2; exit 1; }
	@$(SHELLCHECK) -S warning -x $(SCRIPTS)
	@$(MAKE) --no-print-directory man-lint
	@echo "lint: $(words $(ALL_SRC)) sources, $(words $(ALL_HDR)) headers, $(words $(SCRIPTS)) scripts"

man-lint: ## the man pages, as mandoc wants them
	@command -v $(MANDOC) >/dev/null || { echo 'man-lint: $(MANDOC) not found: apt-get install mandoc' >&2; exit 1; }
	@$(if $(MAN_SRC),cd docs/man && $(MANDOC) -W style -T lint $(notdir $(MAN_SRC)),{ echo 'man-lint: no docs/man/*' >&2; exit 1; })

format: ## rewrite sources and headers as clang-format likes them
	@$(CLANG_FORMAT) -i $(ALL_SRC) $(ALL_HDR)

check-headers: $(PROTO_H) ## each header compiles alone, and twice
	@for h in $(ALL_HDR); do \
		printf '#include "%s"\n#include "%s"\nextern int check_headers;\n' $$h $$h | \
		$(COMPILE) -Werror -fsyntax-only -x c - || { echo "check-headers: $$h does not compile alone" >&2; exit 1; }; \
	done
	@echo "check-headers: $(words $(ALL_HDR)) headers"

check-layers: ## who may include what
	@tools/check-layers .

$(B)/compile_commands.json: Makefile $(B)/stamp/flags FORCE
	@mkdir -p $(@D)
	@{ sep='['; for f in $(ALL_SRC); do \
		printf '%s\n{"directory": "%s", "file": "%s", "command": "%s -c %s"}' "$$sep" "$(CURDIR)" "$$f" \
		$(call quote,$(subst ",\",$(COMPILE))) "$$f"; sep=','; done; printf '\n]\n'; } > $@

compile_commands.json: $(B)/compile_commands.json ## for editors and clang tools
	@cp $< $@

# ---- The rest ----------------------------------------------------------------------------------

install: all install-man ## DESTDIR= PREFIX=: programs, man pages, schemas, .proto files, documents
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/doc/spangen
	$(INSTALL) -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	@for f in $$(find schemas proto -type f); do \
		$(INSTALL) -D -m 644 "$$f" "$(DESTDIR)$(PREFIX)/share/spangen/$$f" || exit 1; done
	$(INSTALL) -m 644 $(wildcard README.md ARCHITECTURE.md FORMAT.md LICENSE) $(DESTDIR)$(PREFIX)/share/doc/spangen

install-man: ## DESTDIR= PREFIX=: the man pages alone
	@for f in $(MAN_SRC); do \
		$(INSTALL) -D -m 644 "$$f" "$(DESTDIR)$(PREFIX)/share/man/man$${f##*.}/$${f##*/}" || exit 1; done

clean: ## remove what this flavour built
	rm -rf $(B)

print: ## the settings in force
	@printf '%-8s %s\n' VERSION $(VERSION) BUILD $(BUILD) B $(B) CC "$(CC)"; \
	printf '%-8s %s\n' COMPILE $(call quote,$(COMPILE))

help: ## this list
	@sed -n 's/^\([a-z_.-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 26

.PHONY: all corpus-tools tests-build test check-asan check-kill check-faults check-medium check-bitflips check-determinism fuzz fuzz-build \
	test-live contract-record bench bench-gen bench-server demo lint format check-headers check-layers man-lint \
	install install-man clean print help FORCE
