#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check-layers passes on the tree, and fails when a forbidden include or call is added.
set -eu

mkdir tree
for d in common gen replay tools; do
	[ ! -d "$SRC/$d" ] || cp -R "$SRC/$d" tree/
done
"$SRC/tools/check-layers" tree >out || { echo "the tree itself does not pass"; exit 1; }

# forbidden FILE LINE: FILE with LINE added must be refused, with file and line number.
forbidden() {
	local file=$1 line=$2 had=yes
	[ -e "tree/$file" ] || { had=no; : >"tree/$file"; }
	cp "tree/$file" saved
	printf '%s\n' "$line" >>"tree/$file"
	if "$SRC/tools/check-layers" tree >out 2>err; then
		echo "$file: not refused: $line"
		exit 1
	fi
	grep -q "^$file:$(wc -l <"tree/$file"): " err || {
		echo "$file: the message does not name the place:"
		cat err
		exit 1
	}
	if [ $had = yes ]; then cp saved "tree/$file"; else rm "tree/$file"; fi
}

allowed() {
	local file=$1 line=$2 had=yes
	[ -e "tree/$file" ] || { had=no; : >"tree/$file"; }
	cp "tree/$file" saved
	printf '%s\n' "$line" >>"tree/$file"
	"$SRC/tools/check-layers" tree >out 2>err || { echo "$file: refused: $line"; cat err; exit 1; }
	if [ $had = yes ]; then cp saved "tree/$file"; else rm "tree/$file"; fi
}

forbidden common/pb.c '#include "gen/plan.h"'
forbidden common/pb.c '#include "replay/rpc.h"'
forbidden common/pb.h '#include "tools/x.h"'
forbidden common/pb.c '#include <grpc/grpc.h>'
forbidden common/pb.c '#include <protobuf-c/protobuf-c.h>'
forbidden gen/extra.c '#include "replay/hist.h"'
forbidden gen/extra.c '  #  include <sqlite3.h>'
forbidden replay/extra.c '#include "gen/plan.h"'
forbidden replay/extra.c '#include <grpc/support/log.h>'
forbidden replay/extra.c '#include <nghttp2/nghttp2.h>'
forbidden replay/sink_extra.c '#include <grpc/grpc.h>'
forbidden tools/spancorpus_extra.c '#include "replay/rpc.h"'
forbidden tools/spancorpus_extra.c '#include <cmocka.h>'
forbidden gen/extra.c '#include "../common/pb.h"'
forbidden gen/extra.c 'static int f(void) { return clock_gettime(0, 0); }'
forbidden replay/extra.c '/* why */ static void f(void) { nanosleep(0, 0); }'

allowed replay/rpc.c '#include <grpc/grpc.h>'
allowed replay/sink_extra.c '#include <sqlite3.h>'
allowed common/clock.c 'static int f(void) { return clock_gettime(0, 0); }'
allowed gen/extra.c '// like #include "replay/rpc.h", or clock_gettime(x)'
allowed gen/extra.c '/* nanosleep(1) */'
