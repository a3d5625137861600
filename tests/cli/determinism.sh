#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
# check-determinism sees another digest, other rows and what the machine lacks. Nothing is built:
# make is a stand-in that hands out the programs of this build.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

mkdir bin o
for t in awk bash cat cmp cut diff dirname env grep head ls mkdir mktemp rm sed sha256sum sort tail \
	tr wc gcc localedef; do
	where=$(type -P $t) || continue
	ln -s "$where" bin/$t
done
cat >bin/make <<END
#!/bin/bash
for a; do case \$a in O=*) o=\${a#O=} ;; esac; done
mkdir -p "\$o/release"
ln -sf "$BIN/spangen" "$BIN/spancorpus" "\$o/release/"
END
sed -i '2iexport PATH='"$PATH" bin/make
chmod +x bin/make

matrix() {
	rc=0
	PATH=$PWD/bin O=$PWD/o MAKE=$PWD/bin/make "$SRC/tests/determinism.sh" "$@" >out 2>err || rc=$?
	what="determinism.sh $*"
}

# programs NAME: a folder with the real programs, and NAME/PROGRAM made of stdin in front of one.
programs() {
	mkdir "$1"
	ln -s "$BIN/spangen" "$BIN/spancorpus" "$1/"
	rm "$1/$2"
	{ echo "#!/bin/bash"; cat; } >"$1/$2"
	chmod +x "$1/$2"
}

matrix 'threads 4' same --programs same="$BIN"
[ $rc -eq 0 ] || fail "$what: exit $rc: $(cat out err)"
grep -Eq '^threads 4 +[0-9a-f]{32} +[0-9a-f]{16} +yes$' out || fail "no line for 4 threads: $(cat out)"
[ "$(tail -n 1 out)" = "2 passed, 0 failed" ] || fail "$what: $(tail -n 1 out)"

programs seed spangen <<END
exec "$BIN/spangen" "\${@/#99/98}"
END
matrix other --programs other="$PWD/seed"
[ $rc -eq 1 ] || fail "another digest: exit $rc: $(cat out err)"
grep -q '^other .*NO: another digest$' out || fail "another digest is not said: $(cat out)"
[ "$(tail -n 1 out)" = "0 passed, 1 failed" ] || fail "$what: $(tail -n 1 out)"

programs rows spancorpus <<END
if [ "\$1" = cat ]; then "$BIN/spancorpus" "\$@" | sed 's/isError/iserror/'; else exec "$BIN/spancorpus" "\$@"; fi
END
matrix rows --programs rows="$PWD/rows"
[ $rc -eq 1 ] || fail "other rows: exit $rc: $(cat out err)"
grep -q '^rows .*NO: its own corpora read as other rows$' out || fail "other rows are not said: $(cat out)"

# Damage in what is read must count even when the rows come out.
programs verify spancorpus <<END
case "\$1 \$*" in "verify "*reference*) exit 1 ;; esac
exec "$BIN/spancorpus" "\$@"
END
matrix verify --programs verify="$PWD/verify"
grep -q "^verify .*NO: it reads the reference's corpora as other rows$" out ||
	fail "a verify that fails is not said: $(cat out)"

# What is not there is named with the line that mends it, and is no success of its own.
matrix s390x
[ $rc -eq 0 ] || fail "$what: exit $rc: $(cat out err)"
grep -q '^skip s390x: no s390x-linux-gnu-gcc here; dpkg --add-architecture s390x && .*libzstd-dev:s390x' out ||
	fail "the skip is not named: $(cat out)"
[ "$(tail -n 1 out)" = "0 passed, 0 failed, 1 skipped" ] || fail "$what: $(tail -n 1 out)"

matrix nothing-like-this
[ $rc -eq 1 ] || fail "nothing to run is a success"
matrix --list
[ $rc -eq 0 ] && grep -qx 's390x' out && grep -qx 'gcc -O0' out || fail "--list: $(cat out err)"
matrix --nonsense
[ $rc -eq 2 ] || fail "$what: exit $rc"
matrix --programs nodir
[ $rc -eq 2 ] || fail "$what: exit $rc"
