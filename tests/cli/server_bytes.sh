#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The bytes of a server's folder by what they hold, on made-up folders of both models: each file has
# a size of its own (a power of two), so that one in the wrong place shows. And no server, no figures.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

bench=$SRC/tests/bench/server_bytes.sh
put() { # FILE BYTES
	mkdir -p "$(dirname "$1")"
	head -c "$2" /dev/zero >"$1"
}
is() { # MODEL JSON
	"$bench" folder "$1" data >out 2>err || fail "$1: exit $?: $(cat out err)"
	[ "$(jq -c 'del(.disk)' out)" = "$2" ] || fail "$1: $(cat out), not $2"
	[ "$(jq .disk out)" -ge 0 ] || fail "$1: no disk figure: $(cat out)"
}

seg=data/stream/data/g/seg-20260101 old=0000000000000001 new=000000000000000a
put $seg/shard-0/$new/data_binary.tf 1
put $seg/shard-0/$new/primary.tf 2
put $seg/shard-0/$new/timestamps.bin 4
put $seg/shard-0/$new/primary.bin 8
put $seg/shard-0/$new/data_binary.tfm 16
put $seg/shard-0/$old/data_binary.tf 32
put $seg/shard-0/idx/000000000002.seg 64
put $seg/shard-0/idx/000000000002.snp 128 # no list of parts
put $seg/sidx/000000000003.seg 256
put $seg/metadata 512
printf '["%s"]' $old >$seg/shard-0/18eb000000000001.snp
printf '["%s"]' $new >$seg/shard-0/18eb000000000002.snp # newer: $old was merged away; 20 bytes each
is stream '{"bytes":1063,"files":12,"parts":1,"payload":1,"columns":6,"heads":24,"index":192,"series":256,"rest":552,"merged_away":32}'

seg=data/trace/data/g/seg-20260101
put $seg/shard-1/$new/spans.bin 1
put $seg/shard-1/$new/isError.t 2
put $seg/shard-1/$new/isError.tm 4
put $seg/shard-1/$new/traceID.filter 8
put $seg/shard-1/sidx/latency/$new/component.td 16
put $seg/shard-1/sidx/startTime/$new/keys.bin 32
put $seg/shard-1/sidx/startTime/$old/keys.bin 64
put $seg/sidx/000000000003.seg 128
printf '["%s"]' $new >$seg/shard-1/18eb000000000002.snp
is trace '{"bytes":275,"files":9,"parts":1,"payload":1,"columns":2,"heads":12,"index":48,"series":128,"rest":20,"merged_away":64}'

rc=0
"$bench" folder trace nowhere >out 2>err || rc=$?
[ $rc -eq 1 ] && grep -q 'nowhere/trace/data: no such folder' out || fail "a folder that is not there: exit $rc: $(cat out err)"
rc=0
"$bench" folders >out 2>err || rc=$?
[ $rc -eq 1 ] && grep -q usage out || fail "an unknown word: exit $rc: $(cat out err)"
rc=0
env -u BANYANDB_BIN "$bench" >out 2>err || rc=$?
[ $rc -eq 77 ] && grep -q '^SKIP: .*BANYANDB_BIN=' out || fail "without a server: exit $rc: $(cat out err)"
