#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# spangen where it cannot write: folder that exists, no parent, a file in the way, a full disk.
# What exists stays as it was, and nothing half-written stands under a final name.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

make_corpus="spangen generate --spans 20000 --seed 3 --out"

mkdir taken
echo mine >taken/corpus.json
# shellcheck disable=SC2086
refuse 1 'taken.*(exists|not empty)' $make_corpus taken
[ "$(ls taken)" = corpus.json ] && [ "$(cat taken/corpus.json)" = mine ] ||
	fail "a folder that exists was touched: $(ls taken)"

small_corpus whole
before=$(sha256sum whole/*)
# shellcheck disable=SC2086
refuse 1 'whole.*(exists|not empty)' $make_corpus whole
[ "$before" = "$(sha256sum whole/*)" ] || fail "a complete corpus was touched"

: >file
# shellcheck disable=SC2086
refuse 1 'file' $make_corpus file
# shellcheck disable=SC2086
refuse 1 'file' $make_corpus file/below
# shellcheck disable=SC2086
refuse 1 'no/such/parent.*' $make_corpus no/such/parent
[ ! -e no ] || fail "folders were made on the way to a failure"

rc=0
"$BIN/spangen" plan --scale large >/dev/full 2>err || rc=$?
what='spangen plan >/dev/full'
[ $rc -eq 1 ] || fail "$what: exit $rc"
one_message spangen 'No space left'

# A full disk: a small tmpfs, in a mount namespace of its own, so nothing is left behind.
mkdir full
# shellcheck disable=SC2016
cat >in_namespace <<'END'
mount -t tmpfs -o size=512k tmpfs full || exit 77
"$BIN/spangen" generate --spans 200000 --seed 3 --out full/corpus >out 2>err
echo $? >rc
find full -name 'data-*.zst' -o -name corpus.json >left
END
rc=0
unshare --mount sh in_namespace 2>ns.err || rc=$?
if [ ! -s rc ]; then
	rc=0
	unshare --mount --map-root-user sh in_namespace 2>ns.err || rc=$?
fi
[ -s rc ] || skip "no small tmpfs here (neither root nor user namespaces); the rest passed"
rc=$(cat rc)
what='spangen generate on a full tmpfs'
[ "$rc" -eq 1 ] || fail "$what: exit $rc: $(cat err)"
one_message spangen 'full/corpus.*No space left'
[ ! -s left ] || fail "$what: left under a final name: $(cat left)"
