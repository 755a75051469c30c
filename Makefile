# SPDX-License-Identifier: MIT
# `make help` lists the targets; HACKING.md tells how things hang together.

VERSION := 0.1.0
BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
# Where mount(8), fsck(8) and mkfs(8) look for helpers of a file system, whatever PREFIX is.
HELPERDIR ?= /sbin
CC      ?= gcc
V       ?= 0
Q       := $(if $(filter 1,$(V)),,@)

# ---- flags -------------------------------------------------------------------------
# SANITIZE=address,undefined builds with sanitizers; use it with a BUILD of its own.
SANITIZE ?=
WERROR   ?=
OPT      ?= -O2
LIBS     := json-c libcrypto fdisk blkid libarchive ext2fs com_err libxxhash fuse3
LIBS     += zlib libzstd liblzma liblz4 libseccomp libewf
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wundef $(if $(WERROR),-Werror)
CFLAGS   ?= $(OPT) -g
HARDEN   := -fstack-protector-strong -fPIE $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
ALL_CFLAGS = -std=gnu17 $(WARNINGS) $(HARDEN) -pthread -I. -D_GNU_SOURCE \
	-D_FILE_OFFSET_BITS=64 -DCAIRN_VERSION='"$(VERSION)"' -DCAIRN_PREFIX='"$(PREFIX)"' \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
	$(shell pkg-config --cflags $(LIBS) 2>/dev/null) $(CFLAGS)
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)
# BearSSL's arithmetic goes into every program, so that what PID 1 verifies with is tested.
LDLIBS = $(shell pkg-config --libs $(LIBS) 2>/dev/null) -l:libbearssl.a

