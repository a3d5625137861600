#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# FORMAT.md against the smallest file: its dump, its protoc line, offsets of its tables, stock
# tools, and today's reader on a file of the first format version.
. "$SRC/tests/lib.sh"

tiny=$SRC/fixtures/golden/tiny
data=$tiny/data-0000000.zst

# The dump of section 9.
sed -n '/^## 9\./,/^## 10\./{/^[0-9a-f]\{6\}/p}' "$SRC/FORMAT.md" >dump.doc
od -A x -t x1 "$data" >dump.file
cmp dump.doc dump.file || fail "FORMAT.md section 9 is not the dump of $data"

# The line of section 3, as it stands there.
line=$(sed -n 's/^    \(zstd -dc .* | protoc .*\)$/\1/p' "$SRC/FORMAT.md")
[ -n "$line" ] || fail "FORMAT.md has no protoc line"
cp "$data" .
ln -s "$SRC/proto" proto
bash -o pipefail -c "$line" >printed || fail "fails: $line"
[ "$(grep -c '^block {' printed)" = 2 ] || fail "protoc prints $(grep -c '^block {' printed) blocks instead of 2"
grep -q '^  title: "Tiny \\"corpus\\""$' printed || fail "protoc prints no title"
zstd -t -q "$data" || fail "zstd -t"

# Offsets that sections 3 and 9 name: magic numbers where they say.
u32() { od -A n -j "$1" -N 4 -t u4 "$data" | tr -d ' '; }
[ "$(u32 0)" = $((0x184D2A50)) ] || fail "no file header at 0"
[ "$(u32 $((0x58)))" = $((0xFD2FB528)) ] || fail "no zstd frame at 0x58"
[ "$(u32 $((0x299)))" = $((0x184D2A51)) ] || fail "no block header at 0x299"
[ "$(u32 $((0x455)))" = $((0xFD2FB528)) ] || fail "no zstd frame at 0x455"
[ "$(u32 $((0x4a7)))" = $((0x184D2A5E)) ] || fail "no seek table at 0x4a7"
[ "$((0x58 + $(u32 40)))" = $((0x299)) ] || fail "the file header's stored size"

# Files of this version stay readable.
ok spancorpus verify "$tiny"
ok spancorpus info --json "$tiny"
[ "$(field out digest)" = bdd59350097647f66030b09e0784b66d ] || fail "another digest"
