#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bootstrap: usage; quick when nothing is missing; the one line to run where it may not install;
# what it installs as root. dpkg, apt and make are stand-ins here: nothing is installed.
# shellcheck source=tests/lib.sh
. "$SRC/tests/lib.sh"

mkdir -p tree/tools bin
cp "$SRC/tools/bootstrap" tree/tools/
for t in sh env dirname sed wc nproc sort cat true; do
	ln -s "$(type -P $t)" bin/$t
done
# Written beside and renamed over: never through a link into the system's own folders.
stub() {
	printf '#!/bin/sh\n%s\n' "$2" >new
	chmod +x new
	mv -fT new bin/"$1"
}
# shellcheck disable=SC2016
stub apt-get 'echo "apt-get $* [$DEBIAN_FRONTEND]" >>../calls; : >../installed'
# shellcheck disable=SC2016
stub make 'echo "make $*" >>../calls'
all_there='
for a in "$@"; do case $a in -*|*{*) ;; *) echo "installed $a" ;; esac; done'
# Two packages are missing until apt-get ran.
two_missing='
for a in "$@"; do case $a in
-*|*{*) ;;
make) [ ! -e ../installed ] || echo "installed $a" ;;
gcc) if [ -e ../installed ]; then echo "installed $a"; else echo "config-files $a"; fi ;;
*) echo "installed $a" ;;
esac; done
[ -e ../installed ]'

boot() {
	rm -f calls installed
	: >calls
	rc=0
	PATH=$PWD/bin tree/tools/bootstrap "$@" >out 2>err || rc=$?
	what="bootstrap $*"
}

stub id 'echo 0'
stub dpkg-query "$all_there"
boot
[ $rc -eq 2 ] && one_message bootstrap usage
boot nonsense
[ $rc -eq 2 ] && one_message bootstrap nonsense

# What `make lint` calls is among what testing needs.
boot list
for p in clang-format clang-tidy mandoc shellcheck; do
	grep -qx $p out || fail "list lacks $p: $(cat out)"
done

boot demo
[ $rc -eq 0 ] || fail "all there: $(cat err)"
grep -q '^make -j[0-9]* demo$' calls || fail "make demo did not run: $(cat calls)"
if grep -q apt-get calls; then fail "apt-get ran with nothing missing"; fi
boot test BUILD=debug
grep -q '^make -j[0-9]* test BUILD=debug$' calls || fail "arguments do not reach make: $(cat calls)"

stub dpkg-query "$two_missing"
stub id 'echo 0'
boot demo
[ $rc -eq 0 ] || fail "as root: $(cat err)"
grep -q '^apt-get update -q \[noninteractive\]$' calls || fail "no apt-get update: $(cat calls)"
grep -q -- '--no-install-recommends gcc make \[noninteractive\]$' calls ||
	fail "not exactly the two missing packages: $(cat calls)"

stub id 'echo 1000'
boot demo
[ $rc -eq 1 ] || fail "without root or sudo: exit $rc"
grep -qx 'apt-get update && apt-get install -y --no-install-recommends gcc make' err ||
	fail "not the one line to run: $(cat err)"
[ ! -s calls ] || fail "without root it ran: $(cat calls)"

# shellcheck disable=SC2016
stub sudo 'echo "sudo" >>../calls; shift; exec "$@"'
boot demo
[ $rc -eq 0 ] && grep -q '^sudo$' calls && grep -q '^apt-get install' calls ||
	fail "with sudo: exit $rc: $(cat err calls)"