# ---- sources: lower layers first; a layer never includes one to its right ----------
LAYERS  := core blobfs initrd/plan initrd/compose builder verifier verifier/examine
LIB_SRC := $(foreach d,$(LAYERS),$(wildcard $(d)/*.c))
CLI_SRC := $(wildcard cli/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/%.o)
LIB     := $(BUILD)/libcairn.a
BLOBFS_TOOLS := $(addprefix $(BUILD)/,mkfs.blobfs fsck.blobfs dump.blobfs \
	mount.blobfs)
UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
HELPERS := $(patsubst tests/helpers/%.c,$(BUILD)/tests/helpers/%,$(wildcard tests/helpers/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all units asan-units base demo check check-long check-programs check-run bench bench-vm \
	evidence fuzz fuzz-programs afl-fuzzers clang-fuzzers fuzz-run install install-system \
	uninstall plain-path clean format help prove
.SECONDARY:
.DELETE_ON_ERROR:

all: $(BUILD)/cairn $(BUILD)/cairn-system $(BLOBFS_TOOLS) $(BUILD)/init ## build the programs into build/

# Rebuilds everything when the flags change.
$(BUILD)/.config: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(CC) $(subst ','"'"',$(ALL_CFLAGS)) $(ALL_LDFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(subst ','"'"',$(ALL_CFLAGS)) $(ALL_LDFLAGS)' > $@
FORCE:

$(BUILD)/%.o: %.c $(BUILD)/.config
	$(Q)mkdir -p $(@D)
	$(if $(filter 1,$(V)),,@echo '  CC    $<')
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ)
	$(if $(filter 1,$(V)),,@echo '  AR    $@')
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/cairn: $(CLI_OBJ) $(LIB)
	$(if $(filter 1,$(V)),,@echo '  LD    $@')
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

# ---- cairn on a system that Cairn made: one static file, no OpenSSL -----------------------
SYSTEM_OBJ := $(addprefix $(BUILD)/cli/,system/verbs.o main.o verb.o arguments.o cmd_help.o \
	cmd_version.o cmd_epoch.o cmd_extension.o cmd_extension_list.o \
	cmd_extension_compose.o extension_options.o)

$(BUILD)/cairn-system: $(SYSTEM_OBJ) $(LIB)
	$(if $(filter 1,$(V)),,@echo '  LD    $@')
	$(Q)$(CC) $(if $(SANITIZE),$(ALL_LDFLAGS),-static-pie -pthread -Wl,-z,relro,-z,now) \
		-o $@.debug $^ -ljson-c -l:libbearssl.a $(if $(SANITIZE),$(LDLIBS))
	$(Q)strip -s -R .comment -o $@ $@.debug

# ---- the static init: musl, libc only --------------------------------------------------
# musl-gcc leaves out the kernel's own headers; its ioctl takes an int, which all the
# request numbers of those headers overflow.
MUSL_CC  ?= musl-gcc
INIT_SRC := $(wildcard initrd/*.c initrd/plan/*.c initrd/compose/*.c) $(addprefix core/, \
	base64.c buffer.c cms.c crc32.c der.c dps.c error.c file.c gpt.c gpt_copy.c hex.c \
	interrupt.c path.c pin.c public_key.c purpose.c)
INIT_OBJ := $(INIT_SRC:%.c=$(BUILD)/musl/%.o)
INIT_CFLAGS = -std=gnu17 $(WARNINGS) -Wno-sign-conversion -Os -g \
	-fstack-protector-strong -fno-pie -fno-asynchronous-unwind-tables -ffunction-sections \
	-fdata-sections -I. -D_GNU_SOURCE \
	-DCAIRN_VERSION='"$(VERSION)"' -idirafter /usr/include \
	-idirafter /usr/include/$(shell gcc -print-multiarch)

$(BUILD)/musl/%.o: %.c $(BUILD)/.config
	$(Q)mkdir -p $(@D)
	$(if $(filter 1,$(V)),,@echo '  MUSL  $<')
	$(Q)$(MUSL_CC) $(INIT_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/init: $(INIT_OBJ)
	$(if $(filter 1,$(V)),,@echo '  LD    $@')
	$(Q)$(MUSL_CC) -static -no-pie -Wl,--gc-sections -Wl,-z,noexecstack -o $@.debug $^ \
		$(shell gcc -print-file-name=libbearssl.a)
	$(Q)strip -s -R .comment -o $@ $@.debug

# What the guests of the VM tests run: static, so that they need nothing of the host.
GUESTS := $(addprefix $(BUILD)/tests/vm/,marker composefs switch_root readers first)
$(GUESTS): $(BUILD)/%: %.c tests/vm/modules.h $(BUILD)/.config
	$(Q)mkdir -p $(@D)
	$(if $(filter 1,$(V)),,@echo '  MUSL  $<')
	$(Q)$(MUSL_CC) $(INIT_CFLAGS) -static -no-pie -o $@ $<

# The composition as PID 1 links it, for guests that do it many times.
COMPOSE_OBJ := $(filter-out $(patsubst %.c,$(BUILD)/musl/%.o,$(filter-out \
	initrd/fortify.c,$(wildcard initrd/*.c))),$(INIT_OBJ))
GUESTS += $(BUILD)/tests/vm/refresh
$(BUILD)/tests/vm/refresh: $(BUILD)/musl/tests/vm/refresh.o $(COMPOSE_OBJ)
	$(Q)mkdir -p $(@D)
	$(Q)$(MUSL_CC) -static -no-pie -Wl,--gc-sections -o $@ $^ \
		$(shell gcc -print-file-name=libbearssl.a)

$(BUILD)/%.blobfs: $(BUILD)/blobfs/tools/%.o $(BUILD)/blobfs/tools/tool.o $(LIB)
	$(if $(filter 1,$(V)),,@echo '  LD    $@')
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

# The server alone needs FUSE and seccomp.
MOUNT_OBJ := $(addprefix $(BUILD)/blobfs/tools/,mount.o serve.o serve_loop.o serve_names.o \
	serve_numbers.o serve_reader.o serve_tree.o sandbox.o tool.o)
$(MOUNT_OBJ): ALL_CFLAGS += $(shell pkg-config --cflags fuse3 libseccomp 2>/dev/null)
$(BUILD)/mount.blobfs: $(MOUNT_OBJ) $(LIB)
	$(if $(filter 1,$(V)),,@echo '  LD    $@')
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS) $(shell pkg-config --libs fuse3 libseccomp)

$(BUILD)/tests/unit/%: tests/unit/%.c $(LIB)
	$(Q)mkdir -p $(@D)
	$(if $(filter 1,$(V)),,@echo '  LD    $@')
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(LIB) -lcmocka $(LDLIBS)

$(BUILD)/tests/helpers/%: tests/helpers/%.c $(LIB)
	$(Q)mkdir -p $(@D)
	$(if $(filter 1,$(V)),,@echo '  LD    $@')
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

-include $(wildcard $(BUILD)/blobfs/tools/*.d) $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(SYSTEM_OBJ:.o=.d) $(INIT_OBJ:.o=.d) $(UNIT:=.d) $(HELPERS:=.d) $(FUZZERS:=.d)

# ---- set-up: the packages of each step are listed in tests/packages/ ----------------
setup-%: FORCE
	$(Q)tests/packages/install $*

# Tools that Debian 12 has too old, from other suites, unpacked below build/ only.
setup-tools: FORCE
	$(Q)tests/packages/foreign erofs e2fsprogs composefs stub virt-firmware bless dissect repart kernel old-kernel

# ---- the base tree and the demonstration -------------------------------------------
base: setup-demo ## make the base tree build/base/tree with mkosi
	$(Q)builder/mkosi/make-base

demo: ## build, verify and boot a signed Debian image, and damage a copy
	$(Q)tests/demo

# ---- tests -------------------------------------------------------------------------
# The programs can be built anywhere, but the tests are scripts.
plain-path:
	$(Q)case '$(CURDIR)' in *[[:space:]]*) \
		echo '$(CURDIR): the tests need a path without blanks' >&2; exit 1;; esac

# As many jobs as there are processors, unless make was told how many.
PARALLEL = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

# Everything is compiled while what is downloaded comes.
check: plain-path ## run all tests, set-up included
	$(Q)tests/packages/install build run check demo fuzz
	$(Q)$(MAKE) --no-print-directory setup-tools base & \
		$(MAKE) --no-print-directory $(PARALLEL) check-programs fuzz-programs; \
		compiled=$$?; wait $$! && exit $$compiled
	$(Q)$(MAKE) --no-print-directory fuzz-run
	$(Q)$(MAKE) --no-print-directory check-run

check-run: plain-path check-programs
	$(Q)tests/run $(UNIT) $(UNIT:$(BUILD)/%=$(BUILD)/asan/%) $(wildcard tests/cli/test_*.sh tests/vm/test_*.sh)

# The unit tests run twice: as they are, and under ASan and UBSan.
check-programs: all units asan-units $(HELPERS) $(GUESTS)

asan-units:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE=address,undefined units

units: $(UNIT)

check-long: ## as check, with every stress at its full count
	$(Q)CAIRN_LONG=1 AFL_SECONDS=$${AFL_SECONDS:-120} $(MAKE) --no-print-directory check

# ---- who changes evidence: the tables of docs/forensics.md -----------------------------
evidence: setup-build setup-check all ## compare ways to look into an image: who changes it, who notices
	$(Q)tests/evidence/matrix.py --write docs/forensics.md $(BUILD)/cairn out/evidence

# ---- speed: BENCH_SIZE in MiB, BENCH_ROUNDS, BENCH_ONLY a part of a row's name ----------
BENCH_SIZE   ?= 2048
BENCH_ROUNDS ?= 5
BENCH_ONLY   ?=

bench: setup-build setup-bench all $(BUILD)/tests/bench/measure $(BUILD)/tests/helpers/make-blobfs ## compare speed with the peers; 2 GiB
	$(Q)tests/packages/foreign composefs
	$(Q)tests/bench/bench.py --size $(BENCH_SIZE) --rounds $(BENCH_ROUNDS) \
		--only '$(BENCH_ONLY)' $(BUILD)/cairn $(BUILD)/tests/bench/measure out/bench
	$(if $(filter-out 2048,$(BENCH_SIZE))$(BENCH_ONLY),,$(Q)cp out/bench/bench.svg out/bench/bench.json docs/)

bench-vm: setup-build setup-run setup-bench setup-tools base all $(addprefix $(BUILD)/tests/vm/,first readers) ## our initrd beside mkosi's, refreshes beside systemd-sysext's, in VMs
	$(Q)tests/bench/vm

$(BUILD)/tests/bench/%: tests/bench/%.c $(BUILD)/.config
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $<

# tests/fuzz/fuzz_X.c starts from tests/fuzz/corpus/X/ and tests/fuzz/X.dict, if they exist.

# AFL++ runs those of blobfs too, for AFL_SECONDS=8.
AFL_FUZZERS := $(addprefix $(BUILD)/afl/tests/fuzz/,fuzz_blobfs fuzz_blobfs_check)
CLANG_FUZZERS := $(FUZZERS:$(BUILD)/%=$(BUILD)/fuzz/%)

fuzz: setup-build setup-fuzz ## run each fuzzer for FUZZ_SECONDS=30
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) fuzz-programs
	$(Q)$(MAKE) --no-print-directory fuzz-run

fuzz-programs: afl-fuzzers clang-fuzzers $(BUILD)/tests/helpers/bad-blobfs

afl-fuzzers:
	$(Q)AFL_QUIET=1 $(MAKE) --no-print-directory BUILD=$(BUILD)/afl CC=afl-clang-fast \
		WERROR= LAYERS='core blobfs' SANITIZE=address CFLAGS='-O1 -g' $(AFL_FUZZERS)

clang-fuzzers:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang-14 WERROR= \
		SANITIZE=address,undefined CFLAGS='-O1 -g -fsanitize=fuzzer-no-link' \
		$(CLANG_FUZZERS)

fuzz-run: fuzz-programs
	$(Q)tests/fuzz/run $(CLANG_FUZZERS) $(AFL_FUZZERS)

$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(LIB)
	$(Q)mkdir -p $(@D)
	$(if $(filter 1,$(V)),,@echo '  LD    $@')
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< $(LIB) $(LDLIBS)

prove: setup-build ## prove what tests/proof says of the blobfs reader, with CBMC
	$(Q)tests/packages/foreign cbmc
	$(Q)tests/proof/run

clean: ## remove what was built (downloads and results in out/ stay)
	rm -rf $(BUILD)/core $(BUILD)/cli $(BUILD)/blobfs $(BUILD)/builder $(BUILD)/initrd \
		$(BUILD)/verifier $(BUILD)/tests $(BUILD)/cairn $(BUILD)/cairn-system* $(BUILD)/musl $(BUILD)/init* $(BLOBFS_TOOLS) $(LIB)

# ---- install -----------------------------------------------------------------------
MAN1 := $(wildcard docs/man/*.1)
MAN8 := $(wildcard docs/man/*.8)

# What systemd on the machine itself has of it; they are not enabled.
UNITDIR := $(PREFIX)/lib/systemd
UNITS   := $(addprefix system/,$(notdir $(wildcard initrd/units/*.service)) \
	systemd-bless-boot.service.d/10-cairn.conf) system-generators/cairn-esp-generator

# None where $(PREFIX)/sbin is that directory.
LINKS := $(if $(filter-out /usr /,$(PREFIX)),mount.blobfs fsck.blobfs mkfs.blobfs)

install: all ## install under $(DESTDIR)$(PREFIX)
	install -D -m 0755 $(BUILD)/cairn $(DESTDIR)$(PREFIX)/bin/cairn
	install -D -m 0755 -t $(DESTDIR)$(PREFIX)/sbin $(BLOBFS_TOOLS)
	install -D -m 0755 $(BUILD)/init $(DESTDIR)$(PREFIX)/lib/cairn/init
	install -D -m 0755 $(BUILD)/cairn-system $(DESTDIR)$(PREFIX)/lib/cairn/cairn-system
	install -D -m 0755 -t $(DESTDIR)$(UNITDIR)/system-generators initrd/units/cairn-esp-generator
	install -D -m 0644 -t $(DESTDIR)$(UNITDIR)/system/systemd-bless-boot.service.d \
		initrd/units/systemd-bless-boot.service.d/10-cairn.conf
	for unit in initrd/units/*.service; do \
		sed 's,=/usr/bin/,=$(PREFIX)/bin/,' $$unit | \
		install -m 0644 /dev/stdin $(DESTDIR)$(UNITDIR)/system/$${unit##*/}; done
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man1 $(MAN1)
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man8 $(MAN8)
	$(if $(LINKS),install -d $(DESTDIR)$(HELPERDIR))
	$(foreach t,$(LINKS),ln -sf $(PREFIX)/sbin/$t $(DESTDIR)$(HELPERDIR)/$t;)

install-system: $(BUILD)/cairn-system ## put Cairn's own part of an image, enabled, into the tree DESTDIR
	$(if $(DESTDIR),,$(error install-system: DESTDIR is the tree that an image is built from))
	initrd/units/install-into $(DESTDIR) $(BUILD)/cairn-system

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/cairn $(DESTDIR)$(PREFIX)/lib/cairn/init
	rm -f $(DESTDIR)$(PREFIX)/lib/cairn/cairn-system $(UNITS:%=$(DESTDIR)$(UNITDIR)/%)
	rm -f $(BLOBFS_TOOLS:$(BUILD)/%=$(DESTDIR)$(PREFIX)/sbin/%)
	rm -f $(LINKS:%=$(DESTDIR)$(HELPERDIR)/%)
	rm -f $(MAN1:docs/man/%=$(DESTDIR)$(PREFIX)/share/man/man1/%)
	rm -f $(MAN8:docs/man/%=$(DESTDIR)$(PREFIX)/share/man/man8/%)

format: ## run clang-format over all C files
	$(Q)git ls-files -- '*.c' '*.h' | xargs clang-format -i

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22
	@echo '  V=1 shows commands; SANITIZE=address,undefined BUILD=build/asan; PREFIX, DESTDIR'
